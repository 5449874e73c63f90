# SPDX-License-Identifier: Apache-2.0
"""A directory that an older version filled: with the steps of docs/ldap.md its server gets the newest
schema, and its keys are rotated like those of a new one."""

import json
import re

import pytest

from inkan import Inkan
from ldap import BASE, CONFIG, SCHEMA, TREE, Slapd, documented

DONE, REFUSED, BROKEN = 0, 3, 70
DATA_BASE = "olcDatabase={1}mdb,cn=config"
# What came with version 4.
POLICY = "Algorithms|MaxAge|Soak|Overlap|Tombstone|Freeze"
ADDED = (f"inkan(Tenant({POLICY}|OnUnpublished)|Domain({POLICY}|Delegation)"
         "|Key(Shown|Checked|Ttl|Due|Target)|Lease\\w+)")


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def schema_of_version_3():
    text = re.sub(rf"^olc\w+: \( inkan\w+:\d+ NAME '({ADDED}|inkanLease)'.*\n( .*\n)*", "",
                  read(SCHEMA), flags=re.M)
    text = re.sub(rf"\s\$\s+{ADDED}(?= )", "", text)
    assert not re.search(ADDED, text)
    return text


def content_of_version_3(text):
    """What inkan has made, less what an older one did not know. The base is there."""
    text = re.sub(rf"^{ADDED}:.*\n( .*\n)*", "", text, flags=re.M)
    text = re.sub(r"^(inkanSchemaVersion:).*", r"\1 3", text, flags=re.M)
    entries = text.rstrip().split("\n\n")[1:]
    return "\n\n".join(entry for entry in entries if "cn=leases," not in entry) + "\n"


class Older(Slapd):
    """A server that was prepared for version 3."""

    def _prepare_for_inkan(self):
        self.ldif_add(schema_of_version_3(), CONFIG)
        self.configure("Modules", "Overlays", "Limits")
        for text in documented("Indexes").values():
            self.modify(text.replace(",inkanKeyDue", ""), CONFIG)
        access, = documented("Access").values()
        self.modify(access.replace("|leases", ""), CONFIG)

    def update_schema(self):
        """What docs/ldap.md says; the number of the schema is another one here."""
        self.modify(read(f"{TREE}/migrations/ldap/0004_life.ldif").replace("{4}inkan", "{3}inkan"),
                    CONFIG)
        self.configure("From version 3 to 4")

    def schema(self):
        """What the server knows of inkan, in any order."""
        entry, = self.search("(cn={3}inkan)", account=CONFIG, base="cn=schema,cn=config")
        return {name: sorted(re.sub(rb"^\{\d+\}", b"", value) for value in entry[name])
                for name in ("olcAttributeTypes", "olcObjectClasses")}

    def key_due(self, domain):
        """Of each key of a domain."""
        keys = self.search(f"(&(objectClass=inkanKey)(inkanKeyDomain={domain}))")
        return [key.get("inkanKeyDue", [None])[0] for key in keys]

    def version(self):
        entry, = self.search("(objectClass=inkanState)")
        return int(entry["inkanSchemaVersion"][0])


@pytest.fixture
def new(folder):
    server = Slapd.single(folder, "new", log_level="none")
    yield server
    server.kill()


@pytest.fixture
def older(folder):
    server = Older.single(folder, "older", log_level="none")
    yield server
    server.kill()


@pytest.fixture
def inkan(new, older, folder):
    """With a store of version 3 that has keys in several states."""
    made = Inkan(f"{folder}/inkan", **new.settings()).set_up("acme")
    for domain in ("active.example", "gone.example", "last.example"):
        made.add_domain(domain, algorithms=("ed25519-sha256",))
    for verb in ("retire", "revoke", "destroy"):
        made.ok("--yes", "key", verb, "gone.example", "ed25519")
    older.ldif_add(content_of_version_3(new.ldif(BASE)))
    made.configure(**older.settings())
    return made


def test_keys_of_an_older_version_are_rotated_once_it_is_migrated(new, older, inkan):
    answer = inkan.run("rotate", "plan")
    assert answer.returncode == BROKEN
    assert "schema version 3" in answer.stderr and "run inkan store migrate" in answer.stderr
    answer = inkan.run("store", "migrate")
    assert answer.returncode == BROKEN and "migrations/ldap/inkan.ldif" in answer.stderr
    assert (older.version(), older.schema() == Older.schema(new)) == (3, False)
    older.update_schema()
    assert older.schema() == Older.schema(new)
    inkan.ok("store", "migrate")
    assert older.version() == 4
    assert (older.key_due("active.example"), older.key_due("gone.example")) == ([b"1"], [None])
    plan = inkan.json("rotate", "plan")
    assert sorted(key["domain"] for key in plan) == ["active.example", "last.example"]
    assert json.loads(inkan.run("--json", "rotate", "status").stdout)["overdue"] == 2
    assert inkan.run("store", "check").returncode == DONE
    assert inkan.run("audit", "verify").returncode == DONE
    inkan.add_domain("later.example", algorithms=("ed25519-sha256",), max_age=3600)


def test_a_migration_that_was_cut_short_is_begun_again(older, inkan):
    """Here by a rule of access; what has been given a time meanwhile keeps it."""
    older.update_schema()
    older.modify(f'dn: {DATA_BASE}\nchangetype: modify\nadd: olcAccess\nolcAccess: {{0}}to '
                 f'dn.regex="inkanDomainName=last.example," by * read\n', CONFIG)
    answer = inkan.run("store", "migrate")
    assert answer.returncode == REFUSED, answer.stderr
    assert "Insufficient access" in answer.stderr and "=last.example" in answer.stderr
    assert (older.version(), older.key_due("last.example")) == (3, [None])
    older.modify(f"dn: {DATA_BASE}\nchangetype: modify\ndelete: olcAccess\nolcAccess: {{0}}\n", CONFIG)
    name, = older.search("(&(objectClass=inkanKey)(inkanKeyDomain=active.example))", "1.1")
    older.modify(f"dn: {name['dn'][0].decode()}\nchangetype: modify\nreplace: inkanKeyDue\n"
                 "inkanKeyDue: 0\n")
    inkan.ok("store", "migrate")
    assert (older.version(), older.key_due("last.example")) == (4, [b"1"])
    assert older.key_due("active.example") == [b"0"]
    assert [key["domain"] for key in inkan.json("rotate", "plan")] == ["last.example"]


def test_a_store_that_has_the_version_is_left_as_it_is(new, folder):
    """A key that another tool added without a time is not rotated."""
    inkan = Inkan(f"{folder}/inkan", **new.settings()).set_up("acme")
    inkan.add_domain("a.example", algorithms=("ed25519-sha256",))
    key, = new.search("(objectClass=inkanKey)", "1.1")
    new.modify(f"dn: {key['dn'][0].decode()}\nchangetype: modify\ndelete: inkanKeyDue\n")
    assert json.loads(inkan.ok("--json", "store", "migrate"))["after"] == 4
    assert Older.key_due(new, "a.example") == [None]
