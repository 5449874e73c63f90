# SPDX-License-Identifier: Apache-2.0
"""The chain of the audit log in a directory, and how a directory that knows no chain gets one."""

import json
import re
import subprocess

import pytest

import ldap
from inkan import BUILD, SANITIZER_ENV, Inkan
from ldap import BASE, CONFIG, Slapd, documented

DONE, NO, REFUSED, BROKEN = 0, 1, 3, 70


def verify(inkan, *options):
    answer = inkan.run("--json", "audit", "verify", *options)
    return answer.returncode, json.loads(answer.stdout)


def whole(inkan, *options):
    code, answer = verify(inkan, *options)
    assert (code, answer["problem"]) == (DONE, "")
    return answer


# -- a server that knows no chain --------------------------------------------------------------

@pytest.fixture
def old_server(folder, monkeypatch):
    """With the schema as it was before inkanEventHash."""
    with open(ldap.SCHEMA, encoding="ascii") as file:
        text = file.read()
    text = re.sub(r"olcAttributeTypes: \( inkanAttribute:139 .*?\)\n", "", text, flags=re.S)
    text = text.replace(" $\n    inkanEventHash )", " )")
    assert "EventHash" not in text
    path = f"{folder}/old.ldif"
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    monkeypatch.setattr(ldap, "SCHEMA", path)
    server = Slapd.single(folder, log_level="none")
    yield server
    server.kill()


def update():
    """What docs/ldap.md says; this server's number of the schema is another one."""
    texts = documented("From version 2 to 3")
    schema = next(text for dn, text in texts.items() if "cn=schema" in dn)
    return schema.replace("cn={4}inkan", "cn={3}inkan")


def test_a_server_with_an_older_schema_is_refused_until_it_has_the_newest(old_server, folder):
    """Or it would take changes and refuse their events."""
    inkan = Inkan(f"{folder}/inkan", **old_server.settings())
    inkan.ok("vault", "init")
    head, _, rest = update().partition("-\n")
    answer = inkan.run("store", "init")
    assert answer.returncode == BROKEN
    assert "inkanEventHash" in answer.stderr and "inkan.ldif" in answer.stderr
    old_server.modify(head, CONFIG)
    answer = inkan.run("store", "init")
    assert answer.returncode == BROKEN and "inkanEventHash" in answer.stderr
    assert old_server.search("(objectClass=inkanEntry)", "1.1") == []
    old_server.modify(f"{head.partition('add:')[0]}{rest}", CONFIG)
    inkan.ok("store", "init")
    inkan.ok("tenant", "add", "acme")
    assert whole(inkan)["events"] == 1


@pytest.fixture(scope="module")
def server(module_folder):
    slapd = Slapd.single(module_folder, log_level="none")
    yield slapd
    slapd.stop()


@pytest.fixture
def inkan(server, folder):
    """A store of its own with six events."""
    name = folder.rpartition("/")[2]
    base = f"ou={name},{BASE}"
    server.ldif_add(f"dn: {base}\nobjectClass: organizationalUnit\nou: {name}\n")
    made = Inkan(f"{folder}/inkan", **{**server.settings(), "store__url": server.url(base=base)})
    made.base = base
    made.set_up("acme")
    for number in range(5):
        made.ok("tenant", "set", "acme", f"note={number}")
    return made


def event(inkan, number):
    return f"inkanEventId={number},cn=events,{inkan.base}"


def test_a_store_of_version_2_is_migrated_and_its_chain_begins(server, inkan):
    for number in range(1, 7):
        server.modify(f"dn: {event(inkan, number)}\nchangetype: modify\ndelete: inkanEventHash\n")
    server.modify(f"dn: cn=state,{inkan.base}\nchangetype: modify\nreplace: inkanSchemaVersion\n"
                  "inkanSchemaVersion: 2\n")
    answer = inkan.run("tenant", "list")
    assert answer.returncode == BROKEN and "run inkan store migrate" in answer.stderr
    inkan.ok("store", "migrate")
    inkan.ok("tenant", "set", "acme", "note=chained")
    answer = whole(inkan)
    assert (answer["events"], answer["unchained"], answer["last_id"]) == (7, 6, 7)


# -- what was done to it -----------------------------------------------------------------------

def test_a_changed_event_is_named(server, inkan):
    server.modify(f"dn: {event(inkan, 4)}\nchangetype: modify\nreplace: inkanEventActor\n"
                  "inkanEventActor: nobody\n")
    code, answer = verify(inkan)
    assert code == NO and "event 4 (20" in answer["problem"] and "changed" in answer["problem"]


def test_a_missing_event_is_named_by_the_next(server, inkan):
    server.remove(event(inkan, 4))
    code, answer = verify(inkan)
    assert code == NO and "event 5 (20" in answer["problem"]
    assert "one before it is missing" in answer["problem"]


def test_a_log_that_was_cut_is_missed(server, inkan):
    kept = whole(inkan)["last_hash"]
    server.remove(event(inkan, 6))
    assert whole(inkan)["events"] == 5
    assert verify(inkan, "--expect", kept)[0] == NO
    inkan.ok("tenant", "set", "acme", "note=on")
    assert whole(inkan)["last_id"] == 7


# -- who writes --------------------------------------------------------------------------------

def test_writers_at_once_make_one_chain(inkan):
    """Who comes too late is told (75) and does it again."""
    for tenant in range(3):
        inkan.ok("tenant", "add", f"t{tenant}")
    loop = ("for i in $(seq 8); do"
            " until \"$1\" -c \"$2\" tenant set \"$3\" note=$i >&2; do [ $? = 75 ] || exit 1; done;"
            " done")
    started = [subprocess.Popen(["sh", "-c", loop, "sh", f"{BUILD}/inkan", inkan.conf,
                                 f"t{tenant}"], stderr=subprocess.PIPE, text=True,
                                env=SANITIZER_ENV) for tenant in range(3)]
    for process in started:
        said = process.communicate(timeout=120)[1]
        assert process.returncode == DONE, said
    assert whole(inkan)["events"] == 6 + 3 + 24


def test_a_selector_of_a_removed_domain_is_refused(inkan):
    add = ("domain", "add", "gone.example", "--tenant", "acme", "--no-key")
    new = ("key", "new", "gone.example", "--algorithm", "ed25519-sha256", "--selector", "s1")
    for command in (add, new, ("domain", "remove", "gone.example", "--yes"), add):
        inkan.ok(*command)
    answer = inkan.run(*new)
    assert answer.returncode == REFUSED and "used for another key before" in answer.stderr
