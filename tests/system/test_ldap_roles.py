# SPDX-License-Identifier: Apache-2.0
"""The accounts and access rules that docs/ldap.md tells operators to make, by trying what must be
refused."""

import re
import subprocess

import pytest

import messages
from inkan import Inkan
from ldap import ADMIN, BASE, SIGNER, SUFFIX, Slapd
from milter import CONTINUE, Milter
from peers import python_dkim, signatures_of
from process import wait_for

# An account of the directory that has nothing to do with inkan, and nobody at all.
THIRD = (f"cn=third,{SUFFIX}", "third-secret")
ANONYMOUS = ("", "")
STRANGERS = {"third": THIRD, "anonymous": ANONYMOUS}
# noSuchObject and insufficientAccessRights; unauthenticated writers get strongerAuthRequired.
HIDDEN, DENIED, UNKNOWN = 32, 50, 8
REFUSED = (HIDDEN, DENIED)

TENANT = f"inkanTenantName=acme,cn=tenants,{BASE}"
DOMAIN = f"inkanDomainName=acme.example,{TENANT}"
KEY = f"inkanKeySelector=ed25519,{DOMAIN}"
STAGED = f"inkanKeySelector=next,{DOMAIN}"
# In the order in which slapd says the parts of a name.
RULE = f"inkanRuleDomain=acme.example+inkanRulePattern=x.example,cn=rules,{BASE}"
GRANT = f"inkanGrantSubject=bob+inkanGrantType=login,cn=grants,{BASE}"
EVENT = f"inkanEventId=1,cn=events,{BASE}"
PERSON = f"cn=person,cn=tenants,{BASE}"

# What stands below the base: {what: (DN, an attribute, a value for it)}.
PLACES = {
    "base": (BASE, "description", "x"),
    "tenants": (f"cn=tenants,{BASE}", "cn", "x"),
    "tenant": (TENANT, "inkanTenantStatus", "suspended"),
    "domain": (DOMAIN, "inkanDomainStatus", "suspended"),
    "key": (KEY, "inkanKeySealed", "x"),
    "staged key": (STAGED, "inkanKeyState", "active"),
    "state": (f"cn=state,{BASE}", "inkanPosition", "1"),
    "writer": (f"cn=writer,{BASE}", "inkanJournal", "x"),
    "rule": (RULE, "inkanRuleSelector", "next"),
    "grant": (GRANT, "inkanGrantTenant", "globex"),
    "event": (EVENT, "inkanEventDetail", "x"),
    "changes": (f"cn=changes,{BASE}", "cn", "x"),
    "rules": (f"cn=rules,{BASE}", "description", "x"),
    "grants": (f"cn=grants,{BASE}", "description", "x"),
    "leases": (f"cn=leases,{BASE}", "description", "x"),
}
# New entries, which those who may write could make.
NEW = {
    "tenant": f"dn: inkanTenantName=new,cn=tenants,{BASE}\nchangetype: add\n"
              "objectClass: inkanEntry\nobjectClass: inkanTenant\n",
    "domain": f"dn: inkanDomainName=new.example,{TENANT}\nchangetype: add\n"
              "objectClass: inkanEntry\nobjectClass: inkanDomain\ninkanDomainTenant: acme\n",
    "key": f"dn: inkanKeySelector=new,{DOMAIN}\nchangetype: add\nobjectClass: inkanEntry\n"
           "objectClass: inkanKey\ninkanKeyDomain: acme.example\ninkanKeyState: active\n",
    "rule": f"dn: inkanRulePattern=new.example,cn=rules,{BASE}\nchangetype: add\n"
            "objectClass: inkanEntry\nobjectClass: inkanRule\ninkanRuleDomain: acme.example\n"
            "inkanRulePlace: new.example\n",
    "grant": f"dn: inkanGrantType=login+inkanGrantSubject=new,cn=grants,{BASE}\nchangetype: add\n"
             "objectClass: inkanEntry\nobjectClass: inkanGrant\ninkanGrantTenant: acme\n"
             "inkanGrantPlace: *\n",
    "lease": f"dn: inkanLeaseName=new,cn=leases,{BASE}\nchangetype: add\n"
             "objectClass: inkanEntry\nobjectClass: inkanLease\n",
    "event": f"dn: inkanEventId=1000,cn=events,{BASE}\nchangetype: add\n"
             "objectClass: inkanEntry\nobjectClass: inkanEvent\ninkanEventActor: x\n"
             "inkanEventAction: x\ninkanEventKind: x\ninkanEventName: x\n",
    "change": f"dn: inkanPosition=1,cn=changes,{BASE}\nchangetype: add\n"
              "objectClass: inkanEntry\nobjectClass: inkanChanges\n",
    "below the base": f"dn: cn=new,{BASE}\nchangetype: add\nobjectClass: inkanEntry\n",
}


@pytest.fixture(scope="module")
def slapd(module_folder):
    """A store with two tenants, keys in several states, a rule and a grant; a person below its
    base; and a third account, whose entry points to a key."""
    server = Slapd.single(module_folder, log_level="none")
    server.command = Inkan(f"{module_folder}/command", **server.settings()).set_up("acme", "globex")
    for tenant in ("acme", "globex"):
        server.command.add_domain(f"{tenant}.example", tenant, algorithms=("ed25519-sha256",))
    server.command.ok("key", "new", "acme.example", "--algorithm", "ed25519-sha256", "--selector",
                      "next")
    server.command.ok("rule", "add", "x.example", "--domain", "acme.example")
    server.command.ok("grant", "add", "--tenant", "acme", "--login", "bob")
    server.ldif_add(f"dn: {PERSON}\nobjectClass: person\ncn: person\nsn: x\n"
                    "userPassword: person-secret\n\n"
                    f"dn: {THIRD[0]}\nobjectClass: person\ncn: third\nsn: x\n"
                    f"userPassword: {THIRD[1]}\nseeAlso: {KEY}\n")
    yield server
    server.stop()


@pytest.fixture
def unchanged(slapd):
    """Nothing is another than it was when the test has ended."""
    before = slapd.ldif(SUFFIX)
    yield
    assert slapd.ldif(SUFFIX) == before


def change(place, kind="replace"):
    dn, attribute, value = PLACES[place]
    return f"dn: {dn}\nchangetype: modify\n{kind}: {attribute}\n{attribute}: {value}\n"


def rename(dn):
    rdn = dn.partition(",")[0]
    return f"dn: {dn}\nchangetype: modrdn\nnewrdn: {rdn}0\ndeleteoldrdn: 1\n"


def move(dn, parent):
    return (f"dn: {dn}\nchangetype: modrdn\nnewrdn: {dn.partition(',')[0]}\ndeleteoldrdn: 0\n"
            f"newsuperior: {parent}\n")


def remove(dn):
    return f"dn: {dn}\nchangetype: delete\n"


def every_write(place):
    """All that could be done to an entry."""
    dn, attribute, value = PLACES[place]
    return [change(place), change(place, "add"),
            f"dn: {dn}\nchangetype: modify\ndelete: {attribute}\n",
            f"dn: {dn}\nchangetype: modify\nadd: objectClass\nobjectClass: inkanDomain\n",
            rename(dn), move(dn, SUFFIX), remove(dn)]


def names(entries):
    return {entry["dn"][0].decode() for entry in entries}


# -- inkan-signer ------------------------------------------------------------------------------


def test_signer_reads_what_signing_needs(slapd):
    for place in ("tenant", "domain", "key", "staged key", "rule", "grant", "state", "changes"):
        dn = PLACES[place][0]
        assert names(slapd.search("(objectClass=*)", account=SIGNER, base=dn, scope="base")) == {dn}
    key, = slapd.search("(objectClass=*)", "inkanKeySealed", account=SIGNER, base=KEY, scope="base")
    assert key["inkanKeySealed"]
    changes = slapd.search("(inkanPosition>=1)", "inkanChanged", account=SIGNER,
                           base=f"cn=changes,{BASE}")
    assert any("inkanChanged" in entry for entry in changes)


def test_signer_reads_all_of_rules_and_grants(slapd):
    """By the names that docs/ldap.md gives the entries, and with what they are looked up by."""
    for place, dn in (("rule", RULE), ("grant", GRANT)):
        below = f"cn={place}s,{BASE}"
        seen = slapd.search("(objectClass=*)", account=SIGNER, base=below)
        assert names(seen) == {below, dn}
        assert seen == slapd.search("(objectClass=*)", base=below)
    assert names(slapd.search("(inkanRulePlace=x.example)", account=SIGNER)) == {RULE}
    place, = slapd.search("(objectClass=inkanGrant)", "inkanGrantPlace")[0]["inkanGrantPlace"]
    assert names(slapd.search(f"(inkanGrantPlace={place.decode()})", account=SIGNER)) == {GRANT}


def test_signer_sees_no_private_half_that_does_not_sign(slapd):
    for text in ("(objectClass=*)", "(objectClass=inkanKey)"):
        key, = slapd.search(text, account=SIGNER, base=STAGED, scope="base")
        assert "inkanKeyPublicKey" in key and "inkanKeySealed" not in key
    assert names(slapd.search("(inkanKeySealed=*)", account=SIGNER)) == names(
        slapd.search("(&(inkanKeySealed=*)(inkanKeyState=active))"))


def test_signer_sees_no_events_leases_or_journal(slapd):
    for place in ("events", "leases", "writer"):
        done = slapd._tool("ldapsearch", SIGNER, "-LLL", "-b", f"cn={place},{BASE}", "*", "+")
        assert done.returncode in REFUSED and done.stdout == "", place
    seen = slapd.search("(objectClass=*)", account=SIGNER)
    assert len(seen) > 5
    assert not re.search("cn=(events|leases|writer)|event|lease|journal", " ".join(names(seen)),
                         re.I)
    classes = {value for entry in seen for value in entry.get("objectClass", [])}
    assert {b"inkanKey", b"inkanRule", b"inkanGrant"} <= classes
    assert not classes & {b"inkanEvent", b"inkanLease", b"inkanWriter"}


@pytest.mark.parametrize("place", PLACES)
def test_signer_changes_nothing(slapd, unchanged, place):
    for text in every_write(place):
        assert slapd.refusal(text, SIGNER) in REFUSED, text


@pytest.mark.parametrize("kind", NEW)
def test_signer_adds_nothing(slapd, unchanged, kind):
    assert slapd.refusal(NEW[kind], SIGNER) in REFUSED


def test_signer_moves_nothing_into_the_store(slapd, unchanged):
    for parent in (BASE, f"cn=changes,{BASE}", TENANT):
        assert slapd.refusal(move(THIRD[0], parent), SIGNER) in REFUSED


def test_daemon_signs_and_hears_with_the_account_of_signers(slapd, folder):
    inkan = Inkan(folder, vault__keyring=slapd.command.keyring, **slapd.settings(SIGNER)).start()
    try:
        with Milter(inkan.address) as milter:
            milter.greet()
            verdict, message = milter.message(messages.compose(b"a@globex.example"))
            assert verdict == CONTINUE
            assert python_dkim(message, slapd.command.records()) == [("ed25519", True)]
            slapd.command.ok("domain", "suspend", "globex.example")
            wait_for("the change is heard of", lambda: not signatures_of(
                milter.message(messages.compose(b"a@globex.example"))[1]), 2)
    finally:
        inkan.stop()
        slapd.command.ok("domain", "resume", "globex.example")
    assert "Insufficient access" not in inkan.log()


# -- everybody else ------------------------------------------------------------------------------


@pytest.mark.parametrize("who", STRANGERS)
def test_strangers_see_nothing(slapd, who):
    account = STRANGERS[who]
    for dn, _, _ in PLACES.values():
        assert slapd.search("(objectClass=*)", "*", "+", account=account, base=dn) == []
    for text in ("(objectClass=*)", "(inkanKeySealed=*)", "(inkanDomainName=acme.example)",
                 "(!(inkanDomainName=x))", "(inkanDomainName=*)"):
        seen = slapd.search(text, "*", "+", account=account, base=SUFFIX)
        assert not any(dn.endswith(BASE) for dn in names(seen)), text
        assert not any(name.startswith("inkan") for entry in seen for name in entry), text


@pytest.mark.parametrize("who", STRANGERS)
def test_strangers_are_not_told_what_there_is(slapd, who):
    """A comparison does not say whether there is such an entry."""
    account = STRANGERS[who]
    for dn in (DOMAIN, f"inkanDomainName=none.example,{TENANT}"):
        done = slapd._tool("ldapcompare", account, dn, "inkanDomainTenant:acme")
        assert done.returncode == HIDDEN, done.stderr
        assert "inkanTenantName" not in done.stdout + done.stderr


@pytest.mark.parametrize("who", STRANGERS)
def test_strangers_follow_no_pointer_to_a_key(slapd, who):
    def follow(account):
        done = slapd._tool("ldapsearch", account, "-LLL", "-o", "ldif_wrap=no", "-s", "base", "-b",
                           THIRD[0], "-E", "!deref=seeAlso:inkanKeySealed,inkanKeyPublicKey",
                           "seeAlso")
        assert done.returncode == 0 and KEY in done.stdout, done.stderr
        return done.stdout

    assert "<inkanKey" in follow(ADMIN)
    assert "<inkanKey" not in follow(STRANGERS[who])


@pytest.mark.parametrize("who", STRANGERS)
def test_strangers_who_ask_to_be_told_of_changes_hear_of_none(slapd, folder, who):
    """Not even of removals, of which a server tells without looking for what is left."""
    account, marker = STRANGERS[who], f"cn=marker-{who},{SUFFIX}"
    path = f"{folder}/told"
    with open(path, "wb") as out:
        listener = subprocess.Popen(
            ["ldapsearch", "-x", "-H", slapd.local_url, "-D", account[0], "-w", account[1], "-o",
             "ldif_wrap=no", "-E", "!sync=rp", "-b", SUFFIX, "(objectClass=*)", "*", "+"],
            stdout=out, stderr=subprocess.STDOUT, cwd="/")

    def told():
        with open(path, encoding="utf-8") as file:
            return file.read()

    try:
        wait_for("what there is", lambda: THIRD[0] in told())
        domain = f"{who.replace(' ', '-')}.told.example"
        slapd.command.add_domain(domain, algorithms=("ed25519-sha256",))
        slapd.command.ok("domain", "set", domain, "note=x")
        slapd.command.ok("domain", "remove", domain, "--yes")
        slapd.ldif_add(f"dn: {marker}\nobjectClass: organizationalRole\ncn: marker-{who}\n")
        wait_for("what was added last", lambda: marker in told())
    finally:
        listener.kill()
        listener.wait()
        slapd.delete(marker)
    heard = told().replace(KEY, "")  # which is what the third account's own entry says
    assert BASE not in heard and "inkanDomain" not in heard and "told.example" not in heard


@pytest.mark.parametrize("who", STRANGERS)
def test_strangers_change_nothing(slapd, unchanged, who):
    texts = [text for place in PLACES for text in every_write(place)]
    texts += [*NEW.values(), move(THIRD[0], BASE)]
    for text in texts:
        assert slapd.refusal(text, STRANGERS[who]) in (*REFUSED, UNKNOWN), text


def test_passwords_of_entries_below_the_base_are_their_owners(slapd, unchanged):
    """The rules stand before those of the directory, and so must say it again."""
    for account in (SIGNER, ADMIN, THIRD, ANONYMOUS):
        seen = slapd.search("(objectClass=*)", account=account, base=PERSON, scope="base")
        assert not any("userPassword" in entry for entry in seen), account
        assert slapd.search("(userPassword=*)", account=account) == []
    person = (PERSON, "person-secret")
    assert slapd._tool("ldapwhoami", person).returncode == 0
    assert slapd.search("(objectClass=*)", account=person) == []


# -- inkan-admin ---------------------------------------------------------------------------------


def test_admin_does_a_domains_whole_life(slapd):
    """With the account that has made the store, too."""
    admin = slapd.command
    admin.ok("tenant", "add", "hooli")
    admin.add_domain("hooli.example", "hooli", algorithms=("ed25519-sha256",))
    admin.ok("key", "new", "hooli.example", "--algorithm", "ed25519-sha256", "--selector", "next",
             "--activate")
    admin.ok("domain", "set", "hooli.example", "note=x")
    admin.ok("rule", "add", "hooli.example", "--domain", "hooli.example", "--selector", "next")
    admin.ok("rule", "remove", "hooli.example", "--domain", "hooli.example")
    admin.ok("grant", "add", "--tenant", "hooli", "--network", "192.0.2.0/24")
    admin.ok("grant", "remove", "--network", "192.0.2.0/24")
    admin.ok("domain", "suspend", "hooli.example")
    admin.ok("vault", "rewrap")
    assert admin.run("store", "check").returncode == 0
    admin.ok("domain", "remove", "hooli.example", "--yes")
    admin.ok("tenant", "remove", "hooli", "--yes")
    assert "hooli" in admin.ok("audit", "list", "--limit", "100000")


def test_admin_adds_events_and_changes_and_removes_none(slapd):
    """Nor is something added to one, as what it lacks."""
    before = slapd.ldif(f"cn=events,{BASE}")
    assert "description:" not in slapd.ldif(EVENT)
    for text in [*every_write("event"), remove(f"cn=events,{BASE}"), rename(f"cn=events,{BASE}"),
                 f"dn: {EVENT}\nchangetype: modify\nadd: description\ndescription: x\n",
                 f"dn: cn=x,{EVENT}\nchangetype: add\nobjectClass: inkanEntry\n",
                 f"dn: cn=events,{BASE}\nchangetype: modify\nadd: description\n"
                 "description: x\n"]:
        assert slapd.refusal(text, ADMIN) == DENIED, text
    assert slapd.ldif(f"cn=events,{BASE}") == before


def test_admin_changes_nothing_outside_the_base(slapd, unchanged):
    for dn in (SIGNER[0], THIRD[0]):
        for text in (f"dn: {dn}\nchangetype: modify\nreplace: userPassword\nuserPassword: x\n",
                     f"dn: {dn}\nchangetype: modify\nreplace: description\ndescription: x\n",
                     rename(dn), remove(dn), move(dn, BASE)):
            assert slapd.refusal(text, ADMIN) in REFUSED, text
    for text in (rename(BASE), remove(BASE), move(BASE, THIRD[0]), move(KEY, SUFFIX)):
        assert slapd.refusal(text, ADMIN) != 0, text
    for account in (ADMIN, SIGNER, THIRD):
        assert slapd.search("(objectClass=*)", account=account, base="cn=config") == []
