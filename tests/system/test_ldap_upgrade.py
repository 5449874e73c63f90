# SPDX-License-Identifier: Apache-2.0
"""A directory that an older version filled: with the steps of docs/ldap.md its server becomes what a
new one is, its keys are rotated, and rules and grants count."""

import json
import re

import pytest

import messages
from inkan import Inkan
from ldap import BASE, CONFIG, SCHEMA, SIGNER, TREE, Slapd, documented
from milter import CONTINUE, REPLY_CODE, Milter
from peers import signatures_of
from process import wait_for

DONE, REFUSED, BROKEN = 0, 3, 70
NEWEST = 5
DATA_BASE = "olcDatabase={1}mdb,cn=config"
POLICY = "Algorithms|MaxAge|Soak|Overlap|Tombstone|Freeze"
# What came with each version: attributes, and classes.
ADDED = {
    4: (f"inkan(Tenant({POLICY}|OnUnpublished)|Domain({POLICY}|Delegation)"
        "|Key(Shown|Checked|Ttl|Due|Target)|Lease\\w+)", "inkanLease"),
    5: ("inkan(Tenant(OnNoKey|Subdomains|Canonicalization|Expiry|Headers|Oversign|AlsoProvider"
        "|OneSignature|Ed25519)|KeyReserved|RulePlace|Grant(OneSignature|Place))",
        "inkanRegister"),
}
# The indexes that came, and what the rule of access at {4} was for.
INDEXES = {4: ",inkanKeyDue", 5: ",inkanRulePlace|,inkanGrantPlace"}
HIDDEN = {3: "writer|rules|grants", 4: "writer|rules|grants|leases"}
# How a server gets to the version, as docs/ldap.md has it.
STEPS = {4: ("0004_life.ldif", "From version 3 to 4"), 5: ("0005_who.ldif", "From version 4 to 5")}


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def later_than(version):
    return [added for number, added in ADDED.items() if number > version]


def schema_of(version):
    text = read(SCHEMA)
    for attributes, classes in later_than(version):
        text = re.sub(rf"^olc\w+: \( inkan\w+:\d+ NAME '({attributes}|{classes})'.*\n( .*\n)*", "",
                      text, flags=re.M)
        text = re.sub(rf"\s\$\s+{attributes}(?= )|(?<=\( ){attributes}\s\$\s+", "", text)
        assert not re.search(attributes, text)
    return text


def content_of(version, text):
    """What inkan has made, less what an older one did not know. The base is there."""
    for attributes, classes in later_than(version):
        text = re.sub(rf"^({attributes}:.*|objectClass: {classes})\n( .*\n)*", "", text, flags=re.M)
    text = re.sub(r"^(inkanSchemaVersion:).*", rf"\1 {version}", text, flags=re.M)
    entries = text.rstrip().split("\n\n")[1:]
    return "\n\n".join(entry for entry in entries
                       if version > 3 or "cn=leases," not in entry) + "\n"


class Older(Slapd):
    """A server that was prepared for an older version."""

    def _prepare_for_inkan(self):
        self.ldif_add(schema_of(self.VERSION), CONFIG)
        self.configure("Modules", "Overlays", "Limits")
        later = "|".join(text for number, text in INDEXES.items() if number > self.VERSION)
        for text in documented("Indexes").values():
            self.modify(re.sub(later, "", text), CONFIG)
        access, = documented("Access").values()
        assert "=(writer|leases)," in access
        self.modify(access.replace("writer|leases", HIDDEN[self.VERSION]), CONFIG)

    def update_schema(self, version):
        """To this version from the one before; the number of the schema is another one here."""
        text = read(f"{TREE}/migrations/ldap/{STEPS[version][0]}")
        self.modify(text.replace("{4}inkan", "{3}inkan"), CONFIG)

    def update(self):
        """All that docs/ldap.md says."""
        for version in range(self.VERSION + 1, NEWEST + 1):
            self.update_schema(version)
            self.configure(STEPS[version][1])

    def configuration(self):
        """What the server knows of inkan, in any order."""
        schema, = self.search("(cn={3}inkan)", account=CONFIG, base="cn=schema,cn=config")
        base, = self.search("(objectClass=*)", account=CONFIG, base=DATA_BASE, scope="base")
        found = {name: {re.sub(rb"^\{\d+\}", b"", value) for value in schema[name]}
                 for name in ("olcAttributeTypes", "olcObjectClasses")}
        found["indexes"] = {name for value in base["olcDbIndex"]
                            for name in value.removesuffix(b" eq").split(b",")}
        return {**found, "access": base["olcAccess"]}

    def key_due(self, domain):
        """Of each key of a domain."""
        keys = self.search(f"(&(objectClass=inkanKey)(inkanKeyDomain={domain}))")
        return [key.get("inkanKeyDue", [None])[0] for key in keys]

    def version(self):
        entry, = self.search("(objectClass=inkanState)")
        return int(entry["inkanSchemaVersion"][0])


class Version3(Older):
    VERSION = 3


class Version4(Older):
    VERSION = 4


@pytest.fixture
def new(folder):
    server = Slapd.single(folder, "new", log_level="none")
    yield server
    server.kill()


def started(cls, folder):
    server = cls.single(folder, "older", log_level="filter")
    yield server
    server.kill()


@pytest.fixture
def version_3(folder):
    yield from started(Version3, folder)


@pytest.fixture
def version_4(folder):
    yield from started(Version4, folder)


@pytest.fixture(params=[Version3, Version4])
def older(request, folder):
    yield from started(request.param, folder)


def filled(older, new, folder):
    """With a store of the older version that has keys in several states."""
    made = Inkan(f"{folder}/inkan", **new.settings()).set_up("acme")
    for domain in ("active.example", "gone.example", "last.example"):
        made.add_domain(domain, algorithms=("ed25519-sha256",))
    for verb in ("retire", "revoke", "destroy"):
        made.ok("--yes", "key", verb, "gone.example", "ed25519")
    older.ldif_add(content_of(older.VERSION, new.ldif(BASE)))
    made.configure(**older.settings())
    return made


def signer_of(inkan, server, folder):
    """What signs with the keys that the other made, with the account of daemons."""
    return Inkan(f"{folder}/signer", vault__keyring=inkan.keyring, server__workers="1",
                 **server.settings(SIGNER))


def signing_domains(inkan, author, login=None):
    with Milter(inkan.address) as milter:
        milter.greet("203.0.113.9")
        verdict, message = milter.message(messages.compose(author.encode()), login=login)
    return verdict, [tags["d"] for tags in signatures_of(message)]


@pytest.mark.parametrize("step", [0, 1])
def test_a_server_is_refused_until_it_has_had_all_steps(new, version_3, folder, step):
    inkan = filled(version_3, new, folder)
    answer = inkan.run("rotate", "plan")
    assert answer.returncode == BROKEN
    assert "schema version 3" in answer.stderr and "run inkan store migrate" in answer.stderr
    for version in range(4, 4 + step):
        version_3.update_schema(version)
    answer = inkan.run("store", "migrate")
    assert answer.returncode == BROKEN and "migrations/ldap/inkan.ldif" in answer.stderr
    assert version_3.version() == 3


def test_an_older_server_becomes_what_a_new_one_is(new, older, folder):
    inkan = filled(older, new, folder)
    assert inkan.run("store", "check").returncode == BROKEN
    older.update()
    assert older.configuration() == Older.configuration(new)
    migrated = inkan.json("store", "migrate")
    assert (migrated["before"], migrated["after"]) == (older.VERSION, NEWEST)
    assert older.version() == NEWEST
    older.stop()
    older.start()
    assert inkan.run("store", "check").returncode == DONE
    assert inkan.run("audit", "verify").returncode == DONE
    inkan.add_domain("later.example", algorithms=("ed25519-sha256",), max_age=3600)


def test_what_records_of_an_older_version_lack_is_as_if_nobody_had_asked_for_it(new, older, folder):
    inkan = filled(older, new, folder)
    older.update()
    inkan.ok("store", "migrate")
    tenant, = older.search("(objectClass=inkanTenant)")
    assert not any(re.fullmatch(ADDED[5][0], name) for name in tenant)
    fields = {"on_no_key": "auto", "subdomains": False, "canonicalization": "", "expiry": -1,
              "headers": "", "oversign": "", "also_provider": False, "one_signature": False,
              "ed25519": "on"}
    assert fields.items() <= inkan.json("tenant", "show", "acme").items()
    assert not inkan.json("key", "show", "active.example", "ed25519")["reserved"]
    inkan.ok("tenant", "set", "acme", "expiry=3600")
    inkan.ok("tenant", "set", "acme", "ed25519=off")
    changed = {**fields, "expiry": 3600, "ed25519": "off"}
    assert changed.items() <= inkan.json("tenant", "show", "acme").items()


def test_rules_and_grants_count_in_a_store_of_an_older_version(new, older, folder):
    inkan = filled(older, new, folder)
    older.update()
    inkan.ok("store", "migrate")
    inkan.ok("rule", "add", "partner.example", "--domain", "active.example")
    inkan.ok("grant", "add", "--tenant", "acme", "--login", "web17")
    before = len(older.process.log_text())
    signer = signer_of(inkan, older, folder).start()
    try:
        for author in ("a@active.example", "b@partner.example"):
            assert signing_domains(signer, author, "web17") == (CONTINUE, ["active.example"])
            assert signing_domains(signer, author, "web18") == (CONTINUE, [])
    finally:
        signer.stop()
    assert not re.findall(r"\((\w+)\) not indexed", older.process.log_text()[before:])


def test_a_daemon_that_does_not_see_rules_and_grants_signs_nothing(new, version_4, folder):
    """The rule of access of version 4 hides them, and it would sign as if there were none."""
    inkan = filled(version_4, new, folder)
    version_4.update_schema(5)
    inkan.ok("store", "migrate")
    signer = signer_of(inkan, version_4, folder).start()
    why = f"ldap: cn=rules,{BASE} is not shown to this account"
    try:
        assert signing_domains(signer, "a@active.example") == (REPLY_CODE, [])
        signer.wait_log(re.escape(why))
        answer = signer.run("explain", "--from", "a@active.example")
        assert answer.returncode == BROKEN and why in answer.stdout
        version_4.configure(STEPS[5][1])
        wait_for("it signs", lambda: signing_domains(signer, "a@active.example", "x@active.example")
                 == (CONTINUE, ["active.example"]), 10)
    finally:
        signer.stop()


def test_keys_of_version_3_are_rotated_once_it_is_migrated(new, version_3, folder):
    inkan = filled(version_3, new, folder)
    version_3.update()
    inkan.ok("store", "migrate")
    assert version_3.key_due("active.example") == [b"1"]
    assert version_3.key_due("gone.example") == [None]
    plan = inkan.json("rotate", "plan")
    assert sorted(key["domain"] for key in plan) == ["active.example", "last.example"]
    assert json.loads(inkan.run("--json", "rotate", "status").stdout)["overdue"] == 2


def test_a_migration_that_was_cut_short_is_begun_again(new, version_3, folder):
    """Here by a rule of access; what has been given a time meanwhile keeps it."""
    inkan = filled(version_3, new, folder)
    version_3.update()
    version_3.modify(f'dn: {DATA_BASE}\nchangetype: modify\nadd: olcAccess\nolcAccess: {{0}}to '
                 f'dn.regex="inkanDomainName=last.example," by * read\n', CONFIG)
    answer = inkan.run("store", "migrate")
    assert answer.returncode == REFUSED, answer.stderr
    assert "Insufficient access" in answer.stderr and "=last.example" in answer.stderr
    assert (version_3.version(), version_3.key_due("last.example")) == (3, [None])
    version_3.modify(f"dn: {DATA_BASE}\nchangetype: modify\ndelete: olcAccess\nolcAccess: {{0}}\n", CONFIG)
    name, = version_3.search("(&(objectClass=inkanKey)(inkanKeyDomain=active.example))", "1.1")
    version_3.modify(f"dn: {name['dn'][0].decode()}\nchangetype: modify\nreplace: inkanKeyDue\n"
                 "inkanKeyDue: 0\n")
    inkan.ok("store", "migrate")
    assert (version_3.version(), version_3.key_due("last.example")) == (NEWEST, [b"1"])
    assert version_3.key_due("active.example") == [b"0"]
    assert [key["domain"] for key in inkan.json("rotate", "plan")] == ["last.example"]


def test_a_store_that_has_the_version_is_left_as_it_is(new, folder):
    """A key that another tool added without a time is not rotated."""
    inkan = Inkan(f"{folder}/inkan", **new.settings()).set_up("acme")
    inkan.add_domain("a.example", algorithms=("ed25519-sha256",))
    key, = new.search("(objectClass=inkanKey)", "1.1")
    new.modify(f"dn: {key['dn'][0].decode()}\nchangetype: modify\ndelete: inkanKeyDue\n")
    assert json.loads(inkan.ok("--json", "store", "migrate"))["after"] == NEWEST
    assert Older.key_due(new, "a.example") == [None]
