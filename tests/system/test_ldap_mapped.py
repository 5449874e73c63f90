# SPDX-License-Identifier: Apache-2.0
"""Directories that hold keys under another schema: signed from as they are, only read, and moved."""

import base64
import re
import sqlite3
import subprocess

import pytest

import messages
from inkan import Inkan
from ldap import ADMIN, BASE, CONFIG, Authority, Slapd
from milter import Milter
from peers import python_dkim, signatures_of
from process import wait_for

# OpenDKIM's, as its project ships it.
OPENDKIM_SCHEMA = """\
attributetype ( 1.3.6.1.4.1.29426.2.2.1.1 NAME 'DKIMSelector'
  EQUALITY caseExactIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.29426.2.2.1.2 NAME 'DKIMKey'
  EQUALITY caseExactIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.29426.2.2.1.3 NAME 'DKIMIdentity'
  EQUALITY caseExactIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.29426.2.2.1.4 NAME 'DKIMDomain'
  EQUALITY caseExactIA5Match SUBSTR caseIgnoreIA5SubstringsMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.29426.2.2.1.5 NAME 'DKIMActive'
  EQUALITY booleanMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.7 SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.29426.2.2.2.1 NAME 'DKIM' SUP top STRUCTURAL
  MUST ( DKIMDomain $ DKIMSelector $ DKIMKey ) MAY ( DKIMIdentity $ DKIMActive ) )
"""
# A provider's own: the domain's entry has its keys as values with options.
OWN_SCHEMA = """\
attributetype ( 1.3.6.1.4.1.4203.666.1.77.1 NAME 'mailKey'
  EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 )
objectclass ( 1.3.6.1.4.1.4203.666.3.77.1 NAME 'mailSigner' SUP top AUXILIARY
  MAY ( mailKey $ o ) )
"""
KINDS = {"attributetype": "olcAttributeTypes", "objectclass": "olcObjectClasses"}


def as_config(name, schema):
    """A schema file of slapd.conf as an entry of cn=config."""
    parts = re.split(r"^(attributetype|objectclass) ", schema, flags=re.M)[1:]
    lines = "".join(f"{KINDS[kind]}: {' '.join(body.split())}\n"
                    for kind, body in zip(parts[::2], parts[1::2]))
    return f"dn: cn={name},cn=schema,cn=config\nobjectClass: olcSchemaConfig\ncn: {name}\n{lines}"


def run_openssl(*arguments, stdin=""):
    return subprocess.run(["openssl", *arguments], input=stdin, check=True, capture_output=True,
                          text=True).stdout


def new_rsa():
    return run_openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024")


def record_of(pem):
    public = run_openssl("pkey", "-pubout", stdin=pem)
    return f"v=DKIM1; p={''.join(public.splitlines()[1:-1])}"


def entry(domain, selector, key, active=None, under=BASE):
    lines = [f"dn: DKIMSelector={selector}+DKIMDomain={domain},{under}", "objectClass: DKIM",
             f"DKIMDomain: {domain}", f"DKIMSelector: {selector}",
             f"DKIMKey:: {base64.b64encode(key.encode()).decode()}"]
    if active is not None:
        lines.append(f"DKIMActive: {active}")
    return "\n".join(lines) + "\n"


def slapd_with_schemas(module_folder, name, **options):
    slapd = Slapd.single(module_folder, name, **options)
    slapd.ldif_add(as_config("opendkim", OPENDKIM_SCHEMA), CONFIG)
    slapd.modify("dn: cn=config\nchangetype: modify\nadd: olcAttributeOptions\n"
                 "olcAttributeOptions: x-\n", CONFIG)
    slapd.ldif_add(as_config("own", OWN_SCHEMA), CONFIG)
    return slapd


@pytest.fixture(scope="module")
def server(module_folder):
    slapd = slapd_with_schemas(module_folder, "slapd")
    yield slapd
    slapd.stop()


@pytest.fixture(scope="module")
def keys(server):
    """{(domain, selector): PEM}: two tenants that share a selector, one with a successor that is
    not active yet, one with a bare key, one with two that are active."""
    made = {name: new_rsa() for name in
            (("alpha.example", "s1"), ("beta.example", "s1"), ("beta.example", "s2"),
             ("bare.example", "s1"), ("twice.example", "2024"), ("twice.example", "2025"))}
    bare = "".join(run_openssl("rsa", "-traditional", stdin=made["bare.example", "s1"])
                   .splitlines()[1:-1])
    for (domain, selector), pem in made.items():
        active = "FALSE" if selector == "s2" else None if domain == "twice.example" else "TRUE"
        server.ldif_add(entry(domain, selector, bare if domain == "bare.example" else pem, active))
    return made


def inkan_for(server, folder):
    made = Inkan(folder, **server.settings(), ldap__map_filter="(DKIMDomain=%d)",
                 ldap__allow_unsealed_keys="yes")
    made.ok("vault", "init")
    return made


@pytest.fixture
def inkan(server, keys, folder):
    del keys
    made = inkan_for(server, folder)
    yield made
    made.stop()


def sign(inkan, domain):
    answer = inkan.run("sign", stdin=messages.compose(f"a@{domain}".encode()).replace(b"\r\n", b"\n"))
    return answer.output if answer.returncode == 0 else answer.stderr


def verdicts(inkan, domain, keys):
    """[(selector, passed)] of a message signed for the domain, judged by the keys' records."""
    records = {f"{selector}._domainkey.{name}": record_of(pem)
               for (name, selector), pem in keys.items()}
    signed = sign(inkan, domain)
    assert isinstance(signed, bytes), signed
    return python_dkim(signed.replace(b"\n", b"\r\n"), records)


def test_filter_on_the_selector_alone_is_refused(inkan):
    """An LDAP filter on the selector alone signed one tenant's mail with another tenant's key: of
    OpenDKIM's entries with one selector the first that came was taken."""
    for text in ("(DKIMSelector=s1)", "(DKIMSelector=*)", "(DKIMSelector=%s)",
                 "(&(objectClass=DKIM)(DKIMSelector=s1))"):
        inkan.configure(ldap__map_filter=text)
        answer = inkan.run("sign", stdin=messages.compose(b"a@alpha.example"))
        assert (answer.returncode, answer.output) == (2, b"")
        assert "map_filter" in answer.stderr
        assert "has neither %d nor %D, so it finds all domains at once" in answer.stderr
        daemon = inkan.launch()
        wait_for("inkand ends", lambda: not daemon.is_alive())
        assert "has neither %d nor %D, so it finds all domains at once" in daemon.log_text()
        inkan.daemon = None


# The second and third find the entries of other domains, too.
@pytest.mark.parametrize("text", ["(DKIMDomain=%d)", "(|(DKIMDomain=%d)(DKIMSelector=s1))",
                                  "(|(DKIMSelector=*)(DKIMIdentity=%D))"])
def test_filter_on_the_selector_alone_signs_no_tenants_mail_with_anothers_key(inkan, keys, text):
    """The domain that an entry names is compared, whatever the filter has found. Each signature is
    good by the domain's own public key and by nobody else's of the same selector."""
    shared = ["alpha.example", "beta.example", "bare.example"]
    inkan.configure(ldap__map_filter=text)
    for domain in shared:
        assert verdicts(inkan, domain, keys) == [("s1", True)]
        for other in set(shared) - {domain}:
            swapped = {**keys, (domain, "s1"): keys[other, "s1"]}
            assert verdicts(inkan, domain, swapped) == [("s1", False)]
    assert inkan.run("sign", stdin=messages.compose(b"a@unknown.example")).output == b""
    inkan.start()
    with Milter(inkan.address) as milter:
        milter.greet()
        for domain in (*shared, *shared):
            _, message = milter.message(messages.compose(b"a@" + domain.encode()))
            assert python_dkim(message, {f"s1._domainkey.{domain}": record_of(keys[domain, "s1"])}
                               ) == [("s1", True)]


def test_of_two_active_keys_the_last_selector_signs(inkan, keys):
    assert verdicts(inkan, "twice.example", keys) == [("2025", True)]
    states = {key["selector"]: key["state"] for key in inkan.json("key", "list", "twice.example")}
    assert states == {"2024": "published", "2025": "active"}


def test_without_leave_no_key_in_the_open_signs(inkan):
    inkan.configure(ldap__allow_unsealed_keys="no")
    assert "the private key is not sealed (ldap.allow_unsealed_keys = no)" in sign(
        inkan, "alpha.example")


def test_it_is_only_read(inkan):
    for command in (("tenant", "add", "new"), ("store", "init"), ("store", "migrate"),
                    ("domain", "suspend", "alpha.example")):
        answer = inkan.run(*command)
        assert answer.returncode == 3, command
        assert "is only read" in answer.stderr
    assert [tenant["name"] for tenant in inkan.json("tenant", "list")] == sorted(
        {"alpha.example", "beta.example", "bare.example", "twice.example"})


def follows_changes(inkan, server):
    inkan.start()

    def selectors():
        with Milter(inkan.address) as milter:
            milter.greet()
            _, message = milter.message(messages.compose(b"a@beta.example"))
            return [tags["s"] for tags in signatures_of(message)]

    def activate(selector, value):
        server.modify(f"dn: DKIMSelector={selector}+DKIMDomain=beta.example,{BASE}\n"
                      f"changetype: modify\nreplace: DKIMActive\nDKIMActive: {value}\n")

    assert selectors() == ["s1"]
    activate("s1", "FALSE")
    activate("s2", "TRUE")
    wait_for("the successor signs", lambda: selectors() == ["s2"], 2)
    activate("s2", "FALSE")
    wait_for("nothing signs", lambda: selectors() == [], 2)
    activate("s1", "TRUE")
    wait_for("the first signs again", lambda: selectors() == ["s1"], 2)


def test_a_change_by_other_tools_is_in_force_within_two_seconds(inkan, server):
    follows_changes(inkan, server)


def test_a_change_is_in_force_where_only_its_second_is_shown(module_folder, folder):
    server = slapd_with_schemas(module_folder, "asked-by-time", overlays=())
    made = inkan_for(server, folder)
    try:
        server.hide_csn(ADMIN)
        for selector, active in (("s1", "TRUE"), ("s2", "FALSE")):
            server.ldif_add(entry("beta.example", selector, new_rsa(), active))
        follows_changes(made, server)
    finally:
        made.stop()
        server.stop()


def test_a_domains_own_entry_with_its_keys_as_options(inkan, server):
    keys = {("own.example", "a1"): new_rsa(), ("own.example", "b2"): new_rsa()}
    options = "".join(f"mailKey;x-{selector}:: {base64.b64encode(pem.encode()).decode()}\n"
                      for (_, selector), pem in keys.items())
    server.ldif_add(f"dn: dc=example,{BASE}\nobjectClass: domain\ndc: example\n\n"
                    f"dn: dc=own,dc=example,{BASE}\nobjectClass: domain\nobjectClass: mailSigner\n"
                    f"dc: own\no: acme\n{options}")
    inkan.configure(ldap__map_filter=f"(entryDN=%D,{BASE})", ldap__map_domain="",
                    ldap__map_selector="", ldap__map_key="mailKey", ldap__map_active="",
                    ldap__map_tenant="o")
    assert verdicts(inkan, "own.example", keys) == [("b2", True)]
    assert inkan.json("domain", "list")[0]["tenant"] == "acme"


def test_what_is_moved_is_sealed_and_signs_without_the_directory(inkan, keys, folder):
    target = Inkan(f"{folder}/target", vault__keyring=inkan.keyring)
    target.ok("store", "init")
    inkan.ok("store", "copy", "--to", target.settings["store.url"])
    assert "both stores are equal" in inkan.ok("store", "copy", "--to",
                                               target.settings["store.url"])
    assert verdicts(target, "alpha.example", keys) == [("s1", True)]
    assert "private keys open and match" in target.ok("store", "check")
    with open(target.database, "rb") as file:
        assert b"PRIVATE KEY" not in file.read()


# -- what may be wrong in it ----------------------------------------------------------------


@pytest.fixture
def place(server, request):
    """An empty part of the directory, the test's own."""
    name = request.node.name.replace("_", "-")
    server.ldif_add(f"dn: ou={name},{BASE}\nobjectClass: organizationalUnit\nou: {name}\n")
    yield f"ou={name},{BASE}"
    server.delete(f"ou={name},{BASE}")


@pytest.fixture
def there(server, place, folder):
    """inkan with the keys of that place."""
    made = Inkan(folder, **{**server.settings(), "store__url": server.url(base=place)},
                 ldap__map_filter="(DKIMDomain=%d)", ldap__allow_unsealed_keys="yes")
    made.ok("vault", "init")
    yield made
    made.stop()


def own_entry(place, name, pems, domains=()):
    """The entry of a customer with domains in `associatedDomain` and keys as options."""
    values = "".join(f"associatedDomain: {domain}\n" for domain in domains)
    options = "".join(f"mailKey;x-{selector}:: {base64.b64encode(pem.encode()).decode()}\n"
                      for selector, pem in pems.items())
    return (f"dn: ou={name},{place}\nobjectClass: organizationalUnit\nobjectClass: mailSigner\n"
            f"objectClass: domainRelatedObject\nou: {name}\no: acme\n{values}{options}")


OWN = {"ldap__map_filter": "(associatedDomain=%d)", "ldap__map_domain": "associatedDomain",
       "ldap__map_selector": "", "ldap__map_key": "mailKey", "ldap__map_active": "",
       "ldap__map_tenant": "o"}


def test_an_entry_with_many_domains_and_keys(server, there, place):
    pem = new_rsa()
    domains = [f"d{i:02}.example" for i in range(10)]
    selectors = [f"k{i}" for i in range(6)]
    server.ldif_add(own_entry(place, "many", dict.fromkeys(selectors, pem), domains))
    there.configure(**OWN)
    assert [domain["name"] for domain in there.json("domain", "list")] == domains
    for domain in domains:
        assert verdicts(there, domain, {(domain, "k5"): pem}) == [("k5", True)]
    keys = there.json("key", "list", "d09.example")
    assert [(key["selector"], key["state"]) for key in keys] == [
        (selector, "active" if selector == "k5" else "published") for selector in selectors]


@pytest.mark.parametrize("bad", ["domain", "selector"])
def test_an_entry_with_a_bad_name_is_passed_over(server, there, place, folder, bad):
    pem = new_rsa()
    server.ldif_add(entry("good.example", "s1", pem, under=place))
    server.ldif_add(entry("no_good!.example", "s1", pem, under=place) if bad == "domain"
                    else entry("good.example", "no_good!", pem, under=place))
    assert [domain["name"] for domain in there.json("domain", "list")] == ["good.example"]
    assert [key["selector"] for key in there.json("key", "list", "good.example")] == ["s1"]
    assert verdicts(there, "good.example", {("good.example", "s1"): pem}) == [("s1", True)]
    target = Inkan(f"{folder}/target", vault__keyring=there.keyring)
    target.ok("store", "init")
    there.ok("store", "copy", "--to", target.settings["store.url"])
    assert [domain["name"] for domain in target.json("domain", "list")] == ["good.example"]


@pytest.mark.parametrize("first_added", ["a", "b"])
def test_of_two_entries_with_one_selector_the_first_dn_counts(server, there, place, first_added):
    pems = {name: new_rsa() for name in "ab"}
    for name in sorted(pems, reverse=first_added == "b"):
        server.ldif_add(f"dn: ou={name},{place}\nobjectClass: organizationalUnit\nou: {name}\n\n" +
                        entry("twin.example", "s1", pems[name], under=f"ou={name},{place}"))
    first = min(pems, key=lambda name: f"ou={name}")
    assert verdicts(there, "twin.example", {("twin.example", "s1"): pems[first]}) == [("s1", True)]
    assert len(there.json("key", "list", "twin.example")) == 1


def test_a_key_has_one_state_however_it_is_asked_for(server, there, place):
    for selector in ("2024", "2025"):
        server.ldif_add(entry("twice.example", selector, new_rsa(), under=place))
    listed = {key["selector"]: key["state"] for key in there.json("key", "list", "twice.example")}
    assert listed == {"2024": "published", "2025": "active"}
    for selector, state in listed.items():
        assert there.json("key", "show", "twice.example", selector)["state"] == state


def test_the_vault_counts_keys_that_are_not_sealed(server, there, place):
    for selector in ("s1", "s2"):
        server.ldif_add(entry("open.example", selector, new_rsa(), under=place))
    for command in ("status", "rewrap"):
        answer = there.run("vault", command)
        assert answer.returncode == 0, answer.stderr
        assert "2 private keys are not sealed" in answer.stderr
    (kek,) = there.json("vault", "status")
    assert (kek["present"], kek["keys"]) == (True, 0)


def test_leave_for_keys_in_the_open_is_no_leave_in_a_store_of_ours(there, folder):
    """Whoever can write a row there must not get a key of theirs to sign by it."""
    ours = Inkan(f"{folder}/ours", vault__keyring=there.keyring, ldap__allow_unsealed_keys="yes")
    ours.ok("store", "init")
    ours.ok("tenant", "add", "acme")
    ours.add_domain("row.example")
    with sqlite3.connect(ours.database) as data:
        data.execute("UPDATE key SET kek = '', sealed = ?", (new_rsa().encode(),))
    answer = ours.run("sign", stdin=messages.compose(b"a@row.example").replace(b"\r\n", b"\n"))
    assert answer.returncode != 0
    assert "the private key is not sealed" in answer.stderr


def test_no_ldaprc_says_whom_to_trust(folder, monkeypatch):
    """libldap would read it in the current folder."""
    authority = Authority(folder)
    slapd = Slapd.single(folder, "tls", authority=authority)
    try:
        made = Inkan(f"{folder}/inkan", **{**slapd.settings(), "store__url": slapd.url("ldaps")})
        with open(f"{folder}/ldaprc", "w", encoding="ascii") as file:
            file.write(f"TLS_CACERT {authority.certificate}\n")
        monkeypatch.chdir(folder)
        answer = made.run("store", "init")
        assert answer.returncode == 75 and "not vouched for" in answer.stderr
        made.configure(ldap__ca_file=authority.certificate)
        made.ok("store", "init")
    finally:
        slapd.stop()
