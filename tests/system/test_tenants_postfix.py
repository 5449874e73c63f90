# SPDX-License-Identifier: Apache-2.0
"""Customers of one provider who log in to the same Postfix and sign as each other, or try to.

Ann is a customer of the tenant acme, Bob of globex. Whatever is refused to one of them is
signed for the other, so that no test passes because nothing is ever signed.
"""

import contextlib
import re

import peers
import pytest
from inkan import PATIENCE, Inkan
from process import free_port, wait_for
from sasl import Submission, log_in, queue_id_of

REST = b"To: to@sink.test\r\nSubject: A message\r\nMessage-ID: <1@client.test>\r\n\r\nHello\r\n"

LOOPBACK = "127.0.0.1"  # internal
INTERNAL_OF_ACME = "127.0.1.1"
EXTERNAL = "127.0.2.1"
EXTERNAL_OF_ACME = "127.0.3.1"
GLOBEX_WITHIN_ACME = "127.0.3.65"
EXTERNAL_OF_GLOBEX, PAST_GLOBEX = "127.0.4.127", "127.0.4.128"

# How the daemons on the one store differ.
SERVICES = {
    "enforce": {},
    "sender": {"sign__author": "from,sender"},
    "envelope": {"sign__author": "from,sender,envelope"},
    "external": {"trust__internal_hosts": "192.0.2.1"},
    "strict": {"trust__internal_is_provider": "no"},
    "log": {"trust__tenant_check": "log"},
    "off": {"trust__tenant_check": "off"},
}
# Further services before the daemon `enforce`, each with a {daemon_name} of its own.
DAEMON_NAMES = {"shop": "ACME-SHOP", "unknown": "NOBODYS"}

# login: the tenant's domain that takes subdomains, and the one that does not.
PEOPLE = {
    "ann": ("ann@acme.example", "acme", "acme.example", "acme-two.example"),
    "bob": ("bob@globex.example", "globex", "globex.example", "globex-two.example"),
}
GRANTS = [
    ("--login", "shop7", "acme"), ("--login", "@hosting.example", "acme"),
    ("--login", "carl@unhosted.example", "globex"),
    ("--network", "127.0.1.0/24", "acme"), ("--network", "127.0.3.0/24", "acme"),
    ("--network", "127.0.4.0/25", "globex"), ("--daemon-name", "ACME-SHOP", "acme"),
    # Those that are nearer count.
    ("--login", "boss@hosting.example", "globex"), ("--login", "una@acme.example", "globex"),
    ("--network", "127.0.3.64/26", "globex"),
]
GRANTED_LOGINS = {  # and the tenant
    "shop7": "acme", "x@hosting.example": "acme", "y@hosting.example": "acme",
    "y@HOSTING.EXAMPLE": "acme", "carl@unhosted.example": "globex",
    "boss@hosting.example": "globex", "una@acme.example": "globex",
}
UNGRANTED_LOGINS = ("SHOP7", "shop77", "hosting", "x@sub.hosting.example", "x@nothosting.example",
                    "dora@unhosted.example")
OMICRON = "gl\u03bfbex.example"  # acme's
BOOKS = "b\u00fccher.example"  # globex'


def a_labels(domain):
    return domain.encode("idna").decode()


class Fleet:
    """inkands on one store, each started when it is first asked for, and one Postfix."""

    def __init__(self, folder, sink):
        self.ports = {name: free_port() for name in SERVICES}
        self.store = Inkan(f"{folder}/enforce", **self._settings("enforce")).set_up()
        self.inkands = {"enforce": self.store}
        self.folder = folder
        milters = {name: f"inet:{LOOPBACK}:{port}" for name, port in self.ports.items()}
        milters.update({name: milters["enforce"] for name in DAEMON_NAMES})
        self.postfix = Submission(f"{folder}/postfix", sink, milters, local="strict",
                                  daemon_names=DAEMON_NAMES)
        self.records, self.records_file = {}, None

    def _settings(self, name):
        return {"server__listen": f"inet:{self.ports[name]}@{LOOPBACK}", "server__workers": "1",
                "trust__internal_hosts": f"{LOOPBACK}, 127.0.1.0/24", **SERVICES[name]}

    def inkand(self, service):
        """The running daemon behind a service of Postfix."""
        name = "enforce" if service in DAEMON_NAMES else service
        if name not in self.inkands:
            self.inkands[name] = Inkan(
                f"{self.folder}/{name}", **self._settings(name),
                store__url=f"sqlite:{self.store.database}", vault__keyring=self.store.keyring)
        if self.inkands[name].daemon is None:
            self.inkands[name].start()
        return self.inkands[name]

    def publish(self):
        """Makes all key records of the store known to the verifiers."""
        self.records = self.store.records()
        self.records_file = self.store.records_file()

    def submit(self, head, login=None, service="enforce", source=EXTERNAL):
        """A message with the head's fields in a connection of its own; what came of it."""
        self.inkand(service)
        with self.postfix.session(service, login, source) as smtp:
            return self.pass_on(smtp, head, service)

    def pass_on(self, smtp, head, service="enforce", **envelope):
        """The same in a connection that is there."""
        message = head.encode() + b"\r\n" + REST
        return Outcome(self, self.inkand(service),
                       self.postfix.pass_on(smtp, message, **envelope))

    def stop(self):
        with contextlib.ExitStack() as stack:  # all of them, whatever one of them says
            for inkand in self.inkands.values():
                stack.callback(inkand.stop)
            stack.callback(self.postfix.stop)


def soon(what, condition):
    """Whatever is changed counts within two seconds."""
    return wait_for(what, condition, 2 * PATIENCE)


STRANGER = "the client is neither internal nor authenticated"
VERDICT = "not signed|DKIM-Signature|deferred"


class Outcome:
    """What became of a message."""

    def __init__(self, fleet, inkand, message):
        self.fleet = fleet
        self.message = message
        self.domains = [tags["d"] for tags in peers.signatures_of(message)]
        queue_id = queue_id_of(message)
        inkand.wait_log(f"^{queue_id}: ({VERDICT})")
        self.lines = re.findall(f"^{queue_id}: (.*)$", inkand.log(), re.M)

    def assert_signed(self, domain):
        """By that domain alone, nothing else is said, and verifiers agree."""
        self.assert_signed_with_log(domain)
        assert len(self.lines) == 1, self.lines

    def assert_signed_with_log(self, domain):
        assert self.domains == [domain], self.lines
        assert any(line.startswith(f"DKIM-Signature field added (s=rsa, d={domain}) ")
                   for line in self.lines), self.lines
        assert peers.python_dkim(self.message, self.fleet.records) == [("rsa", True)]
        answer = self.fleet.store.run("verify", "--records", self.fleet.records_file,
                                      stdin=self.message)
        assert answer.returncode == 0, answer.stdout + answer.stderr

    def assert_unsigned(self, reason):
        """The log's only line says so and has the reason in it."""
        assert self.domains == [], self.lines
        assert len(self.lines) == 1, self.lines
        assert self.lines[0].startswith("not signed: ") and reason in self.lines[0], self.lines

    def assert_refused(self, who, domain, tenant):
        assert self.domains == [], self.lines
        assert self.lines == [f"not signed: {who} may not sign for {domain} (tenant {tenant})"]


@pytest.fixture(scope="module")
def fleet(module_folder, sink):
    made = Fleet(module_folder, sink)
    try:
        populate(made)
        yield made
    finally:
        made.stop()


def populate(fleet):
    store = fleet.store
    for login, tenant, domain, second in PEOPLE.values():
        store.ok("tenant", "add", tenant)
        store.add_domain(domain, tenant, subdomains="yes")
        store.add_domain(second, tenant)
        fleet.postfix.add_login(login)
    store.add_domain("parent.example", "acme", subdomains="yes")
    store.add_domain("child.parent.example", "globex")
    store.ok("domain", "add", "keyless.parent.example", "--tenant", "globex", "--no-key")
    store.add_domain(OMICRON, "acme")
    store.add_domain(BOOKS, "globex")
    for kind, subject, tenant in GRANTS:
        store.ok("grant", "add", "--tenant", tenant, kind, subject)
    for login in [*GRANTED_LOGINS, *UNGRANTED_LOGINS]:
        fleet.postfix.add_login(login)
    fleet.publish()


def other(who):
    return "bob" if who == "ann" else "ann"


def encoded(domain):
    """As it may stand in an encoded word."""
    return domain.replace(".", "=2E")


def written(template, domain, shown):
    """A head whose author is of the domain, and which shows the second one as well."""
    return "\r\n".join(template).format(
        d=domain, e=shown, D=domain.upper(), spaced=domain.replace(".", " . "),
        full=domain.replace(".", "\u3002"), wide=chr(ord(domain[0]) + 0xfee0) + domain[1:],
        soft=domain[0] + "\u00ad" + domain[1:], joined=domain[0] + "\u200d" + domain[1:],
        code=encoded(domain), shown_code=encoded(shown))


# {d} is the author's domain for whoever reads a From field as RFC 5322 has it, {e} another's.
SPELLINGS = {
    "a plain address": ["From: u@{d}"],
    "a display name": ["From: Anna Muster <u@{d}>"],
    "upper case": ["FROM: <U@{D}>"],
    "no space after the colon": ["From:u@{d}"],
    "white space around the @": ["From: \t u \t@ {d} \t"],
    "white space around the dots": ["From: u@{spaced}"],
    "folding before the angle": ["From: Anna", " <u@{d}>"],
    "folding before everything": ["From:", " u", "\t@", " {d}"],
    "an address in a comment before": ["From: (x@{e}) u@{d}"],
    "an address in a comment of the local part": ["From: u(x@{e})@{d}"],
    "a domain in a comment before the domain": ["From: u@({e}){d}"],
    "a domain in a comment after the domain": ["From: u@{d}(.{e})"],
    "an address in a comment in a comment": ["From: u@(a \\) (b) <x@{e}>){d}"],
    "an address in a folded comment": ["From: u(", " x@{e}", " )@{d}"],
    "an address as quoted local part": ['From: "x@{e}"@{d}'],
    "an angle address in a quoted local part": ['From: <"u@{e}>, <x"@{d}>'],
    "an address as quoted display name": ['From: "x@{e}" <u@{d}>'],
    "an angle address in a quoted display name": ['From: "<x@{e}>," <u@{d}>'],
    "an address as encoded display name": ["From: =?utf-8?q?x=40{shown_code}?= <u@{d}>"],
    "an address that ends in an encoded display name": [
        "From: =?utf-8?q?=3Cx=40{shown_code}=3E=2C?= <u@{d}>"],
    "an address as encoded local part": ["From: =?utf-8?q?x=40{shown_code}?=@{d}"],
    "an address with a wide @ as display name": ["From: x\uff20{e} <u@{d}>"],
    "a percent": ["From: x%{e}@{d}"],
    "a bang path": ["From: {e}!x@{d}"],
    "a group of one": ["From: Us: u@{d};"],
    "a group with an address as name": ['From: "x@{e}": u@{d};'],
    "commas without addresses": ["From: ,u@{d},,"],
    "Resent-From": ["From: u@{d}", "Resent-From: x@{e}"],
    "Resent-From before": ["Resent-From: x@{e}", "From: u@{d}"],
    "Reply-To and Return-Path": ["Return-Path: <x@{e}>", "From: u@{d}", "Reply-To: x@{e}"],
    "Sender that does not count": ["From: u@{d}", "Sender: x@{e}"],
    "X-From and other names that begin or end so": ["X-From: x@{e}", "From: u@{d}", "Fromm: x@{e}"],
    "ideographic full stops": ["From: u@{full}"],
    "a wide letter": ["From: u@{wide}"],
    "a soft hyphen": ["From: u@{soft}"],
    "a NUL, where Postfix ends the field": ["From: u@{d}\0.{e}"],
    "a line for mailboxes before": ["From x@{e} Sat Nov 21 12:00:00 2026", "From: u@{d}"],
}


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("what", SPELLINGS)
def test_own_author_is_signed(fleet, what, who):
    login, _, domain, _ = PEOPLE[who]
    head = written(SPELLINGS[what], domain, PEOPLE[other(who)][2])
    fleet.submit(head, login).assert_signed(domain)


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("what", SPELLINGS)
def test_other_tenants_author_is_refused(fleet, what, who):
    _, tenant, domain, _ = PEOPLE[other(who)]
    head = written(SPELLINGS[what], domain, PEOPLE[who][2])
    outcome = fleet.submit(head, PEOPLE[who][0])
    outcome.assert_refused(f"login {PEOPLE[who][0]}", domain, tenant)


NEVER = {
    "two mailboxes": (["From: u@{d}, x@{e}"], "names 2 authors"),
    "two mailboxes of one domain": (["From: u@{d}, x@{d}"], "names 2 authors"),
    "a mailbox and an angle address": (["From: u@{d}, Anna", " <x@{e}>"], "names 2 authors"),
    "a group of two": (["From: Us: u@{d}, x@{e};"], "names 2 authors"),
    "a group and a mailbox": (["From: Us: u@{d};, x@{e}"], "names 2 authors"),
    "two groups": (["From: Us: u@{d};, Them: x@{e};"], "names 2 authors"),
    "two From fields": (["From: u@{d}", "From: x@{e}"], "2 From fields"),
    "two From fields in different case": (["fRoM: u@{d}", "Subject: x", "FROM: x@{e}"],
                                          "2 From fields"),
    "a second From field that is empty": (["From: u@{d}", "From:"], "2 From fields"),
    "a second From field that is no address": (["From: no one", "From: u@{d}"], "2 From fields"),
    "a second From field with a space before the colon": (["From: u@{d}", "From : x@{e}"],
                                                           "2 From fields"),
    "a second mailbox after an empty line of the fold": (["From: u@{d}", " ", " , x@{e}"],
                                                         "names 2 authors"),
    "a second From field after a bare CR": (["From: u@{d}\rFrom: x@{e}"], "From: at "),
    "a joiner nobody sees": (["From: u@{joined}"], "From: at "),
    "a space that is none": (["From: u@{d}\u00a0"], "From: at "),
    "a route": (["From: <@{e}:u@{d}>"], "From: at "),
    "a route of two": (["From: Anna <@{e},@relay.example:u@{d}>"], "From: at "),
    "a domain literal": (["From: u@[127.0.0.1]"], "an address literal"),
    "a domain as literal": (["From: u@[{d}]"], "an address literal"),
    "a dot at the end": (["From: u@{d}."], "From: at "),
    "two @": (["From: u@{d}@{e}"], "From: at "),
    "an address for display name": (["From: x@{e} <u@{d}>"], "From: at "),
    "two angle addresses": (["From: <u@{d}> <x@{e}>"], "From: at "),
    "an encoded word instead of an address": (["From: =?utf-8?q?u=40{code}?="], "From: at "),
    "an encoded angle address": (["From: =?utf-8?q?=3Cu=40{code}=3E?="], "From: at "),
    "an encoded word as domain": (["From: u@=?utf-8?q?{code}?="], "From: at "),
    "an encoded word below the domain": (["From: u@=?utf-8?q?x?=.{d}"], "From: at "),
    "an encoded word in an angle address": (["From: <=?utf-8?q?u=40{code}?=>"], "From: at "),
    "a comment without end": (["From: u@{d} (x@{e}"], "From: at "),
    "a quote without end": (['From: "x@{e} <u@{d}>'], "From: at "),
    "the domain's parent": (["From: u@example"], "example is not a domain of this service"),
    "a domain that ends so": (["From: u@not{d}"], "not{d} is not a domain of this service"),
    "a domain that begins so": (["From: u@{d}.test"], "{d}.test is not a domain of this service"),
    "no From field": (["Resent-From: u@{d}", "Sender: u@{d}"], "the message has no From field"),
}


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("what", NEVER)
def test_is_never_signed(fleet, what, who):
    """In either order; what is the author's own and alone is in SPELLINGS."""
    template, reason = NEVER[what]
    own, others = PEOPLE[who][2], PEOPLE[other(who)][2]
    for domain, shown in ((own, others), (others, own)):
        outcome = fleet.submit(written(template, domain, shown), PEOPLE[who][0])
        outcome.assert_unsigned(reason.format(d=domain))


# -- Sender -----------------------------------------------------------------------------------


@pytest.mark.parametrize("who", PEOPLE)
def test_sender_of_another_tenant_beside_ones_own_from_does_no_harm(fleet, who):
    login, _, own, _ = PEOPLE[who]
    head = f"From: u@{own}\r\nSender: x@{PEOPLE[other(who)][2]}"
    for service in ("enforce", "sender"):
        fleet.submit(head, login, service).assert_signed(own)


@pytest.mark.parametrize("who", PEOPLE)
def test_own_sender_does_not_help_to_another_tenants_from(fleet, who):
    login, _, own, _ = PEOPLE[who]
    _, tenant, domain, _ = PEOPLE[other(who)]
    head = f"From: u@{domain}\r\nSender: x@{own}"
    for service in ("enforce", "sender"):
        fleet.submit(head, login, service).assert_refused(f"login {login}", domain, tenant)


@pytest.mark.parametrize("who", PEOPLE)
def test_sender_counts_where_from_is_nobodys_and_the_settings_say_so(fleet, who):
    login, _, own, _ = PEOPLE[who]
    _, tenant, domain, _ = PEOPLE[other(who)]
    from_nobody = "From: u@unknown.example\r\nSender: x@"
    nobodys = "unknown.example is not a domain of this service"
    fleet.submit(from_nobody + own, login, "sender").assert_signed(own)
    fleet.submit(from_nobody + domain, login, "sender").assert_refused(f"login {login}", domain,
                                                                       tenant)
    for sender in (own, domain):
        fleet.submit(from_nobody + sender, login).assert_unsigned(nobodys)


@pytest.mark.parametrize("who", PEOPLE)
def test_several_senders_count_as_none(fleet, who):
    login, _, own, _ = PEOPLE[who]
    others = PEOPLE[other(who)][2]
    for senders in (f"Sender: x@{own}, y@{others}", f"Sender: y@{others}, x@{own}",
                    f"Sender: x@{own}\r\nSender: y@{others}",
                    f"Sender: y@{others}\r\nSender: x@{own}"):
        fleet.submit(f"From: u@{own}\r\n{senders}", login, "sender").assert_signed(own)
        fleet.submit(f"From: u@unknown.example\r\n{senders}", login, "sender").assert_unsigned(
            "unknown.example is not a domain of this service")


@pytest.mark.parametrize("who", PEOPLE)
def test_envelope_sender_counts_last_and_for_ones_own_tenant_only(fleet, who):
    login, _, own, _ = PEOPLE[who]
    _, tenant, domain, _ = PEOPLE[other(who)]
    fleet.inkand("envelope")
    with fleet.postfix.session("envelope", login, EXTERNAL) as smtp:
        def pass_on(author, sender):
            return fleet.pass_on(smtp, f"From: u@{author}", "envelope", sender=f"x@{sender}")

        pass_on(own, domain).assert_signed(own)
        pass_on("unknown.example", own).assert_signed(own)
        for author, sender in ((domain, own), ("unknown.example", domain)):
            pass_on(author, sender).assert_refused(f"login {login}", domain, tenant)


# -- domains above, below and beside ----------------------------------------------------------


@pytest.mark.parametrize("who", PEOPLE)
def test_subdomain_of_a_domain_that_takes_them(fleet, who):
    _, tenant, domain, _ = PEOPLE[who]
    rival = PEOPLE[other(who)][0]
    for author in (f"mail.{domain}", f"A.b.c.{domain}"):
        fleet.submit(f"From: u@{author}", PEOPLE[who][0]).assert_signed(domain)
        fleet.submit(f"From: u@{author}", rival).assert_refused(f"login {rival}", author.lower(),
                                                                tenant)


@pytest.mark.parametrize("who", PEOPLE)
def test_subdomain_of_a_domain_that_does_not_take_them(fleet, who):
    login, tenant, _, second = PEOPLE[who]
    rival = PEOPLE[other(who)][0]
    fleet.submit(f"From: u@{second}", login).assert_signed(second)
    fleet.submit(f"From: u@{second}", rival).assert_refused(f"login {rival}", second, tenant)
    for anyone in (login, rival):
        fleet.submit(f"From: u@mail.{second}", anyone).assert_unsigned(
            f"mail.{second} is not a domain of this service")


def test_parent_and_child_of_two_tenants(fleet):
    """parent.example is acme's and takes subdomains, child.parent.example is globex's."""
    ann, bob = PEOPLE["ann"][0], PEOPLE["bob"][0]
    parent, child, keyless = "parent.example", "child.parent.example", "keyless.parent.example"
    fleet.submit(f"From: u@{child}", bob).assert_signed(child)
    fleet.submit(f"From: u@{child}", ann).assert_refused(f"login {ann}", child, "globex")
    for author in (parent, f"else.{parent}", f"x{child}"):
        fleet.submit(f"From: u@{author}", ann).assert_signed(parent)
        fleet.submit(f"From: u@{author}", bob).assert_refused(f"login {bob}", author, "acme")
    # A child without a key is no case for its parent's.
    fleet.submit(f"From: u@{keyless}", ann).assert_refused(f"login {ann}", keyless, "globex")
    fleet.submit(f"From: u@{keyless}", bob).assert_unsigned(f"{keyless} has no active key")


def test_below_a_child_that_takes_no_subdomains_the_parents_key_is_not_for_the_childs_tenant(fleet):
    ann, bob = PEOPLE["ann"][0], PEOPLE["bob"][0]
    author = "deep.child.parent.example"
    fleet.submit(f"From: u@{author}", ann).assert_refused(f"login {ann}", author, "globex")
    assert fleet.submit(f"From: u@{author}", bob).domains == []


def test_author_of_a_rule_is_for_the_tenant_of_its_domain_only(fleet):
    fleet.store.ok("rule", "add", "partner.example", "--domain", "acme.example")
    ann, bob = PEOPLE["ann"][0], PEOPLE["bob"][0]
    fleet.submit("From: u@partner.example", ann).assert_signed("acme.example")
    fleet.submit("From: u@partner.example", bob).assert_refused(f"login {bob}", "partner.example",
                                                                "acme")


def test_rule_for_what_is_below_is_not_for_the_tenant_of_a_child(fleet):
    """The rule gives acme what is below ruled.example, where child.ruled.example is globex's."""
    fleet.store.ok("rule", "add", ".ruled.example", "--domain", "acme.example")
    fleet.store.add_domain("child.ruled.example", "globex")
    ann, bob = PEOPLE["ann"][0], PEOPLE["bob"][0]
    author = "deep.child.ruled.example"
    fleet.submit("From: u@else.ruled.example", ann).assert_signed("acme.example")
    fleet.submit(f"From: u@{author}", ann).assert_refused(f"login {ann}", author, "globex")
    assert fleet.submit(f"From: u@{author}", bob).domains == []


def test_domain_that_goes_to_another_tenant_is_no_longer_the_formers(fleet):
    ann, bob = PEOPLE["ann"][0], PEOPLE["bob"][0]
    mover = "x@moving.example"
    fleet.store.add_domain("moving.example", "acme")
    fleet.postfix.add_login(mover)
    fleet.publish()
    fleet.submit("From: u@moving.example", ann).assert_signed("moving.example")
    fleet.submit("From: u@acme.example", mover).assert_signed("acme.example")
    fleet.store.ok("--yes", "domain", "remove", "moving.example")
    soon("login is nobody's", lambda: not fleet.submit("From: u@acme.example", mover).domains)
    fleet.store.add_domain("moving.example", "globex", algorithms=["ed25519-sha256"])
    soon("bob signs", lambda: fleet.submit("From: u@moving.example", bob).domains)
    fleet.submit("From: u@globex.example", mover).assert_signed("globex.example")
    fleet.submit("From: u@acme.example", mover).assert_refused(f"login {mover}", "acme.example",
                                                               "acme")
    fleet.submit("From: u@moving.example", ann).assert_refused(f"login {ann}", "moving.example",
                                                               "globex")


LOOKALIKES = {
    "a Cyrillic o": "gl\u043ebex.example",
    "a Cyrillic a": "\u0430cme.example",
    "a Cyrillic e in the second label": "globex.\u0435xample",
    "a dotless i nobody sees": "globex\u0131.example",
}


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("what", LOOKALIKES)
def test_lookalike_that_nobody_has_is_never_signed(fleet, what, who):
    label = LOOKALIKES[what]
    for domain in (label, a_labels(label), a_labels(label).upper()):
        fleet.submit(f"From: u@{domain}", PEOPLE[who][0]).assert_unsigned(
            f"{a_labels(label)} is not a domain of this service")


def test_lookalike_that_a_tenant_has_is_signed_as_what_it_is(fleet):
    ann, bob = PEOPLE["ann"][0], PEOPLE["bob"][0]
    for domain in (OMICRON, a_labels(OMICRON), a_labels(OMICRON).upper()):
        fleet.submit(f"From: u@{domain}", ann).assert_signed(a_labels(OMICRON))
        fleet.submit(f"From: u@{domain}", bob).assert_refused(f"login {bob}", a_labels(OMICRON),
                                                              "acme")


def test_internationalised_domain_in_both_forms(fleet):
    ann, bob = PEOPLE["ann"][0], PEOPLE["bob"][0]
    for domain in (BOOKS, BOOKS.upper(), a_labels(BOOKS)):
        fleet.submit(f"From: Z\u00f6e <z\u00f6e@{domain}>", bob).assert_signed(a_labels(BOOKS))
        fleet.submit(f"From: Z\u00f6e <z\u00f6e@{domain}>", ann).assert_refused(
            f"login {ann}", a_labels(BOOKS), "globex")


# -- logins -----------------------------------------------------------------------------------


@pytest.mark.parametrize("who", PEOPLE)
def test_webmail_on_an_internal_host_is_bound_by_its_login(fleet, who):
    login, _, own, _ = PEOPLE[who]
    _, tenant, domain, _ = PEOPLE[other(who)]
    for source in (LOOPBACK, INTERNAL_OF_ACME):
        fleet.submit(f"From: u@{own}", login, source=source).assert_signed(own)
        fleet.submit(f"From: u@{domain}", login, source=source).assert_refused(
            f"login {login}", domain, tenant)


LOGIN_FORMS = {
    "the domain in upper case": "ann@ACME.EXAMPLE",
    "another user of the domain": "ann.b+tag@acme.example",
    "the other domain of the tenant": "ann@acme-two.example",
    "an address before the last @": "bob@globex.example@acme.example",
    "two @ beside each other": "bob@@acme.example",
    "a percent": "bob%globex.example@acme.example",
    "a domain below one that takes subdomains": "ann@mail.acme.example",
}


@pytest.mark.parametrize("what", LOGIN_FORMS)
def test_login_belongs_to_whose_domain_it_is(fleet, what):
    login = LOGIN_FORMS[what]
    fleet.postfix.add_login(login)
    for domain in PEOPLE["ann"][2:]:
        fleet.submit(f"From: u@{domain}", login).assert_signed(domain)
    for domain in PEOPLE["bob"][2:]:
        fleet.submit(f"From: u@{domain}", login).assert_refused(f"login {login}", domain, "globex")


@pytest.mark.parametrize("login, tenant", [("ann@acme", "acme"), ("ann@ACME", "acme"),
                                           ("x@globex.example@globex", "globex")])
def test_login_in_the_realm_of_a_tenants_name_belongs_to_that_tenant(fleet, login, tenant):
    fleet.postfix.add_login(login)
    assert_only_for(fleet, tenant, f"login {login}", login=login)


def test_login_with_a_domain_in_utf8_belongs_to_whose_domain_it_is(fleet):
    for login in (f"z\u00f6e@{BOOKS}", f"zoe@{a_labels(BOOKS)}"):
        fleet.postfix.add_login(login)
        fleet.submit("From: u@globex.example", login).assert_signed("globex.example")
        fleet.submit("From: u@acme.example", login).assert_refused(f"login {login}",
                                                                   "acme.example", "acme")


STRANGERS = ("web17", "x@unknown.example", "x@example", "x@notacme.example", "x@acme.example.test",
             f"x@{a_labels(LOOKALIKES['a Cyrillic a'])}", "x@mail.acme-two.example", "@", "web17@",
             "x@acme.", "x@acm", "ann@acme.example.", "ann@acme.example@")


@pytest.mark.parametrize("source", [EXTERNAL, LOOPBACK])
@pytest.mark.parametrize("login", STRANGERS)
def test_login_that_belongs_to_no_tenant_signs_nothing(fleet, login, source):
    fleet.postfix.add_login(login)
    for tenant in ("acme", "globex"):
        fleet.submit(f"From: u@{tenant}.example", login, source=source).assert_refused(
            f"login {login}", f"{tenant}.example", tenant)


def test_login_below_a_child_that_takes_no_subdomains_is_not_the_parents(fleet):
    """As an author there is not, see above."""
    login = "x@deep.child.parent.example"
    fleet.postfix.add_login(login)
    assert fleet.submit("From: u@parent.example", login).domains == []
    fleet.postfix.add_login("x@else.parent.example")
    fleet.submit("From: u@parent.example", "x@else.parent.example").assert_signed("parent.example")


def test_login_longer_than_any_grant_signs_nothing(fleet):
    login = "a" * 330 + "@acme.example"
    fleet.postfix.add_login(login)
    for domain in ("acme.example", "globex.example"):
        fleet.submit(f"From: u@{domain}", login).assert_unsigned("login aaaa")


def test_login_with_line_ends_forges_no_line_of_the_log(fleet):
    login = "eve\nF0F0F0F0: DKIM-Signature field added (s=rsa, d=globex.example)"
    fleet.postfix.add_login(login)
    fleet.submit("From: u@globex.example", login).assert_unsigned("login eve")
    assert not re.search("^F0F0F0F0: ", fleet.store.log(), re.M)


def test_what_mail_from_says_of_the_login_does_not_count(fleet):
    """MAIL FROM:<...> AUTH=<...> (RFC 4954 5) is the client's own word."""
    fleet.inkand("enforce")
    with fleet.postfix.session("enforce", PEOPLE["ann"][0], EXTERNAL) as smtp:
        options = {"mail_options": ["AUTH=bob+40globex.example"]}
        fleet.pass_on(smtp, "From: u@acme.example", **options).assert_signed("acme.example")
        fleet.pass_on(smtp, "From: u@globex.example", **options).assert_refused(
            "login ann@acme.example", "globex.example", "globex")


def test_messages_of_one_connection_are_judged_each(fleet):
    fleet.inkand("enforce")
    with fleet.postfix.session("enforce", PEOPLE["ann"][0], EXTERNAL) as smtp:
        for _ in range(2):
            fleet.pass_on(smtp, "From: u@acme.example").assert_signed("acme.example")
            fleet.pass_on(smtp, "From: u@globex.example").assert_refused(
                "login ann@acme.example", "globex.example", "globex")


def test_login_counts_from_when_it_was_said(fleet):
    fleet.inkand("enforce")
    with fleet.postfix.session("enforce", source=EXTERNAL) as smtp:
        fleet.pass_on(smtp, "From: u@acme.example").assert_unsigned(STRANGER)
        log_in(smtp, PEOPLE["ann"][0])
        fleet.pass_on(smtp, "From: u@acme.example").assert_signed("acme.example")
        fleet.pass_on(smtp, "From: u@globex.example").assert_refused(
            "login ann@acme.example", "globex.example", "globex")


def test_internal_host_without_login_loses_what_it_may_when_it_logs_in(fleet):
    fleet.inkand("enforce")
    with fleet.postfix.session("enforce", source=LOOPBACK) as smtp:
        fleet.pass_on(smtp, "From: u@globex.example").assert_signed("globex.example")
        log_in(smtp, PEOPLE["ann"][0])
        fleet.pass_on(smtp, "From: u@globex.example").assert_refused(
            "login ann@acme.example", "globex.example", "globex")


# -- clients without login --------------------------------------------------------------------


def test_internal_host_without_login_signs_for_every_tenant(fleet):
    for domain in ("acme.example", "globex.example"):
        fleet.submit(f"From: u@{domain}", source=LOOPBACK).assert_signed(domain)


def test_external_client_without_login_signs_nothing(fleet):
    for service, source in (("enforce", EXTERNAL), ("external", LOOPBACK), ("log", EXTERNAL),
                            ("off", EXTERNAL), ("unknown", EXTERNAL)):
        for domain in ("acme.example", "globex.example"):
            outcome = fleet.submit(f"From: u@{domain}", service=service, source=source)
            outcome.assert_unsigned(STRANGER)


# -- grants -----------------------------------------------------------------------------------

def assert_only_for(fleet, tenant, who, **client):
    """The client signs for that tenant's domains and is refused another's; who: as the log calls
    it."""
    for _, owner, *domains in PEOPLE.values():
        for domain in domains:
            outcome = fleet.submit(f"From: u@{domain}", **client)
            if owner == tenant:
                outcome.assert_signed(domain)
            else:
                outcome.assert_refused(who, domain, owner)


def assert_for_none(fleet, who, **client):
    for tenant in ("acme", "globex"):
        fleet.submit(f"From: u@{tenant}.example", **client).assert_refused(
            who, f"{tenant}.example", tenant)


def assert_stranger(fleet, **client):
    for domain in ("acme.example", "globex.example"):
        fleet.submit(f"From: u@{domain}", **client).assert_unsigned(STRANGER)


@pytest.mark.parametrize("login", GRANTED_LOGINS)
@pytest.mark.parametrize("source", [EXTERNAL, LOOPBACK])
def test_granted_login_signs_for_its_tenant_only(fleet, login, source):
    assert_only_for(fleet, GRANTED_LOGINS[login], f"login {login}", login=login, source=source)


@pytest.mark.parametrize("login", UNGRANTED_LOGINS)
def test_login_beside_a_granted_one_signs_nothing(fleet, login):
    assert_for_none(fleet, f"login {login}", login=login)


@pytest.mark.parametrize("service", ["enforce", "external", "strict"])
@pytest.mark.parametrize("source, tenant", [
    (EXTERNAL_OF_ACME, "acme"), (EXTERNAL_OF_GLOBEX, "globex"), (INTERNAL_OF_ACME, "acme"),
    (GLOBEX_WITHIN_ACME, "globex")])
def test_granted_network_signs_for_its_tenant_only(fleet, service, source, tenant):
    assert_only_for(fleet, tenant, f"client {source}", service=service, source=source)


@pytest.mark.parametrize("service", ["enforce", "external", "strict"])
def test_client_past_the_end_of_a_granted_network_signs_nothing(fleet, service):
    assert_stranger(fleet, service=service, source=PAST_GLOBEX)


@pytest.mark.parametrize("source", [EXTERNAL, LOOPBACK])
def test_granted_daemon_name_signs_for_its_tenant_only(fleet, source):
    assert_only_for(fleet, "acme", f"client {source}", service="shop", source=source)


def test_daemon_name_without_grant_helps_nobody(fleet):
    assert_stranger(fleet, service="unknown", source=EXTERNAL)


def test_granted_network_counts_before_the_daemon_name(fleet):
    source = EXTERNAL_OF_GLOBEX
    assert_only_for(fleet, "globex", f"client {source}", service="shop", source=source)


@pytest.mark.parametrize("login, tenant", [("bob@globex.example", "globex"), ("shop7", "acme")])
@pytest.mark.parametrize("service, source", [
    ("shop", EXTERNAL), ("enforce", EXTERNAL_OF_ACME), ("enforce", EXTERNAL_OF_GLOBEX),
    ("shop", INTERNAL_OF_ACME)])
def test_login_counts_before_network_and_daemon_name(fleet, service, source, login, tenant):
    assert_only_for(fleet, tenant, f"login {login}", service=service, source=source, login=login)


@pytest.mark.parametrize("service, source", [("shop", EXTERNAL), ("enforce", EXTERNAL_OF_ACME)])
def test_login_without_tenant_is_not_helped_by_network_or_daemon_name(fleet, service, source):
    assert_for_none(fleet, "login shop77", service=service, source=source, login="shop77")


def test_local_mail_signs_nothing_where_internal_hosts_are_not_the_providers(fleet):
    assert_for_none(fleet, f"client {LOOPBACK}", service="strict", source=LOOPBACK)
    for login, tenant, *_ in PEOPLE.values():
        assert_only_for(fleet, tenant, f"login {login}", service="strict", login=login,
                        source=LOOPBACK)


@pytest.mark.parametrize("kind, subject, client", [
    ("--login", "web17", {"login": "web17"}),
    ("--login", "@fleeting.example", {"login": "w@fleeting.example"}),
    ("--network", "127.0.5.0/24", {"source": "127.0.5.1"}),
    ("--daemon-name", "NOBODYS", {"service": "unknown"})])
def test_grant_counts_soon_and_stops_to(fleet, kind, subject, client):
    login = client.get("login")
    who = f"login {login}" if login else f"client {client.get('source', EXTERNAL)}"
    if login:
        fleet.postfix.add_login(login)

    def domains():
        return fleet.submit("From: u@acme.example", **client).domains

    assert domains() == []
    fleet.store.ok("grant", "add", "--tenant", "acme", kind, subject)
    soon("grant counts", lambda: domains() == ["acme.example"])
    assert_only_for(fleet, "acme", who, **client)
    fleet.store.ok("grant", "remove", kind, subject)
    soon("grant counts no longer", lambda: domains() == [])
    if login:
        assert_for_none(fleet, who, **client)
    else:
        assert_stranger(fleet, **client)


def test_sendmail_command_needs_a_grant_where_internal_hosts_are_not_the_providers(fleet):
    strict = fleet.inkand("strict")
    grant = ("--network", f"{LOOPBACK}/32")
    client = f"client {LOOPBACK}"

    def local(domain):
        message = f"From: u@{domain}\n".encode() + REST.replace(b"\r\n", b"\n")
        return Outcome(fleet, strict, fleet.postfix.deliver_local(message))

    local("acme.example").assert_refused(client, "acme.example", "acme")
    fleet.store.ok("grant", "add", "--tenant", "acme", *grant)
    soon("grant counts", lambda: local("acme.example").domains)
    local("acme.example").assert_signed("acme.example")
    local("globex.example").assert_refused(client, "globex.example", "globex")
    fleet.store.ok("grant", "remove", *grant)
    soon("grant counts no longer", lambda: not local("acme.example").domains)
    soon("internal hosts are the provider's again",
         lambda: fleet.submit("From: u@globex.example", source=LOOPBACK).domains)


# -- tenant_check -----------------------------------------------------------------------------


@pytest.mark.parametrize("who", PEOPLE)
def test_check_that_only_logs_signs_and_says_what_it_would_have_refused(fleet, who):
    login, _, own, _ = PEOPLE[who]
    _, tenant, domain, _ = PEOPLE[other(who)]
    fleet.submit(f"From: u@{own}", login, "log").assert_signed(own)
    outcome = fleet.submit(f"From: u@{domain}", login, "log")
    outcome.assert_signed_with_log(domain)
    said = f"tenant_check: login {login} may not sign for {domain} (tenant {tenant})"
    assert len(outcome.lines) == 2 and said in outcome.lines, outcome.lines


@pytest.mark.parametrize("who", PEOPLE)
def test_check_that_is_off_signs_and_says_nothing(fleet, who):
    for domain in PEOPLE[who][2:] + PEOPLE[other(who)][2:]:
        fleet.submit(f"From: u@{domain}", PEOPLE[who][0], "off").assert_signed(domain)


# -- suspended tenants ------------------------------------------------------------------------


def test_suspended_tenant_neither_signs_nor_lets_others(fleet):
    ann, sam = PEOPLE["ann"][0], "sam@initech.example"
    fleet.store.ok("tenant", "add", "initech")
    fleet.store.add_domain("initech.example", "initech")
    fleet.postfix.add_login(sam)
    fleet.publish()

    def of_sam():
        return fleet.submit("From: u@initech.example", sam)

    of_sam().assert_signed("initech.example")
    fleet.submit("From: u@initech.example", ann).assert_refused(f"login {ann}", "initech.example",
                                                                "initech")
    fleet.store.ok("tenant", "suspend", "initech")
    soon("tenant is suspended", lambda: not of_sam().domains)
    of_sam().assert_unsigned("tenant initech is suspended")
    fleet.submit("From: u@initech.example", ann).assert_refused(f"login {ann}", "initech.example",
                                                                "initech")
    fleet.submit("From: u@acme.example", sam).assert_refused(f"login {sam}", "acme.example",
                                                             "acme")
    fleet.submit("From: u@acme.example", ann).assert_signed("acme.example")
    fleet.store.ok("tenant", "resume", "initech")
    soon("tenant is back", lambda: of_sam().domains)
    of_sam().assert_signed("initech.example")
