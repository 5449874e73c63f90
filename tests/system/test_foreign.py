# SPDX-License-Identifier: Apache-2.0
"""OpenDKIM's tables in data bases and directories, read by inkan: what is found for an author is what
a real opendkim signs with, over the same table at the same time."""

import base64
import json
import os
import re
import signal
import sqlite3
import subprocess
import time

import pytest

import messages
from inkan import BUILD
from ldap import BASE, CONFIG, ROOT, SUFFIX, Authority, Slapd
from mariadb import MariaDb
from peers import OpenDkim, python_dkim, signatures_of
from postgres import Postgres
from process import free_port, wait_for
from test_ldap_mapped import OPENDKIM_SCHEMA, as_config, new_rsa, record_of

SHOW = f"{BUILD}/tests/system/show_table"
NOT_FOUND, INVALID, DENIED, BROKEN, TEMPORARY = 1, 2, 3, 70, 75
COLUMNS = "domain_name,selector,private_key"
HUGE = 65536


class Shown:
    """What show_table printed."""

    def __init__(self, done):
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.rows = [line for line in lines if "key" in line]
        self.notes = [line["note"] for line in lines if "note" in line]
        self.code = done.returncode
        self.error = done.stderr.strip()

    def values(self):
        """{key: its values}, with those left out that OpenDKIM does not ask for here."""
        assert self.code == 0, self.error
        return {row["key"]: row["values"] for row in self.rows}


def show(url, *keys, env=None, **options):
    arguments = []
    for name, value in options.items():
        arguments.append(f"--{name.replace('_', '-')}")
        arguments += [] if value is True else [str(value)]
    done = subprocess.run([SHOW, *arguments, "--", url, *keys], capture_output=True, text=True,
                          timeout=60, env=env, check=False)
    return Shown(done)


# -- beside opendkim --------------------------------------------------------------------------


def candidates(author):
    """The keys that OpenDKIM asks a SigningTable for, in its order."""
    user, _, domain = author.partition("@")
    keys = [author, domain]
    while "." in domain:
        domain = domain.partition(".")[2]
        keys += [f"{user}@.{domain}", f".{domain}"]
    return keys + [f"{user}@*", "*"]


def found_by_inkan(signing, key, author, **options):
    """(domain, selector, key) of the first row for the author; None if there is no row."""
    for candidate in candidates(author):
        shown = show(signing, candidate, columns=2, **options)
        if shown.code == 0:
            answer = show(key, shown.rows[0]["values"][0], **options)
            assert answer.code == 0, answer.error
            return tuple(answer.rows[0]["values"])
        assert shown.code == NOT_FOUND, shown.error
    return None


def signed_by_opendkim(folder, signing, key, author, lines=""):
    daemon = OpenDkim(folder, f"Mode s\nSigningTable {signing}\nKeyTable {key}\n{lines}")
    try:
        return daemon.sign(messages.compose(author.encode()))
    finally:
        daemon.stop()


def same(folder, signing, key, author, lines="", **options):
    """Both find the same: domain, selector, and a key that belongs to the signature. Gives domain and
    selector; None if neither finds anything."""
    ours = found_by_inkan(signing, key, author, **options)
    signed = signed_by_opendkim(folder, signing, key, author, lines)
    theirs = [(tags["d"], tags["s"]) for tags in signatures_of(signed)]
    if ours is None:
        assert theirs == []
        return None
    domain, selector, private = ours
    assert theirs == [(domain, selector)]
    if private.startswith("/"):
        with open(private, encoding="ascii") as file:
            private = file.read()
    assert python_dkim(signed, {f"{selector}._domainkey.{domain}": record_of(private)}) == [
        (selector, True)]
    return domain, selector


def refused_by_opendkim(folder, url):
    """What opendkim says when it cannot open such a table; None if it can."""
    with open(f"{folder}/refused.conf", "w", encoding="utf-8") as file:
        file.write(f"Socket inet:1@127.0.0.1\nSyslog no\nMode s\nSigningTable {url}\n"
                   "KeyTable csl:a=a\n")
    done = subprocess.run(["opendkim", "-n", "-x", f"{folder}/refused.conf"], capture_output=True,
                          text=True, errors="replace", timeout=30, check=False)
    return done.stderr if "dkimf_db_open" in done.stderr else None


# -- the data bases ---------------------------------------------------------------------------


class Sqlite:
    """A file, whose name OpenDKIM makes of host and data base without anything in between."""
    backend = "sqlite3"
    text_type = "text"

    def __init__(self, folder):
        self.folder = folder
        self.place = "keys./db"
        self._base = sqlite3.connect(f"{folder}/keys.db", isolation_level=None)

    def sql(self, text):
        return "\n".join("|".join(map(str, row)) for row in self._base.execute(text))

    def script(self, text):
        self._base.executescript(text)

    def options(self):
        return {"directory": self.folder}

    def opendkim_lines(self):
        return f"BaseDirectory {self.folder}\n"

    def stop(self):
        self._base.close()


class Server:
    """What the two with a server have in common."""

    def __init__(self, server, place):
        self.server = server
        self.place = place
        self.sql = self.script = server.sql

    def options(self):
        return {}

    def opendkim_lines(self):
        return ""

    def stop(self):
        self.server.stop()


class Pgsql(Server):
    backend = "pgsql"
    text_type = "text"

    def __init__(self, folder):
        server = Postgres.primary(folder)
        # Accounts that begin with secret_ must say their password, all others need none.
        hba = f"{server.data}/pg_hba.conf"
        with open(hba, encoding="ascii") as file:
            rest = file.read()
        with open(hba, "w", encoding="ascii") as file:
            file.write("host all +secret 127.0.0.1/32 scram-sha-256\n" + rest)
        server.sql("CREATE ROLE secret; SELECT pg_reload_conf()")
        super().__init__(server, f"postgres:none@{server.port}+127.0.0.1/inkan")

    def add_account(self, name, password):
        self.sql(f"CREATE ROLE \"{name}\" LOGIN PASSWORD $p${password}$p$ IN ROLE secret;"
                 f"GRANT SELECT ON dkim TO \"{name}\"")

    def address(self):
        return f"{self.server.port}+127.0.0.1/inkan"

    def stop(self):
        self.server.stop(signal.SIGQUIT)

    def has_sessions(self):
        for pid in self.server.server.children():
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                title = file.read()
            if not title or b"127.0.0.1(" in title:
                return True
        return False

    def freeze(self):
        """When no session is about to end, as one that has ended cannot stand still."""
        wait_for("all sessions have ended", lambda: not self.has_sessions())
        self.server.pause()

    def thaw(self):
        self.server.resume()


class Mysql(Server):
    backend = "mysql"
    text_type = "mediumtext"

    def __init__(self, folder):
        server = MariaDb(folder)
        super().__init__(server, f"root@{server.port}+127.0.0.1/mail")

    def add_account(self, name, password):
        quoted = password.replace("\\", "\\\\").replace("'", "''")
        self.sql(f"CREATE USER '{name}'@'127.0.0.1' IDENTIFIED BY '{quoted}';"
                 f"GRANT SELECT ON mail.dkim TO '{name}'@'127.0.0.1'")

    def address(self):
        return f"{self.server.port}+127.0.0.1/mail"

    def freeze(self):
        self.server.process.freeze()

    def thaw(self):
        self.server.process.thaw()


def url(base, table, key, data, more="", place=None):
    return (f"dsn:{base.backend}://{place or base.place}/table={table}?keycol={key}?datacol={data}"
            f"{more}")


def fill(base, folder):
    """The tables of README.SQL, simple and medium, and modoboa's, where the key is a file."""
    keys = {n: new_rsa() for n in (1, 2, 3)}
    path = f"{folder}/key.pem"
    with open(path, "w", encoding="ascii") as file:
        file.write(keys[3])
    text = base.text_type
    base.script(
        f"CREATE TABLE dkim (id integer PRIMARY KEY, domain_name varchar(255), selector varchar(63),"
        f" private_key {text}, enabled integer);"
        f"CREATE TABLE dkim_signing (id integer PRIMARY KEY, author varchar(255), dkim_id integer);"
        f"CREATE TABLE modoboa (id integer PRIMARY KEY, domain_name varchar(255),"
        f" dkim_key_selector varchar(63), dkim_private_key_path varchar(255));"
        f"INSERT INTO dkim VALUES (1, 'a.example', 's1', '{keys[1]}', 1),"
        f" (2, 'b.example', 's2', '{keys[2]}', 1), (3, 'off.example', 's3', '{keys[2]}', 0);"
        f"INSERT INTO dkim_signing VALUES (1, 'ann@a.example', 2), (2, '.b.example', 2),"
        f" (3, 'bob@*', 1), (4, NULL, 1);"
        f"INSERT INTO modoboa VALUES (5, 'm.example', 'modoboa', '{path}');")
    return base


@pytest.fixture(scope="module", params=[Sqlite, Pgsql, Mysql], ids=lambda made: made.backend)
def base(request, module_folder):
    made = request.param(module_folder)
    yield fill(made, module_folder)
    made.stop()


@pytest.fixture(scope="module", params=[Pgsql, Mysql], ids=lambda made: made.backend)
def server(request, workdir, tmp_path_factory):
    del tmp_path_factory
    folder = os.path.join(workdir, f"server-{request.param.backend}")
    os.mkdir(folder, 0o755)
    made = request.param(folder)
    yield fill(made, folder)
    made.stop()


def test_the_simple_form(base, folder):
    signing = url(base, "dkim", "domain_name", "id")
    key = url(base, "dkim", "id", COLUMNS)
    both = {"lines": base.opendkim_lines(), **base.options()}
    assert same(folder, signing, key, "ann@a.example", **both) == ("a.example", "s1")
    assert same(folder, signing, key, "ann@b.example", **both) == ("b.example", "s2")
    assert same(folder, signing, key, "ann@nobody.example", **both) is None
    walked = show(signing, columns=2, **base.options()).values()
    assert walked == {"a.example": ["1", None], "b.example": ["2", None],
                      "off.example": ["3", None]}
    assert show(key, **base.options()).values()["2"][:2] == ["b.example", "s2"]


def test_the_medium_form(base, folder):
    signing = url(base, "dkim_signing", "author", "dkim_id")
    key = url(base, "dkim", "id", COLUMNS)
    both = {"lines": base.opendkim_lines(), **base.options()}
    assert same(folder, signing, key, "ann@a.example", **both) == ("b.example", "s2")
    assert same(folder, signing, key, "eve@mail.b.example", **both) == ("b.example", "s2")
    assert same(folder, signing, key, "bob@elsewhere.example", **both) == ("a.example", "s1")
    assert same(folder, signing, key, "eve@a.example", **both) is None
    assert set(show(signing, columns=2, **base.options()).values()) == {
        "ann@a.example", ".b.example", "bob@*"}


def test_the_path_of_a_key(base, folder):
    signing = url(base, "modoboa", "domain_name", "id")
    key = url(base, "modoboa", "id", "domain_name,dkim_key_selector,dkim_private_key_path")
    assert same(folder, signing, key, "ann@m.example", base.opendkim_lines(),
                **base.options()) == ("m.example", "modoboa")


@pytest.mark.parametrize("text", [
    "enabled=3D1", "enabled=1", "enabled=20<>=200", "(enabled=3D1=20OR=20id=3D2)",
    "id IN (SELECT id FROM dkim WHERE enabled=3D1)"])
def test_a_filter(base, folder, text):
    signing = url(base, "dkim", "domain_name", "id", f"?filter={text}")
    key = url(base, "dkim", "id", COLUMNS)
    both = {"lines": base.opendkim_lines(), **base.options()}
    assert same(folder, signing, key, "ann@a.example", **both) == ("a.example", "s1")
    assert same(folder, signing, key, "ann@off.example", **both) is None
    shown = show(signing, columns=1, **base.options())
    assert shown.values() == {"a.example": ["1"], "b.example": ["2"]}
    assert any("minds the filter in look-ups only" in note for note in shown.notes)


def test_an_or_without_parentheses_finds_rows_of_others_as_with_opendkim(base, folder):
    signing = url(base, "dkim", "domain_name", "id", "?filter=enabled=3D7=20OR=20id=3D2")
    key = url(base, "dkim", "id", COLUMNS)
    both = {"lines": base.opendkim_lines(), **base.options()}
    assert same(folder, signing, key, "ann@nobody.example", **both) == ("b.example", "s2")
    assert any("OR" in note for note in show(signing, columns=1, **base.options()).notes)


def test_small_letters_in_an_escape_mean_what_the_manual_says(base):
    signing = url(base, "dkim", "domain_name", "id", "?filter=enabled=3d1")
    shown = show(signing, columns=1, **base.options())
    assert list(shown.values()) == ["a.example", "b.example"]
    assert any("small letters" in note for note in shown.notes)


def test_a_filter_with_a_limit_cannot_be_walked(base):
    signing = url(base, "dkim", "domain_name", "id", "?filter=enabled=3D1=20LIMIT=201")
    shown = show(signing, columns=1, **base.options())
    assert shown.code == INVALID and "one by one: give the list of keys" in shown.error
    assert show(signing, "a.example", columns=1, **base.options()).rows[0]["values"] == ["1"]
    assert show(url(base, "dkim", "domain_name", "id", "?filter='limit' <> 'x'"), columns=1,
                **base.options()).code == 0


def test_names_may_be_expressions_and_escaped(base):
    joined = "'k' || id" if base.backend != "mysql" else "concat('k',id)"
    assert list(show(url(base, "dkim", "lower(domain_name)", joined), "a.example", columns=1,
                     **base.options()).values().values()) == [["k1"]]
    table = "(SELECT domain_name, id FROM dkim) AS x"
    assert len(show(url(base, table, "domain_name", "id"), columns=1, **base.options()).rows) == 3
    shown = show(url(base, "dkim", "domain=5Fname", "id"), "a.example", columns=1, **base.options())
    assert shown.rows[0]["values"] == ["1"] and len(shown.notes) == 1


def test_of_two_rows_the_first_is_taken(base):
    shown = show(url(base, "dkim", "enabled", "domain_name"), "1", columns=1, **base.options())
    assert len(shown.rows) == 1 and shown.rows[0]["more"] is True
    shown = show(url(base, "dkim", "enabled", "domain_name"), "0", columns=1, **base.options())
    assert shown.rows[0]["more"] is False


HOSTILE_KEYS = ["a' OR '1'='1", "a'; DROP TABLE dkim; --", "\\", "\\' OR 1=1 -- ", '"', "%", "a.example\n",
                "a.example\\", "a.exampl_", "\x1a", "ä", "?1", "$1", "`", "*"]


def test_hostile_keys_find_nothing_but_themselves(base):
    signing = url(base, "dkim", "domain_name", "id")
    assert show(signing, *HOSTILE_KEYS, columns=1, **base.options()).rows == []
    assert len(show(signing, columns=1, **base.options()).rows) == 3
    key_type = "varchar(255) COLLATE utf8mb4_bin" if base.backend == "mysql" else "varchar(255)"
    base.script(f"CREATE TABLE hostile (k {key_type}, v integer)")
    for index, key in enumerate(HOSTILE_KEYS):
        quoted = key.replace("'", "''")
        if base.backend == "mysql":
            quoted = quoted.replace("\\", "\\\\")
        base.script(f"INSERT INTO hostile VALUES ('{quoted}', {index})")
    table = url(base, "hostile", "k", "v")
    shown = show(table, *HOSTILE_KEYS, columns=1, **base.options())
    assert shown.code == 0, shown.error
    assert [int(row["values"][0]) for row in shown.rows] == list(range(len(HOSTILE_KEYS)))
    walked = show(table, columns=1, **base.options())
    assert [json.dumps(row["key"]) for row in walked.rows] == [
        json.dumps(key.encode().decode("latin-1")) for key in HOSTILE_KEYS]


HOSTILE_VALUES = ["", "a\nb", "a\tb", "\\", "\\n", "\\0", "'", '"', "a\\\nb", "\n", "\r\n", "<&>", "x" * HUGE]


def test_hostile_values_come_as_they_are(base):
    base.script(f"CREATE TABLE nasty (k integer, v {base.text_type})")
    for index, value in enumerate(HOSTILE_VALUES):
        quoted = value.replace("'", "''")
        if base.backend == "mysql":
            quoted = quoted.replace("\\", "\\\\")
        base.script(f"INSERT INTO nasty VALUES ({index}, '{quoted}')")
    base.script(f"INSERT INTO nasty VALUES (90, NULL), (91, '{'x' * (HUGE + 1)}'), (92, 'after')")
    shown = show(url(base, "nasty", "k", "v,'NUL',v"), columns=2, **base.options())
    assert shown.code == 0, shown.error
    by_key = {int(row["key"]): row for row in shown.rows}
    assert [by_key[i]["values"][0] for i in range(len(HOSTILE_VALUES))] == HOSTILE_VALUES
    assert by_key[90]["values"] == [None, "NUL"]
    assert by_key[91]["values"] == [None, None] and "65536" in by_key[91]["fault"]
    assert by_key[92]["values"] == ["after", "NUL"] and by_key[92]["fault"] is None
    looked = show(url(base, "nasty", "k", "v"), "91", "2", columns=1, **base.options())
    assert looked.rows[0]["fault"] and looked.rows[1]["values"] == ["a\tb"]


def test_octets_that_are_no_text(base):
    octets, kind = {"sqlite3": ("x'410042FF'", "blob"), "mysql": ("x'410042FF'", "blob"),
                    "pgsql": ("'\\x410042FF'", "bytea")}[base.backend]
    base.script(f"CREATE TABLE octets (k integer, v {kind}); INSERT INTO octets VALUES (1, {octets})")
    shown = show(url(base, "octets", "k", "v"), "1", columns=1, **base.options())
    # PostgreSQL tells OpenDKIM such a value in hexadecimal digits.
    assert shown.rows[0]["values"] == ["\\x410042ff" if base.backend == "pgsql" else "A\0B\xff"]


def test_a_walk_that_its_reader_ends(base):
    numbers = ", ".join(f"({n}, {n})" for n in range(5000))
    base.script(f"CREATE TABLE many (k integer, v integer); INSERT INTO many VALUES {numbers}")
    assert len(show(url(base, "many", "k", "v"), columns=1, **base.options()).rows) == 5000
    shown = show(url(base, "many", "k", "v"), columns=1, stop_after=7, **base.options())
    assert len(shown.rows) == 7 and shown.error == "conflict: stopped after 7 rows"


def test_what_is_not_there_is_said(base):
    shown = show(url(base, "nope", "k", "v"), **base.options())
    assert shown.code == INVALID and "nope" in shown.error
    shown = show(url(base, "dkim", "domain_name", "nope"), **base.options())
    assert shown.code == INVALID and "nope" in shown.error
    elsewhere = base.place.rpartition("/")[0] + "/nowhere"
    shown = show(url(base, "dkim", "domain_name", "id", place=elsewhere), **base.options())
    assert shown.code == NOT_FOUND, shown.error
    shown = show(url(base, "dkim", "domain_name", "id", "?filter=a b c"), **base.options())
    assert shown.code == INVALID


def test_nothing_is_written(base):
    """Neither by more statements than one, nor by one that does something besides."""
    signing = url(base, "dkim", "domain_name", "id", "?filter=1=3D1; DELETE FROM dkim; SELECT 1")
    assert show(signing, columns=1, **base.options()).code == INVALID
    if base.backend == "pgsql":
        base.script("CREATE FUNCTION spoil() RETURNS boolean LANGUAGE plpgsql AS"
                    " 'BEGIN DELETE FROM dkim; RETURN true; END'")
    if base.backend == "mysql":
        base.script("CREATE FUNCTION spoil() RETURNS integer DETERMINISTIC MODIFIES SQL DATA"
                    " BEGIN DELETE FROM dkim_signing; RETURN 1; END".join(
                        ("DELIMITER //\n", "//\n")))
    if base.backend != "sqlite3":
        call = "spoil()" if base.backend == "pgsql" else "spoil()=3D1"
        shown = show(url(base, "dkim", "domain_name", "id", f"?filter={call}"), columns=1)
        assert shown.code == DENIED, shown.error
    assert base.sql("SELECT count(*) FROM dkim") == "3"
    assert base.sql("SELECT count(*) FROM dkim_signing") == "4"


# -- SQLite -----------------------------------------------------------------------------------


def test_forms_of_a_file_name(folder):
    """2.11 can only name a file in its folder; a newer one undoes =2F."""
    made = fill(Sqlite(folder), folder)
    made.stop()
    path = folder.replace("/", "=2F")
    escaped = f"dsn:sqlite3://{path}=2F/keys.db/table=dkim?keycol=domain_name?datacol=id"
    shown = show(escaped, "a.example", columns=1)
    assert shown.rows[0]["values"] == ["1"] and "2.11 does not do that" in shown.notes[0]
    plain = f"dsn:sqlite3://{folder}/keys.db/table=dkim?keycol=domain_name?datacol=id"
    shown = show(plain)
    assert shown.code == INVALID and "=2F" in shown.error
    assert "Invalid argument" in refused_by_opendkim(folder, plain)
    assert os.listdir(folder).count("keys.db") == 1


def test_a_locked_file_is_waited_for_until_the_deadline(folder):
    made = fill(Sqlite(folder), folder)
    made.sql("BEGIN EXCLUSIVE")
    began = time.monotonic()
    shown = show(url(made, "dkim", "domain_name", "id"), timeout=500, **made.options())
    assert shown.code == TEMPORARY and "no answer by the deadline" in shown.error
    assert 0.4 < time.monotonic() - began < 5
    made.sql("ROLLBACK")
    endless = ("(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
               " SELECT i FROM n WHERE i < 0) AS x")
    shown = show(url(made, endless, "i", "i"), timeout=500, **made.options())
    assert shown.code == TEMPORARY
    made.stop()


# -- accounts, secrets and servers that hang ----------------------------------------------------

PASSWORD = "s3cr=t:/@+?'\"\\ ö#$%"


def escaped(text):
    return "".join(f"={octet:02X}" if chr(octet) in ":/@+?=" else chr(octet)
                   for octet in text.encode()).encode("latin-1").decode("utf-8")


def backslashes(server, text):
    """OpenDBX hands PostgreSQL a text in which a backslash is an escape."""
    return text.replace("\\", "\\\\") if server.backend == "pgsql" else text


def test_user_and_password_with_special_characters(server, folder):
    server.add_account("an:odd@user", PASSWORD)
    account = f"{escaped('an:odd@user')}:{backslashes(server, escaped(PASSWORD))}"
    table = url(server, "dkim", "domain_name", "id", place=f"{account}@{server.address()}")
    shown = show(table, "a.example", columns=1)
    assert shown.code == 0, shown.error
    assert shown.rows[0]["values"] == ["1"]
    assert any("2.11 does not do that" in note for note in shown.notes)
    assert refused_by_opendkim(folder, table) is not None


def test_an_escape_that_is_the_password_itself(server, folder):
    server.add_account("literal", "a=3Db")
    server.add_account("documented", "a=b")
    for name, words in (("literal", "as OpenDKIM 2.11 does"), ("documented", "does not do that")):
        table = url(server, "dkim", "domain_name", "id",
                    place=f"{name}:a=3Db@{server.address()}")
        shown = show(table, "a.example", columns=1)
        assert shown.code == 0, shown.error
        assert any(words in note for note in shown.notes)
        assert (refused_by_opendkim(folder, table) is None) == (name == "literal")
    bare = url(server, "dkim", "domain_name", "id", place=f"documented:a=b@{server.address()}")
    assert show(bare).code == INVALID
    assert "Invalid argument" in refused_by_opendkim(folder, bare)


def test_a_line_end_in_a_password(server):
    server.add_account("lines", "a\r\nb")
    place = f"lines:a=0D=0Ab@{server.address()}"
    assert show(url(server, "dkim", "domain_name", "id", place=place)).code == 0


def test_characters_that_opendkim_takes_as_they_are(server, folder):
    """A password of those that need no escape: both get in."""
    password = "p\"w! ~[]{}<>|^*()&%"
    server.add_account("plain", password)
    place = f"plain:{password}@{server.address()}"
    signing = url(server, "dkim", "domain_name", "id", place=place)
    key = url(server, "dkim", "id", COLUMNS, place=place)
    assert same(folder, signing, key, "ann@a.example") == ("a.example", "s1")


def test_a_backslash_in_a_password(server, folder):
    server.add_account("slash", "a\\b")
    place = f"slash:{backslashes(server, chr(92).join('ab'))}@{server.address()}"
    signing = url(server, "dkim", "domain_name", "id", place=place)
    key = url(server, "dkim", "id", COLUMNS, place=place)
    assert same(folder, signing, key, "ann@a.example") == ("a.example", "s1")
    server.add_account("dropped", "ab")
    table = url(server, "dkim", "domain_name", "id", place=f"dropped:a\\b@{server.address()}")
    gets_in = server.backend == "pgsql"
    assert (refused_by_opendkim(folder, table) is None) == gets_in
    assert show(table).code == (0 if gets_in else DENIED)


def test_no_error_has_a_secret_in_it(server):
    server.add_account("secretive", "right-secret")
    server.add_account("odd@secretive", "right-secret")
    for place, code in ((f"secretive:wrong-secret@{server.address()}", DENIED),
                        (f"secretive:wrong-secret@{free_port()}+127.0.0.1/inkan", TEMPORARY),
                        (f"secretive:right-secret@{server.address()}x",
                         DENIED if server.backend == "mysql" else NOT_FOUND),
                        (f"secretive:wrong=2Dsecret@{server.address()}", DENIED),
                        (f"odd=40secretive:wrong-secret@{server.address()}", DENIED),
                        (f"secretive:wrong-secret:@{server.address()}", INVALID),
                        (f"secretive:wrong-secret/@{server.address()}", INVALID),
                        (f"secretive:wrong-secret+@{server.address()}", INVALID),
                        (f"secretive:wrong-secret{server.address()}", INVALID),
                        (f"secretive:wrong-secret@{server.address()}?", INVALID)):
        shown = show(url(server, "dkim", "domain_name", "id", place=place))
        assert shown.code == code, (place, shown.error)
        for secret in ("-secret", "secretive"):
            assert secret not in shown.error + str(shown.notes)


def test_an_account_that_may_not_read_the_table(server):
    server.add_account("poor", "poor")
    shown = show(url(server, "dkim_signing", "author", "dkim_id",
                     place=f"poor:poor@{server.address()}"))
    assert shown.code == DENIED, shown.error
    assert "poor" not in shown.error


def test_a_server_that_hangs(server):
    table = url(server, "dkim", "domain_name", "id")
    server.freeze()
    began = time.monotonic()
    try:
        shown = show(table, timeout=500)
    finally:
        server.thaw()
    assert shown.code == TEMPORARY and time.monotonic() - began < 5
    assert show(table).code == 0


def test_a_statement_that_takes_too_long(server):
    sleep = "pg_sleep(5) IS NOT NULL" if server.backend == "pgsql" else "sleep(5)=3D0"
    began = time.monotonic()
    shown = show(url(server, "dkim", "domain_name", "id", f"?filter={sleep}"), timeout=500)
    assert shown.code == TEMPORARY and time.monotonic() - began < 4
    assert "no answer by the deadline" in shown.error


def test_a_key_that_the_data_base_cannot_compare(server):
    shown = show(url(server, "dkim", "id", "domain_name"), "ann@a.example", "2", columns=1)
    assert [row["key"] for row in shown.rows] == ["2"]
    assert shown.code == (INVALID if server.backend == "pgsql" else NOT_FOUND)


# -- MySQL ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mysql(workdir):
    folder = os.path.join(workdir, "only-mysql")
    os.mkdir(folder, 0o755)
    made = Mysql(folder)
    yield fill(made, folder)
    made.stop()


def test_the_password_is_not_seen_from_outside(mysql):
    """Neither in arguments nor in the environment of the client, nor in a file of a folder."""
    mysql.add_account("hidden", "hidden-secret")
    table = url(mysql, "dkim", "domain_name", "id", "?filter=sleep(1)=3D0",
                place=f"hidden:{escaped('hidden-secret')}@{mysql.address()}")
    with subprocess.Popen([SHOW, table], stdout=subprocess.DEVNULL) as running:
        def client():
            with open(f"/proc/{running.pid}/task/{running.pid}/children", encoding="ascii") as file:
                return [pid for pid in file.read().split()
                        if os.readlink(f"/proc/{pid}/exe").endswith(("mariadb", "mysql"))]
        pid = wait_for("the client runs", client)[0]
        for name in ("cmdline", "environ"):
            with open(f"/proc/{pid}/{name}", "rb") as file:
                assert b"hidden-secret" not in file.read()
        files = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
        assert not [path for path in files if path.startswith("/") and "memfd" not in path
                    and not path.startswith("/dev/null")]
        running.kill()
    wait_for("the client has ended", lambda: not os.path.exists(f"/proc/{pid}"))


def test_without_a_client(mysql):
    shown = show(url(mysql, "dkim", "domain_name", "id"), env={"PATH": "/nonexistent"})
    assert shown.code == BROKEN and "install the package mariadb-client" in shown.error


def test_settings_of_clients_change_nothing(mysql, folder):
    with open(f"{folder}/.my.cnf", "w", encoding="ascii") as file:
        file.write("[client]\npassword=wrong\nuser=nobody\n[mysql]\nhtml\nsafe-updates\n")
    env = {**os.environ, "HOME": folder, "MYSQL_HOST": "192.0.2.1", "MYSQL_PWD": "wrong"}
    assert len(show(url(mysql, "dkim", "domain_name", "id"), env=env).rows) == 3


def test_keys_are_compared_as_the_column_says(mysql, folder):
    signing = url(mysql, "dkim", "domain_name", "id")
    key = url(mysql, "dkim", "id", COLUMNS)
    mysql.sql("UPDATE dkim SET domain_name = 'B.Example' WHERE id = 2")
    assert same(folder, signing, key, "ann@b.example") == ("B.Example", "s2")
    mysql.sql("UPDATE dkim SET domain_name = 'b.example' WHERE id = 2")


def test_a_statement_has_no_end_within(mysql):
    for names in (("dkim; DO 1", "domain_name"), ("dkim=3B DO 1", "domain_name"),
                  ("dkim=0ADO 1", "domain_name"), ("dkim", "=3Bdomain_name")):
        shown = show(url(mysql, *names, "id"))
        assert shown.code == INVALID, shown.error
        assert "a ; or a line end in table, columns or filter" in shown.error


def test_quotes_are_those_of_opendbx(mysql):
    """It sets the mode ANSI: double quotes are of names, and || joins."""
    shown = show(url(mysql, "\"dkim\"", "domain_name", "'k'||id"), "a.example", columns=1)
    assert shown.values() == {"a.example": ["k1"]}


# -- directories ------------------------------------------------------------------------------

PEOPLE = f"ou=people,{SUFFIX}"
SIGNING = "?DKIMSelector?sub?(DKIMIdentity=$d)"
SIGNING_AS = "?DKIMSelector,DKIMIdentity?sub?(DKIMIdentity=$d)"
KEYS = "?DKIMDomain,DKIMSelector,DKIMKey,?sub?(DKIMSelector=$d)"
# As providers have it who patched OpenDKIM's class, with more than one identity to an entry.
ALIASES = """\
attributetype ( 1.3.6.1.4.1.4203.666.1.78.1 NAME 'signerAlias'
  EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )
objectclass ( 1.3.6.1.4.1.4203.666.3.78.1 NAME 'signerAliases' SUP top AUXILIARY
  MAY signerAlias )
"""


def entry(name, domain, selector, key, identity=None, more=""):
    lines = [f"dn: {name},{PEOPLE}", "objectClass: DKIM", f"DKIMDomain: {domain}",
             f"DKIMSelector: {selector}", f"DKIMKey:: {base64.b64encode(key.encode()).decode()}"]
    lines += [f"DKIMIdentity: {identity}"] if identity else []
    return "\n".join(lines) + f"\n{more}\n"


@pytest.fixture(scope="module")
def authority(module_folder):
    return Authority(module_folder)


@pytest.fixture(scope="module")
def directory(module_folder, authority):
    slapd = Slapd.single(module_folder, authority=authority)
    slapd.ldif_add(as_config("opendkim", OPENDKIM_SCHEMA), CONFIG)
    slapd.ldif_add(as_config("aliases", ALIASES), CONFIG)
    slapd.keys = {n: new_rsa() for n in range(3)}
    slapd.ldif_add(f"dn: {PEOPLE}\nobjectClass: organizationalUnit\nou: people\n")
    slapd.ldif_add("\n".join([
        entry("DKIMDomain=a.example", "a.example", "sel-a", slapd.keys[0], "a.example"),
        entry("DKIMDomain=b.example", "b.example", "sel-b", slapd.keys[1], "ann@b.example"),
        entry("DKIMDomain=off.example", "off.example", "sel-off", slapd.keys[2], "off.example",
              "DKIMActive: FALSE"),
        entry("DKIMDomain=on.example", "on.example", "sel-on", slapd.keys[2], "on.example",
              "DKIMActive: TRUE"),
        entry("DKIMDomain=star.example", "star.example", "sel-star", slapd.keys[1], "*"),
        entry("DKIMDomain=alias.example", "alias.example", "sel-alias", slapd.keys[0], None,
              "objectClass: signerAliases\nsignerAlias: one.example\nsignerAlias: Two.example\n"),
        f"dn: dc=example,{PEOPLE}\nobjectClass: domain\ndc: example\n",
        entry("dc=tree,dc=example", "tree.example", "sel-tree", slapd.keys[1], None,
              "objectClass: dcObject\ndc: tree\n"),
    ]))
    yield slapd
    slapd.stop()


def table(directory, rest, scheme="ldap", base=PEOPLE):
    return directory.url(scheme, base) + rest


def test_the_urls_of_the_readme(directory, folder):
    signing, key = table(directory, SIGNING), table(directory, KEYS)
    assert same(folder, signing, key, "ann@a.example") == ("a.example", "sel-a")
    assert same(folder, signing, key, "ann@b.example") == ("b.example", "sel-b")
    assert same(folder, signing, key, "eve@nobody.example") == ("star.example", "sel-star")
    assert same(folder, table(directory, SIGNING_AS), key, "ann@b.example") == ("b.example", "sel-b")
    assert show(signing, columns=2).values()["a.example"] == ["sel-a", None]
    walked = show(table(directory, SIGNING_AS), columns=2).values()
    assert walked["a.example"] == ["sel-a", "a.example"]
    assert set(walked) == {"a.example", "ann@b.example", "off.example", "on.example", "*"}
    walked = show(key).values()
    assert walked["sel-b"] == ["b.example", "sel-b", directory.keys[1]]
    assert len(walked) == 7


def test_entries_that_are_not_active(directory, folder):
    """The documented filters do not mind; those that do, do so in look-ups and walks."""
    key = table(directory, "?DKIMDomain,DKIMSelector,DKIMKey?sub?(DKIMDomain=$d)")
    careless = table(directory, "?DKIMDomain?sub?(DKIMIdentity=$d)")
    assert same(folder, careless, key, "ann@off.example") == ("off.example", "sel-off")
    careful = table(directory, "?DKIMDomain?sub?(%26(DKIMActive=TRUE)(DKIMIdentity=$d))")
    assert same(folder, careful, key, "ann@on.example") == ("on.example", "sel-on")
    assert same(folder, careful, key, "ann@off.example") is None
    assert show(careful, columns=1).values() == {"on.example": ["on.example"]}
    unescaped = careful.replace("%26", "&")
    assert show(unescaped, columns=1).values() == {"on.example": ["on.example"]}


def test_the_key_as_a_name_of_an_entry(directory, folder):
    tree = f"$D,{PEOPLE}"
    signing = table(directory, "?DKIMDomain?base?(objectClass=DKIM)", base=tree)
    key = table(directory, "?DKIMDomain,DKIMSelector,DKIMKey?base?(objectClass=DKIM)", base=tree)
    assert same(folder, signing, key, "ann@tree.example") == ("tree.example", "sel-tree")
    assert same(folder, signing, key, "ann@other.example") is None
    shown = show(signing, columns=1)
    assert shown.code == INVALID and "the key is in the base of the search" in shown.error
    assert "give the list of keys" in shown.error
    shown = show(table(directory, "?DKIMDomain?base", base=f"DKIMDomain=$d,{PEOPLE}"), "a.example",
                 columns=1)
    assert shown.rows[0]["values"] == ["a.example"]


def test_each_value_of_the_key_attribute_is_a_key(directory):
    url_of_aliases = table(directory, "?DKIMSelector?sub?(signerAlias=$d)")
    shown = show(url_of_aliases, columns=1)
    assert shown.values() == {"one.example": ["sel-alias"], "Two.example": ["sel-alias"]}
    assert [row["number"] for row in shown.rows] == [1, 2]
    shown = show(url_of_aliases, "two.example", columns=1)
    assert shown.values() == {"two.example": ["sel-alias"]}


@pytest.mark.parametrize("rest, words", [
    ("?DKIMSelector?sub?(objectClass=DKIM)", "no $d"),
    ("?DKIMSelector?sub", "no $d"),
    ("?DKIMSelector?sub?(|(DKIMIdentity=$d)(DKIMDomain=$d))", "more than one $d"),
    ("?DKIMSelector?sub?(DKIMDomain=*$d)", "not as the value"),
    ("?DKIMSelector?sub?(DKIMDomain=$d.example)", "not as the value"),
    ("?DKIMSelector?sub?(DKIMDomain>=$d)", "not as the value"),
    ("?DKIMSelector?sub?(&(objectClass=DKIM)(!(DKIMIdentity=$d)))", "(!...)"),
    ("?DKIMSelector?sub?(associatedDomain=$D)", "$D"),
])
def test_what_cannot_be_walked(directory, rest, words):
    shown = show(table(directory, rest), columns=1)
    assert shown.code == INVALID and words in shown.error, shown.error
    assert "give the list of keys" in shown.error


def test_filters_that_cannot_be_walked_can_be_asked(directory, folder):
    signing = table(directory, "?DKIMDomain?sub?(|(DKIMIdentity=$d)(DKIMDomain=$d))")
    key = table(directory, "?DKIMDomain,DKIMSelector,DKIMKey?sub?(DKIMDomain=$d)")
    assert same(folder, signing, key, "eve@b.example") == ("b.example", "sel-b")


def test_a_filter_that_is_none_is_refused(directory):
    shown = show(table(directory, "?DKIMSelector?sub?((DKIMIdentity=$d)"), "a.example", columns=1)
    assert shown.code == INVALID and "the filter cannot be read" in shown.error


def test_hostile_keys_find_no_other_entries(directory):
    for key in ("a*", "*)(DKIMDomain=*", "a.example)(|(DKIMDomain=*", "\\2a", "\\", "(", "ä", "\xff"):
        shown = show(table(directory, SIGNING), key, columns=2)
        assert shown.code == NOT_FOUND and shown.rows == [], (key, shown.error)
        base = table(directory, "?DKIMDomain?sub?(objectClass=DKIM)", base=f"dc=$d,{PEOPLE}")
        shown = show(base, key, f"example,{PEOPLE}", "", columns=1)
        assert shown.rows == [], key
    assert show(table(directory, SIGNING), "*", columns=2).rows[0]["values"][0] == "sel-star"


def test_of_two_entries_the_first_is_taken(directory):
    shown = show(table(directory, "?DKIMDomain?sub?(DKIMKey=*)"), "x", columns=1)
    assert len(shown.rows) == 1 and shown.rows[0]["more"] is True
    shown = show(table(directory, SIGNING), "a.example", columns=2)
    assert shown.rows[0]["more"] is False


def test_octets_in_entries(directory):
    directory.ldif_add("\n".join(
        f"dn: cn=octets{index},{PEOPLE}\nobjectClass: person\ncn: octets{index}\nsn: x\n"
        f"userPassword:: {base64.b64encode(octets).decode()}\n"
        for index, octets in enumerate((b"A\0B\xff", b"\n\\\"'", b"x" * HUGE, b"x" * (HUGE + 1)))))
    url_of_octets = table(directory, "?userPassword,cn,sn?sub?(cn=$d)")
    assert show(url_of_octets).rows[0]["values"][0] is None  # nobody else may read passwords
    with open(f"{directory.folder}/root-password", "w", encoding="ascii",
              opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(ROOT[1])
    shown = show(url_of_octets, bind_user=ROOT[0],
                 bind_password_file=f"{directory.folder}/root-password")
    by_key = {row["key"]: row for row in shown.rows}
    assert by_key["octets0"]["values"] == ["A\0B\xff", "octets0", "x"]
    assert by_key["octets1"]["values"][0] == "\n\\\"'"
    assert by_key["octets2"]["values"][0] == "x" * HUGE
    assert by_key["octets3"]["values"] == [None] * 3 and "65536" in by_key["octets3"]["fault"]


def test_more_servers_and_a_socket(directory, folder):
    signing, key = table(directory, SIGNING), table(directory, KEYS)
    dead = signing.replace(str(directory.port), str(free_port()))
    both = f"{dead} {directory.plain_url}/"
    assert show(both, "a.example", columns=2).rows[0]["values"][0] == "sel-a"
    assert same(folder, both, f"{key} {dead}", "ann@a.example") == ("a.example", "sel-a")
    assert show(dead, "a.example", columns=2).code == TEMPORARY
    shown = show(table(directory, SIGNING, "ldapi"), "a.example", columns=2)
    assert shown.rows[0]["values"][0] == "sel-a"
    assert any("loses the socket" in note for note in shown.notes)
    assert refused_by_opendkim(folder, table(directory, SIGNING, "ldapi")) is not None
    mixed = f"{signing} {directory.local_url}"
    assert show(mixed, columns=2).code == INVALID


def test_who_asks(directory, folder, authority):
    """With the same account OpenDKIM gets in by the same words."""
    directory.ldif_add(f"dn: cn=odd\\2C one,{SUFFIX}\nobjectClass: person\ncn: odd, one\nsn: x\n"
                       "userPassword: p\"w 'd\\\n")
    user, secret = f"cn=odd\\2C one,{SUFFIX}", "p\"w 'd\\"
    path = f"{folder}/secret"
    with open(path, "w", encoding="ascii", opener=lambda p, f: os.open(p, f, 0o600)) as file:
        file.write(secret)
    signing, key = table(directory, SIGNING), table(directory, KEYS)
    ours = {"bind_user": user, "bind_password_file": path}
    lines = f"LDAPBindUser {user}\nLDAPBindPassword {secret}\n"
    assert same(folder, signing, key, "ann@a.example", lines, **ours) == ("a.example", "sel-a")
    for mechanism in ("none", "Simple"):
        shown = show(signing, columns=2, mechanism=mechanism, **ours)
        assert shown.code == 0 and "does not start with it" in shown.notes[0]
        assert refused_by_opendkim(folder, f"{signing}\n{lines}LDAPAuthMechanism {mechanism}")
    assert refused_by_opendkim(folder, f"{signing}\n{lines}") is None
    shown = show(table(directory, SIGNING, "ldapi"), columns=2, mechanism="EXTERNAL")
    assert shown.code == 0, shown.error
    shown = show(signing, columns=2, use_tls=True, ca_file=authority.certificate, **ours)
    assert shown.code == 0, shown.error
    shown = show(table(directory, SIGNING, "ldaps"), columns=2, ca_file=authority.certificate, **ours)
    assert shown.code == 0, shown.error
    shown = show(signing, columns=2, use_tls=True, **ours)
    assert shown.code == TEMPORARY and "TLS" in shown.error
    with open(path, "w", encoding="ascii") as file:
        file.write("wrong-secret")
    shown = show(signing, columns=2, **ours)
    assert shown.code == DENIED and "wrong-secret" not in shown.error
    shown = show(signing, columns=2, bind_user=user)
    assert shown.code == INVALID and "LDAPBindPassword" in shown.error


def test_more_entries_than_the_server_gives(directory):
    """Nobody must take a part for the whole."""
    base = f"ou=many,{SUFFIX}"
    directory.ldif_add(f"dn: {base}\nobjectClass: organizationalUnit\nou: many\n")
    directory.ldif_add("\n".join(f"dn: cn=e{n},{base}\nobjectClass: person\ncn: e{n}\nsn: x\n"
                                 for n in range(501)))
    shown = show(table(directory, "?sn?sub?(cn=$d)", base=base), columns=1)
    assert shown.code == BROKEN and "size limit" in shown.error
    assert show(table(directory, "?sn?sub?(cn=$d)", base=base), "e500", columns=1).code == 0


def test_a_directory_that_hangs(directory):
    directory.hang()
    began = time.monotonic()
    try:
        shown = show(table(directory, SIGNING), "a.example", columns=2, timeout=500)
    finally:
        directory.resume()
    assert shown.code == TEMPORARY and time.monotonic() - began < 5


def test_what_is_no_table_of_a_directory(directory):
    for rest, words in (("", "no attributes"), ("??sub?(DKIMIdentity=$d)", "no attributes"),
                        ("?DKIMSelector?sub?(DKIMIdentity=$x)", "neither $d nor $D"),
                        ("?DKIMSelector?wide?(DKIMIdentity=$d)", "not an LDAP URL"),
                        ("?DKIMSelector?sub?(DKIMIdentity=%00$d)", "not an LDAP URL")):
        shown = show(table(directory, rest), columns=1)
        assert shown.code == INVALID and words in shown.error, (rest, shown.error)
    shown = show(directory.plain_url.replace("//", "//user:hidden-secret@") + f"/{BASE}?a?sub?(a=$d)")
    assert shown.code == INVALID and "hidden-secret" not in shown.error
    shown = show(table(directory, SIGNING, base=f"ou=nowhere,{SUFFIX}"), columns=2)
    assert shown.code == NOT_FOUND
    for other in ("file:/etc/x", "csl:a", "a,b=c", "/etc/x", "dsn", "memcache:x/y", ""):
        shown = show(other)
        assert shown.code == INVALID and re.search("dsn:, ldap:", shown.error), other
