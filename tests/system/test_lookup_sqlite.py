# SPDX-License-Identifier: Apache-2.0
"""What a look-up of a cold name costs a SQLite store (PostgreSQL: test_postgres_roles.py)."""

import sqlite3

import pytest

from inkan import Inkan

# As sql_lookup has it; the name of none is for the position.
LOOK_UP = f'SELECT * FROM "place_now" WHERE "place" IN (\'\', {", ".join("?" * 24)})'
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
LARGE = f"""
{NUMBERS} INSERT INTO tenant (name, status, created, updated, version)
    SELECT 't' || i, 'active', 1, 1, 1 FROM n;
{NUMBERS} INSERT INTO domain (name, tenant, status, subdomains, created, updated, version)
    SELECT 'd' || i || '.example', 'acme', 'active', 0, 1, 1, 1 FROM n;
INSERT INTO key (domain, selector, algorithm, bits, state, public_key, sealed, created, updated,
                 version)
    SELECT name, 's1', 'rsa-sha256', 2048, 'active', x'00', x'00', 1, 1, 1 FROM domain;
INSERT INTO change (kind, name, time, version) SELECT 'domain', name, 1, 1 FROM domain;
INSERT INTO rule (pattern, domain, place, created, updated, version)
    SELECT name, name, name, 1, 1, 1 FROM domain WHERE name LIKE 'd7%';
INSERT INTO "grant" (type, subject, tenant, place, created, updated, version)
    SELECT 'login', '@' || name, tenant, name, 1, 1, 1 FROM domain WHERE name LIKE 'd7%';
"""


@pytest.fixture(scope="module")
def store(module_folder):
    """100,000 tenants and as many domains with a key each, 11,111 of them with a rule and a grant."""
    inkan = Inkan(module_folder).set_up("acme")
    connection = sqlite3.connect(inkan.database)
    connection.executescript(LARGE)
    yield connection
    connection.close()


@pytest.mark.parametrize("prepared", ["SELECT 1", "ANALYZE"])
def test_look_up_reads_nothing_but_what_it_asks_for(store, prepared):
    """Each table by an index; what is gone through is only what these have found."""
    store.execute(prepared)
    names = ["d7.example", "*", "tenant#t7"] + [None] * 21
    plan = [step[3] for step in store.execute(f"EXPLAIN QUERY PLAN {LOOK_UP}", names)]
    print("\n".join(plan))
    searched = [step for step in plan if step.startswith("SEARCH ")]
    assert [step.split()[1] for step in searched] == ["d", "t", "k", "r", "g", "t", "change"]
    scanned = {step for step in plan if step.startswith("SCAN ")}
    assert scanned <= {"SCAN p", "SCAN s", "SCAN place_now", "SCAN CONSTANT ROW"}
    assert len(store.execute(LOOK_UP, names).fetchall()) == 5


def test_look_up_takes_as_many_steps_whatever_the_store_holds(store):
    """Of SQLite's virtual machine: a table that is read as a whole has 100,000 rows."""
    steps = []
    store.set_progress_handler(lambda: steps.append(0), 1)
    store.execute(LOOK_UP, ["d7.example", "*"] + [None] * 22).fetchall()
    store.set_progress_handler(None, 1)
    assert 100 < len(steps) < 10000
