# SPDX-License-Identifier: Apache-2.0
"""A move from OpenDKIM, seen from the mail: after `inkan import opendkim` inkand signs for whom
OpenDKIM signs, with the same d=, s= and i=, or the report says where not."""

import base64
import os
import random
import re
import sqlite3
import subprocess
from dataclasses import dataclass

import pytest

from ldap import SUFFIX
from peers import python_dkim, signatures_of
from takeover import Move, directory, line_of, notes
from test_opendkim_model import (ANY_CASES, CASES, KEYS, PATTERNS, SIMPLE, TABLES, Ask, Case, authors, fill,
                                 material, place, rules, write_berkeley, write_files)

assert directory and material and place  # fixtures


def label(ask):
    """What an ask has that others have not."""
    usual = Ask()
    pairs = [(ask.author, usual.author), (ask.client, usual.client), (ask.name, usual.name),
             (ask.daemon, usual.daemon), (ask.login, usual.login), (ask.sender, None),
             (ask.envelope, None)]
    return " ".join(str(value) for value, default in pairs if value != default) or ask.author


# -- the tutorials ----------------------------------------------------------------------------

def genkey(folder, domain, selector, *options):
    """(private key, {name: TXT record}) as `opendkim-genkey` writes them."""
    os.makedirs(folder, exist_ok=True)
    subprocess.run(["opendkim-genkey", "-D", folder, "-d", domain, "-s", selector, *options], check=True,
                   capture_output=True)
    with open(f"{folder}/{selector}.txt", encoding="ascii") as file:
        value = "".join(re.findall(r'"([^"]*)"', file.read()))
    return f"{folder}/{selector}.private", {f"{selector}._domainkey.{domain}": value}


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def same_signatures(move, addresses, records):
    """What both sign for the addresses; the signatures are good by the records that DNS has had."""
    found = []
    for address in addresses:
        said = []
        for signed in move.sign(Ask(address).message()):
            tags = signatures_of(signed)
            said.append(sorted((tag["d"], tag["s"], tag.get("i", "")) for tag in tags))
            assert all(passed for _, passed in python_dkim(signed, records)), (address, tags)
            assert len(python_dkim(signed, records)) == len(tags)
        assert said[0] == said[1], (address, said)
        found.append(said[0])
    return found


def test_the_tutorial_of_one_domain(folder):
    path, records = genkey(f"{folder}/keys/example.com", "example.com", "20220901")
    write(f"{folder}/SigningTable", "*@example.com 20220901._domainkey.example.com\n")
    write(f"{folder}/KeyTable", f"20220901._domainkey.example.com example.com:20220901:{path}\n")
    write(f"{folder}/TrustedHosts", "127.0.0.1\n::1\nlocalhost\n*.example.com\n")
    settings = (f"Canonicalization relaxed/simple\nMode sv\nSubDomains no\nOversignHeaders From\n"
                f"UMask 007\nKeyTable {folder}/KeyTable\n"
                f"SigningTable refile:{folder}/SigningTable\n"
                f"ExternalIgnoreList refile:{folder}/TrustedHosts\n"
                f"InternalHosts refile:{folder}/TrustedHosts\n")
    with Move(folder) as move:
        report = move.start_opendkim(settings).take_over()
        said = same_signatures(move, ["ann@example.com", "Ann B <ANN@Example.COM>", "ann@sub.example.com",
                                      "ann@notexample.com", "ann@example.org"], records)
        assert said == [[("example.com", "20220901", "")]] * 2 + [[]] * 3
        assert (report["keys"], report["rules"], report["refused"]) == (1, 0, 0)
        assert report["key_list"] == [{"domain": "example.com", "selector": "20220901",
                                       "algorithm": "rsa-sha256", "bits": 2048, "reserved": False}]
        assert ("changed", "TrustedHosts", 4) in [note[:3] for note in notes(report)]


def test_the_tutorial_of_two_domains(folder):
    first, records = genkey(f"{folder}/keys/dom1", "dom1.test", "sel1", "-b", "1024")
    second, more = genkey(f"{folder}/keys/dom2", "dom2.test", "sel2", "-b", "2048", "-t")
    records.update(more)
    write(f"{folder}/KeyTable", f"sel1._domainkey.dom1.test dom1.test:sel1:{first}\n"
                                f"sel2._domainkey.dom2.test dom2.test:sel2:{second}\n")
    write(f"{folder}/SigningTable", "*@dom1.test sel1._domainkey.dom1.test\n"
                                    "*@dom2.test sel2._domainkey.dom2.test\n")
    with Move(folder) as move:
        report = move.start_opendkim(f"Mode s\nKeyTable refile:{folder}/KeyTable\n"
                                     f"SigningTable refile:{folder}/SigningTable\n").take_over()
        said = same_signatures(move, ["a@dom1.test", "a@dom2.test", "a@DOM2.test", "a@x.dom1.test",
                                      "a@dom3.test"], records)
        assert said == [[("dom1.test", "sel1", "")], [("dom2.test", "sel2", "")],
                        [("dom2.test", "sel2", "")], [], []]
        assert (report["keys"], report["rules"], report["refused"]) == (2, 0, 0)


def test_the_tutorial_without_tables(folder):
    path, records = genkey(folder, "example.com", "mail")
    with Move(folder) as move:
        report = move.start_opendkim(f"Domain example.com\nKeyFile {path}\nSelector mail\n"
                                     "SubDomains yes\nMode s\n").take_over()
        said = same_signatures(move, ["a@example.com", "a@sub.example.com", "a@a.b.example.com",
                                      "a@example.org", "a@notexample.com"], records)
        assert said[0] == [("example.com", "mail", "")] and said[3:] == [[], []]
        assert {each[0][:2] for each in said[1:3]} == {("example.com", "mail")}
        assert (report["keys"], report["refused"]) == (1, 0)


FIELDS = ("Sender Reply-To Subject Date To Cc Message-ID In-Reply-To References MIME-Version Content-Type "
          "Content-Transfer-Encoding Resent-Date Resent-From Resent-Sender Resent-To Resent-Cc Resent-Message-ID "
          "List-Id List-Help List-Unsubscribe List-Unsubscribe-Post List-Subscribe List-Post List-Owner List-Archive "
          "Received Comments Keywords X-Mine Autocrypt").split()


@pytest.mark.parametrize("lists", ["", "SignHeaders *,+X-Mine,-Subject", "OmitHeaders Subject,To", "SignHeaders From,To",
                                   "SignHeaders -Subject", "SignHeaders From,To,Cc,-To", "SignHeaders *,Comments\nOmitHeaders Date"])
def test_the_same_fields_are_signed(lists, place):
    message = "".join(f"{name}: x\r\n" for name in FIELDS) + "From: a@example.com\r\n\r\nHi\r\n"
    with Move(place["dir"]) as move:
        move.start_opendkim(fill(SIMPLE, place) + lists + "\n").take_over()
        before, after = (sorted(signatures_of(signed)[0]["h"].lower().split(":"))
                         for signed in move.sign(message.encode()))
        assert before == after


# -- the same rows in tables of every kind ----------------------------------------------------

ROWS = {"ann@one.test": "k1", "one.test": "k2", ".two.test": "k3", "bob@*": "k3", "three.test": "k3"}
KEY_ROWS = {"k1": "one.test:s1", "k2": "one.test:s2", "k3": "three.test:s3"}
ASKED = ["ann@one.test", "ann@One.Test", "carl@one.test", "carl@x.two.test", "carl@two.test",
         "bob@nowhere.test", "bob@two.test", "bob@one.test", "bob@three.test", "carl@three.test",
         "carl@sub.three.test", "carl@nowhere.test"]


def lines(rows, ending=""):
    return "".join(f"{key} {value}{ending}\n" for key, value in rows.items())


def in_file(folder, keys, _):
    write(f"{folder}/keys", lines(keys))
    write(f"{folder}/rules", lines(ROWS))
    return f"KeyTable file:{folder}/keys\nSigningTable {folder}/rules\n"


def in_refile(folder, keys, _):
    patterns = {"ann@one.test": "k1", "*@one.test": "k2", "bob@three.test": "k1", "*@*.two.test": "k3",
                "bob@*": "k3", "*@three.test": "k3"}
    write(f"{folder}/keys", lines(keys))
    write(f"{folder}/rules", lines(patterns))
    return f"KeyTable refile:{folder}/keys\nSigningTable refile:{folder}/rules\n"


def in_csl(_, keys, __):
    def csl(rows):
        return ",".join(f"{key}={value}" for key, value in rows.items())
    return f"KeyTable csl:{csl(keys)}\nSigningTable csl:{csl(ROWS)}\n"


def in_berkeley(folder, keys, _):
    write_berkeley(f"{folder}/keys.db", keys)
    write_berkeley(f"{folder}/rules.db", ROWS)
    return f"KeyTable db:{folder}/keys.db\nSigningTable db:{folder}/rules.db\n"


def in_sqlite(folder, keys, _):
    """Keys as they stand in their files; names of files are what OpenDKIM puts together."""
    with sqlite3.connect(f"{folder}/keys.db") as base:
        base.execute("CREATE TABLE dkim (id text, domain_name text, selector text, private_key text)")
        base.execute("CREATE TABLE signing (author text, dkim_id text)")
        for name, value in keys.items():
            domain, selector, path = value.split(":", 2)
            with open(path, encoding="ascii") as file:
                base.execute("INSERT INTO dkim VALUES (?, ?, ?, ?)", (name, domain, selector, file.read()))
        base.executemany("INSERT INTO signing VALUES (?, ?)", ROWS.items())
    base.close()
    return (f"BaseDirectory {folder}\n"
            "KeyTable dsn:sqlite3://keys./db/table=dkim?keycol=id?datacol=domain_name,selector,private_key\n"
            "SigningTable dsn:sqlite3://keys./db/table=signing?keycol=author?datacol=dkim_id\n")


def in_directory(_, keys, directory):
    """Each key has one author here, for so OpenDKIM's schema has it."""
    people = f"ou=people,{SUFFIX}"
    entries = [f"dn: {people}\nobjectClass: organizationalUnit\nou: people\n"]
    for name, author in (("k1", "ann@one.test"), ("k2", "one.test"), ("k3", "bob@*")):
        domain, selector, path = keys[name].split(":", 2)
        with open(path, "rb") as file:
            secret = base64.b64encode(file.read()).decode()
        entries.append(f"dn: DKIMSelector={selector},{people}\nobjectClass: DKIM\nDKIMDomain: {domain}\n"
                       f"DKIMSelector: {selector}\nDKIMIdentity: {author}\nDKIMKey:: {secret}\n")
    directory.ldif_add("\n".join(entries))
    url = directory.url("ldap", people)
    return (f"KeyTable {url}?DKIMDomain,DKIMSelector,DKIMKey?sub?(DKIMSelector=$d)\n"
            f"SigningTable {url}?DKIMSelector?sub?(DKIMIdentity=$d)\n")


KINDS = {"file": in_file, "refile": in_refile, "csl": in_csl, "db": in_berkeley, "dsn": in_sqlite,
         "ldap": in_directory}
EXACT = ("db", "dsn", "ldap")  # OpenDKIM asks them for local parts as they are written


@pytest.fixture(scope="module")
def generated(module_folder):
    """(a file for each of KEY_ROWS, the records of all)."""
    paths, records = {}, {}
    for name, value in KEY_ROWS.items():
        domain, _, selector = value.partition(":")
        path, more = genkey(f"{module_folder}/generated", domain, selector, "-b", "1024")
        paths[name] = f"{value}:{path}"
        records.update(more)
    return paths, records


@pytest.mark.parametrize("kind", KINDS)
def test_tables_of_every_kind(kind, generated, folder, request):
    keys, records = generated
    server = request.getfixturevalue("directory") if kind == "ldap" else None
    settings = KINDS[kind](folder, keys, server)
    with Move(folder) as move:
        report = move.start_opendkim("Mode s\n" + settings).take_over()
        said = same_signatures(move, ASKED, records)
        assert said[0] == said[1] == [("one.test", "s1", "")]
        assert said[2] == [("one.test", "s2", "")]
        assert said[5] == [("three.test", "s3", "")] and said[-1] == []
        assert report["refused"] == 0, notes(report, "refused")
        assert report["keys"] == 3
        if kind in EXACT:
            assert [note for note in notes(report, "changed") if "whether Ann@ is ann@" in note[3]]
        else:
            assert same_signatures(move, ["ANN@ONE.test"], records) == said[:1]


# -- the cases of the model -------------------------------------------------------------------

@dataclass
class Moved(Case):
    """With the names that --domains gives."""
    domains: tuple = ()


ALL_DOMAINS = SIMPLE + "Domain *\n"
MORE = [
    Moved("Domain is everybody, with names", ALL_DOMAINS,
          authors("a@anywhere.test", "a@sub.anywhere.test", "a@Other.test", "a@x.test"),
          domains=("anywhere.test", "sub.anywhere.test", "OTHER.test", "x.test")),
    Moved("% as a domain, with names", TABLES, authors("a@Example.com", "a@x.example.net"),
          {"keys": "any %:s1:{dir}/rsa.pem\n", "rules": "* any\n"},
          domains=("example.com", "x.example.net")),
    Moved("% in both, files as names", TABLES, authors("a@one.test", "a@two.test", "a@three.test"),
          {"keys": "any %:s1:{dir}/all/%/key.pem\n", "rules": "* any\n", "all/one.test/key.pem": "{rsa}",
           "all/two.test/key.pem": "{rsa}"}),
    rules("MultipleSignatures of two domains", "*@example.com k1\n*@example.com k2\n*@sub.example.com k2\n",
          authors("a@example.com", "a@EXAMPLE.com", "a@sub.example.com", "a@x.test"),
          settings=PATTERNS + "MultipleSignatures yes\n"),
    rules("two keys of one domain, by author", "ann@example.com k1\nexample.com k2\n",
          authors("ann@example.com", "bob@example.com", "Ann@Example.com", "ann@x.example.com"),
          keys="k1 example.com:s1:{dir}/rsa.pem\nk2 example.com:s2:{dir}/base64\n"),
    rules("a domain signs for another, and for itself", "example.com k1\nexample.org k1\n.example.org k1\n",
          authors("a@example.com", "a@example.org", "a@x.example.org", "a@x.example.com",
                  "a@notexample.org"), keys="k1 example.com:s1:{dir}/rsa.pem\n"),
    rules("a user wherever, and domains that no line names", "ann@* k1\n",
          authors("ann@example.com", "ann@example.org", "ann@x.test", "bob@example.com")),
    rules("a user wherever, and a host that everybody counts for", "* k2\n.x.test k2\nann@* k1\n",
          authors("ann@a.x.test", "ann@x.test", "bob@a.x.test", "ann@example.com", "bob@y.test")),
    Case("SubDomains, and one of them is a domain itself", SIMPLE + "SubDomains yes\n"
         "Domain sub.example.com,example.com,example.org\n",
         authors("a@example.com", "a@sub.example.com", "a@x.sub.example.com", "a@y.example.com",
                 "a@x.example.org", "a@notexample.org")),
    Case("Domain beside tables", TABLES + "Domain example.org,x.test\n",
         authors("a@example.com", "a@example.org", "a@x.test"), {"keys": KEYS, "rules": "example.com k1\n"}),
    Case("exempt below a line for all", TABLES + "ExemptDomains example.org\n",
         authors("a@example.com", "a@example.org", "a@x.test"), {"keys": KEYS, "rules": "* k1\n"}),
    rules("all forms of all", "*@* k1\n", authors("a@example.com", "a@x.test", "a@a.b.x.test"),
          settings=PATTERNS),
    rules("letters", "*@EXAMPLE.com k1\nANN@Example.ORG k2\n", authors("a@example.com", "ann@example.org",
          "Ann@EXAMPLE.org"), settings=PATTERNS, keys="k1 Example.COM:S1:{dir}/rsa.pem\n"
          "k2 example.ORG:s2.Mail:{dir}/rsa.pem\n"),
    rules("names that DNS would not take", "a@example.com k1\nb@example.com k2\nc@example.com k3\n"
          "d@example.com k4\n", authors("a@example.com", "b@example.com", "c@example.com", "d@example.com"),
          keys="k1 example.com:s_1:{dir}/rsa.pem\nk2 exa_mple.com:s2:{dir}/rsa.pem\n"
          "k3 example.com:-s-:{dir}/rsa.pem\nk4 example.com.:s4:{dir}/rsa.pem\n"),
    rules("a dot behind the host", "example.com. k1\nann@example.org. k2\n", authors("a@example.com",
          "ann@example.org", "a@example.com.")),
    rules("names beyond ASCII", "b\u00fccher.example k1\nxn--bcher-kva.test k2\n",
          authors("a@b\u00fccher.example", "a@xn--bcher-kva.example", "a@xn--bcher-kva.test",
                  "a@b\u00fccher.test")),
    rules("signers that follow the author", "*@example.com k1:%\n*@sub.example.com k1:x@%\n",
          authors("a@example.com", "a@sub.example.com"), settings=PATTERNS),
    rules("the same key twice", "a@example.com k1\nexample.com k1\n", authors("a@example.com", "b@example.com"),
          settings=TABLES + "MultipleSignatures yes\n"),
]

# Who is treated otherwise afterwards, or was refused before: where the report says so.
CONF = "import.conf"
DOMAIN, RULE, KEY = ("refused", CONF, "Domain example.com"), ("refused", "rules", 1), ("refused", "keys", 1)
A = "a@example.com"
TOLD = {
    "Domain is everybody": {"a@anywhere.test": ("changed", CONF, "Domain *")},
    "Domain by pattern": {"a@x.example.com": ("refused", "domains", 1)},
    "an Ed25519 key without the algorithm": {A: DOMAIN},
    "a key of 512 bits is rejected": {A: DOMAIN},
    "and signed with": {A: DOMAIN},
    "a key that is none": {A: DOMAIN},
    "a key that is none, and On-Default": {A: DOMAIN},
    "text before PEM": {A: DOMAIN},
    "a certificate before the key": {A: DOMAIN},
    "Mode v with a Domain and no key": {A: DOMAIN},
    "an invalid On- value is as if it were not there": {A: DOMAIN},
    "Berkeley DB": {"a@example.org": ("changed", "rules.db", 2), "b@example.net": ("changed", "rules.db", 5),
                    "a@x.test": ("changed", "rules.db", 1)},
    "local parts as they are written": {'"q"@example.com': ("refused", "rules", 2)},
    "a rule without a key": {A: RULE},
    "KeyTable knows case, SigningTable does not": {A: RULE},
    "% as the name of a key": {"a@example.net": ("changed", "rules", 1)},
    "% as a domain": {"a@Example.com": ("changed", "rules", 1), "a@x.example.net": ("changed", "rules", 1)},
    "% in both, files as names": {"a@three.test": ("changed", "rules", 1)},
    "% in a selector stays": {A: KEY},
    "% in a file is the domain of the row": {"a@rsa.test": RULE},
    "% in both is the author's domain": {"a@other": ("changed", "rules", 1)},
    "spaces beside colons": {A: KEY},
    "a fourth part": {A: RULE},
    "corrupt values": {f"{u}@example.com": ("refused", "rules", n) for n, u in enumerate("abcde", 1)},
    "a key without a value": {A: KEY},
    "a file that is not there": {A: RULE},
    "a relative name is no file": {A: RULE},
    "base64 in the table": {"b@example.com": ("refused", "rules", 2)},
    "a line that is too long": {A: ("changed", "keys", 1)},
    "what follows a long comment is a row": {A: ("changed", "rules", 1)},
    "values with blanks": {A: RULE},
    "one of several cannot be loaded": {A: RULE},
    "one of several cannot sign": {A: RULE},
    "patterns": {"ann@x.test": ("refused", "rules", 3), "cd@y.test": ("refused", "rules", 4),
                 "xz@y.test": ("refused", "rules", 5), "a@notexample.net": ("changed", "rules", 7)},
    "a pattern with an empty value": {A: RULE},
    "a pattern with a comment for a value": {A: RULE},
    "a pattern without a value": {A: RULE},
    "two patterns": {A: ("refused", "rules", 2)},
    "KeyTable with patterns": {"a@example.org": ("refused", "rules", 2)},
    "letters beyond ASCII in a pattern": {"xäy@example.com": RULE},
    "keys of names beyond ASCII": {f"a@example.{end}": ("refused", "rules", n) for n, end in ((1, "com"), (2, "org"))},
    "Sender before From": {"a@example.com b@example.org": ("changed", CONF, "SenderHeaders")},
    "From before Sender": {"a@example.org b@example.com": ("changed", CONF, "SenderHeaders")},
    "a macro for the author": {"a@example.org b@example.com": ("refused", CONF, "SenderMacro")},
    "another root directory": {"c@example.com": ("refused", "rules", 3)},
    "links in another root directory": {f"{user}@example.com": ("refused", "rules", line)
                                        for line, user in enumerate("def", 4)},
    "nothing is secure in a root directory without users": {A: ("changed", CONF, "RequireSafeKeys yes")},
    "exempt below a line for all": {"a@example.org": ("refused", CONF, "ExemptDomains")},
    "names that DNS would not take": {f"{u}@example.com": ("refused", "rules", n)
                                      for n, u in ((1, "a"), (3, "c"), (4, "d"))},
    "a dot behind the host": {"a@example.com.": RULE},
    "a signer": {"a@sub.example.com": ("changed", "rules", 1)},
    "an exception by name does not except the address": {
        "192.0.2.5 bad.example.net": ("changed", "hosts", 1)},
    "a pattern in a file": {"192.0.2.1 a.example.net": ("changed", "hosts", 1)},
    "a pattern that begins with * lets nobody in": {"192.0.2.1 a.example.net": ("changed", "hosts", 1),
                                                    "192.0.2.1 mx7.example.org": ("refused", "hosts", 2)},
    "any value of a macro": {"192.0.2.1 any": ("refused", CONF, "MacroList")},
}
# inkand is stricter with what is no author, takes a mapped address for what it maps, and knows that
# a name beyond ASCII is the one with xn-- in it.
OTHERWISE = {
    "names beyond ASCII": {"a@b\u00fccher.test"},
    "mapped addresses": {"::ffff:192.0.2.1"},
    "forms of an author": {
        "ann@example.com, bob@example.org", "friends: ann@example.com, bob@example.org;",
        "<@a.test,@b.test:ann@example.com>", "Ann Bee <ann@exam(x)ple.com>", "ann@a@example.com",
        "@example.com", "<ann@example.com", "ann@[192.0.2.1]", "ann@example.com.", "ann\\@x@example.com",
        "[x]@example.com", "g: <x@a.test>, y@b.test;", "ann@example.com;", "Ann: <ann@example.com",
        "<ann@example.com> x@example.org", "<ann,bob@example.com>"},
}
NAMED = {"forms of an author": ("example.com", "example.org", "a.test", "b.test")}


def find_different(move, asks):
    """{label: what both said} of asks that OpenDKIM refuses, or for which others sign."""
    different = {}
    for ask in asks:
        before, after = move.ask_opendkim(ask), move.ask_inkand(ask)
        assert after.action in ("sign", "unsigned"), (ask, after)
        refused = before.action in ("tempfail", "reject", "stopped")
        if refused or before.signatures != after.signatures:
            different[label(ask)] = (before, after)
    return different


@pytest.mark.parametrize("case", [case for case in CASES if case not in ANY_CASES] + MORE, ids=lambda case: case.name)
def test_the_same_mail_is_signed(case, place):
    with open(f"{place['dir']}/rsa.pem", encoding="ascii") as file:
        place["rsa"] = file.read()
    for name in case.files:
        os.makedirs(os.path.dirname(f"{place['dir']}/{name}"), exist_ok=True)
    write_files(case.files, place)
    domains = getattr(case, "domains", NAMED.get(case.name, ()))
    write(f"{place['dir']}/names", "".join(f"{name}\n" for name in domains))
    with Move(place["dir"]) as move:
        report = move.start_opendkim(fill(case.settings, place)).take_over(
            *(["--domains", f"{place['dir']}/names"] if domains else []))
        different = find_different(move, case.asks)
        told = {note[:3] for note in notes(report, "changed", "refused")}
        otherwise = OTHERWISE.get(case.name, set())
        expected = TOLD.get(case.name, {})
        print(different, told)
        assert set(different) == {*expected, *otherwise}
        for who, (grade, file, line) in expected.items():
            number = line_of(move.conf, line) if isinstance(line, str) else line
            assert (grade, file, number) in told, who
        if case.name == "forms of an author":
            assert all(different[each][1].action == "unsigned" for each in otherwise)


def test_a_key_list_of_old(place):
    """OpenDKIM has known them until 2.0 only: inkand against what they say."""
    for selector in ("s1", "s2"):
        os.link(f"{place['dir']}/rsa.pem", f"{place['dir']}/{selector}.private")
    write_files({"list": "*@example.com:example.com:{dir}/s1\nann@example.org:example.org:{dir}/s2\n"
                         "*@example.net:example.com:{dir}/s1\n"}, place)
    with Move(place["dir"]) as move:
        report = move.configure(fill("Mode s\nKeyList {dir}/list\n", place)).take_over()
        assert report["refused"] == 0, notes(report, "refused")
        said = [move.ask_inkand(ask).signatures for ask in authors(
            "a@example.com", "ann@example.org", "bob@example.org", "a@example.net", "a@sub.example.com")]
        assert said == [{("example.com", "s1", "")}, {("example.org", "s2", "")}, set(),
                        {("example.com", "s1", "")}, set()]


# -- tables made by chance --------------------------------------------------------------------

HOSTS = ["example.com", "sub.example.com", "a.sub.example.com", "example.org", "x.example.org",
         "example.net"]
STRANGERS = ["other.test", "deep.x.example.org", "notexample.com", "b.a.sub.example.com"]
FORMS = {"file": ["{h}", "{h}", "{u}@{h}", "{u}@.{h}", ".{h}", "{u}@*", "*"],
         "refile": ["*@{h}", "*@{h}", "*@{h}", "{u}@{h}", "{u}@*.{h}", "*@*.{h}", "{u}@*", "*"]}


def make_tables(chance):
    """(kind, KeyTable, SigningTable)"""
    kind = chance.choice(list(FORMS))
    keys = "".join(f"k{n} {chance.choice(HOSTS)}:s{n}:{{dir}}/rsa.pem\n" for n in range(6))
    rows = ""
    for _ in range(chance.randrange(1, 9)):
        pattern = chance.choice(FORMS[kind]).format(h=chance.choice(HOSTS), u=chance.choice(["ann", "bob"]))
        signer = chance.choice([""] * 9 + [":@example.com", ":x@sub.example.com", ":y@example.org"])
        rows += f"{pattern} k{chance.randrange(6)}{signer}\n"
    return kind, keys, rows


def is_about(note, author):
    """Whether the pattern that a note begins with matches."""
    user, _, domain = author.partition("@")
    pattern = note[3].partition(":")[0]
    who, at, where = pattern.rpartition("@")
    return (not at or who == user) and (where in ("*", domain) or (
        where.startswith(".") and domain.endswith(where)))


@pytest.mark.parametrize("seed", [1, 2, 5, 10, 14, 18, 21, 29, 33, 39, 42, 47])
def test_tables_made_by_chance(seed, place):
    chance = random.Random(seed)
    kind, keys, rows = make_tables(chance)
    more = "MultipleSignatures yes\n" if chance.random() < 0.35 else ""
    print(kind, more, keys, rows, sep="\n")
    write_files({"keys": keys, "rules": rows}, place)
    settings = f"Mode s\nKeyTable file:{{dir}}/keys\nSigningTable {kind}:{{dir}}/rules\n{more}"
    asks = authors(*(f"{u}@{h}" for u in ("ann", "bob", "eve") for h in HOSTS + STRANGERS))
    with Move(place["dir"]) as move:
        report = move.start_opendkim(fill(settings, place)).take_over()
        told = notes(report, "changed", "refused")
        for author, said in find_different(move, asks).items():
            assert any(is_about(note, author) for note in told), (author, said, told)
