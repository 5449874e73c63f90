# SPDX-License-Identifier: Apache-2.0
"""`inkan store copy`: all of a store in another one, unchanged, also when it was killed."""

import json
import signal
import sqlite3
import subprocess

import pytest

from inkan import BUILD
from postgres import Postgres
from process import wait_for

DONE, INVALID, REFUSED, BROKEN, TEMPORARY = 0, 2, 3, 70, 75
KINDS = ("tenant", "domain", "key", "rule", "grant", "event")


def add_domains(inkan, count, first=0):
    rows = "".join(json.dumps({"domain": f"d{i}.example", "tenant": "acme",
                               "algorithm": "ed25519-sha256", "activate": i % 2 == 0}) + "\n"
                   for i in range(first, first + count))
    inkan.ok("import", "domains", "-", stdin=rows.encode())


@pytest.fixture
def source(new_inkan):
    inkan = new_inkan().set_up("acme", "globex")
    inkan.add_domain("example.com", algorithms=("rsa-sha256", "ed25519-sha256"), expiry=60)
    inkan.ok("key", "retire", "example.com", "ed25519")
    inkan.ok("tenant", "suspend", "globex")
    return inkan


@pytest.fixture
def target(new_inkan, source):
    """Another store under the keyring of the source."""
    inkan = new_inkan("target", vault__keyring=source.keyring)
    inkan.ok("store", "init")
    return inkan


def url(inkan):
    return inkan.settings["store.url"]


def copy(source, target, *options):
    return source.run("--json", "store", "copy", "--to", url(target), *options)


def counts(answer):
    """{kind: (copied, present)}"""
    assert answer.returncode == DONE, answer.stderr
    return {row["kind"]: (row["copied"], row["present"])
            for row in json.loads(answer.stdout)["kinds"]}


def content(inkan):
    """Every field of every record but versions and numbers; no event that tells of a copy."""
    base = sqlite3.connect(inkan.database)
    base.row_factory = sqlite3.Row
    found = {}
    for kind in KINDS:
        order = '"id"' if kind == "event" else "1, 2"
        rows = [dict(row) for row in base.execute(f'SELECT * FROM "{kind}" ORDER BY {order}')]
        found[kind] = [{k: v for k, v in row.items() if k not in ("version", "id")}
                       for row in rows if row.get("action") != "store.copy"]
    base.close()
    return found


def test_everything_arrives_unchanged(source, target):
    add_domains(source, 700)
    answer = counts(copy(source, target))
    assert answer["domain"] == (701, 0) and answer["key"] == (702, 0)
    assert content(target) == content(source)
    assert target.run("store", "check").returncode == DONE
    event = target.json("audit", "list", "--limit", "1")[0]
    assert (event["action"], event["kind"], event["name"]) == ("store.copy", "store", url(source))
    assert "domain=701" in event["detail"] and event["actor"] != ""


def test_running_daemons_of_the_target_hear_of_it(source, target):
    """The change feed has a row for each name that the copy brought."""
    copy(source, target)
    base = sqlite3.connect(target.database)
    rows = set(base.execute('SELECT "kind", "name" FROM "change"'))
    base.close()
    assert rows == {("tenant", "acme"), ("tenant", "globex"), ("domain", "example.com")}


def test_a_second_copy_does_nothing_and_a_later_one_brings_what_is_new(source, target):
    copy(source, target)
    before = target.ok("--json", "audit", "list")
    assert all(copied == 0 for copied, _ in counts(copy(source, target)).values())
    assert target.ok("--json", "audit", "list") == before
    add_domains(source, 3)
    assert counts(copy(source, target))["domain"] == (3, 1)
    assert content(target) == content(source)
    assert [e["action"] for e in target.json("audit", "list")].count("store.copy") == 2


def test_a_record_that_differs_is_refused(source, target):
    copy(source, target)
    target.ok("domain", "set", "example.com", "note=elsewhere")
    before = content(target)
    answer = copy(source, target)
    assert answer.returncode == REFUSED
    assert "domain example.com: differs between the two stores" in answer.stderr
    assert content(target) == before


def test_back_into_the_store_it_came_from(source, target):
    copy(source, target)
    add_domains(target, 5)
    assert counts(copy(target, source))["domain"] == (5, 1)
    assert content(target) == content(source)
    assert counts(copy(source, target))["domain"] == (0, 6)


def test_killed_in_the_middle_it_goes_on_when_started_again(source, target):
    add_domains(source, 4000)
    process = subprocess.Popen([f"{BUILD}/inkan", "-c", source.conf, "store", "copy", "--to",
                                url(target)], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    wait_for("the first domains", lambda: target.json("store", "status")["domains"] > 0, 20)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(content(target)["event"]) < len(content(source)["event"])
    answer = counts(copy(source, target))
    assert answer["domain"][1] > 0
    assert answer["domain"][0] + answer["domain"][1] == 4001
    assert content(target) == content(source)
    assert target.run("store", "check").returncode == DONE


@pytest.mark.parametrize("inside", [0, 1, 199, 200, 201, 499, 500, 501])
def test_events_go_on_where_they_ended(source, target, inside):
    """Events have no key of their own to find them by: any part of them may be there."""
    add_domains(source, 300)
    copy(source, target)
    base = sqlite3.connect(target.database)
    base.execute('DROP TRIGGER "event_no_delete"')
    base.execute('DELETE FROM "event" WHERE "id" > ?', (inside,))
    base.commit()
    base.close()
    answer = counts(copy(source, target))
    assert answer["event"][1] == inside
    assert content(target) == content(source)


def test_what_is_in_the_target_only_is_refused(source, target):
    target.ok("tenant", "add", "initech")
    before = content(target)
    answer = copy(source, target)
    assert answer.returncode == REFUSED
    assert "tenant initech: is in the target only, which must be new" in answer.stderr
    assert content(target) == before


def test_an_event_of_the_target_is_refused(source, target):
    copy(source, target)
    target.ok("tenant", "set", "acme", "note=x")
    target.ok("tenant", "set", "acme", "note=")
    base = sqlite3.connect(target.database)
    base.execute('UPDATE "tenant" SET "updated" = (SELECT max("time") FROM "event" WHERE "name" = '
                 '\'acme\' AND "action" = \'tenant.add\') WHERE "name" = \'acme\'')
    base.commit()
    base.close()
    answer = copy(source, target)
    assert answer.returncode == REFUSED
    assert "is in the target only" in answer.stderr


def test_a_dry_run_counts_and_writes_nothing(source, target):
    before = content(target)
    assert counts(copy(source, target, "--dry-run"))["key"] == (2, 0)
    assert content(target) == before
    assert target.json("audit", "list") == []


def test_a_target_that_is_no_store_is_refused_with_what_to_do(source, new_inkan):
    other = new_inkan("other")
    answer = copy(source, other)
    assert answer.returncode == INVALID
    assert "inkan store init" in answer.stderr
    answer = copy(source, source)
    assert answer.returncode == INVALID
    assert "that is the store to copy from" in answer.stderr
    assert source.run("store", "copy", "--to", "odd:x").returncode == INVALID
    assert source.run("store", "copy").returncode == INVALID


def test_a_target_of_a_newer_program_is_left_alone(source, target):
    base = sqlite3.connect(target.database)
    base.execute('UPDATE "migration" SET "version" = 99 WHERE "version" = (SELECT max("version")'
                 ' FROM "migration")')
    base.commit()
    base.close()
    answer = copy(source, target)
    assert answer.returncode == BROKEN
    assert "99" in answer.stderr


# -- to PostgreSQL and back --------------------------------------------------------------------

@pytest.fixture(scope="module")
def postgres(module_folder):
    server = Postgres.primary(module_folder)
    yield server
    server.stop()


@pytest.fixture
def on_postgres(new_inkan, source, postgres):
    """A new data base of the server, as a store under the keyring of the source."""
    postgres.sql("DROP DATABASE IF EXISTS copied", database="postgres")
    postgres.sql("CREATE DATABASE copied", database="postgres")
    inkan = new_inkan("postgres", vault__keyring=source.keyring,
                      store__url=postgres.url(database="copied"))
    inkan.ok("store", "init")
    yield inkan


def test_to_postgresql_and_back(source, target, on_postgres):
    add_domains(source, 700)
    assert counts(copy(source, on_postgres))["domain"] == (701, 0)
    assert on_postgres.run("store", "check").returncode == DONE
    assert counts(copy(source, on_postgres))["event"][0] == 0
    assert counts(copy(on_postgres, target))["key"] == (702, 0)
    assert content(target) == content(source)


def test_killed_on_the_way_to_postgresql_it_goes_on(source, target, on_postgres):
    add_domains(source, 3000)
    process = subprocess.Popen([f"{BUILD}/inkan", "-c", source.conf, "store", "copy", "--to",
                                url(on_postgres)], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    wait_for("the first domains", lambda: on_postgres.json("store", "status")["domains"] > 0, 20)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert counts(copy(source, on_postgres))["domain"][1] > 0
    counts(copy(on_postgres, target))
    assert content(target) == content(source)


def test_an_import_into_postgresql_goes_on_after_an_outage(on_postgres, postgres):
    """The server is shot in the middle: exit 75, and the same command again brings the rest."""
    on_postgres.ok("tenant", "add", "acme")
    rows = "".join(json.dumps({"domain": f"p{i}.example", "tenant": "acme",
                               "algorithm": "ed25519-sha256"}) + "\n" for i in range(3000))
    path = f"{on_postgres.folder}/rows.jsonl"
    with open(path, "w", encoding="ascii") as file:
        file.write(rows)
    process = subprocess.Popen([f"{BUILD}/inkan", "-c", on_postgres.conf, "import", "domains",
                                path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for("the first rows", lambda: on_postgres.json("store", "status")["domains"] > 0, 20)
    postgres.stop(signal.SIGQUIT)
    assert process.wait(60) == TEMPORARY
    postgres.start()
    report = json.loads(on_postgres.ok("--json", "import", "domains", path))
    assert (report["rows"], report["failed"]) == (3000, 0) and report["existed"] > 0
    status = on_postgres.json("store", "status")
    assert (status["domains"], status["keys"]) == (3000, 3000)
