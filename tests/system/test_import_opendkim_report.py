# SPDX-License-Identifier: Apache-2.0
"""`inkan import opendkim` as a command: what it says of each place where OpenDKIM reads something
else than its user may have meant, and what it does to a store, whatever happens meanwhile."""

import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import time
from types import SimpleNamespace

import pytest

from inkan import BUILD, PATIENCE, SANITIZER_ENV
from nameservers import Bind, Unbound
from postgres import Postgres
from process import free_port
from takeover import Move, line_of, move, notes
from test_import import state
from test_opendkim_model import KEYS, PATTERNS, SIMPLE, TABLES, fill, material, place, write_files

assert material and move and place  # fixtures
DONE, NO, INVALID, CONFLICT, TEMPORARY = 0, 1, 2, 3, 75
MANY = 2000


def configure(move, settings, **files):
    write_files(files, move.place)
    return move.configure(fill(settings, move.place))


# -- surprises --------------------------------------------------------------------------------

HOSTS = SIMPLE + "InternalHosts refile:{dir}/hosts\n"
PLAIN_HOSTS = SIMPLE + "InternalHosts file:{dir}/hosts\n"
CONF = "import.conf"

# Settings, files, what is told: (grade, file, line, words). A line of settings is told by how it
# begins.
SURPRISES = {
    "a line that is cut": (TABLES, {"keys": "k1 example.com:s1:{b64long}\n", "rules": "example.com k1\n"}, [
        ("changed", "keys", 1, "cuts it after 1023")]),
    "# in a line": (TABLES, {"keys": KEYS, "rules": "example.com k1\nann#1@example.com k1\n"}, [
        ("notice", "rules", 2, "# ends a line wherever it stands"), ("refused", "rules", 2, "no value")]),
    "white space before a pattern": (PATTERNS, {"keys": KEYS, "rules": "*@example.org k2\n *@example.com k1\n"}, [
        ("notice", "rules", 2, "begins with white space")]),
    "a pattern without a value": (PATTERNS, {"keys": KEYS, "rules": "*@example.com\n"}, [
        ("refused", "rules", 1, "OpenDKIM crashes when a message matches")]),
    "an empty value": (PATTERNS, {"keys": KEYS, "rules": "*@example.com \n"}, [
        ("refused", "rules", 1, "the value is empty")]),
    "regular expressions": (PATTERNS, {"keys": KEYS, "rules": "(ann|bob)@example.com k1\nc?d@example.com k1\n"
                                       "[xy]@example.com k1\n"}, [
        ("refused", "rules", n, "is a regular expression") for n in (1, 2, 3)]),
    "a pattern that others' domains match": (PATTERNS, {"keys": KEYS, "rules": "*example.com k1\n"}, [
        ("notice", "rules", 1, "matches user@notexample.com as well"),
        ("changed", "rules", 1, "others' as well")]),
    "* within a name": (PATTERNS, {"keys": KEYS, "rules": "*@mail*.example.com k1\na*@example.com k1\n"}, [
        ("refused", "rules", n, "has a * that no pattern here can have") for n in (1, 2)]),
    "a pattern in a list of hosts": (HOSTS, {"hosts": "127.0.0.1\n*.example.com\n"}, [
        ("changed", "hosts", 2, "let nobody in")]),
    "a pattern in a file of hosts": (PLAIN_HOSTS, {"hosts": "*.example.com\n"}, [
        ("changed", "hosts", 1, "matched nobody")]),
    "bits behind the prefix": (PLAIN_HOSTS, {"hosts": "127.0.0.1\n192.168.0.1/24\n"}, [
        ("changed", "hosts", 2, "there are bits behind the prefix")]),
    "a netmask": (PLAIN_HOSTS, {"hosts": "192.0.2.0/255.255.255.0\n"}, [
        ("changed", "hosts", 1, "only lengths of prefixes")]),
    "a pattern in a file of rules": (TABLES, {"keys": KEYS, "rules": "example.org k2\n*@example.com k1\n"}, [
        ("refused", "rules", 2, "import again with --signing-table refile:/")]),
    "a key that is not there": (TABLES, {"keys": KEYS, "rules": "example.com K1\n"}, [
        ("refused", "rules", 1, "names the key K1, which is not in")]),
    "spaces beside colons": (TABLES, {"keys": "k1 example.com : s1 : {dir}/rsa.pem\n", "rules": "example.com k1\n"}, [
        ("refused", "keys", 1, "white space beside a colon"), ("refused", "rules", 1, "does not sign")]),
    "a relative name": (TABLES, {"keys": "k1 example.com:s1:keys/rsa.pem\n", "rules": "example.com k1\n"}, [
        ("refused", "keys", 1, "begins neither with / nor with ./"), ("refused", "rules", 1, "does not sign")]),
    "% in a selector": (TABLES, {"keys": "any %:s%:{dir}/rsa.pem\n", "rules": "* any\n"}, [
        ("refused", "keys", 1, "% in a selector is not replaced")]),
    "% in a file of a domain": (TABLES, {"keys": "any rsa:s1:{dir}/%.pem\n", "rules": "* any\n"}, [
        ("notice", "keys", 1, "replaced by rsa, not by the author's domain")]),
    "a line twice": (TABLES, {"keys": KEYS, "rules": "example.com k1\nexample.com k2\n"}, [
        ("notice", "rules", 2, "stands in line 1 already")]),
    "a line that another forestalls": (PATTERNS, {"keys": KEYS, "rules": "*@example.com k1\nann@example.com k2\n"}, [
        ("notice", "rules", 2, "never counts")]),
    "a pattern twice": (PATTERNS, {"keys": KEYS, "rules": "*@example.com k1\n*@example.com k2\n"}, [
        ("taken", "rules", 1, "s=s1"), ("notice", "rules", 2, "the line with the key k2 never counts")]),
    "a signer of a domain that is none": (
        TABLES, {"keys": KEYS, "rules": "example.com k1:x@-a.example.com\n"}, [
            ("changed", "rules", 1, "now there is none"), ("taken", "rules", 1, "d=example.com")]),
    "an Ed25519 key in the table": (TABLES, {"keys": "k1 example.com:s1:{b64ed25519}\n", "rules": "example.com k1\n"}, [
        ("refused", "keys", 1, "Ed25519 key that stands in the table"), ("refused", "rules", 1, "does not sign")]),
    "a fourth part": (TABLES, {"keys": "k1 example.com:s1:{dir}/rsa.pem:rsa-sha256\n", "rules": "example.com k1\n"}, [
        ("changed", "keys", 1, "knows no fourth part"), ("refused", "rules", 1, "cannot be reached")]),
    "an unsafe key": ("RequireSafeKeys yes\n" + TABLES, {"keys": KEYS, "rules": "example.com k1\n"}, [
        ("notice", "rsa.pem", 0, "RequireSafeKeys: /tmp: can be written by others")]),
    "a key that is none, in an unsafe place": (TABLES, {"keys": "k1 example.com:s1:{dir}/garbage.pem\n",
                                                        "rules": "example.com k1\n"}, [
        ("refused", "rules", 1, "not a private key that OpenDKIM can read")]),
    "a crowd": (TABLES, {"keys": KEYS, "rules": "".join(f"u{n}@example.org k1\n" for n in range(10001))}, [
        ("changed", "", 0, "example.org: gets 10001 rules")]),
    "a name in UTF-8": (PATTERNS, {"keys": KEYS, "rules": "*@müller.test k1\n"}, [
        ("changed", "rules", 1, "xn--mller-kva.test: signed with s=s1 d=example.com, whichever form")]),
    "a name in UTF-8 in a file of rules": (TABLES, {"keys": KEYS, "rules": "müller.test k1\nexample.com k1\n"}, [
        ("notice", "rules", 1, "in ASCII only"), ("taken", "rules", 2, "example.com")]),
    "both forms of a name": (PATTERNS, {"keys": KEYS, "rules": "*@müller.test k1\n*@xn--mller-kva.test k2\n"
                                        "*@xn--grn-ioa.test k1\n*@grün.test k2\n"}, [
        ("changed", "rules", 1, "müller.test: is xn--mller-kva.test, for which another line says who signs"),
        ("taken", "rules", 2, "s=s2 d=example.org"), ("taken", "rules", 3, "s=s1 d=example.com"),
        ("changed", "rules", 4, "grün.test: is xn--")]),
    "a name in UTF-8 that is none": (PATTERNS, {"keys": KEYS, "rules": "*@a\u202eb.test k1\n"}, [
        ("refused", "rules", 1, "")]),
    "a key of a name in UTF-8": (PATTERNS, {"keys": "k1 müller.test:s1:{dir}/rsa.pem\n", "rules": "*@example.com k1\n"}, [
        ("refused", "rules", 1, "OpenDKIM crashes")]),
    "a signer that is no address": (TABLES, {"keys": KEYS, "rules": "example.org k2\nexample.com k1:%\n"}, [
        ("notice", "rules", 2, "OpenDKIM signs nothing for this line: the signer example.com is no address")]),
    "a key that is too small, and mail that passes": (
        TABLES + "On-SignatureError accept\n",
        {"keys": KEYS + "k3 example.net:s3:{dir}/small.pem\n", "rules": "example.com k1\nexample.org k2\n"
         "example.net k3\n"}, [
            ("notice", "rules", 3, "OpenDKIM signs nothing for this line: key k3: 512 bits")]),
    "a key that no line names": (TABLES, {"keys": KEYS + "k3 example.com:s3:{dir}/rsa.pem\n", "rules": "example.com k1\n"
                                          "example.org k2\n"}, [
        ("notice", "keys", 3, "KeyTable: k3: no row of SigningTable names it")]),
    "a pattern for keys that no line names": (
        "Mode s\nKeyTable refile:{dir}/keys\nSigningTable {dir}/rules\n",
        {"keys": "a* example.com:s1:{dir}/rsa.pem\nb* example.org:s2:{dir}/rsa.pem\n", "rules": "example.com ann\n"}, [
            ("notice", "keys", 2, "KeyTable: b*: no row of SigningTable names it")]),
    "@host in a file of rules": (TABLES, {"keys": KEYS, "rules": "example.org k2\n@example.com k1\n"}, [
        ("refused", "rules", 2, "never for @host; if it is meant so, write the host without the @")]),
    "@host in patterns": (PATTERNS, {"keys": KEYS, "rules": "@example.com k1\n"}, [
        ("notice", "rules", 1, "never matched anybody, because an author has something before the @")]),
    "two keys of one selector": (PATTERNS, {
        "keys": "k1 example.com:s1:{dir}/rsa.pem\nk2 example.com:s1:{b64short}\n",
        "rules": "bob@example.com k2\n*@example.com k1\n"}, [
            ("refused", "rules", 2, "another key has the selector s1")]),
    "quotes": (TABLES, {"keys": KEYS, "rules": "\"ann\"@example.com k1\n"}, [
        ("refused", "rules", 1, "has a quoted local part")]),
    "settings of old": (SIMPLE + "LocalADSP /etc/adsp\nADSPAction continue\nLDAPSoftStart yes\n", {}, [
        ("notice", CONF, "LocalADSP", "ADSP (RFC 5617) is historic"),
        ("notice", CONF, "ADSPAction", "ADSP (RFC 5617) is historic"),
        ("notice", CONF, "LDAPSoftStart", "called SoftStart in 2.11")]),
    "macros": (SIMPLE + "MacroList daemon_name=A,auth_authen=bob\n", {}, [
        ("changed", CONF, "MacroList", "only {daemon_name} and logins")]),
    "any daemon": (SIMPLE + "MTA B\nMacroList daemon_name\n", {}, [
        ("refused", CONF, "MacroList", "daemon_name without a value lets every daemon sign")]),
    "a daemon that cannot be listed": (SIMPLE + "MacroList csl:daemon_name=A:B\n", {}, [
        ("refused", CONF, "MacroList", "A:B holds a colon")]),
    "who asks directories": (SIMPLE + "LDAPAuthName a\nLDAPAuthRealm b\nLDAPAuthUser c\n", {}, [
        ("taken", CONF, "LDAPAuthName", "is taken over"),
        ("changed", CONF, "LDAPAuthRealm", "asked without a realm"),
        ("changed", CONF, "LDAPAuthUser", "asked as LDAPAuthName itself")]),
    "a password behind a mistyped name": (SIMPLE + "LDAPBindPassword=x\n", {}, [
        ("unknown", CONF, "LDAPBindPassword", "LDAPBindPassword: not a setting"),
        ("refused", "", 0, "OpenDKIM does not start with this")]),
    "an entry with a comma": (PLAIN_HOSTS, {"hosts": "192.0.2.1,192.0.2.2\n"}, [
        ("changed", "hosts", 1, "no address and no name has a comma")]),
    "scripts": (SIMPLE + "ScreenPolicyScript /etc/screen.lua\n", {}, [
        ("refused", CONF, "ScreenPolicyScript", "scripts are not run")]),
    "verifying": (SIMPLE + "Mode sv\nOn-BadSignature reject\n", {}, [
        ("changed", CONF, "Mode", "keep OpenDKIM for verifying"),
        ("notice", CONF, "On-BadSignature", "matters only to verifying")]),
    "an old algorithm": (SIMPLE + "SignatureAlgorithm rsa-sha1\n", {}, [
        ("changed", CONF, "SignatureAlgorithm", "rsa-sha1 is not made here")]),
    "domains beside a table": (TABLES + "Domain *\nKeyFile {dir}/rsa.pem\nSelector s1\nSubDomains yes\n",
                               {"keys": KEYS, "rules": "example.com k1\nexample.org k2\n"}, [
        ("notice", CONF, "Domain", "does not ask for it beside a KeyTable"),
        ("notice", CONF, "KeyFile", "does not ask for it"), ("notice", CONF, "Selector", "does not ask for it"),
        ("notice", CONF, "SubDomains", "does not ask for it")]),
    "every domain": (SIMPLE + "Domain *\n", {}, [("changed", CONF, "Domain", "--domains")]),
    "an unknown setting": (SIMPLE + "SignatureTTTL 1\n", {}, [
        ("unknown", CONF, "SignatureTTTL", "not a setting (is SignatureTTL meant?)"),
        ("refused", "", 0, "OpenDKIM does not start with this")]),
    "a setting without a value": (SIMPLE + "Diagnostics\n", {}, [
        ("unknown", CONF, "Diagnostics", "has no value"),
        ("refused", "", 0, "OpenDKIM does not start with this")]),
    "a setting twice": (SIMPLE + "Selector s2\n", {}, [("notice", CONF, "Selector s1", "the last line counts")]),
}


@pytest.mark.parametrize("name", SURPRISES)
def test_a_surprise_is_told(name, move):
    settings, files, expected = SURPRISES[name]
    answer = configure(move, settings, **files).run()
    assert answer.report is not None, answer.stderr
    told = notes(answer.report)
    for grade, file, line, words in expected:
        number = line_of(move.conf, line) if isinstance(line, str) else line
        assert [note for note in told if note[:3] == (grade, file, number) and words in note[3]], (
            grade, file, number, words, told)
    refused = [note for note in told if note[0] == "refused"]
    assert bool(refused) == any(grade == "refused" for grade, *_ in expected), refused
    assert answer.returncode == (NO if refused else DONE)
    assert "inkan-import-stranger" not in answer.stdout


def test_a_long_line_is_told_once(move):
    """That OpenDKIM cuts it, and what becomes of it; there is a value, though OpenDKIM sees none."""
    configure(move, PATTERNS, keys=KEYS, rules=f"*@example.com{' ' * 1100}k1\n*@example.org k2\n")
    answer = move.run()
    told = [note for note in notes(answer.report) if note[1:3] == ("rules", 1)]
    assert answer.returncode == DONE and [note[0] for note in told] == ["changed", "taken"], told


def test_a_line_that_falls_back_on_a_wider_one(move):
    """It is signed for by OpenDKIM; that is not denied."""
    configure(move, PATTERNS, keys="k1 example.com:s1:{dir}/rsa.pem\nk2 example.com:s1:{dir}/other.pem\n",
              rules="*@example.com k1\nbob@example.net k2\n*@example.net k1\n")
    subprocess.run(["openssl", "genrsa", "-out", f"{move.folder}/other.pem", "2048"], check=True, capture_output=True)
    answer = move.run()
    told = [note for note in notes(answer.report, "changed", "refused") if note[1:3] == ("rules", 2)]
    assert answer.returncode == NO and len(told) == 2, told
    assert not any("is not signed for by OpenDKIM" in note[3] for note in told)


def test_many_keys_that_no_line_names(move):
    configure(move, PATTERNS, keys=KEYS + "".join(f"o{n} d{n}.test:s1:/none\n" for n in range(1500)),
              rules="*@example.com k1\n*@example.org k2\n")
    answer = move.run()
    told = [note[3] for note in notes(answer.report, "notice") if "no row of SigningTable names" in note[3]]
    assert answer.returncode == DONE and len(told) == 1001
    assert told[-1].startswith("KeyTable: no row of SigningTable names 500 more of its rows")


def test_the_way_out_that_is_named_for_a_pattern_in_a_file(move):
    configure(move, TABLES, keys=KEYS, rules="*@example.com k1\n")
    (_, _, _, text), = notes(move.run().report, "refused")
    answer = move.run("--yes", *re.search("(--signing-table) (.*)$", text).groups())
    assert answer.returncode == DONE and [key["domain"] for key in move.inkan.json("key", "list")] == ["example.com"]


# -- a rehearsal, and the real thing ----------------------------------------------------------

TWO = "*@example.com k1\n*@example.org k2\nann@example.net k1:@example.com\n"


def whole_state(inkan):
    """All that an import could change, but for times."""
    rules = [{k: v for k, v in rule.items() if k not in ("created", "updated", "version", "id")}
             for rule in inkan.json("rule", "list")]
    return (*state(inkan), inkan.json("tenant", "list") and [t["name"] for t in inkan.json("tenant", "list")],
            sorted(rules, key=str))


def octets(path):
    with open(path, "rb") as file:
        return file.read()


def test_a_rehearsal_changes_nothing(move):
    configure(move, PATTERNS, keys=KEYS, rules=TWO)
    before = octets(move.inkan.database)
    answer = move.run("--write-conf", move.written)
    assert (answer.returncode, answer.stderr) == (DONE, "")
    report = answer.report
    assert report["dry_run"] is True and not os.path.exists(move.written)
    assert (report["keys"], report["rules"], report["added"], report["failed"]) == (2, 1, 2, 0)
    assert octets(move.inkan.database) == before
    assert move.inkan.json("tenant", "list") == []
    people = move.inkan.ok("import", "opendkim", "--tenant", "acme", "--config", move.conf)
    assert "2 keys and 1 rules: 2 would be added" in people and "--yes does it" in people


def test_what_was_rehearsed_is_done_once(move):
    configure(move, PATTERNS, keys=KEYS, rules=TWO)
    rehearsed = move.run().report
    done = move.run("--yes", "--write-conf", move.written).report
    assert {**done, "dry_run": True} == rehearsed
    assert done["conf"] == octets(move.written).decode()
    after = whole_state(move.inkan)
    assert after[2] == ["acme"] and len(after[3]) == 1
    again = move.run("--yes").report
    assert (again["added"], again["existed"], again["failed"]) == (0, 2, 0)
    assert whole_state(move.inkan) == after
    assert move.run().report["existed"] == 2


def test_the_report_in_json(move):
    configure(move, PATTERNS, keys=KEYS, rules=TWO)
    report = move.run().report
    assert set(report) == {"dry_run", "keys", "rules", "added", "existed", "failed", "taken", "changed",
                           "refused", "unverifiable", "unknown", "notice", "conf", "notes", "key_list", "rule_list"}
    for grade in ("taken", "changed", "refused", "unverifiable", "unknown", "notice"):
        assert report[grade] == len(notes(report, grade))
    assert all(set(note) == {"grade", "file", "line", "text"} for note in report["notes"])
    assert [key["domain"] for key in report["key_list"]] == ["example.com", "example.org"]
    assert report["rule_list"] == [{"pattern": "ann@example.net", "domain": "example.com", "selector": "",
                                    "identity": "@example.com"}]


def test_settings_that_are_written(move):
    configure(move, SIMPLE + "Canonicalization Relaxed/Simple\nSignatureTTL 86400\nUMask 007\n"
              "OversignHeaders From,To\nSignHeaders From,To,Subject\nMTA MSA\nUserID nobody:nogroup\n"
              "SoftwareHeader yes\nInternalHosts 127.0.0.1,192.0.2.0/24,.example.com\n")
    assert move.run("--yes", "--write-conf", move.written).returncode == DONE
    text = octets(move.written).decode()
    for line in (f"listen = inet:{move.port}@127.0.0.1", "mode = s", "socket_mode = 0770", "canonicalization = relaxed/simple", "headers = from, to, subject",
                 "expiry = 1d", "software_header = yes", "daemon_names = MSA", "tenant_check = log",
                 "internal_hosts = 127.0.0.1, 192.0.2.0/24, .example.com",
                 f"url = sqlite:{move.inkan.database}"):
        assert re.search(rf"^{re.escape(line)}$", text, re.I | re.M), (line, text)
    move.inkan.conf = move.written
    move.inkan.ok("conf", "check")
    assert os.stat(move.written).st_mode & 0o777 == 0o600


def written_settings(move):
    """{section.key: value}, as they are read from the file that was written."""
    shown = subprocess.run([f"{BUILD}/inkan", "-c", move.written, "--json", "conf", "show"], capture_output=True,
                           text=True, env=SANITIZER_ENV, check=False)
    assert shown.returncode == DONE, shown.stderr
    return {f"{row['section']}.{row['key']}": row["value"] for row in json.loads(shown.stdout)}


def test_the_user_stays_who_can_open_the_store(move):
    """Together with the group, whatever UserID says."""
    for user, group in (("nobody", "nogroup"), ("nobody", None), (None, None)):
        move.inkan.configure(server__user=user, server__group=group)
        configure(move, SIMPLE + "UserID opendkim:mail\n")
        report = move.run("--yes", "--write-conf", move.written).report
        settings = written_settings(move)
        assert (settings["server.user"], settings["server.group"]) == (user or "", group or "")
        number = line_of(move.conf, "UserID")
        assert ("changed", CONF, number, "UserID: is different here: server.user stays, for it is who can open "
                "the store") in notes(report)
        os.unlink(move.written)


def test_a_unix_socket_is_in_other_hands(move):
    for socket, path in (("local:{dir}/a.sock",) * 2, ("unix:{dir}/a.sock",) * 2, ("{dir}/a.sock",) * 2,
                         (":{dir}/a.sock",) * 2):
        configure(move, SIMPLE + f"Socket {socket}\n")
        report = move.run("--yes", "--write-conf", move.written).report
        assert written_settings(move)["server.listen"] == f"unix:{move.folder}/a.sock", path
        assert [note for note in notes(report, "changed") if "the socket's group is that of server.group" in note[3]]
        os.unlink(move.written)


PRESENT = {
    "sign.canonicalization": ("relaxed/relaxed", "simple/simple"), "sign.headers": ("From, Subject", None),
    "sign.oversign": ("Subject", ""), "sign.expiry": ("3d", "0"), "sign.author": ("from,sender,envelope", "from"),
    "sign.software_header": ("yes", "no"), "sign.on_store_error": ("accept", "tempfail"),
    "trust.internal_hosts": ("192.0.2.0/24", "127.0.0.1, ::1"), "trust.authenticated": ("no", "yes"),
    "trust.daemon_names": ("ORIG", ""), "trust.tenant_check": ("off", "log"),
    "trust.internal_is_provider": ("no", "yes"), "trust.exempt": ("192.0.2.1", ""),
}
KEPT = {"sign.provider_domain": "example.net", "trust.shadow": "internal_is_provider = no",
        "sign.max_header_count": "100"}


def test_what_decides_about_signing_is_as_opendkim_has_it(move):
    """The present settings say of all of it something else, opendkim.conf nothing."""
    for name, value in {**{name: mine for name, (mine, _) in PRESENT.items()}, **KEPT}.items():
        move.inkan.configure(**{name.replace(".", "__"): value})
    report = configure(move, SIMPLE).run("--yes", "--write-conf", move.written).report
    settings = written_settings(move)
    told = {re.match(r"\[(\w+)\] (\w+)", note[3]).expand(r"\1.\2"): note for note in notes(report, "changed")
            if note[1] == "inkan.conf"}
    assert set(told) == {*PRESENT, *KEPT}
    for name, (mine, theirs) in PRESENT.items():
        assert f'the present value "{mine}" is not what OpenDKIM does, and is replaced' in told[name][3]
        assert told[name][1:3] == ("inkan.conf", line_of(move.inkan.conf, name.partition(".")[2] + " ="))
        assert theirs is None or settings[name] == theirs, name
    for name, value in KEPT.items():
        assert settings[name] == value and "OpenDKIM has nothing like it" in told[name][3], name
    assert move.run().report["conf"] == octets(move.written).decode()


def test_what_is_the_same_already_is_not_told(move):
    move.inkan.configure(sign__expiry="60m", trust__internal_hosts="127.0.0.1,::1", sign__headers="From,To")
    report = configure(move, SIMPLE + "SignatureTTL 3600\nSignHeaders From, To\n").run().report
    assert [note for note in notes(report, "changed") if note[1] != CONF] == []


# What OpenDKIM may have and no setting here can: the setting, and what of it is told.
IMPOSSIBLE = {
    "SyslogFacility none": "log.facility", "SignatureTTL 99999999999": "sign.expiry", "SignatureTTL -5": "sign.expiry",
    "Socket inet:99999@localhost": "server.listen", "Socket inet:no-such-service@localhost": "server.listen",
    "Socket inet:0@localhost": "server.listen", "Socket 8891": "server.listen", "Socket foo": "server.listen",
    "Socket local:foo": "server.listen", "Socket foo:/bar": "server.listen", "SignHeaders a b c": "sign.headers",
    "OversignHeaders From,Bogus:Name": "sign.oversign", "Canonicalization nowsp": "sign.canonicalization",
}


@pytest.mark.parametrize("line", IMPOSSIBLE)
def test_a_value_that_no_setting_can_have_is_refused(line, move):
    configure(move, SIMPLE + line + "\n")
    answer = move.run("--yes", "--write-conf", move.written)
    section, _, key = IMPOSSIBLE[line].partition(".")
    assert answer.returncode == NO, answer.report
    texts = [note[3] for note in notes(answer.report, "refused") if note[1:3] == (CONF, line_of(move.conf, line))]
    assert [text for text in texts if text.endswith(f"; [{section}] {key} stays as it is")], notes(answer.report)
    checked = subprocess.run([f"{BUILD}/inkand", "-c", move.written, "--check"], capture_output=True, check=False)
    assert checked.returncode == DONE, checked.stderr
    if key == "listen":
        assert written_settings(move)["server.listen"] == move.inkan.settings["server.listen"]


@pytest.mark.parametrize("lines, action", [
    ("", "tempfail"), ("On-Default accept\n", "accept"), ("On-Default accept\nOn-InternalError t\n", "tempfail"),
    ("On-InternalError accept\n", "accept"), ("On-Default reject\n", "tempfail")])
def test_what_becomes_of_mail_whose_keys_cannot_be_had(lines, action, move):
    configure(move, SIMPLE + lines)
    assert move.run("--yes", "--write-conf", move.written).returncode == DONE
    assert written_settings(move)["sign.on_store_error"] == action


def test_a_port_may_be_the_name_of_a_service(move):
    configure(move, SIMPLE + "Socket inet:smtp\n")
    assert move.run("--yes", "--write-conf", move.written).returncode == DONE
    assert written_settings(move)["server.listen"] == "inet:25@0.0.0.0"


def test_lists_of_fields_in_tables(move):
    configure(move, SIMPLE + "SignHeaders file:{dir}/sign\nOmitHeaders {dir}/omit\nOverSignHeaders file:{dir}/over\n"
              "SenderHeaders file:{dir}/senders\n", sign="From\nSubject\nX-Mine\nDate\n", omit="subject\n",
              over="From\nTo\n", senders="Sender\nFrom\n")
    answer = move.run("--yes", "--write-conf", move.written)
    assert answer.returncode == DONE, answer.report
    settings = written_settings(move)
    assert (settings["sign.headers"], settings["sign.oversign"], settings["sign.author"]) == (
        "From, X-Mine, Date", "From, To", "from,sender")


@pytest.mark.parametrize("setting, files, words", [
    ("SignHeaders refile:{dir}/sign", {"sign": "X-*\n"}, "is a table of patterns"),
    ("SignHeaders file:{dir}/sign", {"sign": "From\nX:Y\n"}, "X:Y"),
    ("OverSignHeaders csl:From,(x):", {}, "(x):")])
def test_settings_that_would_not_load_stay_as_they_are(setting, files, words, move):
    configure(move, SIMPLE + setting + "\n", **files)
    answer = move.run("--yes", "--write-conf", move.written)
    assert answer.returncode == NO, answer.report
    (_, name, _, text), = notes(answer.report, "refused")
    assert name == CONF and words in text, text
    assert words not in str(written_settings(move))


def test_hosts_that_a_server_does_not_list(postgres, move):
    configure(move, SIMPLE + f"InternalHosts dsn:pgsql://postgres:none@{postgres.port}+127.0.0.1/inkan/table=hosts"
              "?keycol=name?datacol=value\n")
    before = whole_state(move.inkan)
    answer = move.run("--yes")
    assert answer.returncode == TEMPORARY and answer.stderr.startswith("inkan: InternalHosts: dsn:"), answer.stderr
    assert whole_state(move.inkan) == before


def test_settings_are_never_written_over(move):
    configure(move, PATTERNS, keys=KEYS, rules=TWO)
    with open(move.written, "w", encoding="ascii") as file:
        file.write("mine\n")
    for options in (["--yes"], []):
        answer = move.run(*options, "--write-conf", move.written)
        assert answer.returncode == CONFLICT
        assert answer.stderr == f"inkan: --write-conf: {move.written}: is there already and is not written over\n"
    assert octets(move.written) == b"mine\n" and move.inkan.json("domain", "list") == []
    os.unlink(move.written)
    os.symlink("/nowhere/else", move.written)
    assert move.run("--yes", "--write-conf", move.written).returncode == CONFLICT


def test_where_settings_cannot_be_written_is_known_before_anything_is(move, monkeypatch):
    configure(move, PATTERNS, keys=KEYS, rules=TWO)
    for options in (["--yes"], []):
        for place, fault in (("none/inkan.conf", "No such file or directory"),
                             ("rsa.pem/inkan.conf", "Not a directory")):
            answer = move.run(*options, "--write-conf", f"{move.folder}/{place}")
            assert answer.returncode == INVALID, answer
            assert answer.stderr == f"inkan: --write-conf: {move.folder}/{place}: {fault}\n"
            assert answer.stdout == "" and move.inkan.json("domain", "list") == []
    monkeypatch.chdir(move.folder)
    assert move.run("--yes", "--write-conf", "written.conf").returncode == DONE
    assert os.path.exists(move.written)


def test_a_tenant_for_each_domain(move):
    configure(move, PATTERNS, keys=KEYS, rules=TWO)
    report = move.run("--yes", tenant="%").report
    assert report["failed"] == 0
    assert {d["name"]: d["tenant"] for d in move.inkan.json("domain", "list")} == {
        "example.com": "example.com", "example.org": "example.org"}


def test_no_private_key_is_ever_shown(move):
    configure(move, PATTERNS + "LDAPBindPassword secret-word\n", keys=KEYS
              + "k3 example.net:s3:{b64short}\nk4 example.net:s4:{b64long}\nk5 example.net:s5:MIIgarbage\n",
              rules=TWO + "".join(f"{u}@example.net k{n}\n" for n, u in ((3, "c"), (4, "d"), (5, "e"))))
    secrets = {"secret-word", "MIIgarbage"}
    for name in ("b64short", "b64long"):
        secrets |= {move.place[name][i:i + 40] for i in range(0, 400, 40)}
    body = octets(f"{move.folder}/rsa.pem").decode().splitlines()[1:-1]
    for options in ([], ["--yes", "--write-conf", move.written]):
        for json in (["--json"], []):
            answer = move.inkan.run(*json, "import", "opendkim", "--tenant", "acme", "--config", move.conf,
                                    *(options if json or not options else options[:1]))
            assert not [s for s in [*secrets, *body] if s in answer.stdout + answer.stderr]
    assert not [s for s in [*secrets, *body] if s in octets(move.written).decode()]


SECRET = "dsn:{}://user:topsecret@{}/db/table=t?keycol=a?datacol="


@pytest.mark.parametrize("tables", [
    ("csl:k1=example.com:s1:MIItopsecret,k2=example.org:s2:topsecret", "example.com=k1,example.org=k2"),
    (SECRET.format("pgsql", "1+localhost") + "b,c,d", SECRET.format("pgsql", "1+localhost") + "b"),
    (SECRET.format("sqlite3", "none.") + "b,c,d", SECRET.format("sqlite3", "none.") + "b"),
    (SECRET.format("mysql", "localhost"), "dsn:nonsense://user:topsecret@localhost/db"),
], ids=["csl", "pgsql", "sqlite3", "broken"])
def test_no_secret_in_a_setting_is_ever_shown(move, tables):
    configure(move, f"BaseDirectory {{dir}}\nMode s\nKeyTable {tables[0]}\nSigningTable {tables[1]}\n")
    for json in (["--json"], []):
        answer = move.inkan.run(*json, "import", "opendkim", "--tenant", "acme", "--config", move.conf, "--yes")
        assert answer.returncode != DONE and answer.stderr
        assert "topsecret" not in answer.stdout + answer.stderr


# -- conflicts --------------------------------------------------------------------------------

def test_what_others_have_stays_theirs(move):
    """One domain is another tenant's, one selector has another key, one rule says something else;
    the rest is done."""
    rules = "".join(f"*@{d} {d}\n" for d in ("theirs.test", "other-key.test", "good.test")) + (
        "ann@elsewhere.test good.test\nbob@elsewhere.test good.test\n")
    keys = "".join(f"{d} {d}:s1:{{dir}}/rsa.pem\n" for d in ("theirs.test", "other-key.test", "good.test"))
    configure(move, PATTERNS, keys=keys, rules=rules)
    inkan = move.inkan
    for tenant in ("acme", "globex"):
        inkan.ok("tenant", "add", tenant)
    inkan.add_domain("theirs.test", "globex", ("ed25519-sha256",))
    inkan.ok("domain", "add", "other-key.test", "--tenant", "acme", "--no-key")
    inkan.ok("key", "new", "other-key.test", "--selector", "s1", "--activate")
    key = inkan.json("key", "show", "other-key.test", "s1")
    for options in ([], ["--yes"]):
        answer = move.run(*options)
        assert answer.returncode == NO
        report = answer.report
        assert (report["added"], report["existed"], report["failed"]) == (1, 0, 1), report
        texts = [note[3] for note in notes(report, "refused")]
        assert any("theirs.test" in text and "belongs to tenant globex" in text for text in texts)
        assert any("other-key.test s1" in text and "with another value" in text for text in texts)
        assert len(texts) == 2
    assert inkan.json("key", "show", "other-key.test", "s1") == key
    assert {d["name"]: d["tenant"] for d in inkan.json("domain", "list")} == {
        "theirs.test": "globex", "other-key.test": "acme", "good.test": "acme"}
    assert {r["pattern"] for r in inkan.json("rule", "list")} == {"ann@elsewhere.test", "bob@elsewhere.test"}


def test_a_rule_that_says_something_else(move):
    configure(move, PATTERNS, keys=KEYS, rules=TWO)
    inkan = move.inkan
    assert move.run("--yes").returncode == DONE
    inkan.ok("rule", "remove", "ann@example.net", "--domain", "example.com")
    inkan.ok("rule", "add", "ann@example.net", "--domain", "example.com", "--identity", "x@example.com")
    before = whole_state(inkan)
    answer = move.run("--yes")
    assert answer.returncode == NO
    assert any("ann@example.net" in note[3] for note in notes(answer.report, "refused")), answer.report
    assert whole_state(inkan) == before


def test_a_key_that_signed_here_retires_and_that_is_told(move):
    """Of the two keys of a domain one can sign; a reserved one is in nobody's way."""
    configure(move, PATTERNS, keys=KEYS, rules="*@example.com k1\nann@example.net k2\n")
    inkan = move.inkan
    inkan.ok("tenant", "add", "acme")
    for domain in ("example.com", "example.org"):
        inkan.ok("domain", "add", domain, "--tenant", "acme", "--no-key")
        inkan.ok("key", "new", domain, "--selector", "old", "--activate", "--algorithm", "rsa-sha256")
    told = [("changed", "", 0, "example.com: had an active key here already, which retires for the imported one, s1")]
    for options in ([], ["--yes"]):
        answer = move.run(*options)
        assert answer.returncode == DONE, answer.report
        assert [n for n in notes(answer.report, "changed") if "active key" in n[3]] == told
        assert answer.report["added"] == 2
    states = {(k["domain"], k["selector"]): k["state"] for k in inkan.json("key", "list")}
    assert states[("example.com", "old")] == "retiring" and states[("example.com", "s1")] == "active"
    assert states[("example.org", "old")] == "active"
    again = move.run("--yes").report
    assert again["existed"] == 2 and not [n for n in notes(again, "changed") if "active key" in n[3]]


# -- hostile tables ---------------------------------------------------------------------------

HOSTILE = ["ann\r\nTo: x@example.com", "ann\n@example.com", "x@example.org>,<ann@example.com", "a,b@example.com",
           "<ann@example.com", "(ann@example.com", "ann:@example.com", "a b@example.com", "a..b@example.com",
           "ann;@example.com", "ann@exam\r\nple.com", "a\rb@*"]


def test_authors_that_are_none(move):
    """They are told and nobody else is asked about in their place; the others are taken over."""
    with sqlite3.connect(f"{move.folder}/rules.db") as base:
        base.execute("CREATE TABLE rule (author text, name text)")
        base.executemany("INSERT INTO rule VALUES (?, ?)",
                         [(author, "k1") for author in HOSTILE] + [("o'neil+x@example.com", "k2")])
    base.close()
    configure(move, "Mode s\nBaseDirectory {dir}\nKeyTable {dir}/keys\nSigningTable dsn:sqlite3://rules./db/"
              "table=rule?keycol=author?datacol=name\n", keys=KEYS)
    answer = move.run("--yes")
    assert answer.returncode == NO, answer.stderr
    refused = [note for note in notes(answer.report, "refused") if note[1] == CONF]
    assert len(refused) == len(HOSTILE) and {note[2] for note in refused} == {line_of(move.conf, "SigningTable")}
    assert [(rule["pattern"], rule["domain"]) for rule in answer.report["rule_list"]] == [
        ("o'neil+x@example.com", "example.org")]


# -- a server that fails on the way -----------------------------------------------------------

@pytest.fixture(scope="module")
def postgres(workdir):
    """Where the look-up of two.test fails, though its row is listed."""
    server = Postgres.primary(workdir)
    try:
        server.sql("CREATE FUNCTION named(name text, value text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN "
                   "IF name = 'two.test' AND current_query() NOT LIKE '%NOT NULL%' THEN "
                   "RAISE EXCEPTION 'gone' USING ERRCODE = '57P03'; END IF; RETURN value; END $$;"
                   "CREATE TABLE author (name text, value text);"
                   "INSERT INTO author VALUES ('one.test', 'k1'), ('two.test', 'k2'), ('three.test', 'k3');"
                   "CREATE VIEW rule AS SELECT name, named(name, value) AS value FROM author;"
                   "CREATE FUNCTION listed(value text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN "
                   "IF current_query() LIKE '%NOT NULL%' THEN RAISE EXCEPTION 'gone' USING ERRCODE = '57P03'; "
                   "END IF; RETURN value; END $$;"
                   "CREATE VIEW hosts AS SELECT name, listed(value) AS value FROM author")
        yield server
    finally:
        server.stop(signal.SIGQUIT)


@pytest.mark.parametrize("settings", [
    "KeyTable {dir}/keys\nSigningTable ", "KeyFile {dir}/rsa.pem\nSelector s1\nDomain "], ids=["tables", "Domain"])
def test_a_table_that_fails_halfway(settings, postgres, move):
    """Then nothing is taken over, which could be no more than what it had said until then."""
    url = f"dsn:pgsql://postgres:none@{postgres.port}+127.0.0.1/inkan/table=rule?keycol=name?datacol=value"
    configure(move, f"Mode s\n{settings}{url}\n", keys="".join(
        f"k{n} {name}.test:s1:{{dir}}/rsa.pem\n" for n, name in enumerate(("one", "two", "three"), 1)))
    before = whole_state(move.inkan)
    answer = move.run("--yes")
    assert answer.returncode == TEMPORARY and "two.test: dsn:" in answer.stderr and "gone" in answer.stderr
    assert whole_state(move.inkan) == before
    told = move.inkan.run("--json", "explain", "--against", "opendkim", "--config", move.conf, "--from",
                          "ann@two.test")
    assert json.loads(told.stdout)["opendkim"]["action"] == "tempfail", told.stdout
    configure(move, f"Mode s\n{settings}{url}?filter=name<>'two.test'\n")
    assert move.run("--yes").returncode == DONE


@pytest.fixture
def imported(move):
    configure(move, PATTERNS, keys=KEYS, rules="*@example.com k1\nann@example.net k2\n")
    move.inkan.ok("tenant", "add", "acme")
    for domain in ("example.com", "example.org"):
        move.inkan.ok("domain", "add", domain, "--tenant", "acme", "--no-key")
    return move


@pytest.mark.parametrize("options, words", [
    (["--activate"], None),
    ([], "not active yet: `inkan key activate`"),
    (["--activate", "--reserved"], "reserved for rules: `inkan rule add` with --selector")])
def test_a_key_that_is_there_has_to_sign(options, words, imported):
    """As OpenDKIM does with it; that it is the same key is not enough."""
    inkan = imported.inkan
    inkan.ok("key", "import", "example.com", "--selector", "s1", f"{imported.folder}/rsa.pem", *options)
    before = [key for key in inkan.json("key", "list") if key["domain"] == "example.com"]
    answer = imported.run("--yes")
    refused = [note[3] for note in notes(answer.report, "refused")]
    if words is None:
        assert (answer.returncode, answer.report["existed"], refused) == (DONE, 1, [])
    else:
        assert (answer.returncode, answer.report["failed"]) == (NO, 1)
        assert refused[0].startswith("example.com s1: key example.com s1: is there already, but ") and words in refused[0]
    assert [key for key in inkan.json("key", "list") if key["domain"] == "example.com"] == before


def test_a_key_that_retires_here_no_longer_signs(imported):
    inkan = imported.inkan
    assert imported.run("--yes").returncode == DONE
    inkan.ok("key", "retire", "example.com", "s1")
    answer = imported.run("--yes")
    assert (answer.returncode, answer.report["existed"], answer.report["failed"]) == (NO, 1, 1)
    assert any("is there already, but no longer active" in note[3] for note in notes(answer.report, "refused"))


def test_a_key_for_some_that_signs_for_all_here(imported):
    imported.inkan.ok("key", "import", "example.org", "--selector", "s2", f"{imported.folder}/rsa.pem", "--activate")
    answer = imported.run("--yes")
    assert (answer.returncode, answer.report["added"], answer.report["failed"]) == (NO, 1, 1)
    assert any("not reserved for rules" in note[3] for note in notes(answer.report, "refused"))


def test_what_signs_below_its_domains_here_is_told(imported):
    """A domain of its own accord, and all of a tenant's; not where OpenDKIM has rules for that."""
    def told():
        answer = imported.run()
        assert answer.returncode == DONE, answer.report
        return [note[3].split(":")[0] for note in notes(answer.report, "changed") if "below it" in note[3]]
    inkan = imported.inkan
    configure(imported, PATTERNS, keys=KEYS, rules="*@example.com k1\n*@example.org k2\n")
    assert told() == []
    inkan.ok("domain", "set", "example.org", "subdomains=yes")
    assert told() == ["example.org"]
    inkan.ok("tenant", "set", "acme", "subdomains=yes")
    assert told() == ["example.com", "example.org"]
    configure(imported, PATTERNS, keys=KEYS, rules="*@example.com k1\n*@*.example.com k1\n*@example.org k2\n")
    assert told() == ["example.org"]
    configure(imported, PATTERNS, keys=KEYS, rules="*@example.com k1\nann@example.net k2\n")
    assert told() == ["example.com"]


# -- killed -----------------------------------------------------------------------------------

def many_lines(count):
    rules = "".join(f"*@d{n}.test k{n}\nann@x{n}.test k{n}\n" for n in range(count // 2))
    keys = "".join(f"k{n} d{n}.test:s1:{{dir}}/rsa.pem\n" for n in range(count // 2))
    return {"keys": keys, "rules": rules}


def comparable(inkan):
    domains, keys, tenants, rules = whole_state(inkan)
    return sorted(domains, key=str), sorted(keys, key=str), tenants, rules


@pytest.fixture
def stores(request, folder):
    """Settings for two stores, empty but for their tables."""
    if request.param == "sqlite":
        yield {}, {}
        return
    server = Postgres.primary(folder)
    server.sql("CREATE DATABASE other", database="postgres")
    yield {"store__url": server.url()}, {"store__url": server.url(database="other")}
    server.stop()


@pytest.mark.parametrize("stores", ["sqlite", "postgresql"], indirect=True)
def test_killed_in_the_middle_and_started_again(stores, place):
    """Wherever it is killed, the next run ends where one run alone would have."""
    os.mkdir(f"{place['dir']}/whole")
    with Move(place["dir"], **stores[0]) as move, Move(f"{place['dir']}/whole", **stores[1]) as other:
        move.place = place
        configure(move, PATTERNS, **many_lines(MANY))
        other.conf = move.conf
        started = time.monotonic()
        assert other.run("--yes").report["added"] == MANY // 2
        needed = time.monotonic() - started
        command = [f"{BUILD}/inkan", "-c", move.inkan.conf, "import", "opendkim", "--tenant", "acme",
                   "--config", move.conf, "--yes"]
        chance, counts = random.Random(7), []
        for round_ in range(6):
            run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env={**os.environ, **SANITIZER_ENV})
            try:
                run.wait(needed * (3 + round_ + chance.random()) / 10)
            except subprocess.TimeoutExpired:
                run.send_signal(signal.SIGKILL)
                run.wait()
            counts.append(len(move.inkan.json("key", "list")))
        print("keys after each kill:", counts)
        assert counts == sorted(counts)
        assert move.inkan.run("audit", "verify").returncode == DONE
        last = move.run("--yes").report
        assert last["failed"] == 0 and last["added"] + last["existed"] == MANY // 2
        assert comparable(move.inkan) == comparable(other.inkan)


# -- bad input --------------------------------------------------------------------------------

def options_of(move, **named):
    options = []
    for name, value in named.items():
        options += [f"--{name.replace('_', '-')}", fill(value, move.place)]
    return options


BAD = {
    "nothing": ({}, INVALID, "give --config, or --key-table together with --signing-table"),
    "one table": ({"key_table": "{dir}/keys"}, INVALID, "give --config, or --key-table together"),
    "no such configuration": ({"config": "{dir}/none"}, INVALID, "/none: cannot be opened: No such file"),
    "a folder as configuration": ({"config": "{dir}"}, INVALID, "is not a regular file"),
    "no such table": ({"key_table": "{dir}/none", "signing_table": "{dir}/rules"}, INVALID,
                      "/none: No such file"),
    "a folder as a table": ({"key_table": "{dir}/keys", "signing_table": "refile:{dir}"}, INVALID,
                            "is not a regular file"),
    "a table of no type": ({"key_table": "{dir}/keys", "signing_table": "mysql:x"}, INVALID,
                           "no data sets of the type \"mysql\""),
    "a table that is not there, by a relative name": (
        {"key_table": "none/keys", "signing_table": "{dir}/rules"}, INVALID,
        "--key-table: none/keys: No such file or directory"),
    "rules that are not there, by a relative name": (
        {"key_table": "{dir}/keys", "signing_table": "none"}, INVALID,
        "--signing-table: none: No such file or directory"),
    "hosts that are not there, by a relative name": (
        {"key_table": "{dir}/keys", "signing_table": "{dir}/rules", "internal_hosts": "none/hosts"}, INVALID,
        "--internal-hosts: none/hosts: No such file or directory"),
    "a pattern that is none": ({"key_table": "{dir}/keys", "signing_table": "refile:{dir}/broken"}, INVALID,
                               "broken"),
    "no such names": ({"key_table": "{dir}/keys", "signing_table": "{dir}/rules", "domains": "{dir}/none"},
                      INVALID, "/none: No such file"),
    "names that are none": ({"key_table": "{dir}/keys", "signing_table": "{dir}/rules",
                             "domains": "{dir}/names"}, INVALID, "names:2: "),
    "a data base that is not there": ({"key_table": "dsn:sqlite3://none./db/table=t?keycol=a?datacol=b",
                                       "signing_table": "{dir}/rules"}, None, "none"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gives_one_sentence(name, move):
    named, code, words = BAD[name]
    configure(move, "", keys=KEYS, rules="example.com k1\n",
              broken="(a@x.test k1\n", names="good.test\n..\n")
    answer = move.run("--yes", *options_of(move, **named), config=False)
    assert answer.returncode == code or (code is None and answer.returncode not in (DONE, NO))
    assert answer.stdout == "" and words in answer.stderr, answer.stderr
    assert answer.stderr.startswith("inkan: ") and answer.stderr.count("\n") == 1
    assert move.inkan.json("domain", "list") == [] and move.inkan.json("tenant", "list") == []


def test_key_files_below_another_root(move):
    """A template has a domain for each file that OpenDKIM finds in the root it changes to."""
    os.makedirs(f"{move.folder}/root/keys")
    shutil.copy(f"{move.folder}/rsa.pem", f"{move.folder}/root/keys/example.net.private")
    configure(move, f"ChangeRootDirectory {move.folder}/root\n{PATTERNS}", keys="any %:s1:/keys/%.private\n",
              rules="* any\n")
    report = move.run().report
    assert [(key["domain"], key["selector"]) for key in report["key_list"]] == [("example.net", "s1")], report


def test_tables_alone(move):
    """Without a configuration, and in place of what the configuration says."""
    configure(move, PATTERNS, keys=KEYS, rules="*@example.com k1\n", others="example.org k2\n",
              hosts="192.0.2.0/24\n")
    report = move.run(*options_of(move, key_table="{dir}/keys", signing_table="refile:{dir}/rules"),
                      config=False).report
    assert [key["domain"] for key in report["key_list"]] == ["example.com"]
    for hosts in ("192.0.2.0/24", "192.0.2.0/24,mx.example.com", "csl:192.0.2.0/24", "mx.example.com"):
        report = move.run("--key-table", f"{move.folder}/keys", "--signing-table", "example.com=k1", "--internal-hosts",
                          hosts, config=False).report
        assert [key["domain"] for key in report["key_list"]] == ["example.com"]
    report = move.run(*options_of(move, signing_table="file:{dir}/others", internal_hosts="{dir}/hosts")).report
    assert [key["domain"] for key in report["key_list"]] == ["example.org"]
    assert "internal_hosts = 192.0.2.0/24\n" in report["conf"]


def test_a_bare_name_is_of_the_type_that_opendkim_takes_it_for(move):
    """Also on the command line: of what ends in .db, Berkeley DB."""
    write_files({"kt.db": {"k1": "example.com:s1:{dir}/rsa.pem"}, "st.db": {"example.com": "k1"}}, move.place)
    report = move.run(*options_of(move, key_table="{dir}/kt.db", signing_table="{dir}/st.db"),
                      config=False).report
    assert [key["domain"] for key in report["key_list"]] == ["example.com"], report


@pytest.fixture
def world(move):
    """Three zones, of which one shows the right key, one another and one none; each has a row of the
    tables."""
    names = ("right.example", "wrong.example", "missing.example")
    port = free_port()
    server = Bind(move.folder, {zone: f"$ORIGIN {zone}.\n@ 300 IN SOA ns.{zone}. a.{zone}. 1 3600 600 86400 60\n"
                                      f"@ 300 IN NS ns.{zone}.\nns 300 IN A 127.0.0.1\n" for zone in names},
                  port=port)
    resolver = Unbound(move.folder, {zone: ["127.0.0.1"] for zone in (*names, "silent.example")}, port)
    try:
        configure(move, PATTERNS, keys="".join(f"{d} {d}:s1:{{dir}}/rsa.pem\n" for d in names),
                  rules="".join(f"*@{d} {d}\n" for d in names))
        move.inkan.configure(dns__port=port, dns__nameservers=f"127.0.0.1:{resolver.port}", dns__timeout="2s")
        public = subprocess.run(["openssl", "pkey", "-in", f"{move.folder}/rsa.pem", "-pubout"], check=True,
                                capture_output=True, text=True).stdout
        value = "v=DKIM1; k=rsa; p=" + "".join(public.splitlines()[1:-1])
        server.set_txt("s1._domainkey.right.example", value)
        server.set_txt("s1._domainkey.wrong.example", "v=DKIM1; k=ed25519; p=" + "A" * 43 + "=")
        yield SimpleNamespace(server=server, resolver=resolver)
    finally:
        resolver.stop()
        server.stop()


def shown(report):
    """Of each domain the grade, the place and the words about DNS."""
    return {note[3].split()[0]: (*note[:3], re.search(r"DNS shows \w+|nobody answers", note[3]).group())
            for note in notes(report) if "DNS shows" in note[3] or "nobody answers" in note[3]}


def test_what_dns_shows_is_told(move, world):
    """Right, another key, nothing, at the row of the key; and what cannot be verified is no success."""
    answer = move.run("--check-dns")
    assert answer.returncode == NO
    assert world.server and "DNS does not show 2, and says nothing of 0" in answer.stderr
    assert shown(answer.report) == {"right.example": ("notice", "keys", 1, "DNS shows right"),
                                    "wrong.example": ("unverifiable", "keys", 2, "DNS shows wrong"),
                                    "missing.example": ("unverifiable", "keys", 3, "DNS shows missing")}
    assert (answer.report["unverifiable"], answer.report["refused"]) == (2, 0)


def test_what_dns_shows_is_kept(move, world):
    """With --yes all are taken over, and the audit log says of each what DNS showed."""
    answer = move.run("--check-dns", "--yes")
    assert answer.returncode == NO and answer.report["added"] == 3, answer.stderr
    events = {event["name"]: event["detail"] for event in move.inkan.json("audit", "list")
              if event["action"] == "key.activate"}
    for name in ("right", "wrong", "missing"):
        assert f"proof: {name}" in events[f"{name}.example s1"]
        assert move.inkan.json("key", "show", f"{name}.example", "s1")["shown"] == name
    assert "proof skipped" not in str(events)


def test_a_domain_whose_servers_are_silent(move, world):
    """Of the others DNS was asked, so the import goes on."""
    configure(move, PATTERNS, keys="k1 right.example:s1:{dir}/rsa.pem\nk2 silent.example:s1:{dir}/rsa.pem\n",
              rules="*@right.example k1\n*@silent.example k2\n")
    assert world.resolver
    answer = move.run("--check-dns", "--yes")
    assert answer.returncode == NO and answer.report["added"] == 2, answer.stderr
    assert shown(answer.report)["silent.example"] == ("unknown", "keys", 2, "nobody answers")


@pytest.mark.parametrize("yes", [[], ["--yes"]], ids=["rehearsed", "done"])
def test_dns_out_of_reach(yes, move, world):
    """Nothing is said of any key, and nothing is imported."""
    world.resolver.stop()
    answer = move.run("--check-dns", *yes)
    assert (answer.returncode, answer.report) == (TEMPORARY, None)
    assert "DNS is out of reach" in answer.stderr
    assert move.inkan.json("domain", "list") == [] and move.inkan.json("tenant", "list") == []


def test_the_place_of_a_key_file(move, world):
    """Without a KeyTable it is the setting."""
    assert world.server
    configure(move, "Domain missing.example\nSelector s1\nKeyFile {dir}/rsa.pem\n")
    line = line_of(move.conf, "KeyFile")
    answer = move.run("--check-dns")
    assert shown(answer.report) == {"missing.example": ("unverifiable", CONF, line, "DNS shows missing")}
