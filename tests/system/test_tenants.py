# SPDX-License-Identifier: Apache-2.0
"""Who may sign as whom, by the commands that say so and the daemon that obeys them."""

import json

import pytest

import messages
import peers
from inkan import Inkan
from process import wait_for

DONE, NO, INVALID, REFUSED = 0, 1, 2, 3
OUTSIDE = "203.0.113.9"


@pytest.fixture(scope="module")
def shared(module_folder):
    inkan = Inkan(f"{module_folder}/inkan", sign__provider_domain="provider.example",
                  server__workers="1")  # two learn of a change at different moments
    inkan.set_up("acme", "globex", "provider")
    inkan.add_domain("acme.example")
    inkan.add_domain("both.example", algorithms=("rsa-sha256", "ed25519-sha256"))
    inkan.add_domain("globex.example", tenant="globex")
    inkan.add_domain("provider.example", tenant="provider")
    inkan.start()
    yield inkan
    inkan.stop()


@pytest.fixture
def inkan(shared):
    """The same installation; what a test adds it takes away again."""
    yield shared
    for grant in shared.json("grant", "list"):
        option = {"login": "--login", "network": "--network", "daemon": "--daemon-name"}
        shared.ok("grant", "remove", option[grant["type"]], grant["subject"])
    for rule in shared.json("rule", "list"):
        shared.ok("rule", "remove", rule["pattern"], "--domain", rule["domain"])
    if "idle.example" in [tenant["name"] for tenant in shared.json("tenant", "list")]:
        shared.ok("tenant", "remove", "idle.example", "--yes")


def probe(inkan, author, *options):
    """Domains, selectors and identities of the signatures that the daemon makes."""
    answer = inkan.run("probe", "--socket", inkan.settings["server.listen"], *options,
                       stdin=messages.compose(author.encode()))
    assert answer.returncode in (DONE, NO), answer.stderr
    return [(tags["d"], tags["s"], tags.get("i", "")) for tags in peers.signatures_of(answer.output)]


def signed_by(inkan, author, *options):
    return [domain for domain, _, _ in probe(inkan, author, *options)]


def explain(inkan, author, *options):
    answer = inkan.run("--json", "explain", "--from", author, *options)
    assert answer.returncode in (DONE, NO), answer.stderr
    return json.loads(answer.stdout)


def becomes(inkan, wanted, author, *options):
    """The daemon learns of a change in a second or so."""
    wait_for(f"{author} with {options} to be signed by {wanted}",
             lambda: signed_by(inkan, author, *options) == wanted, 5)


# -- suspended tenants -------------------------------------------------------------------------


@pytest.mark.parametrize("login, grant", [
    ("web17", ("--login", "web17")),
    ("ann@nowhere.example", ("--login", "@nowhere.example")),
    ("ann@idle.example", None),
], ids=["grant", "grant to a domain", "by its name"])
def test_a_suspended_tenants_clients_get_no_signature_of_the_provider(inkan, login, grant):
    """Though it has no domain by which the daemon would know the tenant."""
    inkan.ok("tenant", "add", "idle.example")
    if grant:
        inkan.ok("grant", "add", *grant, "--tenant", "idle.example")
    inkan.ok("rule", "add", "*", "--domain", "provider.example")
    client = ("--client", OUTSIDE, "--login", login)
    becomes(inkan, ["provider.example"], "a@elsewhere.example", *client)
    inkan.ok("tenant", "suspend", "idle.example")
    becomes(inkan, [], "a@elsewhere.example", *client)
    answer = explain(inkan, "a@elsewhere.example", *client)
    assert (answer["reason"], answer["text"]) == ("suspended", "tenant idle.example is suspended")
    inkan.ok("tenant", "resume", "idle.example")
    becomes(inkan, ["provider.example"], "a@elsewhere.example", *client)


# -- whole messages -----------------------------------------------------------------------------


@pytest.mark.parametrize("header, reason, author", [
    ("From: a@acme.example\nFrom: b@globex.example\n", "authors", None),
    ("From: A (x) <a@acme.example>,\n b@globex.example\n", "authors", None),
    ("Sender: b@globex.example\n", "no_from", None),
    ("From: =?utf-8?q?b=40globex.example?= <a@acme.example>\nSubject: x\n\nFrom: b@x\n", "sign",
     "a@acme.example")])
def test_explain_of_a_message(inkan, folder, header, reason, author):
    path = f"{folder}/message"
    with open(path, "w", encoding="ascii") as file:
        file.write(header)
    answers = [inkan.run("--json", "explain", "--login", "x@acme.example", "--message", name,
                         stdin=header.encode()) for name in (path, "-")]
    assert answers[0].stdout == answers[1].stdout
    told = json.loads(answers[0].stdout)
    assert told["reason"] == reason
    assert [step["text"] for step in told["steps"] if step["step"] == "author"] == (
        [author] if author else [])


def test_explain_refuses_what_is_no_message(inkan, folder):
    for arguments, words in (((), "--from or --message is missing"),
                             (("--message", "-"), "no message on standard input"),
                             (("--message", f"{folder}/none"), f"{folder}/none"),
                             (("--message", "-", "--from", "a@b.example"), "has From")):
        answer = inkan.run("explain", *arguments)
        assert answer.returncode == INVALID and words in answer.stderr, (arguments, answer.stderr)


# -- what is done without a key ----------------------------------------------------------------


@pytest.mark.parametrize("wanted, action, provider", [
    ("tempfail", "tempfail", None), ("unsigned", "unsigned", None),
    ("provider", "unsigned", "provider.example has no active key")])
def test_explain_tells_deferred_mail_from_unsigned(folder, wanted, action, provider):
    inkan = Inkan(f"{folder}/inkan", sign__provider_domain="provider.example").set_up("acme")
    inkan.ok("domain", "add", "acme.example", "--tenant", "acme", "--no-key")
    inkan.ok("domain", "add", "provider.example", "--tenant", "acme", "--no-key")
    inkan.ok("tenant", "set", "acme", f"on_no_key={wanted}")
    answer = explain(inkan, "a@acme.example")
    assert (answer["signed"], answer["reason"], answer["action"]) == (False, "no_key", action)
    assert [step["text"] for step in answer["steps"] if step["step"] == "provider"] == (
        [provider] if provider else [])


@pytest.mark.parametrize("domain, text", [
    ("", "sign.provider_domain is not set"),
    ("nobody.example", "sign.provider_domain is not a domain of this service")])
def test_explain_tells_why_no_provider_signs(folder, domain, text):
    inkan = Inkan(f"{folder}/inkan", sign__provider_domain=domain).set_up("acme")
    inkan.ok("domain", "add", "acme.example", "--tenant", "acme", "--no-key")
    inkan.ok("tenant", "set", "acme", "on_no_key=provider")
    steps = explain(inkan, "a@acme.example")["steps"]
    assert {"step": "provider", "text": text} in steps


# -- grants -------------------------------------------------------------------------------------


def test_each_login_signs_for_its_own_tenant_only(inkan):
    ann, bob = ("--login", "ann@acme.example"), ("--login", "bob@globex.example")
    for where in ((), ("--client", OUTSIDE)):
        assert signed_by(inkan, "a@acme.example", *ann, *where) == ["acme.example"]
        assert signed_by(inkan, "a@globex.example", *bob, *where) == ["globex.example"]
        assert not signed_by(inkan, "a@globex.example", *ann, *where)
        assert not signed_by(inkan, "a@acme.example", *bob, *where)
    assert ("not signed: login bob@globex.example may not sign for acme.example (tenant acme)"
            in inkan.daemon.log_text())


@pytest.mark.parametrize("grant, options", [
    (("--login", "web17"), ("--login", "web17")),
    (("--login", "@hosting.example"), ("--login", "x@hosting.example")),
    (("--network", "198.51.100.0/24"), ("--client", "198.51.100.9")),
    (("--network", "2001:db8::/32"), ("--client", "2001:db8::25")),
])
def test_a_grant_counts_within_seconds_and_no_longer_than_it_is_there(inkan, grant, options):
    where = options if "--client" in options else (*options, "--client", OUTSIDE)
    assert not signed_by(inkan, "a@acme.example", *where)
    inkan.ok("grant", "add", "--tenant", "acme", *grant)
    becomes(inkan, ["acme.example"], "a@acme.example", *where)
    assert not signed_by(inkan, "a@globex.example", *where)
    inkan.ok("grant", "remove", *grant)
    becomes(inkan, [], "a@acme.example", *where)


def test_a_granted_internal_network_is_no_longer_the_providers(inkan):
    assert signed_by(inkan, "a@globex.example") == ["globex.example"]
    inkan.ok("grant", "add", "--tenant", "acme", "--network", "127.0.0.0/8")
    becomes(inkan, [], "a@globex.example")
    assert signed_by(inkan, "a@acme.example") == ["acme.example"]


def test_one_signature_where_the_grant_says_so(inkan):
    login = ("--login", "ses", "--client", OUTSIDE)
    inkan.ok("grant", "add", "--tenant", "acme", "--login", "ses")
    becomes(inkan, ["both.example", "both.example"], "a@both.example", *login)
    inkan.ok("grant", "remove", "--login", "ses")
    inkan.ok("grant", "add", "--tenant", "acme", "--login", "ses", "--one-signature")
    becomes(inkan, ["both.example"], "a@both.example", *login)


@pytest.mark.parametrize("arguments, code", [
    (("add", "--tenant", "acme"), INVALID),
    (("add", "--tenant", "acme", "--login", "a", "--network", "192.0.2.1"), INVALID),
    (("add", "--tenant", "acme", "--login", ""), INVALID),
    (("add", "--tenant", "acme", "--login", "@"), INVALID),
    (("add", "--tenant", "acme", "--network", "192.0.2.1/24"), INVALID),
    (("add", "--tenant", "acme", "--network", "example.com"), INVALID),
    (("add", "--tenant", "nobody", "--login", "a"), INVALID),
    (("add", "--tenant", "acme", "--login", "a\nb"), INVALID),
    (("remove",), INVALID),
    (("remove", "--login", "nobody"), INVALID),
    (("list", "--tenant", "nobody"), INVALID),
])
def test_bad_grants_are_refused_in_one_sentence(inkan, arguments, code):
    answer = inkan.run("grant", *arguments)
    assert answer.returncode == code and len(answer.stderr.splitlines()) == 1, answer.stderr
    assert not inkan.json("grant", "list")


def test_a_grant_given_twice_is_refused(inkan):
    inkan.ok("grant", "add", "--tenant", "acme", "--login", "Ann@Acme.example")
    again = inkan.run("grant", "add", "--tenant", "globex", "--login", "Ann@acme.EXAMPLE")
    assert again.returncode == REFUSED and "exists already" in again.stderr
    grant, = inkan.json("grant", "list", "--tenant", "acme")
    assert (grant["type"], grant["subject"]) == ("login", "ann@acme.example")
    assert inkan.run("tenant", "remove", "acme", "--yes").returncode == REFUSED


# -- rules --------------------------------------------------------------------------------------


def test_a_rule_counts_within_seconds(inkan):
    assert not signed_by(inkan, "x@lists.example")
    inkan.ok("rule", "add", "lists.example", "--domain", "acme.example", "--identity",
             "@lists.acme.example")
    becomes(inkan, ["acme.example"], "x@lists.example")
    assert probe(inkan, "x@lists.example") == [("acme.example", "rsa", "@lists.acme.example")]
    assert not signed_by(inkan, "x@lists.example", "--login", "bob@globex.example")
    inkan.ok("rule", "remove", "lists.example")
    becomes(inkan, [], "x@lists.example")


@pytest.mark.parametrize("arguments, code", [
    (("add", "*@lists.example", "--domain", "acme.example"), INVALID),
    (("add", "*lists.example", "--domain", "acme.example"), INVALID),
    (("add", ".example", "--domain", "acme.example"), INVALID),
    (("add", "lists.example", "--domain", "nobody.example"), INVALID),
    (("add", "lists.example", "--domain", "acme.example", "--selector", "none"), INVALID),
    (("add", "lists.example", "--domain", "acme.example", "--selector", "-x"), INVALID),
    (("add", "lists.example", "--domain", "acme.example", "--identity", "@example"), INVALID),
    (("add", "lists.example", "--domain", "acme.example", "--identity", "@other.example"), INVALID),
    (("remove", "lists.example"), INVALID),
])
def test_bad_rules_are_refused_in_one_sentence(inkan, arguments, code):
    answer = inkan.run("rule", *arguments)
    assert answer.returncode == code and len(answer.stderr.splitlines()) == 1, answer.stderr
    assert not inkan.json("rule", "list")


def test_a_domain_with_rules_is_not_removed(inkan):
    inkan.ok("rule", "add", "lists.example", "--domain", "acme.example")
    answer = inkan.run("domain", "remove", "acme.example", "--yes")
    assert answer.returncode == REFUSED and "rule list --domain" in answer.stderr, answer.stderr
    assert inkan.json("key", "list", "acme.example")


def test_reserved_keys_sign_for_their_rules_only(inkan):
    inkan.ok("key", "new", "globex.example", "--selector", "boss", "--reserved", "--activate")
    inkan.ok("rule", "add", "boss@globex.example", "--domain", "globex.example", "--selector",
             "boss")
    becomes(inkan, ["globex.example"], "clerk@globex.example")
    wait_for("the rule is known",
             lambda: probe(inkan, "Boss@globex.example") == [("globex.example", "boss", "")], 5)
    assert probe(inkan, "clerk@globex.example") == [("globex.example", "rsa", "")]
    states = {key["selector"]: key["state"] for key in inkan.json("key", "list", "globex.example")}
    assert states == {"boss": "active", "rsa": "active"}
    inkan.ok("key", "revoke", "globex.example", "boss", "--yes")
    inkan.ok("rule", "remove", "boss@globex.example")


def test_rules_follow_the_successor_of_a_key(inkan):
    """Else a rotation would silently end the signatures of those authors."""
    inkan.ok("rule", "add", "news@provider.example", "--domain", "provider.example", "--selector",
             "rsa")
    inkan.ok("key", "new", "provider.example", "--selector", "next", "--activate")
    rule, = inkan.json("rule", "list")
    assert rule["selector"] == "next"
    wait_for("the successor signs",
             lambda: probe(inkan, "news@provider.example") == [("provider.example", "next", "")], 5)


# -- what tenants want --------------------------------------------------------------------------


def test_settings_of_a_tenant_hold_for_its_domains(inkan):
    def fields(author):
        answer = inkan.run("probe", "--socket", inkan.settings["server.listen"],
                           stdin=messages.compose(author.encode()))
        return peers.signatures_of(answer.output)

    inkan.ok("tenant", "set", "acme", "canonicalization=simple/simple", "expiry=1h",
             "headers=from,subject", "oversign=subject", "also_provider=yes", "ed25519=off",
             "subdomains=yes")
    try:
        becomes(inkan, ["both.example", "provider.example"], "a@both.example")
        ours, providers = fields("a@both.example")
        assert ours["c"] == "simple/simple" and int(ours["x"]) - int(ours["t"]) == 3600
        assert ours["h"].lower().replace(" ", "").split(":").count("subject") == 2
        assert "date" not in ours["h"].lower()
        assert providers["c"] == "relaxed/relaxed" and "x" not in providers
        assert signed_by(inkan, "a@mail.acme.example") == ["acme.example", "provider.example"]
        inkan.ok("tenant", "set", "acme", "one_signature=yes")
        becomes(inkan, ["both.example"], "a@both.example")
    finally:
        inkan.ok("tenant", "set", "acme", "canonicalization=", "expiry=-1", "headers=", "oversign=",
                 "also_provider=no", "ed25519=on", "subdomains=no", "one_signature=no")


@pytest.mark.parametrize("value", ["headers=from,,to", "headers=received", "oversign=a b",
                                   "on_no_key=perhaps", "ed25519=yes", "canonicalization=none",
                                   "expiry=-2"])
def test_bad_settings_of_a_tenant_are_refused(inkan, value):
    answer = inkan.run("tenant", "set", "acme", value)
    assert answer.returncode == INVALID and len(answer.stderr.splitlines()) == 1, answer.stderr


def test_what_is_done_without_a_key_is_the_tenants_choice(inkan):
    inkan.ok("tenant", "add", "keyless", "on_no_key=provider")
    inkan.ok("domain", "add", "keyless.example", "--tenant", "keyless", "--no-key")
    becomes(inkan, ["provider.example"], "a@keyless.example")
    inkan.ok("tenant", "set", "keyless", "on_no_key=unsigned")
    becomes(inkan, [], "a@keyless.example")
    inkan.ok("tenant", "set", "keyless", "on_no_key=tempfail")
    wait_for("mail is deferred", lambda: inkan.run(
        "probe", "--socket", inkan.settings["server.listen"],
        stdin=messages.compose(b"a@keyless.example")).returncode == 75, 5)


# -- explain ------------------------------------------------------------------------------------


def test_explain_tells_every_step_and_agrees_with_the_daemon(inkan):
    inkan.ok("grant", "add", "--tenant", "acme", "--login", "web17")
    inkan.ok("rule", "add", "lists.example", "--domain", "acme.example")
    cases = [(author, options)
             for author in ("a@acme.example", "a@globex.example", "x@lists.example",
                            "x@nobody.example", "a@sub.acme.example")
             for options in ((), ("--login", "web17"), ("--login", "bob@globex.example"),
                             ("--client", OUTSIDE), ("--login", "nobody"))]
    becomes(inkan, ["acme.example"], "x@lists.example", "--login", "web17")
    for author, options in cases:
        told = explain(inkan, author, *options)
        assert [key["domain"] for key in told["keys"]] == signed_by(inkan, author, *options)
        assert told["signed"] == bool(told["keys"])
        assert told["steps"][-1] == {"step": "decision", "text": told["text"]}
    told = explain(inkan, "x@lists.example", "--login", "web17")
    assert [step["step"] for step in told["steps"]] == [
        "origin", "grant", "author", "rule", "tenant", "key", "decision"]
    assert "grant to this login" in told["steps"][1]["text"]


def test_explain_takes_sender_and_envelope(inkan):
    options = ("--sender", "b@acme.example", "--envelope-from", "<c@globex.example>")
    assert explain(inkan, "a@nobody.example", *options)["reason"] == "no_domain"
    for author, domain in (("from,sender", "acme.example"),
                           ("from,sender,envelope", "acme.example")):
        inkan.configure(sign__author=author)
        assert explain(inkan, "a@nobody.example", *options)["domain"] == domain
    assert explain(inkan, "a@nobody.example", *options[2:])["domain"] == "globex.example"
    inkan.configure(sign__author=None)


# -- other settings -----------------------------------------------------------------------------


def test_tenant_check_and_shadow(new_inkan):
    inkan = new_inkan(trust__tenant_check="log").set_up("acme", "globex")
    inkan.add_domain("acme.example")
    inkan.add_domain("globex.example", tenant="globex")
    inkan.start()
    ann = ("--login", "ann@acme.example", "--client", OUTSIDE)
    refusal = "login ann@acme.example may not sign for globex.example (tenant globex)"
    assert signed_by(inkan, "a@globex.example", *ann) == ["globex.example"]
    assert f"tenant_check: {refusal}" in inkan.daemon.log_text()
    inkan.stop()
    inkan.configure(trust__tenant_check="off",
                    trust__shadow="tenant_check = enforce; internal_is_provider = no")
    inkan.start()
    assert signed_by(inkan, "a@globex.example", *ann) == ["globex.example"]
    assert signed_by(inkan, "a@acme.example") == ["acme.example"]
    assert signed_by(inkan, "a@acme.example", *ann) == ["acme.example"]
    log = inkan.daemon.log_text()
    assert log.count("tenant_check:") == 1
    assert f"shadow: would not be signed: {refusal}" in log
    assert "shadow: would not be signed: client 127.0.0.1 may not sign for acme.example" in log
    assert log.count("shadow: would") == 2
    inkan.stop()


@pytest.mark.parametrize("value", ["tenant_check", "tenant_check = perhaps", "workers = 2",
                                   "shadow = x", "internal_hosts = 192.0.2.1/24"])
def test_bad_shadows_are_refused(shared, value):
    shared.configure(trust__shadow=value)
    answer = shared.run("conf", "check")
    shared.configure(trust__shadow=None)
    assert answer.returncode == INVALID and "[trust] shadow" in answer.stderr, answer.stderr
