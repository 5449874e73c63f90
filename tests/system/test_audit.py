# SPDX-License-Identifier: Apache-2.0
"""The audit log: its chain finds what somebody with all rights in the data base did to it, `audit
list` finds events, and a selector that the log knows is not used again."""

import hashlib
import json
import pathlib
import sqlite3
import subprocess

import pytest

from inkan import BUILD, SANITIZER_ENV, Inkan
from postgres import Postgres, Session
from process import wait_for

DONE, NO, INVALID, REFUSED = 0, 1, 2, 3
MIGRATIONS = pathlib.Path(__file__).resolve().parents[2] / "migrations/sqlite"
FIELDS = ("time", "actor", "action", "kind", "name", "tenant", "detail")
ED25519 = ("--algorithm", "ed25519-sha256")


def verify(inkan, *options):
    """Exit code, answer, standard error."""
    answer = inkan.run("--json", "audit", "verify", *options)
    return answer.returncode, json.loads(answer.stdout), answer.stderr


def whole(inkan, *options):
    code, answer, said = verify(inkan, *options)
    assert (code, answer["whole"], answer["problem"], said) == (DONE, True, "", ""), answer
    return answer


def hash_of(previous, event):
    """As storage/chain.h says."""
    text = previous.encode() + b"\n"
    for name in FIELDS:
        value = str(event[name] or "").encode()
        if value:
            text += b"%s %d %s\n" % (name.encode(), len(value), value)
    return hashlib.sha256(text).hexdigest()


# -- SQLite ------------------------------------------------------------------------------------

class Log:
    """The table of events, in the hands of somebody who may do anything."""

    def __init__(self, inkan):
        self.base = sqlite3.connect(inkan.database)
        self.base.row_factory = sqlite3.Row
        self.base.executescript('DROP TRIGGER "event_no_update"; DROP TRIGGER "event_no_delete"')

    def do(self, text):
        self.base.executescript(text)

    def events(self):
        return [dict(row) for row in self.base.execute('SELECT * FROM "event" ORDER BY "id"')]

    def put_in(self, number, event):
        """Those from there on get the next number."""
        self.do(f'UPDATE "event" SET "id" = -"id" - 1 WHERE "id" >= {number};'
                'UPDATE "event" SET "id" = -"id" WHERE "id" < 0')
        self.base.execute('INSERT INTO "event" VALUES (:id, :time, :actor, :action, :kind, :name, '
                          ':tenant, :detail, 1, :hash)', {**event, "id": number})
        self.base.commit()

    def write_anew(self, first):
        """All hashes from there on."""
        previous = ""
        for event in self.events():
            if event["id"] >= first:
                event["hash"] = hash_of(previous, event)
                self.base.execute('UPDATE "event" SET "hash" = :hash WHERE "id" = :id', event)
            previous = event["hash"]
        self.base.commit()


@pytest.fixture
def inkan(new_inkan):
    """Eight events: 1 to 4 of acme and its domain, 5 to 8 of the tenant's note."""
    installation = new_inkan().set_up("acme")
    installation.ok("domain", "add", "b\u00fccher.example", "--tenant", "acme", *ED25519)
    installation.ok("domain", "suspend", "b\u00fccher.example")
    for note in ("one", "two, \u00e4 \U0001f511", "", "three"):
        installation.ok("tenant", "set", "acme", f"note={note}")
    return installation


@pytest.fixture
def log(inkan):
    held = Log(inkan)
    yield held
    held.base.close()


def test_a_chain_that_nobody_touched_is_whole(inkan, log):
    events = log.events()
    answer = whole(inkan)
    assert answer == {"events": 8, "unchained": 0, "beside": 0, "last_id": 8,
                      "last_hash": events[-1]["hash"], "whole": True, "problem": ""}
    previous = ""
    for event in events:
        assert event["hash"] == hash_of(previous, event)
        previous = event["hash"]
    assert inkan.ok("audit", "verify") == f"8 events, chain whole, last {previous}\n"
    assert inkan.json("audit", "list")[-1]["hash"] == previous
    assert previous not in inkan.ok("audit", "list")


TAMPERED = {
    "time": ('UPDATE "event" SET "time" = "time" + 1 WHERE "id" = 3', 3, "was changed"),
    "actor": ('UPDATE "event" SET "actor" = \'nobody\' WHERE "id" = 3', 3, "was changed"),
    "action": ('UPDATE "event" SET "action" = \'key.x\' WHERE "id" = 3', 3, "was changed"),
    "kind": ('UPDATE "event" SET "kind" = \'domain\' WHERE "id" = 3', 3, "was changed"),
    "name": ('UPDATE "event" SET "name" = "name" || \'x\' WHERE "id" = 3', 3, "was changed"),
    "tenant": ('UPDATE "event" SET "tenant" = \'globex\' WHERE "id" = 3', 3, "was changed"),
    "detail": ('UPDATE "event" SET "detail" = \'\' WHERE "id" = 3', 3, "was changed"),
    "hash": ('UPDATE "event" SET "hash" = replace("hash", substr("hash", 1, 1), \'g\')'
             ' WHERE "id" = 3', 3, "was changed"),
    "no hash": ('UPDATE "event" SET "hash" = \'\' WHERE "id" = 3', 3, "has no hash"),
    "the last": ('UPDATE "event" SET "detail" = \'\' WHERE "id" = 8', 8, "was changed"),
    "the first": ('UPDATE "event" SET "actor" = \'nobody\' WHERE "id" = 1', 1, "was changed"),
    "the first is gone": ('DELETE FROM "event" WHERE "id" = 1', 2, "one before it is missing"),
    "one is gone": ('DELETE FROM "event" WHERE "id" = 4', 5, "one before it is missing"),
    "several are gone": ('DELETE FROM "event" WHERE "id" IN (4, 5)', 6, "one before it is missing"),
    "another in its place": ('DELETE FROM "event" WHERE "id" = 4;'
                             'INSERT INTO "event" VALUES (4, 1795262400, \'a\', \'b\', \'c\', \'d\', \'\','
                             ' \'\', 1, \'\')', 4, "has no hash"),
    "two changed places": ('UPDATE "event" SET "id" = -5 WHERE "id" = 4;'
                           'UPDATE "event" SET "id" = 4 WHERE "id" = 5;'
                           'UPDATE "event" SET "id" = 5 WHERE "id" = -5', 4, "was changed"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_what_was_done_to_the_log_is_found_and_named(inkan, log, what):
    text, number, problem = TAMPERED[what]
    log.do(text)
    code, answer, said = verify(inkan)
    assert (code, answer["whole"]) == (NO, False)
    assert answer["problem"].startswith(f"the chain is broken: event {number} (20")
    assert problem in answer["problem"]
    assert said == f"inkan: {answer['problem']}\n"
    plain = inkan.run("audit", "verify")
    assert (plain.returncode, plain.stdout, plain.stderr) == (NO, "", said)


def test_an_event_put_in_with_the_right_hash_is_named(inkan, log):
    event = {**log.events()[3], "detail": "invented"}
    event["hash"] = hash_of(log.events()[2]["hash"], event)
    log.put_in(4, event)
    code, answer, _ = verify(inkan)
    assert code == NO
    assert answer["problem"].startswith("the chain is broken: event 4 (20")
    assert "was put in" in answer["problem"]


def test_a_log_that_was_cut_is_found_by_the_hash_kept_elsewhere(inkan, log):
    kept = whole(inkan)["last_hash"]
    log.do('DELETE FROM "event" WHERE "id" > 6')
    assert whole(inkan)["events"] == 6
    code, answer, said = verify(inkan, "--expect", kept)
    assert (code, answer["whole"]) == (NO, False)
    assert f"no event has the hash {kept}: the log was cut off before it" in said


def test_a_log_that_was_written_anew_is_found_by_the_hash_kept_elsewhere(inkan, log):
    kept = whole(inkan)["last_hash"]
    log.do('UPDATE "event" SET "actor" = \'nobody\' WHERE "id" = 3')
    log.write_anew(3)
    whole(inkan)
    code, _, said = verify(inkan, "--expect", kept)
    assert code == NO and "or written anew" in said


def test_a_hash_kept_elsewhere_stays_part_of_a_growing_log(inkan):
    kept = whole(inkan)["last_hash"]
    inkan.ok("tenant", "set", "acme", "note=more")
    answer = whole(inkan, "--expect", kept)
    assert answer["events"] == 9 and answer["last_hash"] != kept
    whole(inkan, "--expect", answer["last_hash"])


@pytest.mark.parametrize("text", ["", "abc", "g" * 64, "A" * 64, "0" * 65])
def test_what_is_no_hash_is_told(inkan, text):
    answer = inkan.run("audit", "verify", "--expect", text)
    assert answer.returncode == INVALID and "not a hash" in answer.stderr


def test_an_empty_log_is_whole(new_inkan):
    empty = new_inkan().set_up()
    assert whole(empty)["events"] == 0
    assert empty.ok("audit", "verify") == "0 events, chain whole, last none\n"


def test_a_dry_run_and_a_refused_change_leave_no_trace(inkan):
    before = whole(inkan)
    inkan.ok("--dry-run", "tenant", "set", "acme", "note=x")
    assert inkan.run("tenant", "add", "acme").returncode == REFUSED
    assert whole(inkan) == before


def test_events_of_version_2_come_before_the_chain(new_inkan):
    """A store as it was, and its first event after the migration."""
    old = new_inkan()
    base = sqlite3.connect(old.database)
    base.execute("PRAGMA journal_mode = WAL")
    base.execute("CREATE TABLE migration (version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL,"
                 " checksum TEXT NOT NULL, applied INTEGER NOT NULL) STRICT")
    for number, path in enumerate(sorted(MIGRATIONS.glob("000[12]_*.sql")), 1):
        text = path.read_text(encoding="utf-8")
        base.executescript(text)
        base.execute("INSERT INTO migration VALUES (?, ?, ?, 0)",
                     (number, path.stem, hashlib.sha256(text.encode()).hexdigest()))
    for _ in range(3):
        base.execute('INSERT INTO "event" ("time", "actor", "action", "kind", "name", "version")'
                     " VALUES (1, 'anna', 'tenant.add', 'tenant', 'old', 1)")
    base.commit()
    base.close()
    assert "run inkan store migrate" in old.run("tenant", "list").stderr
    old.ok("store", "migrate")
    answer = whole(old)
    assert (answer["events"], answer["unchained"], answer["last_hash"]) == (3, 3, "")
    old.ok("tenant", "add", "acme")
    answer = whole(old)
    assert (answer["events"], answer["unchained"], answer["last_id"]) == (4, 3, 4)
    assert old.ok("audit", "verify").startswith("4 events (3 older than the chain), chain whole")


# -- copies ------------------------------------------------------------------------------------

def test_a_copy_keeps_the_chain_and_both_go_on(inkan, new_inkan):
    target = new_inkan("target", vault__keyring=inkan.keyring)
    target.ok("store", "init")
    url = target.settings["store.url"]
    kept = whole(inkan)["last_hash"]
    inkan.ok("store", "copy", "--to", url)
    answer = whole(target, "--expect", kept)
    assert (answer["events"], answer["beside"]) == (9, 0)
    inkan.ok("tenant", "add", "globex")
    inkan.ok("store", "copy", "--to", url)
    answer = whole(target, "--expect", whole(inkan)["last_hash"])
    assert (answer["events"], answer["beside"]) == (11, 1)
    assert "(1 beside it, of copies)" in target.ok("audit", "verify")
    target.ok("tenant", "add", "initech")
    assert whole(target)["events"] == 12


def test_a_chain_that_was_copied_may_come_back(inkan, new_inkan):
    target = new_inkan("target", vault__keyring=inkan.keyring)
    target.ok("store", "init")
    inkan.ok("store", "copy", "--to", target.settings["store.url"])
    target.ok("tenant", "add", "initech")
    kept = whole(target)["last_hash"]
    target.ok("store", "copy", "--to", inkan.settings["store.url"])
    answer = whole(inkan, "--expect", kept)
    assert (answer["events"], answer["beside"]) == (11, 0)


# -- list --------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def listed(module_folder):
    """Events of two tenants at times and by actors of our choice."""
    inkan = Inkan(f"{module_folder}/listed").set_up("acme", "globex")
    inkan.ok("domain", "add", "example.com", "--tenant", "acme", *ED25519)
    inkan.ok("domain", "add", "example.com.example", "--tenant", "globex", "--no-key")
    inkan.ok("key", "new", "example.com", *ED25519, "--selector", "s2")
    base = sqlite3.connect(inkan.database)
    base.execute('DROP TRIGGER "event_no_update"')
    base.execute('UPDATE "event" SET "actor" = \'anna (inkan)\' WHERE "id" <= 3')
    # 2026-11-21T00:00:00Z and a day more each
    base.execute('UPDATE "event" SET "time" = 1795219200 + 86400 * ("id" - 1)')
    base.commit()
    base.close()
    return inkan


LISTED = {
    "--tenant globex": {2, 5},
    "--kind key": {4, 6},
    "--kind tenant": {1, 2},
    "--kind nothing": set(),
    "--name example.com": {3},
    "--name example.com\0s2": {6},
    "--name example": set(),
    "--domain example.com": {3, 4, 6},
    "--domain EXAMPLE.com": {3, 4, 6},
    "--actor anna\0(inkan)": {1, 2, 3},
    "--action key.add": {4, 6},
    "--action key.add --limit 1": {6},
    "--since 2026-11-25": {5, 6},
    "--since 2026-11-24T23:59:59Z": {5, 6},
    "--since 2026-11-25T00:00:01Z": {6},
    "--since 2026-11-25T01:00:00+01:00": {5, 6},
    "--until 2026-11-23": {1, 2},
    "--until 2026-11-23T00:00:01Z": {1, 2, 3},
    "--since 2026-11-22 --until 2026-11-24": {2, 3},
    "--since 2030-01-01": set(),
    "--tenant acme --kind key --action key.add --name example.com\0s2 --until 2026-11-27": {6},
    "--tenant acme --kind key --name example.com": set(),
    "--limit 2": {5, 6},
}


@pytest.mark.parametrize("options", LISTED)
def test_list_gives_the_events_that_fit(listed, options):
    words = [word.replace("\0", " ") for word in options.split(" ")]
    events = [event["id"] for event in listed.json("audit", "list", *words)]
    assert set(events) == LISTED[options] and events == sorted(events)


@pytest.mark.parametrize("option", ["--since", "--until"])
@pytest.mark.parametrize("text", ["yesterday", "2026-02-30", "2026-11-21T12:00:00", "20261121"])
def test_what_is_no_time_is_told(listed, option, text):
    answer = listed.run("audit", "list", option, text)
    assert answer.returncode == INVALID
    assert f'{option}: "{text}": not a date' in answer.stderr and answer.stdout == ""


def test_list_looks_through_pages_and_ends_where_all_is_too_old(inkan, log):
    """2,000 events that do not fit lie before those that do; one clock was wrong."""
    event = log.events()[-1]
    for number in range(9, 2009):
        log.base.execute('INSERT INTO "event" VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?)',
                         (number, 1 if number == 1500 else 5000 + number, "other", "x", "y", "z",
                          "", "", event["hash"]))
    log.base.commit()
    times = ("--since", "1970-01-01T01:23:29Z", "--until", "1970-01-01T01:23:32Z")
    events = inkan.json("audit", "list", *times)
    assert [event["id"] for event in events] == [9, 10, 11]
    assert [event["id"] for event in inkan.json("audit", "list", "--action", "tenant.add")] == [1]


# -- selectors ---------------------------------------------------------------------------------

def selectors(inkan, domain="gone.example"):
    return [key["selector"] for key in inkan.json("key", "list", domain)]


@pytest.fixture
def gone(new_inkan):
    """A domain whose key `s1` was made, and that was removed and added again; with its PEM."""
    installation = new_inkan().set_up("acme")
    installation.ok("domain", "add", "gone.example", "--tenant", "acme", "--no-key")
    installation.pem = f"{installation.folder}/s1.pem"
    installation.other = f"{installation.folder}/other.pem"
    for path in (installation.pem, installation.other):
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", path], check=True)
    installation.ok("key", "import", "gone.example", "--selector", "s1", installation.pem)
    installation.ok("domain", "remove", "gone.example", "--yes")
    installation.ok("domain", "add", "gone.example", "--tenant", "acme", "--no-key")
    return installation


REUSED = "key gone.example s1: the selector was used for another key before"


def test_a_selector_of_a_removed_domain_is_refused_for_ever(gone):
    for command in (("key", "new", "gone.example", *ED25519, "--selector", "s1"),
                    ("key", "new", "gone.example", *ED25519, "--selector", "S1"),
                    ("key", "import", "gone.example", "--selector", "s1", gone.other)):
        answer = gone.run(*command)
        assert answer.returncode == REFUSED, command
        assert REUSED in answer.stderr and len(answer.stderr.splitlines()) == 1
    assert selectors(gone) == []
    gone.ok("key", "new", "gone.example", *ED25519, "--selector", "s11")
    gone.ok("domain", "add", "other.example", "--tenant", "acme", "--no-key")
    gone.ok("key", "new", "other.example", *ED25519, "--selector", "s1")


def test_the_very_same_key_may_come_back(gone):
    gone.ok("key", "import", "gone.example", "--selector", "s1", gone.pem)
    assert selectors(gone) == ["s1"]
    gone.ok("domain", "remove", "gone.example", "--yes")
    gone.ok("domain", "add", "gone.example", "--tenant", "acme", "--no-key")
    gone.ok("key", "import", "gone.example", "--selector", "s1", gone.pem)


def test_a_selector_that_two_keys_had_is_for_neither(gone):
    """As versions allowed that did not ask the log."""
    base = sqlite3.connect(gone.database)
    base.execute('INSERT INTO "event" ("time", "actor", "action", "kind", "name", "detail",'
                 ' "version") VALUES (1, \'a\', \'key.add\', \'key\', \'gone.example s1\','
                 ' \'algorithm=ed25519-sha256; public_key=AAAA; kek=k\', 1)')
    base.commit()
    base.close()
    answer = gone.run("key", "import", "gone.example", "--selector", "s1", gone.pem)
    assert answer.returncode == REFUSED and REUSED in answer.stderr


def test_the_template_takes_the_next_number(new_inkan):
    inkan = new_inkan(lifecycle__selector="k{n}").set_up("acme")
    for expected in ("k1", "k2", "k3"):
        inkan.ok("domain", "add", "gone.example", "--tenant", "acme", *ED25519)
        assert selectors(inkan) == [expected]
        inkan.ok("domain", "remove", "gone.example", "--yes")


def test_an_import_reports_the_row_and_takes_the_others(gone):
    def pem(path):
        with open(path, encoding="ascii") as file:
            return file.read()

    rows = [{"domain": "gone.example", "tenant": "acme", "selector": "s1",
             "private_key": pem(gone.other)},
            {"domain": "gone.example", "tenant": "acme", "selector": "s1",
             "algorithm": "ed25519-sha256"},
            {"domain": "new.example", "tenant": "acme", "selector": "s1",
             "algorithm": "ed25519-sha256"},
            {"domain": "gone.example", "tenant": "acme", "selector": "s1",
             "private_key": pem(gone.pem)}]
    answer = gone.run("--json", "import", "domains", "-",
                      stdin="".join(json.dumps(row) + "\n" for row in rows).encode())
    report = json.loads(answer.stdout)
    assert (answer.returncode, report["added"], report["failed"]) == (NO, 2, 2)
    assert [error["line"] for error in report["errors"]] == [1, 2]
    assert all(REUSED in error["text"] for error in report["errors"])
    assert selectors(gone) == ["s1"] and whole(gone)


# -- PostgreSQL --------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def postgres(module_folder):
    server = Postgres.primary(module_folder)
    yield server
    server.stop()


@pytest.fixture
def on_postgres(new_inkan, postgres):
    """A new data base of the server, with ten events."""
    postgres.sql("DROP DATABASE IF EXISTS log", database="postgres")
    postgres.sql("CREATE DATABASE log", database="postgres")
    inkan = new_inkan("postgres", store__url=postgres.url(database="log")).set_up("acme")
    for number in range(9):
        inkan.ok("tenant", "set", "acme", f"note={number}")
    return inkan


ON_POSTGRES = {
    "a field": ("UPDATE event SET detail = replace(detail, '3', '4') WHERE id = 5", 5,
                "was changed"),
    "one is gone": ("DELETE FROM event WHERE id = 5", 6, "one before it is missing"),
    "one was put in": ("UPDATE event SET id = -id - 1 WHERE id > 5; UPDATE event SET id = -id"
                       " WHERE id < 0; INSERT INTO event SELECT 6, time, actor, action, kind, name,"
                       " tenant, 'x', version, hash FROM event WHERE id = 5", 6, "was changed"),
}


@pytest.mark.parametrize("what", ON_POSTGRES)
def test_what_a_superuser_did_is_found_and_named(on_postgres, postgres, what):
    text, number, problem = ON_POSTGRES[what]
    kept = whole(on_postgres)["last_hash"]
    postgres.sql(f"DROP TRIGGER event_keep ON event; {text}", database="log")
    code, answer, _ = verify(on_postgres, "--expect", kept)
    assert code == NO and problem in answer["problem"]
    assert answer["problem"].startswith(f"the chain is broken: event {number} (20")


def test_a_tail_that_a_superuser_cut_is_missed(on_postgres, postgres):
    kept = whole(on_postgres)["last_hash"]
    postgres.sql("DROP TRIGGER event_keep ON event; DELETE FROM event WHERE id > 7", database="log")
    assert whole(on_postgres)["events"] == 7
    assert verify(on_postgres, "--expect", kept)[0] == NO


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
def test_writers_at_once_make_one_chain(on_postgres, postgres, isolation):
    """Also where the server's administrator wants another isolation for everybody."""
    postgres.sql(f"ALTER DATABASE log SET default_transaction_isolation = '{isolation}'",
                 database="postgres")
    for tenant in range(4):
        on_postgres.ok("tenant", "add", f"t{tenant}")
    loop = "for i in $(seq 25); do \"$1\" -c \"$2\" tenant set \"$3\" note=$i >&2 || exit 1; done"
    started = [subprocess.Popen(["sh", "-c", loop, "sh", f"{BUILD}/inkan", on_postgres.conf,
                                 f"t{tenant}"], stderr=subprocess.PIPE, text=True,
                                env=SANITIZER_ENV) for tenant in range(4)]
    for process in started:
        said = process.communicate(timeout=120)[1]
        assert process.returncode == DONE, said
    answer = whole(on_postgres)
    assert (answer["events"], answer["beside"]) == (10 + 4 + 100, 0)


def test_writers_are_side_by_side_until_they_commit(on_postgres, postgres):
    """Who holds a row that we want to change keeps nobody else from writing."""
    on_postgres.configure(store__timeout="20s")
    on_postgres.ok("tenant", "add", "globex")
    session = Session(postgres.url(database="log"))
    session.run("BEGIN; SELECT 1 FROM tenant WHERE name = 'acme' FOR UPDATE")
    waiting = subprocess.Popen([f"{BUILD}/inkan", "-c", on_postgres.conf, "tenant", "set", "acme",
                                "note=waits"], stderr=subprocess.PIPE, env=SANITIZER_ENV)
    wait_for("it waits for the row", lambda: postgres.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") == "1")
    on_postgres.ok("tenant", "set", "globex", "note=does not wait")
    assert waiting.poll() is None
    session.run("COMMIT")
    session.close()
    assert waiting.communicate(timeout=30)[1] == b"" and waiting.returncode == DONE
    assert [event["name"] for event in on_postgres.json("audit", "list")][-2:] == ["globex", "acme"]
    whole(on_postgres)
