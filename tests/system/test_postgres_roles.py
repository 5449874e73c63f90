# SPDX-License-Identifier: Apache-2.0
"""The roles and constraints of migrations/postgres, by trying what must be refused, and what the
hot path costs the data base."""

import hashlib
import pathlib
import re
import signal
import subprocess

import pytest

import messages
from inkan import BUILD, SANITIZER_ENV, Inkan
from milter import CONTINUE, Milter
from peers import python_dkim, signatures_of
from postgres import Postgres
from process import wait_for

TABLES = ("tenant", "domain", "key", "rule", "grant", "event")
DENIED = "42501"  # insufficient_privilege
EXIT_REFUSED = 3
MIGRATIONS = pathlib.Path(__file__).resolve().parents[2] / "migrations/postgres"


@pytest.fixture(scope="module")
def primary(module_folder):
    """A data base with two tenants and logins that have one role each."""
    server = Postgres.primary(module_folder)
    server.owner = Inkan(f"{module_folder}/owner", store__url=server.url()).set_up("acme", "globex")
    for login in ("signer", "admin", "panel"):
        server.sql(f"CREATE ROLE {login} LOGIN IN ROLE inkan_{login}")
    for tenant, domain in (("acme", "acme.example"), ("globex", "globex.example")):
        server.owner.add_domain(domain, tenant, algorithms=("ed25519-sha256",))
        server.sql("INSERT INTO rule (pattern, domain, place, created, updated, version)"
                   f" VALUES ('.news.{domain}', '{domain}', 'news.{domain}', 0, 0, 1)")
        server.sql("INSERT INTO \"grant\" (type, subject, tenant, place, created, updated, version)"
                   f" VALUES ('login', '@{tenant}.net', '{tenant}', '{tenant}.net', 0, 0, 1)")
    yield server
    server.stop(signal.SIGQUIT)


def as_user(primary, folder, user, **settings):
    return Inkan(f"{folder}/{user}", store__url=primary.url(user),
                 vault__keyring=primary.owner.keyring, **settings)


# -- inkan_signer ----------------------------------------------------------------------------


def test_signer_reads_the_view_the_feed_and_the_version(primary):
    assert primary.sql("SELECT place FROM place ORDER BY place", "signer").split() == [
        "acme.example", "acme.net", "globex.example", "globex.net", "news.acme.example",
        "news.globex.example"]
    assert primary.sql("SELECT place FROM place_tenant ORDER BY place", "signer").split() == [
        "tenant#acme", "tenant#globex"]
    for name, column, value in (("acme.example", "key_selector", "ed25519"),
                                ("news.acme.example", "rule_pattern", ".news.acme.example"),
                                ("acme.net", "grant_subject", "@acme.net"),
                                ("tenant#acme", "tenant_status", "active")):
        assert primary.sql(f"SELECT place, {column} FROM place_of('{name}', NULL)",
                           "signer") == f"{name}|{value}"
    assert primary.sql("SELECT place FROM place_of('nothing.example')", "signer") == ""
    assert int(primary.sql("SELECT max(position) FROM change", "signer")) > 0
    assert primary.sql("SELECT max(version) FROM migration", "signer") != ""


@pytest.mark.parametrize("table", TABLES)
def test_signer_touches_no_table(primary, table):
    for text in (f'SELECT 1 FROM "{table}"', f'DELETE FROM "{table}"', f'TRUNCATE "{table}"',
                 f'INSERT INTO "{table}" DEFAULT VALUES', f'UPDATE "{table}" SET version = 1'):
        assert primary.error(text, "signer") == DENIED, text


@pytest.mark.parametrize("text", [
    "INSERT INTO change (kind, name, time, version) VALUES ('domain', 'x', 0, 1)",
    "UPDATE change SET name = 'x'",
    "DELETE FROM change",
    "TRUNCATE change",
    "SELECT nextval('change_position_seq')",
    "UPDATE migration SET version = 99",
    "DROP VIEW place",
    "DROP FUNCTION place_of",
    "ALTER FUNCTION place_of SECURITY DEFINER",
    "SELECT 1 FROM place_now",
    "SELECT 1 FROM signing",
    "CREATE OR REPLACE FUNCTION change_tell() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'",
    "CREATE TABLE mine (a int)",
    "SET ROLE inkan_admin",
    "SET ROLE postgres",
])
def test_signer_changes_nothing(primary, text):
    assert primary.error(text, "signer") == DENIED


@pytest.mark.parametrize("login, want", [("signer", "t"), ("admin", "t"), ("panel", "f")])
def test_look_up_may_be_called_by_signer_and_admin(primary, login, want):
    assert primary.sql("SELECT has_function_privilege('place_of(text[])', 'EXECUTE')",
                       login) == want
    assert primary.error("SELECT position FROM place_of('acme.example')",
                         login) == (None if want == "t" else DENIED)


def test_look_up_gives_no_rights_that_its_caller_has_not(primary):
    primary.sql("GRANT EXECUTE ON FUNCTION place_of TO panel")
    assert primary.error("SELECT position FROM place_of('acme.example')", "panel") == DENIED
    primary.sql("REVOKE EXECUTE ON FUNCTION place_of FROM panel")


def test_look_up_reads_all_in_one_snapshot(primary):
    """Or a position could be newer than the keys it stands for: that is what STABLE says."""
    assert primary.sql("SELECT provolatile FROM pg_proc WHERE proname = 'place_of'") == "s"


def test_look_up_finds_a_domain_by_its_key_however_small_the_store_was(primary):
    """The plan is kept: made for two domains it must do for a million, so all is read by index."""
    primary.sql("VACUUM ANALYZE")
    plans = primary.psql(
        "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0;"
        " SET auto_explain.log_nested_statements = on; SET client_min_messages = log;"
        " SELECT position FROM place_of('acme.example', 'example');").stderr
    print(plans)
    assert plans.count("Index Scan using domain_pkey on domain") == 2
    assert "Index Cond: (name = $" in plans and "Seq Scan" not in plans


@pytest.fixture(scope="module")
def large(primary, module_folder):
    """A data base of 1,000 tenants and 100,000 domains with a key each, 10,000 rules and grants."""
    primary.sql("CREATE DATABASE large")
    Inkan(f"{module_folder}/large", store__url=primary.url(database="large")).set_up()
    primary.sql(LARGE, database="large")
    yield "large"
    primary.sql("DROP DATABASE large")


LARGE = """
INSERT INTO tenant (name, status, created, updated, version)
    SELECT 't' || i, 'active', 1, 1, 1 FROM generate_series(0, 999) i;
INSERT INTO domain (name, tenant, status, subdomains, created, updated, version)
    SELECT 'd' || i || '.example', 't' || i % 1000, 'active', 0, 1, 1, 1
    FROM generate_series(1, 100000) i;
INSERT INTO key (domain, selector, algorithm, bits, state, public_key, sealed, created, updated,
                 version)
    SELECT name, 's1', 'rsa-sha256', 2048, 'active', 'x', 'x', 1, 1, 1 FROM domain;
INSERT INTO change (kind, name, time, version) SELECT 'domain', name, 1, 1 FROM domain;
INSERT INTO rule (pattern, domain, place, created, updated, version)
    SELECT name, name, name, 1, 1, 1 FROM domain LIMIT 10000;
INSERT INTO "grant" (type, subject, tenant, place, created, updated, version)
    SELECT 'login', '@' || name, tenant, name, 1, 1, 1 FROM domain LIMIT 10000;
"""


@pytest.mark.parametrize("prepared", ["SELECT 1", "VACUUM ANALYZE"])
def test_look_up_reads_nothing_but_what_it_asks_for(primary, large, prepared):
    """Whatever the planner knows of the tables: only indexes, and of each what has one name."""
    primary.sql(prepared, database=large)
    plans = primary.psql(
        "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0;"
        " SET auto_explain.log_nested_statements = on; SET client_min_messages = log;"
        " SELECT position FROM place_of('d7.example', '*', 'tenant#t7');", database=large).stderr
    print(plans)
    scans = re.findall(r"^\s*(?:->  )?(.* Scan .*)\n\s+(\S.*)", plans, re.M)
    assert len(scans) >= 12  # the position, five tables for each name, and the tenant
    for scan, condition in scans:
        assert "Seq Scan" not in scan and re.match("(Index|Recheck) Cond: ", condition), scan


def test_signer_cannot_write_through_the_view(primary):
    for text in ("UPDATE place SET domain_note = 'x'", "DELETE FROM place"):
        assert primary.error(text, "signer") in (DENIED, "55000"), text


def test_daemon_signs_as_a_login_that_has_only_the_signer_role(primary, folder):
    inkan = as_user(primary, folder, "signer").start()
    try:
        with Milter(inkan.address) as milter:
            milter.greet()
            verdict, message = milter.message(messages.compose(b"a@acme.example"))
            assert verdict == CONTINUE
            assert python_dkim(message, primary.owner.records()) == [("ed25519", True)]
            primary.owner.ok("domain", "suspend", "acme.example")
            wait_for("the change is heard of", lambda: not signatures_of(
                milter.message(messages.compose(b"a@acme.example"))[1]), 2)
    finally:
        inkan.stop()
        primary.owner.ok("domain", "resume", "acme.example")
    assert "permission denied" not in inkan.log()


def test_command_as_signer_is_refused_and_says_so(primary, folder):
    answer = as_user(primary, folder, "signer").run("tenant", "add", "initech")
    assert answer.returncode == EXIT_REFUSED and "permission denied" in answer.stderr
    assert primary.sql("SELECT count(*) FROM tenant") == "2"


# -- inkan_admin -----------------------------------------------------------------------------


def test_admin_does_a_domains_whole_life(primary, folder):
    admin = as_user(primary, folder, "admin")
    admin.ok("tenant", "add", "initech")
    admin.add_domain("initech.example", "initech", algorithms=("ed25519-sha256",))
    admin.ok("key", "new", "initech.example", "--algorithm", "ed25519-sha256", "--selector",
             "next", "--activate")
    admin.ok("domain", "suspend", "initech.example")
    admin.ok("domain", "remove", "initech.example", "--yes")
    admin.ok("tenant", "remove", "initech", "--yes")
    assert "initech" in admin.ok("audit", "list", "--limit", "100000")


@pytest.mark.parametrize("text", [
    "UPDATE event SET action = 'x'",
    "DELETE FROM event",
    "TRUNCATE event",
    "UPDATE change SET name = 'x'",
    "DELETE FROM change",
    "TRUNCATE tenant",
    "INSERT INTO migration VALUES (99, 'x', 'x', 0)",
    "ALTER TABLE event DISABLE TRIGGER event_keep",
    "DROP INDEX key_active",
    "CREATE TABLE mine (a int)",
    "SET ROLE postgres",
])
def test_admin_changes_neither_history_nor_schema(primary, text):
    assert primary.error(text, "admin") in (DENIED, "P0001")


# -- inkan_panel -----------------------------------------------------------------------------

COLUMN_OF_TENANT = {"tenant": "name", "domain": "tenant", "grant": "tenant", "event": "tenant"}


def panel(primary, text, tenant="acme"):
    return primary.sql(f"SET inkan.tenant = '{tenant}'; {text}", "panel")


@pytest.mark.parametrize("table, column", COLUMN_OF_TENANT.items())
def test_panel_sees_the_rows_of_one_tenant(primary, table, column):
    for tenant in ("acme", "globex"):
        assert panel(primary, f'SELECT DISTINCT {column} FROM "{table}"', tenant) == tenant


@pytest.mark.parametrize("table", ["key", "rule"])
def test_panel_sees_keys_and_rules_of_its_domains(primary, table):
    for tenant in ("acme", "globex"):
        assert panel(primary, f"SELECT DISTINCT domain FROM {table}", tenant) == f"{tenant}.example"


def test_panel_sees_what_its_tenant_may_have_otherwise(primary):
    """Also what came with later versions of the schema."""
    for tenant in ("acme", "globex"):
        assert panel(primary, "SELECT pattern, place FROM rule",
                     tenant) == f".news.{tenant}.example|news.{tenant}.example"
        assert panel(primary, 'SELECT subject, one_signature, place FROM "grant"',
                     tenant) == f"@{tenant}.net|0|{tenant}.net"
        assert panel(primary, "SELECT on_no_key, expiry, ed25519 FROM tenant", tenant) == "auto|-1|on"
        assert panel(primary, "SELECT reserved FROM key", tenant) == "0"


@pytest.mark.parametrize("table", TABLES)
def test_panel_without_a_tenant_sees_nothing(primary, table):
    assert primary.sql(f'SELECT count(created) FROM "{table}"' if table != "event"
                       else "SELECT count(*) FROM event", "panel") == "0"
    assert panel(primary, f'SELECT count(version) FROM "{table}"', "nobody") == "0"


@pytest.mark.parametrize("text", [
    "SELECT sealed FROM key",
    "SELECT kek FROM key",
    "SELECT * FROM key",
    "SELECT key FROM key",
    "SELECT 1 FROM signing",
    "SELECT 1 FROM place",
    "SELECT 1 FROM change",
    "SELECT 1 FROM key ORDER BY sealed",
    "SET ROLE inkan_admin",
    "CREATE TABLE mine (a int)",
    "CREATE FUNCTION my_tenant() RETURNS text LANGUAGE sql AS $$ SELECT 'globex' $$",
])
def test_panel_never_sees_a_sealed_key(primary, text):
    assert primary.error(f"SET inkan.tenant = 'acme'; {text}", "panel") == DENIED


@pytest.mark.parametrize("table", TABLES)
def test_panel_writes_nothing(primary, table):
    for text in (f'INSERT INTO "{table}" DEFAULT VALUES', f'DELETE FROM "{table}"',
                 f'UPDATE "{table}" SET version = 1', f'TRUNCATE "{table}"'):
        assert primary.error(f"SET inkan.tenant = 'acme'; {text}", "panel") == DENIED, text


# -- constraints and migrations ----------------------------------------------------------------


def test_two_active_keys_of_one_algorithm_are_impossible(primary):
    columns = ("domain, algorithm, bits, public_key, kek, sealed, created, updated, version")
    copy = ("INSERT INTO key (selector, state, {0}) SELECT '{1}', '{2}', {0} FROM key"
            " WHERE domain = 'acme.example' AND selector = 'ed25519'")
    for user in ("postgres", "admin"):
        assert primary.error(copy.format(columns, "second", "active"), user) == "23505"
    primary.sql(copy.format(columns, "second", "staged"))
    for user in ("postgres", "admin"):
        assert primary.error("UPDATE key SET state = 'active' WHERE selector = 'second'",
                             user) == "23505"
    primary.sql("DELETE FROM key WHERE selector = 'second'")


@pytest.mark.parametrize("text", ["UPDATE event SET action = action", "DELETE FROM event",
                                  "TRUNCATE event", "DELETE FROM event WHERE false"])
def test_events_stay_even_for_the_owner(primary, text):
    before = primary.sql("SELECT count(*), max(id) FROM event")
    assert primary.error(text) == "P0001"
    assert primary.sql("SELECT count(*), max(id) FROM event") == before


def test_eight_hosts_that_start_together_migrate_once(primary, folder):
    primary.sql("CREATE DATABASE fresh")
    hosts = [Inkan(f"{folder}/host{number}", store__url=primary.url(database="fresh"))
             for number in range(8)]
    started = [subprocess.Popen([f"{BUILD}/inkan", "-c", host.conf, "store", "init"],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                env=SANITIZER_ENV) for host in hosts]
    printed = [process.communicate(timeout=60)[0] for process in started]
    assert sorted(process.returncode for process in started) == [0] + 7 * [EXIT_REFUSED], printed
    assert primary.sql("SELECT count(*) = max(version) FROM migration", database="fresh") == "t"
    assert "schema" in hosts[0].ok("store", "status")


def test_owner_who_is_no_superuser_makes_the_store(primary, folder):
    primary.sql("CREATE ROLE keeper LOGIN CREATEROLE; CREATE DATABASE kept OWNER keeper")
    owner = Inkan(f"{folder}/keeper", store__url=primary.url("keeper", "kept")).set_up("acme")
    owner.add_domain("kept.example", algorithms=("ed25519-sha256",))
    assert owner.run("store", "check").returncode == 0
    assert primary.sql("SELECT count(*) FROM place", "signer", "kept") == "1"


def older_store(primary, version):
    """A data base of that version with the tenants, domains and keys of the one that is there."""
    database = f"version{version}"
    primary.sql(f"CREATE DATABASE {database}")
    primary.sql("CREATE TABLE migration (version bigint NOT NULL PRIMARY KEY, name text NOT NULL,"
                " checksum text NOT NULL, applied bigint NOT NULL)", database=database)
    for number, path in enumerate(sorted(MIGRATIONS.glob("*.sql"))[:version], 1):
        text = path.read_text(encoding="utf-8")
        checksum = hashlib.sha256(text.encode()).hexdigest()
        primary.sql(text, database=database)
        primary.sql(f"INSERT INTO migration VALUES ({number}, '{path.stem}', '{checksum}', 0)",
                    database=database)
    for table in ("tenant", "domain", "key"):
        columns = primary.sql("SELECT string_agg(quote_ident(column_name), ', ') FROM"
                              f" information_schema.columns WHERE table_name = '{table}'",
                              database=database)
        rows = primary.psql(f"COPY (SELECT {columns} FROM {table}) TO STDOUT").stdout
        primary.sql(f"COPY {table} ({columns}) FROM STDIN;\n{rows}\\.\n", database=database)
    return database


@pytest.mark.parametrize("version", range(1, len(list(MIGRATIONS.glob("*.sql")))))
def test_store_of_an_older_version_is_refused_until_it_is_migrated(primary, folder, version):
    """Then its keys sign, and what came later can be used."""
    database = older_store(primary, version)
    owner = Inkan(f"{folder}/owner", store__url=primary.url(database=database),
                  vault__keyring=primary.owner.keyring)
    answer = owner.run("tenant", "add", "initech")
    assert answer.returncode != 0
    assert f"schema version {version} of" in answer.stderr
    assert "run inkan store migrate" in answer.stderr
    owner.ok("store", "migrate")
    tenant = owner.json("tenant", "show", "acme")
    assert (tenant["on_no_key"], tenant["expiry"], tenant["ed25519"]) == ("auto", -1, "on")
    owner.ok("rule", "add", "partner.example", "--domain", "acme.example")
    owner.ok("grant", "add", "--tenant", "acme", "--login", "web17")
    assert owner.run("store", "check").returncode == 0
    inkan = Inkan(f"{folder}/signer", store__url=primary.url("signer", database),
                  vault__keyring=primary.owner.keyring, server__workers="1").start()
    try:
        with Milter(inkan.address) as milter:
            milter.greet("203.0.113.9")
            for author in (b"a@acme.example", b"b@partner.example"):
                verdict, message = milter.message(messages.compose(author), login="web17")
                assert verdict == CONTINUE
                assert python_dkim(message, primary.owner.records()) == [("ed25519", True)]
            assert not signatures_of(milter.message(messages.compose(b"a@globex.example"),
                                                    login="web17")[1])
    finally:
        inkan.stop()
    assert primary.sql("SELECT count(*) FROM pg_indexes WHERE indexname = 'event_by_name'",
                       database=database) == "1"


def inits(server, folder, databases):
    """`inkan store init` in each data base, all at once."""
    started = []
    for database in databases:
        host = Inkan(f"{folder}/{database}", store__url=server.url(database=database))
        started.append(subprocess.Popen([f"{BUILD}/inkan", "-c", host.conf, "store", "init"],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        text=True, env=SANITIZER_ENV))
    return started


def finish(started):
    printed = [process.communicate(timeout=60)[0] for process in started]
    assert [process.returncode for process in started] == [0] * len(started), printed


ROLES = "inkan_signer, inkan_admin, inkan_panel"


def test_two_data_bases_of_one_server_are_made_at_once(folder):
    """Their roles are the server's: whoever is second finds them made under its hands."""
    server = Postgres.primary(folder, name="roles")
    try:
        server.sql("CREATE DATABASE met")
        session = server.session()
        session.run("BEGIN; CREATE ROLE inkan_admin NOLOGIN")
        started = inits(server, folder, ["met"])
        wait_for("it meets the other", lambda: server.sql(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") == "1")
        session.run("COMMIT")
        session.close()
        finish(started)
        server.sql("DROP DATABASE met")
        for _ in range(6):
            server.sql(f"DROP ROLE {ROLES}; CREATE DATABASE one; CREATE DATABASE two")
            finish(inits(server, folder, ["one", "two"]))
            server.sql("DROP DATABASE one; DROP DATABASE two")
    finally:
        server.stop(signal.SIGQUIT)


# -- the hot path ------------------------------------------------------------------------------


def test_one_statement_for_each_cold_domain_and_none_for_a_warm_one(primary, folder):
    """pg_stat_statements is the witness; OpenDKIM asks three to sixteen times a message."""
    primary.owner.ok("tenant", "add", "many")
    for number in range(50):
        primary.owner.ok("domain", "add", f"m{number}.example", "--tenant", "many", "--algorithm",
                         "ed25519-sha256", "--activate")
    primary.sql("SELECT pg_stat_statements_reset()")
    inkan = as_user(primary, folder, "signer", server__workers="1").start()
    try:
        with Milter(inkan.address) as milter:
            milter.greet()
            for number in [*range(50), *range(50)]:
                verdict, message = milter.message(
                    messages.compose(b"a@m%d.example" % number))
                assert verdict == CONTINUE and len(signatures_of(message)) == 1
    finally:
        inkan.stop()
    statements = primary.sql(
        "SELECT calls || ' ' || query FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid"
        " WHERE r.rolname = 'signer'").splitlines()
    print("\n".join(line[:200] for line in statements))
    lookups = [line for line in statements if 'FROM "place_of"(' in line]
    # One by each message, and the feed's first question for its position.
    assert [int(line.split()[0]) for line in lookups] in ([50], [51])
    # Else the feed once a second, and what a connection asks when it is new.
    others = ('FROM "change"', 'FROM "migration"', "to_regclass", "LISTEN")
    for line in statements:
        assert line in lookups or any(word in line for word in others), line
