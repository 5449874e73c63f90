# SPDX-License-Identifier: Apache-2.0
"""Parallel running: `inkan explain --against opendkim` for one message, for lists of senders and for
Postfix's log, with a store that `inkan import opendkim` made of the configuration, before and after
something was changed."""

import gzip
import json
import os
import re
import socket
import sqlite3
import subprocess

import pytest

import messages
from inkan import Inkan
from peers import OpenDkim, signatures_of
from process import wait_for

SAME, DIFFERENT, INVALID, BROKEN = 0, 1, 2, 70

SETTINGS = """\
Mode s
KeyTable file:{0}/keys
SigningTable refile:{0}/rules
InternalHosts file:{0}/hosts
RequireSafeKeys no
"""
FILES = {
    "keys": "k1 example.com:s1:{0}/one.pem\nk2 example.org:s2:{0}/two.pem\n",
    "rules": "*@example.com k1\n*@example.org k2\nbob@example.net k1\n",
    "hosts": "127.0.0.1\n192.0.2.0/24\n2001:db8::/32\n.inside.test\n",
}
SENDERS = """\
# AUTHOR CLIENT LOGIN
example.com
ann@example.com 192.0.2.7
ann@EXAMPLE.com 2001:db8::7
ann@example.com, 198.51.100.1 # outside
ann@example.com 198.51.100.1 ann
ann@example.com mx.inside.test[198.51.100.2]
example.org - -
x@example.org,192.0.2.7
bob@example.net
carl@example.net
ann@example.com 192.0.2.7
"""
ASKED = 10


@pytest.fixture(scope="module")
def keys(module_folder):
    for name in ("one", "two"):
        subprocess.run(["openssl", "genrsa", "-out", f"{module_folder}/{name}.pem", "2048"],
                       check=True, capture_output=True)
    return module_folder


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def write_files(folder, keys, settings=SETTINGS):
    for name, text in FILES.items():
        write(f"{folder}/{name}", text.format(keys))
    return write(f"{folder}/opendkim.conf", settings.format(folder))


class Moved:
    """An installation that took over the files of an OpenDKIM."""

    def __init__(self, inkan, conf, folder):
        self.inkan, self.conf, self.folder = inkan, conf, folder

    def explain(self, *arguments, stdin=b""):
        return self.inkan.run("explain", "--against", "opendkim", "--config", self.conf, *arguments,
                              stdin=stdin)

    def json(self, *arguments, stdin=b""):
        """(exit code, document)"""
        answer = self.inkan.run("--json", "explain", "--against", "opendkim", "--config", self.conf,
                                *arguments, stdin=stdin)
        assert not answer.stderr, answer.stderr
        return answer.returncode, json.loads(answer.stdout)

    def differing(self, senders=SENDERS):
        """{(author, client, login): row} of those rows that differ."""
        code, told = self.json("--list", "-", stdin=senders.encode())
        assert code == (DIFFERENT if told["senders"] else SAME)
        assert told["summary"]["differ"] == len(told["senders"])
        assert all(row["same"] == "no" for row in told["senders"])
        return {(row["author"], row["client"], row["login"]): row for row in told["senders"]}

    def log(self, text, *arguments):
        return self.json("--mail-log", write(f"{self.folder}/mail.log", text), "--all", *arguments)


@pytest.fixture
def moved(new_inkan, folder, keys):
    conf = write_files(folder, keys)
    inkan = new_inkan().set_up("acme")
    inkan.ok("--yes", "import", "opendkim", "--config", conf, "--tenant", "acme", "--write-conf",
             f"{folder}/new.conf")
    inkan.conf = f"{folder}/new.conf"
    return Moved(inkan, conf, folder)


def enforce(moved):
    """Has logins bound to tenants, which OpenDKIM does not know."""
    with open(moved.inkan.conf, encoding="utf-8") as file:
        text = file.read()
    assert "tenant_check = log" in text
    write(moved.inkan.conf, text.replace("tenant_check = log", "tenant_check = enforce"))


# -- one message -------------------------------------------------------------------------------

def test_one_message_is_the_same_on_both_sides(moved):
    code, told = moved.json("--from", "ann@example.com", "--client", "192.0.2.7")
    assert code == SAME and told["same"] and told["difference"] == ""
    assert told["opendkim"]["action"] == "sign" and told["inkan"]["signed"]
    assert {"reason", "signatures", "steps", "notes"} <= set(told["opendkim"])
    alone = json.loads(moved.inkan.run("--json", "explain", "--from", "ann@example.com", "--client",
                                       "192.0.2.7").stdout)
    assert told["inkan"] == alone
    people = moved.explain("--from", "ann@example.com", "--client", "192.0.2.7")
    assert people.returncode == SAME
    lines = people.stdout.splitlines()
    assert lines[0] == "OpenDKIM:" and "inkan:" in lines and lines[-1] == "same"


def test_one_message_that_neither_signs_is_the_same(moved):
    for arguments in (["--from", "x@nobody.test"],
                      ["--from", "ann@example.com", "--client", "198.51.100.1"]):
        code, told = moved.json(*arguments)
        assert code == SAME and told["same"] and not told["inkan"]["signed"]


def test_one_message_that_differs_says_how(moved):
    moved.inkan.ok("domain", "suspend", "example.com")
    code, told = moved.json("--from", "ann@example.com")
    assert code == DIFFERENT and not told["same"]
    assert told["difference"] == "OpenDKIM: s1@example.com; inkan: unsigned"
    people = moved.explain("--from", "ann@example.com")
    assert people.returncode == DIFFERENT
    assert people.stdout.splitlines()[-1] == "different: " + told["difference"]


def test_the_sender_field_and_the_name_of_a_client_count(moved):
    code, told = moved.json("--from", "x@nobody.test", "--sender", "ann@example.com")
    assert code == SAME and told["opendkim"]["action"] == "unsigned"
    write(moved.conf, SETTINGS.format(moved.folder) + "SenderHeaders Sender,From\n")
    code, told = moved.json("--from", "x@nobody.test", "--sender", "ann@example.com")
    assert code == DIFFERENT and told["opendkim"]["action"] == "sign"
    code, told = moved.json("--from", "ann@example.com", "--client-name", "mx.inside.test")
    assert code == SAME and told["inkan"]["signed"]


# -- lists -------------------------------------------------------------------------------------

def test_after_an_import_all_is_the_same(moved):
    assert moved.differing() == {}
    answer = moved.explain("--list", "-", stdin=SENDERS.encode())
    assert (answer.returncode, answer.stdout) == (SAME, f"{ASKED} asked, 0 differ\n")


def test_all_rows_are_shown_when_asked_for(moved):
    path = write(f"{moved.folder}/list", SENDERS)
    code, told = moved.json("--list", path, "--all")
    assert code == SAME
    rows = {(row["author"], row["client"], row["login"]): row for row in told["senders"]}
    assert len(rows) == told["summary"]["asked"] == ASKED
    assert rows["ann@example.com", "192.0.2.7", ""]["count"] == 2
    signed = {name for name, row in rows.items() if row["opendkim"] != "unsigned"}
    assert {name for name, row in rows.items() if "@" in row["inkan"]} == signed
    assert rows["somebody@example.com", "127.0.0.1", ""]["opendkim"] == "s1@example.com"
    assert rows["carl@example.net", "127.0.0.1", ""]["inkan"] == "unsigned (no_domain)"
    head, *lines = moved.explain("--list", path, "--all").stdout.splitlines()
    assert head.split() == ["author", "client", "login", "count", "opendkim", "inkan", "same", "note"]
    assert re.split(r"  +", lines[0]) == ["somebody@example.com", "127.0.0.1", "-", "1",
                                          "s1@example.com", "s1@example.com", "yes"]


COM = {("somebody@example.com", "127.0.0.1", ""), ("ann@example.com", "192.0.2.7", ""),
       ("ann@EXAMPLE.com", "2001:db8::7", ""), ("ann@example.com", "198.51.100.1", "ann"),
       ("ann@example.com", "198.51.100.2", "")}
ORG = {("somebody@example.org", "127.0.0.1", ""), ("x@example.org", "192.0.2.7", "")}
BOB = {("bob@example.net", "127.0.0.1", "")}

# What is done, whose rows differ then, and what inkan's column and the note say.
CHANGES = {
    "a domain is suspended": ([["domain", "suspend", "example.org"]], ORG, "unsigned (suspended)",
                              "example.org is suspended"),
    "a tenant is suspended": ([["tenant", "suspend", "acme"]], COM | ORG | BOB,
                              "unsigned (suspended)", "tenant acme is suspended"),
    "a rule is removed": ([["rule", "remove", "bob@example.net"]], BOB, "unsigned (no_domain)",
                          "example.net is not a domain of this service"),
    "a rule says i=": ([["rule", "remove", "bob@example.net"],
                        ["rule", "add", "bob@example.net", "--domain", "example.com",
                         "--selector", "s1", "--identity", "bob@example.com"]], BOB,
                       "s1@example.com", "i=bob@example.com"),
    "another key": ([["key", "new", "example.org", "--algorithm", "rsa-sha256", "--selector", "s3",
                      "--activate"]], ORG, "s3@example.org", ""),
    "one more key": ([["key", "new", "example.org", "--algorithm", "ed25519-sha256", "--selector",
                       "ed", "--activate"]], ORG, "ed@example.org, s2@example.org", ""),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_changed_differs_and_nothing_else(name, moved):
    commands, wanted, inkan, note = CHANGES[name]
    for command in commands:
        moved.inkan.ok("--yes", *command)
    rows = moved.differing()
    assert set(rows) == wanted
    for row in rows.values():
        assert row["inkan"] == inkan and note in row["note"], row


def test_a_grant_that_is_taken_back(moved):
    enforce(moved)
    moved.inkan.ok("grant", "add", "--tenant", "acme", "--login", "ann")
    assert moved.differing() == {}
    moved.inkan.ok("grant", "remove", "--login", "ann")
    rows = moved.differing()
    assert set(rows) == {("ann@example.com", "198.51.100.1", "ann")}
    row, = rows.values()
    assert row["inkan"] == "unsigned (tenant)" and "ann" in row["note"]


def test_what_changed_on_the_side_of_opendkim(moved):
    write(f"{moved.folder}/hosts", "127.0.0.1\n")
    rows = moved.differing()
    assert set(rows) == {name for name in COM | ORG if name[1] != "127.0.0.1" and not name[2]}
    assert all(row["opendkim"] == "unsigned" and "@" in row["inkan"] for row in rows.values())


def test_a_daemon_name_counts_for_all(moved):
    senders = b"ann@example.com - ann\nann@example.com 198.51.100.1\n"
    write(moved.conf, SETTINGS.format(moved.folder) + "MTA ORIGINATING\n")
    code, told = moved.json("--list", "-", "--daemon-name", "ORIGINATING", stdin=senders)
    row, = told["senders"]
    assert code == DIFFERENT and row["client"] == "198.51.100.1" and not row["login"]
    assert moved.json("--list", "-", stdin=senders)[0] == SAME


def test_tables_in_a_data_base(moved, keys):
    base = sqlite3.connect(f"{moved.folder}/rules.db")
    base.execute("create table rules (author text, name text)")
    base.executemany("insert into rules values (?, ?)", [
        ("example.com", "k1"), ("example.org", "k2"), ("bob@example.net", "k1")])
    base.commit()
    settings = (SETTINGS + "BaseDirectory {0}\n").replace(
        "refile:{0}/rules", "dsn:sqlite3://rules./db/table=rules?keycol=author?datacol=name")
    write(moved.conf, settings.format(moved.folder))
    assert moved.differing() == {}
    base.execute("delete from rules where author = 'example.org'")
    base.commit()
    assert set(moved.differing()) == ORG


def test_nothing_is_written(moved):
    before = moved.inkan.json("audit", "list")
    with open(moved.inkan.database, "rb") as file:
        content = file.read()
    moved.differing()
    moved.explain("--from", "ann@example.com")
    with open(moved.inkan.database, "rb") as file:
        assert file.read() == content
    assert moved.inkan.json("audit", "list") == before


def test_what_is_wrong_is_said(moved):
    def refused(arguments, text, stdin=b""):
        answer = moved.explain(*arguments, stdin=stdin)
        assert answer.returncode == INVALID and text in answer.stderr, answer.stderr

    refused(["--list", "-", "--from", "a@b.test"], "--from does not go with --list")
    refused(["--mail-log", "-", "--login", "a"], "--login does not go with --mail-log")
    refused(["--mail-log", "-", "--list", "-"], "not both")
    refused(["--from", "a@b.test", "--all"], "--all goes with")
    refused([], "--from or --message is missing")
    refused(["--list", "/no/such"], "/no/such: No such file")
    refused(["--list", moved.folder], "Is a directory")
    refused(["--list", "-"], "-:2: client 192.0.2: neither an IP address", b"a@b.test\na@b.test 192.0.2\n")
    refused(["--list", "-"], "-:1: more than AUTHOR, CLIENT and LOGIN", b"a@b.test - a b\n")
    refused(["--list", "-"], "-:1: longer than", b"a" * 1000000 + b"\n")
    write(f"{moved.folder}/opendkim.conf", "Mode s\nNoSuchThing x\n")
    refused(["--list", "-"], "OpenDKIM does not start", b"a@b.test\n")
    for option in (["--config", "x"], ["--list", "x"], ["--mail-log", "x"], ["--all"]):
        answer = moved.inkan.run("explain", "--from", "a@b.test", *option)
        assert answer.returncode == INVALID
        assert f"{option[0]} goes with --against opendkim" in answer.stderr


def test_without_a_store_there_is_no_answer(moved):
    base = sqlite3.connect(moved.inkan.database)
    base.execute("drop view place")
    base.close()
    for arguments in (["--from", "ann@example.com"], ["--list", "-"]):
        answer = moved.explain(*arguments, stdin=b"ann@example.com\n")
        assert answer.returncode == BROKEN and "no such table" in answer.stdout + answer.stderr
    os.rename(moved.inkan.database, moved.inkan.database + ".away")
    for arguments in (["--from", "ann@example.com"], ["--list", "-"]):
        answer = moved.explain(*arguments, stdin=b"ann@example.com\n")
        assert answer.returncode not in (SAME, DIFFERENT) and answer.stderr


# -- logs --------------------------------------------------------------------------------------

def message(queue_id, client, sender, *said, login=None, gone=True):
    """The lines of one message, as the two programs write them."""
    auth = f", sasl_method=PLAIN, sasl_username={login}" if login else ""
    lines = [f"postfix/smtpd[10]: {queue_id}: client={client}{auth}",
             f"postfix/cleanup[11]: {queue_id}: message-id=<{queue_id}@mx.test>"]
    lines += [f"opendkim[12]: {queue_id}: DKIM-Signature field added (s={selector}, d={domain})"
              for selector, domain in said]
    lines += [f"postfix/qmgr[13]: {queue_id}: from=<{sender}>, size=1000, nrcpt=1 (queue active)"]
    lines += [f"postfix/qmgr[13]: {queue_id}: removed"] if gone else []
    return "".join(f"Nov 22 10:00:00 mx {line}\n" for line in lines)


def rows_of(told):
    return {(row["author"], row["client"], row["login"]): row for row in told["senders"]}


def test_a_log_of_which_all_is_the_same(moved):
    text = (message("4F2B11A0", "unknown[192.0.2.1]", "ann@example.com", ("s1", "example.com"))
            + message("4F2B11A1", "a.test[192.0.2.1]", "ann@example.com", ("s1", "example.com"))
            + message("4bXxyz0000z1h", "a.test[192.0.2.1]", "ann@example.com", gone=False)
            + message("4F2B11A2", "a.test[198.51.100.9]", "ann@example.com", ("s1", "example.com"),
                      login="ann")
            + message("4F2B11A3", "a.test[198.51.100.9]", "x@nobody.test")
            + message("4F2B11A4", "localhost[127.0.0.1]", ""))
    text += "Nov 22 10:00:00 mx postfix/qmgr[1]: 4F2B11A9: from=<a@b.test>, size=1, nrcpt=1\n"
    code, told = moved.log(text)
    rows = rows_of(told)
    assert code == SAME
    assert told["summary"] == {"asked": 4, "differ": 0, "contradicted": 0,
                               "lines": text.count("\n"), "messages": 7, "bounces": 1,
                               "incomplete": 1, "left_out": 0}
    assert [row["count"] for row in told["senders"] if row["client_name"] == "a.test"] == [2, 1, 1]
    assert rows["x@nobody.test", "198.51.100.9", ""]["opendkim"] == "unsigned"
    people = moved.explain("--mail-log", f"{moved.folder}/mail.log")
    assert people.returncode == SAME
    assert people.stdout == ("4 asked, 0 differ\n7 messages; passed over: 1 bounces, 1 of which the log "
                             "does not say the client or the sender\n")


def test_what_the_log_says_counts_more_than_the_files(moved):
    # The files were changed after that message; inkan does what they say now.
    code, told = moved.log(message("4F2B11A0", "a[192.0.2.1]", "ann@example.com",
                                   ("old", "example.com")))
    row, = told["senders"]
    assert (code, row["same"], row["opendkim"]) == (DIFFERENT, "no", "old@example.com")
    assert row["note"] == "the log says so; by its files: s1@example.com"
    assert told["summary"]["contradicted"] == told["summary"]["differ"] == 1
    # The author was another than the envelope's sender, which is all that Postfix logs.
    code, told = moved.log(message("4F2B11A0", "a[192.0.2.1]", "x@nobody.test",
                                   ("s1", "example.com")))
    assert code == DIFFERENT and told["senders"][0]["inkan"] == "unsigned (no_domain)"
    # inkan does what was done, and it is the files that say something else: shown without --all.
    write(f"{moved.folder}/rules", "*@example.org k2\n")
    text = message("4F2B11A0", "a[192.0.2.1]", "ann@example.com", ("s1", "example.com"))
    code, told = moved.json("--mail-log", "-", stdin=text.encode())
    row, = told["senders"]
    assert (code, row["same"]) == (SAME, "yes") and "by its files: unsigned" in row["note"]
    assert told["summary"]["contradicted"] == 1


def test_what_is_no_log_of_postfix_is_told(moved):
    text = message("4F2B11A0", "a.test[192.0.2.1]", "ann@example.com", ("s1", "example.com"))
    for octets in (gzip.compress(text.encode()), b"Nov 22 10:00:00 mx cron[1]: a\n"):
        answer = moved.explain("--mail-log", "-", stdin=octets)
        assert answer.returncode == SAME
        assert answer.stdout.startswith("0 asked, 0 differ\nnone of ")
        assert "a log that is compressed is unpacked first" in answer.stdout
    assert moved.explain("--mail-log", "-").stdout == "0 asked, 0 differ\n"


def test_a_domain_in_a_list_is_asked_about_as_it_is_written(moved):
    """To OpenDKIM the two forms of a domain are two domains."""
    write(f"{moved.folder}/rules", "*@müller.example k1\n")
    rows = moved.differing("müller.example\nxn--mller-kva.example\n")
    assert rows["somebody@müller.example", "127.0.0.1", ""]["opendkim"] == "s1@example.com"
    assert len(rows) == 1


def test_a_hostile_log_is_read_to_its_end(moved):
    good = message("4F2B11A0", "a.test[192.0.2.1]", "ann@example.com", ("s1", "example.com"))
    bad = (b"\0" * 70000 + b"\n" + b"x" * 1000000 + b"\nNov 22 10:00:00 mx postfix/qmgr[1]: 4F2B11A1: "
           b"from=<a\0b@c.test>, size=1\n\xff\xfe\n\n: : :\n")
    path = f"{moved.folder}/hostile.log"
    with open(path, "wb") as file:
        file.write(bad + good.encode() + bad)
    code, told = moved.json("--mail-log", path, "--all")
    assert code == SAME and told["summary"]["asked"] == told["summary"]["messages"] == 1


def test_an_author_in_another_script_does_no_harm(moved):
    text = message("4F2B11A0", "a.test[192.0.2.1]", "j\xf6rg\u202e@\u4f8b.test")
    code, told = moved.log(text)
    assert code == SAME and told["senders"][0]["author"] == "j\xf6rg\u202e@\u4f8b.test"


# -- a real Postfix and a real OpenDKIM --------------------------------------------------------

SENT = [  # sender, and what XCLIENT says of the client
    ("ann@example.com", {"addr": "192.0.2.7", "name": "a.test"}),
    ("ann@example.com", {"addr": "198.51.100.7"}),
    ("ann@example.com", {"addr": "198.51.100.7", "login": "ann"}),
    ("x@example.org", {"addr": "192.0.2.8", "name": "b.test"}),
    ("bob@example.net", {}),
    ("carl@example.net", {}),
]


# Gives a program a /dev of its own, in which the log is ours.
OWN_DEV = """\
mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 444 /dev/random c 1 8 &&
mknod -m 444 /dev/urandom c 1 9 && ln -s "$0" /dev/log && exec "$@"
"""


class Syslog:
    """What a program writes to /dev/log, as a syslog daemon would keep it."""

    def __init__(self, folder):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"{folder}/syslog")
        self._socket.setblocking(False)
        self.prefix = ["unshare", "-m", "sh", "-c", OWN_DEV, f"{folder}/syslog"]
        self._text = ""

    def allowed(self):
        """Not in every container."""
        return subprocess.run([*self.prefix, "true"], capture_output=True).returncode == 0

    def text(self):
        try:
            while True:
                line = self._socket.recv(65536).decode().rstrip("\0\n")
                self._text += re.sub(r"^<\d+>(.{15}) ", r"\1 mx ", line) + "\n"
        except BlockingIOError:
            return self._text

    def close(self):
        self._socket.close()


@pytest.fixture
def syslog(folder):
    made = Syslog(folder)
    yield made
    made.close()


@pytest.fixture
def opendkim(moved, places, keys, syslog):
    theirs = f"{moved.folder}/opendkim"
    os.mkdir(theirs)
    write_files(theirs, keys)
    daemon = OpenDkim(theirs, SETTINGS.format(moved.folder) + "Syslog yes\nSyslogSuccess yes\n",
                      places.opendkim, syslog.prefix if syslog.allowed() else ())
    yield daemon
    daemon.stop()


def queue_ids(postfix, start):
    """The queue ids of messages that are through, in their order, and the log from there on."""
    text = postfix.logs()[start:]
    gone = re.findall(r"qmgr\[\d+\]: (\w+): removed", text)
    return text, [i for i in re.findall(r"smtpd\[\d+\]: (\w+): client=", text) if i in gone]


def test_the_log_of_a_real_postfix(moved, opendkim, postfix, syslog):
    start = len(postfix.logs())
    said = []
    for sender, client in SENT:
        body = messages.compose(sender.encode())
        delivered = postfix.deliver("opendkim", body, sender=sender, **client)
        said.append([(tags["s"], tags["d"]) for tags in signatures_of(delivered)])
    assert [len(signatures) for signatures in said] == [1, 0, 1, 1, 1, 0]
    wait_for("Postfix is through", lambda: len(queue_ids(postfix, start)[1]) == len(SENT))
    text, ids = queue_ids(postfix, start)
    made = [f"{i}: DKIM-Signature field added (s={s}, d={d})" for i, signatures in zip(ids, said)
            for s, d in signatures]
    if syslog.allowed():
        lines = syslog.text()
        assert re.findall(r"^.{15} mx opendkim\[\d+\]: (.* field added .*)$", lines, re.M) == made
    else:
        print("no mount namespaces here: OpenDKIM's lines are made of what it did")
        lines = "".join(f"Nov 22 10:00:00 mx opendkim[1]: {line}\n" for line in made)
    for log in (text, lines + text):
        code, told = moved.log(log)
        assert code == SAME, told
        rows = rows_of(told)
        assert len(rows) == len(SENT) and told["summary"]["contradicted"] == 0
        assert rows["ann@example.com", "198.51.100.7", "ann"]["inkan"] == "s1@example.com"
        assert rows["x@example.org", "192.0.2.8", ""]["opendkim"] == "s2@example.org"
        assert rows["carl@example.net", "127.0.0.1", ""]["opendkim"] == "unsigned"
    write(f"{moved.folder}/rules", "*@example.com k1\n")
    code, told = moved.json("--mail-log", f"{moved.folder}/mail.log")
    assert code == SAME and told["summary"]["contradicted"] == 2
    moved.inkan.ok("domain", "suspend", "example.org")
    code, told = moved.json("--mail-log", f"{moved.folder}/mail.log")
    assert code == DIFFERENT
    assert [row["author"] for row in told["senders"] if row["same"] == "no"] == ["x@example.org"]
