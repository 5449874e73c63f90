# SPDX-License-Identifier: Apache-2.0
"""What inkan says that OpenDKIM would do, beside what OpenDKIM does: the same configuration and
the same messages for `inkan explain --against opendkim` and for the real daemon."""

import base64
import grp
import json
import os
import pwd
import random
import re
import shutil
import socket
import struct
import subprocess
import tempfile
from dataclasses import dataclass, field

import pytest

from inkan import BUILD, SANITIZER_ENV, Inkan
from milter import ACCEPT, ALL_STEPS, CONTINUE, REJECT, REPLY_CODE, TEMPFAIL, Closed, Milter
from peers import OpenDkim, tags_of
from process import free_port, wait_for

MESSAGE = ("From: {}\r\n{}To: to@sink.test\r\nSubject: one\r\n"
           "Date: Sat, 21 Nov 2026 10:00:00 +0000\r\n\r\nBody.\r\n")
SKIP_THE_BODY = 0x400  # SMFIP_SKIP
SEEDS = range(*(int(n) for n in os.environ.get("INKAN_SEEDS", "0-12").split("-")))
REFUSALS = {TEMPFAIL: "tempfail", REJECT: "reject"}


@dataclass
class Ask:
    author: str = "ann@example.com"
    client: str = "127.0.0.1"
    name: str = "client.test"
    login: str = None
    daemon: str = "mx.test"
    sender: str = None
    envelope: str = None

    def message(self):
        sender = f"Sender: {self.sender}\r\n" if self.sender else ""
        return MESSAGE.format(self.author, sender).encode()


@dataclass
class Case:
    name: str
    settings: str
    asks: list
    files: dict = field(default_factory=dict)
    actions: list = None  # what both are to say, where the case is about that


@dataclass
class Link:
    """A file that is a symbolic link."""
    target: str


def authors(*addresses):
    return [Ask(address) for address in addresses]


def clients(*pairs):
    """Addresses, or (address, name)."""
    return [Ask(client=pair) if isinstance(pair, str) else Ask(client=pair[0], name=pair[1])
            for pair in pairs]


SIMPLE = "Mode s\nDomain example.com\nSelector s1\nKeyFile {dir}/rsa.pem\n"
TABLES = "Mode s\nKeyTable file:{dir}/keys\nSigningTable file:{dir}/rules\n"
PATTERNS = "Mode s\nKeyTable file:{dir}/keys\nSigningTable refile:{dir}/rules\n"
KEYS = "k1 example.com:s1:{dir}/rsa.pem\nk2 example.org:s2:{dir}/rsa.pem\n"
INSIDE = SIMPLE + "InternalHosts file:{dir}/hosts\n"

SIGN, UNSIGNED, FAIL = "sign", "unsigned", "tempfail"


def rules(name, lines, asks, settings=TABLES, keys=KEYS, more=None, actions=None):
    return Case(name, settings, asks, {"keys": keys, "rules": lines, **(more or {})}, actions)


def hosts(name, lines, asks, settings=INSIDE, **more):
    return Case(name, settings, asks, {"hosts": lines}, **more)


# One key, chosen by Domain.
SIMPLE_CASES = [
    Case("one domain", SIMPLE,
         authors("ann@example.com", "ann@EXAMPLE.com", "ann@sub.example.com", "ann@example.org"),
         actions=[SIGN, SIGN, UNSIGNED, UNSIGNED]),
    Case("SubDomains signs as the parent, with i=", SIMPLE + "SubDomains yes\n",
         authors("ann@example.com", "ann@sub.example.com", "a@x.y.example.com", "a@notexample.com"),
         actions=[SIGN, SIGN, SIGN, UNSIGNED]),
    Case("Domain as a list", "Mode s\nDomain example.com, example.org\nSelector s1\n"
         "KeyFile {dir}/rsa.pem\n", authors("a@example.com", "a@example.org", "a@example.net")),
    Case("Domain as a file", "Mode s\nDomain {dir}/domains\nSelector s1\nKeyFile {dir}/rsa.pem\n",
         authors("a@example.com", "a@Example.Org"), {"domains": "example.com\nexample.org # two\n"}),
    Case("Domain is everybody", SIMPLE + "Domain *\n", authors("a@anywhere.test")),
    Case("Domain by pattern", SIMPLE + "Domain refile:{dir}/domains\n",
         authors("a@x.example.com", "a@notexample.com", "a@example.com"),
         {"domains": "*.example.com\n"}, actions=[SIGN, UNSIGNED, UNSIGNED]),
    Case("the last line counts", SIMPLE + "Selector s2\nDOMAIN example.org\n",
         authors("a@example.com", "a@example.org"), actions=[UNSIGNED, SIGN]),
    Case("rsa-sha1", SIMPLE + "SignatureAlgorithm RSA-SHA1\n", authors("a@example.com")),
    Case("Ed25519", SIMPLE + "SignatureAlgorithm ed25519-sha256\nKeyFile {dir}/ed25519.pem\n",
         authors("a@example.com"), actions=[SIGN]),
    Case("an Ed25519 key without the algorithm", SIMPLE + "KeyFile {dir}/ed25519.pem\n",
         authors("a@example.com"), actions=[FAIL]),
    Case("the algorithm without an Ed25519 key", SIMPLE + "SignatureAlgorithm ed25519-sha256\n",
         authors("a@example.com")),
    Case("a key of 512 bits is rejected", SIMPLE + "KeyFile {dir}/small.pem\n",
         authors("a@example.com"), actions=["reject"]),
    Case("and accepted unsigned", SIMPLE + "KeyFile {dir}/small.pem\nOn-SignatureError accept\n",
         authors("a@example.com"), actions=[UNSIGNED]),
    Case("and signed with", SIMPLE + "KeyFile {dir}/small.pem\nMinimumKeyBits 512\n",
         authors("a@example.com"), actions=[SIGN]),
    Case("a key that is none", SIMPLE + "KeyFile {dir}/garbage.pem\n", authors("a@example.com"),
         actions=[FAIL]),
    Case("a key that is none, and On-Default", SIMPLE + "KeyFile {dir}/garbage.pem\n"
         "On-Default reject\n", authors("a@example.com"), actions=["reject"]),
    Case("text before PEM", SIMPLE + "KeyFile {dir}/commented.pem\n", authors("a@example.com"),
         actions=[FAIL]),
    Case("a certificate before the key", SIMPLE + "KeyFile {dir}/bundle.pem\n",
         authors("a@example.com"), actions=[SIGN]),
    Case("base64 in a file", SIMPLE + "KeyFile {dir}/base64\n", authors("a@example.com"),
         actions=[SIGN]),
    Case("SenderHeaders without such a field", SIMPLE + "SenderHeaders Sender,Resent-From\n",
         authors("a@example.com"), actions=[SIGN]),
    Case("SenderHeaders with From", SIMPLE + "SenderHeaders Sender,FROM\n",
         authors("a@example.com"), actions=[SIGN]),
    Case("Sender before From", SIMPLE + "SenderHeaders Sender,From\n",
         [Ask(author="a@example.com", sender="b@example.org"),
          Ask(author="a@example.org", sender="b@example.com")], actions=[UNSIGNED, SIGN]),
    Case("From before Sender", SIMPLE + "SenderHeaders From,Sender\n",
         [Ask(author="a@example.com", sender="b@example.org"),
          Ask(author="a@example.org", sender="b@example.com")], actions=[SIGN, UNSIGNED]),
    Case("a macro for the author", SIMPLE + "SenderMacro {mail_addr}\n",
         [Ask(author="a@example.org", envelope="b@example.com"), Ask(author="a@example.com")],
         actions=[SIGN, SIGN]),
    Case("exempt domains", SIMPLE + "ExemptDomains example.com,example.net\n",
         authors("a@example.com"), actions=[UNSIGNED]),
    Case("Mode v with a Domain and no key", "Mode v\nDomain example.com\n",
         authors("a@example.com", "a@example.org"), actions=[FAIL, "verify"]),
    Case("Mode v with a key", "Mode v\nDomain example.com\nSelector s\nKeyFile {dir}/rsa.pem\n",
         authors("a@example.com", "a@example.org"), actions=[UNSIGNED, "verify"]),
    Case("Mode sv", SIMPLE + "Mode sv\n", authors("a@example.com", "a@example.org"),
         actions=[SIGN, "verify"]),
    Case("an invalid On- value is as if it were not there",
         SIMPLE + "KeyFile {dir}/garbage.pem\nOn-InternalError nonsense\n",
         authors("a@example.com"), actions=[FAIL]),
    Case("comments, CR and numbers in the settings",
         "mode s # signs\r\nDOMAIN\texample.com\t\r\nSelector s#1\nKeyFile {dir}/rsa.pem\n"
         "UMask 0x12\nSignatureTTL 010\n", authors("a@example.com"), actions=[SIGN]),
]

# Who the author is.
AUTHOR_CASES = [
    Case("forms of an author", SIMPLE + "Domain *\n", authors(
        "Ann <ann@example.com>", "ann@example.com (Ann)", "(x) ann@example.com",
        '"Ann, B" <ann@example.com>', "ann@example.com, bob@example.org",
        "friends: ann@example.com, bob@example.org;", "<@a.test,@b.test:ann@example.com>",
        "ann @ example.com", "Ann Bee <ann@exam(x)ple.com>", "ann@a@example.com", "ann",
        "<>", '"unclosed <ann@example.com>', "ann@", "@example.com", "<ann@example.com",
        "ann@[192.0.2.1]", "undisclosed:;", "=?utf-8?q?ann?= <ann@example.com>",
        "ann@example.com.", "ann\\@x@example.com", "a/b=c?d@example.com", "ann(c)@(d)example.com",
        "[x]@example.com", '"a\\"b"@example.com', "g: <x@a.test>, y@b.test;", ", ann@example.com",
        "ann@example.com;", "<ann@example.com> x@example.org", "Ann: <ann@example.com",
        "(unclosed ann@example.com", "ann@example.com (unclosed", "<ann,bob@example.com>")),
    rules("local parts as they are written", "Ann@example.com k1\n\"q\"@example.com k2\n",
          authors("ann@example.com", '"q"@example.com', "q@example.com", "Ann@Example.Com")),
]

# SigningTable and KeyTable.
RULE_CASES = [
    rules("forms of an address", "ann@example.com k1\nexample.org k2\nbob@.example.net k1\n"
          ".example.net k2\ncarl@* k1\n",
          authors("ann@example.com", "bob@example.com", "x@example.org", "x@sub.example.org",
                  "bob@a.example.net", "x@a.b.example.net", "x@example.net", "carl@any.test")),
    rules("everybody", "* k1\n", authors("x@any.test")),
    rules("the first record counts", "example.com k2\nexample.com k1\n", authors("a@example.com")),
    rules("a pattern in a file matches nobody", "*@example.com k1\n", authors("a@example.com"),
          actions=[UNSIGNED]),
    rules("a dot at the end of the domain", "example.com k1\n", authors("a@example.com.")),
    rules("letters beyond ASCII", "example.com k1\nä@example.com k2\n",
          authors("ä@example.com"), actions=[SIGN]),
    rules("a rule without a key", "example.com nokey\n", authors("a@example.com", "a@x.test"),
          actions=[FAIL, UNSIGNED]),
    rules("KeyTable knows case, SigningTable does not", "EXAMPLE.com K1\nexample.org k2\n",
          authors("a@example.com", "a@example.org"), actions=[FAIL, SIGN]),
    rules("signers", "a@example.com k1:x@example.com\nb@example.com k1:@sub.example.com\n"
          "c@example.com k1:x@example.org\nd@example.com k1:%\ne@example.com k1:@%\n"
          "f@example.com k1:nonsense\ng@example.com k1:x@%\nh@example.com k1:a@b@example.com\n",
          authors(*(f"{u}@example.com" for u in "abcdefgh"))),
    rules("% as the name of a key", "* %\n", authors("a@example.com", "a@example.net"),
          keys="example.com example.com:s1:{dir}/rsa.pem\n", actions=[SIGN, FAIL]),
    rules("% as a domain", "* any\n", authors("a@Example.com", "a@x.example.net"),
          keys="any %:s1:{dir}/rsa.pem\n"),
    rules("% in a selector stays", "* any\n", authors("a@example.com"),
          keys="any %:s%:{dir}/rsa.pem\n"),
    rules("% in a file is the domain of the row", "* any\n", authors("a@rsa.test"),
          keys="any example.com:s1:{dir}/%.pem\n", actions=[FAIL]),
    rules("% in a file, found", "* any\n", authors("a@other.test"),
          keys="any rsa:s1:{dir}/%.pem\n", actions=[SIGN]),
    rules("% in both is the author's domain", "* any\n", authors("a@rsa", "a@other"),
          keys="any %:s1:{dir}/%.pem\n", actions=[SIGN, FAIL]),
    rules("spaces beside colons", "example.com k1\n", authors("a@example.com"),
          keys="k1 example.com : s1 : {dir}/rsa.pem\n"),
    rules("a fourth part", "example.com k1\n", authors("a@example.com"),
          keys="k1 example.com:s1:{dir}/rsa.pem:rsa-sha256\n", actions=[FAIL]),
    rules("corrupt values", "a@example.com e1\nb@example.com e2\nc@example.com e3\n"
          "d@example.com e4\ne@example.com e5\n",
          authors(*(f"{u}@example.com" for u in "abcde")),
          keys="e1 example.com\ne2 example.com:s1\ne3 :s1:{dir}/rsa.pem\ne4 example.com::x\n"
          "e5 example.com:s1:\n", actions=[FAIL] * 5),
    rules("a key without a value", "example.com k1\n", authors("a@example.com"), keys="k1\n",
          actions=[FAIL]),
    rules("a file that is not there", "example.com k1\n", authors("a@example.com"),
          keys="k1 example.com:s1:{dir}/none.pem\n", actions=[FAIL]),
    rules("a relative name is no file", "example.com k1\n", authors("a@example.com"),
          keys="k1 example.com:s1:rsa.pem\n", actions=[FAIL]),
    rules("./ begins in BaseDirectory", "example.com k1\n", authors("a@example.com"),
          settings=TABLES + "BaseDirectory {dir}\n", keys="k1 example.com:s1:./rsa.pem\n",
          actions=[SIGN]),
    rules("relative data sets begin in BaseDirectory", "example.com k1\n",
          authors("a@example.com"), settings="BaseDirectory {dir}\nMode s\nKeyTable file:keys\n"
          "SigningTable file:rules\n", actions=[SIGN]),
    rules("another root directory", "a@example.com k1\nb@example.com k2\nc@example.com k3\n",
          authors("a@example.com", "b@example.com", "c@example.com"),
          settings=TABLES + "ChangeRootDirectory {dir}\nBaseDirectory /usr\n",
          keys="k1 example.com:s1:/rsa.pem\nk2 example.com:s2:./rsa.pem\n"
          "k3 example.com:s1:{dir}/rsa.pem\n", actions=[SIGN, SIGN, FAIL]),
    rules("nothing is secure in a root directory without users", "example.com k1\n",
          authors("a@example.com"), settings=TABLES + "ChangeRootDirectory {dir}\n"
          "RequireSafeKeys yes\n", keys="k1 example.com:s1:/rsa.pem\n", actions=[FAIL]),
    rules("with users it is, whatever is above", "example.com k1\n", authors("a@example.com"),
          settings=TABLES + "ChangeRootDirectory {dir}\nRequireSafeKeys yes\n",
          keys="k1 example.com:s1:/rsa.pem\n", actions=[SIGN],
          more={"etc/passwd": "root:x:0:0::/:/bin/sh\n", "etc/group": "root:x:0:\n"}),
    rules("links in another root directory", "".join(f"{u}@example.com {u}\n" for u in "abcdef"),
          authors(*(f"{u}@example.com" for u in "abcdef")),
          settings=TABLES + "ChangeRootDirectory {dir}/root\n",
          keys="".join(f"{u} example.com:s1:/{u}.pem\n" for u in "abcde")
          + "f example.com:s1:/rsa.pem/../rsa.pem\n", actions=[SIGN, SIGN, SIGN, FAIL, FAIL, FAIL],
          more={"root": Link("{dir}"), "a.pem": Link("/rsa.pem"), "b.pem": Link("../../../rsa.pem"),
                "c.pem": Link("/top/rsa.pem"), "top": Link("/"), "d.pem": Link("{dir}/rsa.pem"),
                "e.pem": Link("e.pem")}),
    rules("users behind a link", "example.com k1\n", authors("a@example.com"),
          settings=TABLES + "ChangeRootDirectory {dir}\nRequireSafeKeys yes\n",
          keys="k1 example.com:s1:/rsa.pem\n", actions=[SIGN],
          more={"users": "root:x:0:0::/:/bin/sh\n", "etc/passwd": Link("/users"),
                "etc/group": "root:x:0:\n"}),
    rules("base64 in the table", "a@example.com k1\nb@example.com k2\nc@example.com k3\n",
          authors("a@example.com", "b@example.com", "c@example.com"),
          keys="k1 example.com:s1:{b64short}\nk2 example.com:s1:{b64ed25519}\n"
          "k3 example.com:s1:{b64pkcs8short}\n", actions=[SIGN, FAIL, SIGN]),
    rules("a line that is too long", "example.com k1\n", authors("a@example.com"),
          keys="k1 example.com:s1:{b64long}\n", actions=[FAIL]),
    rules("what follows a long comment is a row", "#" + "x" * 1022 + "example.com k1\n",
          authors("a@example.com"), actions=[SIGN]),
    rules("a line of 1,023 octets", "example.com k1" + " " * 1009 + "\nexample.org k2\n",
          authors("a@example.com", "a@example.org"), actions=[SIGN, SIGN]),
    rules("# ends a line", "example.com k1#x\nexample#.org k2\n",
          authors("a@example.com", "a@example.org")),
    rules("CRLF, tabs, no line end", "  example.com\t k1 \r\nexample.org\tk2",
          authors("a@example.com", "a@example.org"), actions=[SIGN, SIGN]),
    rules("values with blanks", "example.com k 1\n", authors("a@example.com"),
          keys="k example.com:s1:{dir}/rsa.pem\n", actions=[FAIL]),
    rules("a csl of keys", "example.com k1\n", authors("a@example.com"),
          settings="Mode s\nKeyTable csl:k1=example.com:s1:{dir}/rsa.pem, k2 = x\n"
          "SigningTable example.com=k1,example.org = k2\n", actions=[SIGN]),
    rules("several signatures, by form", "a@example.com k1\nexample.com k2\n* k3\n",
          authors("a@example.com", "b@example.com", "b@x.test"),
          settings=TABLES + "MultipleSignatures yes\n",
          keys=KEYS + "k3 example.net:s3:{dir}/rsa.pem\n"),
    rules("one of several cannot be loaded", "a@example.com k1\nexample.com k2\n",
          authors("a@example.com"), settings=TABLES + "MultipleSignatures yes\n",
          keys="k1 example.com:s1:{dir}/rsa.pem\nk2 example.org:s2:{dir}/none.pem\n",
          actions=[FAIL]),
    rules("one of several cannot sign", "a@example.com k1\nexample.com k2\n",
          authors("a@example.com"), settings=TABLES + "MultipleSignatures yes\n",
          keys="k1 example.com:s1:{dir}/rsa.pem\nk2 example.org:s2:{dir}/garbage.pem\n",
          actions=[FAIL]),
    rules("the lost one cannot sign", "a@example.com k1\nexample.com k2\n* k1\n",
          authors("a@example.com"), settings=TABLES + "MultipleSignatures yes\n",
          keys="k1 example.com:s1:{dir}/rsa.pem\nk2 example.org:s2:{dir}/garbage.pem\n",
          actions=[SIGN]),
    rules("Domain beside KeyTable is not read", "example.com k1\n",
          authors("a@example.com", "a@other.test"), settings=TABLES + "Domain other.test\n",
          actions=[SIGN, UNSIGNED]),
    rules("Mode v with tables", "example.com k1\n", authors("a@example.com", "a@x.test"),
          settings=TABLES + "Mode v\n", actions=[UNSIGNED, "verify"]),
]

PATTERN_CASES = [
    rules("patterns", "*@example.com k1\n*.example.org k2\n(ann|bob)@x.test k1\nc?d@y.test k1\n"
          "[xy]z@y.test k2\na+b@y.test k1\n*example.net k1\nD@Y.TEST k2\n",
          authors("a@example.com", "a@sub.example.com", "a@b.example.org", "ann@x.test",
                  "carl@x.test", "cd@y.test", "d@y.test", "c?d@y.test", "xz@y.test", "a+b@y.test",
                  "aab@y.test", "a@notexample.net", "a@examplexcom"), settings=PATTERNS),
    rules("a pattern with white space before it", " *@example.com k1\n",
          authors("a@example.com"), settings=PATTERNS, actions=[UNSIGNED]),
    rules("the first pattern counts", "*@example.com k2\na@example.com k1\n",
          authors("a@example.com"), settings=PATTERNS),
    rules("a pattern with an empty value", "*@example.com \n", authors("a@example.com"),
          settings=PATTERNS, actions=[FAIL]),
    rules("a pattern with a comment for a value", "*@example.com # k1\n",
          authors("a@example.com"), settings=PATTERNS, actions=[FAIL]),
    rules("a pattern without a value", "*@example.com\n", authors("a@x.test", "a@example.com"),
          settings=PATTERNS, actions=[UNSIGNED, "stopped"]),
    rules("several patterns", "*@example.com k1\na* k2\n*m k3\n", authors("a@example.com"),
          settings=PATTERNS + "MultipleSignatures yes\n",
          keys=KEYS + "k3 example.net:s3:{dir}/rsa.pem\n"),
    rules("two patterns", "*@example.com k1\na* k2\n", authors("a@example.com", "b@example.com"),
          settings=PATTERNS + "MultipleSignatures yes\n"),
    rules("KeyTable with patterns", "*@example.com key.one\n*@example.org KEY.one\n",
          authors("a@example.com", "a@example.org"), keys="key.* example.com:s1:{dir}/rsa.pem\n",
          settings="Mode s\nKeyTable refile:{dir}/keys\nSigningTable refile:{dir}/rules\n",
          actions=[SIGN, FAIL]),
    rules("letters beyond ASCII in a pattern", "*ä*@example.com k1\n",
          authors("xäy@example.com", "xay@example.com"), settings=PATTERNS),
    rules("a name in UTF-8", "*@müller.test k1\n", authors("a@müller.test", "a@example.com"), settings=PATTERNS,
          actions=[SIGN, UNSIGNED]),
    rules("keys of names beyond ASCII", "*@example.com k1\n*@example.org k2\n*@example.net k3\n",
          authors("a@example.net", "a@example.com", "a@example.org"), settings=PATTERNS,
          keys="k1 müller.test:s1:{dir}/rsa.pem\nk2 example.org:ü:{dir}/rsa.pem\nk3 example.net:s3:{dir}/rsa.pem\n",
          actions=[SIGN, "stopped", "stopped"]),
    rules("a signer", "*@*.example.com k1:@%\n", authors("a@sub.example.com"), settings=PATTERNS),
]

# Who may sign.
HOST_CASES = [
    hosts("an address", "192.0.2.1\n", clients("192.0.2.1", "192.0.2.2", "127.0.0.1"),
          actions=[SIGN, UNSIGNED, UNSIGNED]),
    hosts("the default", "", clients("127.0.0.1", "127.0.0.2", "::1", "::2"),
          settings=SIMPLE + "InternalHosts csl:127.0.0.1,::1\n"),
    hosts("networks", "192.0.2.0/24\n10.0.0.0/8\n2001:db8::/32\n",
          clients("192.0.2.77", "192.0.3.1", "10.9.8.7", "2001:db8::1", "2001:db9::1")),
    hosts("host bits never match", "192.168.0.1/24\n", clients("192.168.0.1", "192.168.0.2"),
          actions=[UNSIGNED, UNSIGNED]),
    hosts("other ways of writing", "192.0.2.0/255.255.255.0\n198.51.100\n203.0.113.007\n"
          "2001:DB8:0::1\n2001:0db8::5\n2001:DB8::7\n",
          clients("192.0.2.1", "198.51.100.1", "203.0.113.7", "2001:db8::1", "2001:db8::5",
                  "2001:db8::7")),
    # Whether OpenDKIM finds [192.0.2.1] is up to chance: it forgets to end the text.
    hosts("brackets", "[198.51.100.0]/24\n![203.0.113.0]/25\n203.0.113.0/24\n[2001:db8::1]\n"
          "![2001:db8::2]\n2001:db8::/32\n",
          clients("198.51.100.9", "203.0.113.5", "203.0.113.130", "2001:db8::1", "2001:db8::2",
                  "2001:db8::3")),
    hosts("names", "mx.example.net\n.example.org\n",
          clients(("192.0.2.1", "mx.example.net"), ("192.0.2.1", "x.mx.example.net"),
                  ("192.0.2.1", "a.b.example.org"), ("192.0.2.1", "example.org"),
                  ("192.0.2.1", "MX.Example.Net"), ("192.0.2.1", "[192.0.2.1]"))),
    hosts("an exception by name does not except the address",
          "!bad.example.net\n192.0.2.0/24\n.example.net\n",
          clients(("192.0.2.5", "bad.example.net"), ("198.51.100.1", "bad.example.net"),
                  ("198.51.100.1", "good.example.net")), actions=[SIGN, UNSIGNED, SIGN]),
    hosts("an exception of an address", "!192.0.2.5\n192.0.2.0/24\n!192.0.2.128/25\n",
          clients("192.0.2.5", "192.0.2.6", "192.0.2.200"), actions=[UNSIGNED, SIGN, UNSIGNED]),
    hosts("the longest prefix first", "192.0.2.0/24\n!192.0.0.0/16\n",
          clients("192.0.2.1", "192.0.3.1"), actions=[SIGN, UNSIGNED]),
    hosts("everybody", "0.0.0.0/0\n::/0\n", clients("203.0.113.1", "2001:db8::1")),
    hosts("mapped addresses", "192.0.2.1\n", clients("::ffff:192.0.2.1")),
    hosts("a pattern in a file", "*.example.net\n", clients(("192.0.2.1", "a.example.net")),
          actions=[UNSIGNED]),
    hosts("a pattern that begins with * lets nobody in", "*.example.net\nmx*.example.org\n"
          "198.51.100.*\n", clients(("192.0.2.1", "a.example.net"),
                                    ("192.0.2.1", "mx7.example.org"), "198.51.100.9"),
          settings=SIMPLE + "InternalHosts refile:{dir}/hosts\n", actions=[UNSIGNED, SIGN, SIGN]),
    hosts("brackets in a pattern are a set of letters", "[::1]\n[10.0.0.0]/8\n192.0.2.1\n",
          clients("::1", "10.1.2.3", "192.0.2.1"),
          settings=SIMPLE + "InternalHosts refile:{dir}/hosts\n", actions=[UNSIGNED, UNSIGNED, SIGN]),
    hosts("words behind an address", "192.0.2.1 the gateway\n", clients("192.0.2.1")),
    hosts("a comma-separated list", "", clients("192.0.2.1", "10.0.0.1", "10.0.0.9"),
          settings=SIMPLE + "InternalHosts 192.0.2.1, 10.0.0.0/8 ,!10.0.0.9\n"),
    hosts("PeerList is left alone", "192.0.2.1\n.example.net\n",
          clients("192.0.2.1", ("127.0.0.1", "a.example.net"), ("127.0.0.1", "[127.0.0.1]")),
          settings=SIMPLE + "PeerList {dir}/hosts\nMode sv\n", actions=[UNSIGNED, UNSIGNED, SIGN]),
    Case("logins", SIMPLE, [Ask(client="192.0.2.1", login="bob"), Ask(client="192.0.2.1")],
         actions=[SIGN, UNSIGNED]),
    Case("names of daemons", SIMPLE + "MTA MSA,ORIG\n",
         [Ask(client="192.0.2.1", daemon=name) for name in ("MSA", "msa", "ORIG", "MTA")],
         actions=[SIGN, UNSIGNED, SIGN, UNSIGNED]),
    Case("macros", SIMPLE + "MacroList auth_authen=bob|carl\n",
         [Ask(client="192.0.2.1", login="bob"), Ask(client="192.0.2.1", daemon="bob")],
         actions=[SIGN, UNSIGNED]),
    Case("macros, by daemon", SIMPLE + "MacroList daemon_name=A|B\n",
         [Ask(client="192.0.2.1", daemon=name) for name in ("A", "B", "C", "a")],
         actions=[SIGN, SIGN, UNSIGNED, UNSIGNED]),
    Case("any value of a macro", SIMPLE + "MacroList daemon_name\n",
         [Ask(client="192.0.2.1", daemon="any")], actions=[SIGN]),
    Case("macros from a file", SIMPLE + "MacroList file:{dir}/macros\n",
         [Ask(client="192.0.2.1", daemon=name) for name in ("A", "B", "C")],
         {"macros": "daemon_name A | B\n"}, actions=[SIGN, SIGN, UNSIGNED]),
    Case("macros, one daemon", SIMPLE + "MacroList daemon_name=A\n",
         [Ask(client="192.0.2.1", daemon=name) for name in ("A", "B")], actions=[SIGN, UNSIGNED]),
    Case("MacroList takes back what MTA allowed", SIMPLE + "MTA ORIG\nMacroList daemon_name=X\n",
         [Ask(client="192.0.2.1", daemon="ORIG"), Ask(client="192.0.2.1", daemon="X")],
         actions=[UNSIGNED, SIGN]),
]

BERKELEY = "Mode s\nKeyTable db:{dir}/keys.db\nSigningTable {dir}/rules.db\n"
BERKELEY_CASES = [
    Case("Berkeley DB", BERKELEY,
         authors("a@example.com", "a@example.org", "a@x.test", "a@EXAMPLE.com", "b@example.net"),
         {"keys.db": {"k1": "example.com:s1:{dir}/rsa.pem", "K2": "example.org:s2:{dir}/rsa.pem",
                      "long": "example.net:s3:{b64long}"},
          "rules.db": {"example.com": "k1", "example.org": "k2", "B@example.net": "k1",
                       "example.net": "long", "*": "k1:back\\slash@example.com",
                       "nul.test\0": "k1"}},
         actions=[SIGN, FAIL, SIGN, SIGN, FAIL]),
]



def any_table(seed):
    """Rules and keys of parts that are easily confused, and authors likewise."""
    chance = random.Random(seed)
    domains = ["a.test", "b.a.test", "A.test", "nota.test", "test", ".test", "a.test.", "x+y.test"]
    users = ["u", "U", "v", "u+v", "*", "u.v", ""]
    words = ["k1", "k2", "K1", "%", "none", "k1:@a.test", "k2:%", "k1:@%", "k1:u@b.a.test", "k1:x", ":"]

    def pattern():
        key = chance.choice(["{u}@{d}", "{d}", ".{d}", "{u}@.{d}", "{u}@*", "*", "*@{d}", "*{d}",
                             "*@*.{d}", "{u}*", "[uv]@{d}", "({u}|v)@{d}", "{u}?@{d}", "@{d}"])
        return key.format(u=chance.choice(users), d=chance.choice(domains))

    def line():
        blank = chance.choice([" ", "\t", "  ", " \t "])
        start = chance.choice(["", "", "", " ", "#"])
        end = chance.choice(["", "", "", " ", "\r", " # x", "#x"])
        value = chance.choice(words) if chance.random() < 0.95 else ""
        return f"{start}{pattern()}{blank}{value}{end}\n"

    keys = "".join(chance.choice([
        "k1 a.test:s1:{dir}/rsa.pem\n", "k2 %:s2:{dir}/rsa.pem\n", "K1 b.test:s3:{dir}/rsa.pem\n",
        "a.test a.test:s%:{dir}/rsa.pem\n", "* star.test:s4:{dir}/rsa.pem\n", "k2 corrupt\n",
        "k1 a.test:s5:{dir}/garbage.pem\n", "k.  a.test:s6:{dir}/rsa.pem \n"]) for _ in range(4))
    kind, key_kind = chance.choice(["file", "refile"]), chance.choice(["file", "file", "refile"])
    settings = (f"Mode {chance.choice(['s', 'sv', 'v'])}\nSigningTable {kind}:{{dir}}/rules\n"
                f"KeyTable {key_kind}:{{dir}}/keys\n"
                f"MultipleSignatures {chance.choice(['yes', 'no'])}\n")
    asks = [f"{chance.choice([u for u in users if u])}@{chance.choice(domains)}" for _ in range(12)]
    return rules(f"any table {seed}", "".join(line() for _ in range(8)), authors(*asks), settings,
                 keys)


def any_hosts(seed):
    chance = random.Random(seed)
    entries = ["192.0.2.1", "192.0.2.0/24", "192.0.0.0/16", "192.0.2.1/24", "0.0.0.0/0", "192.*",
               "a.test", ".test", ".a.test", "*.test", "b.a.*", "2001:db8::1", "2001:db8::/32",
               "[2001:db8::1]", "[192.0.2.0]/24", "::/0", "B.A.test", "*"]
    lines = "".join(chance.choice(["", "", "!"]) + chance.choice(entries) + chance.choice(
        ["", " ", " x", "#", "\r"]) + "\n" for _ in range(6))
    asks = clients(*((address, name) for address in ("192.0.2.1", "192.0.9.9", "203.0.113.1",
                                                     "2001:db8::1", "2001:db8::9")
                     for name in ("a.test", "b.a.test", "[192.0.2.1]", "other.example")))
    kind, name = chance.choice(["file", "refile"]), chance.choice(["InternalHosts", "PeerList"])
    return Case(f"any hosts {seed}", SIMPLE + f"{name} {kind}:{{dir}}/hosts\n", asks,
                {"hosts": lines})


ANY_CASES = [any_table(seed) for seed in SEEDS] + [any_hosts(seed) for seed in SEEDS]

CASES = ANY_CASES + SIMPLE_CASES + BERKELEY_CASES + AUTHOR_CASES + RULE_CASES + PATTERN_CASES + HOST_CASES

# Settings with which OpenDKIM does not start, or does.
START_CASES = [
    ("nothing at all", "", {}, True),
    ("an unknown setting", "Nonsense 1\n", {}, False),
    ("no value", "Domain\n", {}, False),
    ("on is no boolean", "SubDomains on\n", {}, False),
    ("Yes is one, and so is nope", "SubDomains Yes\nSyslog nope\n", {}, True),
    ("not a number", "UMask 02x\n", {}, False),
    ("Include", "Include {dir}/more\n", {"more": "Mode s\nNonsense x\n"}, False),
    ("Include of nothing", "Include {dir}/none\n", {}, False),
    ("Include of itself", "Include {dir}/more\n", {"more": "Include {dir}/more\n"}, False),
    ("an empty file included", "Include {dir}/more\nMode s\n", {"more": ""}, True),
    ("Mode x", "Mode sx\n", {}, False),
    ("Mode S", "Mode S\n", {}, False),
    ("canonicalization in any case", "Canonicalization Relaxed/SIMPLE\n", {}, True),
    ("canonicalization that is none", "Canonicalization relaxed/relaxedd\n", {}, False),
    ("an algorithm that is none", "SignatureAlgorithm rsa-sha512\n", {}, False),
    ("Domain without a key", "Mode s\nDomain example.com\n", {}, False),
    ("Selector without a key", "Mode s\nSelector s1\n", {}, False),
    ("a key without Selector", "Mode s\nKeyFile {dir}/rsa.pem\n", {}, False),
    ("a key that is not there", "Selector s\nKeyFile {dir}/none.pem\nMode s\n", {}, False),
    ("SigningTable without KeyTable", "SigningTable {dir}/rules\nMode v\n", {"rules": ""}, False),
    ("KeyTable without SigningTable", "KeyTable {dir}/keys\n", {"keys": ""}, False),
    ("KeyTable without SigningTable in Mode v", "KeyTable {dir}/keys\nMode v\n", {"keys": ""}, True),
    ("a list that begins with IPv6", "InternalHosts ::1,127.0.0.1\n", {}, False),
    ("csl: before it", "InternalHosts csl:::1,127.0.0.1\n", {}, True),
    ("a data set of no type", "InternalHosts mysql:x\n", {}, False),
    ("a data set that is not there", "InternalHosts {dir}/none\n", {}, False),
    ("MTA as patterns", "MTA refile:{dir}/x\n", {"x": "a\n"}, False),
    ("MacroList as patterns", "MacroList refile:{dir}/x\n", {"x": "a\n"}, False),
    ("a broken pattern", PATTERNS, {"keys": KEYS, "rules": "(a@x.test k1\n"}, False),
    ("a pattern with too much in it", PATTERNS,
     {"keys": KEYS, "rules": "." * 600 + " k1\n"}, False),
    ("a pattern with just as much as goes", PATTERNS,
     {"keys": KEYS, "rules": "a" * 1010 + " k1\n"}, True),
    ("an unknown key behind a row without a signer", TABLES,
     {"keys": KEYS, "rules": "a.test k1\nb.test none:x@b.test\n"}, True),
    ("an unknown key with a signer", TABLES,
     {"keys": KEYS, "rules": "a.test k1:x@a.test\nb.test none:x@b.test\n"}, False),
    ("an unknown key without a signer", TABLES, {"keys": KEYS, "rules": "a.test none\n"}, True),
    ("% as a key with a signer", TABLES, {"keys": KEYS, "rules": "a.test %:x@a.test\n"}, False),
    ("a rule without a value", TABLES, {"keys": KEYS, "rules": "a.test\n"}, False),
    ("a rule without a value, and Mode v", TABLES + "Mode v\n",
     {"keys": KEYS, "rules": "a.test\n"}, True),
    ("a corrupt key with a signer", TABLES,
     {"keys": "k1 example.com:s1\n", "rules": "a.test k1:x@a.test\n"}, False),
    ("an unsafe key", "RequireSafeKeys yes\n" + SIMPLE, {}, False),
    ("removed in 2.10", "ADSPAction continue\n", {}, None),
]


def run_openssl(*arguments, stdin=None):
    return subprocess.run(["openssl", *arguments], input=stdin, check=True,
                          capture_output=True).stdout


@pytest.fixture(scope="module")
def material(module_folder):
    """Keys in all forms, and what of them stands in tables."""
    def write(name, octets):
        with open(f"{module_folder}/{name}", "wb") as file:
            file.write(octets)
        os.chmod(f"{module_folder}/{name}", 0o600)
        return octets

    rsa = write("rsa.pem", run_openssl("genrsa", "-traditional", "2048"))
    short = run_openssl("genrsa", "1024")
    ed25519 = write("ed25519.pem", run_openssl("genpkey", "-algorithm", "ED25519"))
    write("small.pem", run_openssl("genrsa", "512"))
    write("garbage.pem", b"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n")
    write("commented.pem", b"A key\n" + rsa)
    certificate = run_openssl("req", "-x509", "-new", "-key", f"{module_folder}/rsa.pem", "-subj",
                              "/CN=x", "-days", "9")
    write("bundle.pem", certificate + rsa)

    def text(pem, *options):
        der = run_openssl("pkey", *options, "-outform", "DER", stdin=pem)
        return base64.b64encode(der).decode()

    write("base64", (text(rsa, "-traditional") + "\n").encode())
    return {"dir": module_folder, "b64short": text(short, "-traditional"),
            "b64pkcs8short": text(short), "b64long": text(rsa), "b64ed25519": text(ed25519)}


def fill(text, material):
    for name, value in material.items():
        text = text.replace("{" + name + "}", value)
    return text


@pytest.fixture
def place(material, module_folder):
    """The keys in a folder of this test's own."""
    path = tempfile.mkdtemp(dir=os.path.dirname(module_folder))
    os.chmod(path, 0o755)
    for name in os.listdir(module_folder):
        if os.path.isfile(f"{module_folder}/{name}"):
            shutil.copy2(f"{module_folder}/{name}", path)
    return {**material, "dir": path}


def write_berkeley(path, records):
    def escaped(text):
        return "".join(c if c.isprintable() and c != "\\" else f"\\{ord(c):02x}" for c in text)

    lines = [line for record in records.items() for line in record]
    text = "VERSION=3\nformat=print\ntype=hash\nHEADER=END\n"
    text += "".join(f" {escaped(line)}\n" for line in lines) + "DATA=END\n"
    subprocess.run(["db5.3_load", path], input=text.encode(), check=True)


def write_files(files, place):
    for name, text in files.items():
        os.makedirs(os.path.dirname(f"{place['dir']}/{name}"), exist_ok=True)
        if isinstance(text, Link):
            os.symlink(fill(text.target, place), f"{place['dir']}/{name}")
            continue
        if isinstance(text, dict):
            write_berkeley(f"{place['dir']}/{name}",
                           {key: fill(value, place) for key, value in text.items()})
            continue
        with open(f"{place['dir']}/{name}", "w", encoding="utf-8", newline="") as file:
            file.write(fill(text, place))


# -- what inkan says ---------------------------------------------------------------------------

STORE = {}


@pytest.fixture(scope="module", autouse=True)
def empty_store(workdir):
    """inkan's own side, which knows no domain and so never signs."""
    STORE["conf"] = Inkan(f"{workdir}/empty-store").set_up().conf


def explain(conf, ask):
    arguments = ["--from", ask.author, "--client", ask.client, "--client-name", ask.name,
                 "--daemon-name", ask.daemon]
    if ask.login:
        arguments += ["--login", ask.login]
    if ask.sender:
        arguments += ["--sender", ask.sender]
    if ask.envelope:
        arguments += ["--envelope-from", ask.envelope]
    answer = subprocess.run([f"{BUILD}/inkan", "-c", STORE["conf"], "--json", "explain", *arguments,
                             "--against", "opendkim", "--config", conf], capture_output=True,
                            timeout=60, env={**os.environ, **SANITIZER_ENV})
    assert answer.returncode in (0, 1), answer.stderr
    assert not answer.stderr, answer.stderr
    both = json.loads(answer.stdout)
    said = both["opendkim"]
    assert not both["inkan"]["signed"]
    assert both["same"] == (said["action"] in ("unsigned", "verify"))
    assert (answer.returncode == 0) == both["same"]
    return said


def signatures_said(said):
    """White space left out, as tags_of does it."""
    return sorted(tuple(re.sub(r"\s+", "", s[name])
                        for name in ("domain", "selector", "identity", "algorithm"))
                  for s in said["signatures"])


# -- what OpenDKIM does ------------------------------------------------------------------------

def connect_as(milter, ask):
    milter.macros(b"C", {"j": "mx.test", "{daemon_name}": ask.daemon})
    family = b"6" if ":" in ask.client else b"4"
    address = "IPv6:" + ask.client if family == b"6" else ask.client
    verdict = milter.step(b"C", ask.name.encode() + b"\0" + family + struct.pack("!H", 4321)
                          + address.encode() + b"\0")
    return verdict if verdict != CONTINUE else milter.step(b"H", b"client.test\0")


def do(daemon, ask):
    """(verdict, inserted fields) of the daemon, or None when it has ended."""
    try:
        with Milter(daemon.address, steps=ALL_STEPS & ~SKIP_THE_BODY) as milter:
            verdict, inserted = connect_as(milter, ask), []
            if verdict == CONTINUE:
                milter.envelope("TEST0001", ask.login)
                if ask.envelope:
                    milter.macros(b"N", {"{mail_addr}": ask.envelope})
                verdict = milter.content(ask.message())
            if verdict == CONTINUE:
                verdict, inserted = milter.end()
            if verdict == REPLY_CODE:
                verdict = TEMPFAIL if milter.reply.startswith(b"4") else REJECT
            return verdict, inserted
    except (Closed, ConnectionError, socket.timeout):
        wait_for("opendkim has ended", lambda: not daemon.process.is_alive())
        return None


def action_done(outcome):
    if outcome is None:
        return "stopped", []
    verdict, inserted = outcome
    if verdict in REFUSALS:
        return REFUSALS[verdict], []
    assert verdict in (ACCEPT, CONTINUE), verdict
    fields = [(name.lower(), value) for _, name, value in inserted]
    signed = sorted((tags["d"], tags["s"], tags.get("i", ""), tags["a"]) for tags in
                    (tags_of(value) for name, value in fields if name == b"dkim-signature"))
    if signed:
        return "sign", signed
    results = [value for name, value in fields if name == b"authentication-results"]
    verified = any(re.search(rb"dkim=none", value) for value in results)
    return ("verify" if verified else "unsigned"), []


def restarted(daemon, folder):
    daemon.stop()
    with open(f"{folder}/opendkim.conf", encoding="ascii") as file:
        return OpenDkim(folder, file.read(), daemon.address[1])


def starts(conf, settings):
    with open(conf, "w", encoding="utf-8") as file:
        file.write("RequireSafeKeys no\n" + settings)
    return subprocess.run(["opendkim", "-n", "-x", conf], capture_output=True,
                          timeout=30).returncode == 0


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_opendkim_does(case, place):
    write_files(case.files, place)
    settings = fill(case.settings, place)
    conf = f"{place['dir']}/opendkim.conf"
    if case in ANY_CASES and not starts(conf, settings):
        assert explain(conf, case.asks[0])["action"] == "stopped"
        return
    daemon = OpenDkim(place["dir"], "AlwaysAddARHeader yes\nMinimumKeyBits 1024\n" + settings)
    differences = []
    actions = []
    try:
        for ask in case.asks:
            said = explain(conf, ask)
            done, signed = action_done(do(daemon, ask))
            actions.append(done)
            if done == "stopped":
                daemon = restarted(daemon, place["dir"])
            if said["action"] != done or signatures_said(said) != signed:
                differences.append((ask, "opendkim", done, signed, "inkan", said["action"],
                                    signatures_said(said), said["reason"]))
    finally:
        daemon.stop()
    print(case.name, actions)
    assert not differences, differences
    if case.actions:
        assert actions == case.actions


@pytest.mark.parametrize("name, settings, files, starts", START_CASES,
                         ids=[case[0] for case in START_CASES])
def test_whether_opendkim_starts(name, settings, files, starts, place):
    del name
    write_files(files, place)
    conf = f"{place['dir']}/opendkim.conf"
    with open(conf, "w", encoding="utf-8") as file:
        file.write(fill("RequireSafeKeys no\n" + settings, place))
    answer = subprocess.run(["opendkim", "-n", "-x", conf], capture_output=True, timeout=30)
    said = explain(conf, Ask("nobody@nowhere.test", client="192.0.2.1"))
    print(answer.stderr, said["reason"])
    if starts is None:  # known to other versions: only a note says so
        assert answer.returncode != 0 and said["action"] != "stopped"
        assert any("does not start" in note["text"] for note in said["notes"])
        return
    assert (answer.returncode == 0) == starts
    assert (said["action"] != "stopped") == starts


def chmod_and_own(path, mode, owner=0, group=0):
    os.chown(path, owner, group)
    os.chmod(path, mode)


# Modes of two folders and the key in them, who owns them, and the user of OpenDKIM.
SECURITY = {
    "as it should be": (0o755, 0o700, 0o600, "root", "root", None),
    "a user of its own": (0o755, 0o755, 0o600, "opendkim", "opendkim", "opendkim"),
    "root's key, which the user cannot read": (0o755, 0o755, 0o600, "root", "root", "opendkim"),
    "root's key, which the user's group may read": (0o755, 0o755, 0o640, "root", "opendkim",
                                                    "opendkim"),
    "others may read the key": (0o755, 0o755, 0o644, "root", "root", None),
    "others may read the key, but not enter": (0o755, 0o700, 0o644, "root", "root", None),
    "others may write into the folder": (0o755, 0o777, 0o600, "root", "root", None),
    "a sticky folder": (0o1777, 0o755, 0o600, "root", "root", None),
    "somebody else's key": (0o755, 0o755, 0o600, "nobody", "nogroup", None),
    "a group with somebody else in it": (0o755, 0o755, 0o640, "root", "nogroup", None),
    "a folder that a group may write": (0o755, 0o775, 0o600, "root", "nogroup", None),
    "a folder that root's group may write": (0o755, 0o775, 0o600, "root", "root", None),
    "a folder the user cannot enter": (0o755, 0o700, 0o600, "root", "root", "opendkim"),
}


INSECURE = ("others may read the key", "others may read the key, but not enter",
            "others may write into the folder", "a sticky folder", "somebody else's key",
            "a group with somebody else in it", "a folder that a group may write")


@pytest.fixture
def secure_place(material):
    """A folder that nobody else may write into, all the way from the root."""
    path = tempfile.mkdtemp(prefix="inkan-keys-", dir=BUILD)
    os.chmod(path, 0o755)
    yield {**material, "dir": path}
    shutil.rmtree(path)


@pytest.mark.parametrize("safe", ["yes", "no"])
@pytest.mark.parametrize("name", SECURITY)
def test_secure_keys(name, safe, secure_place, material, folder):
    outer, inner, mode, owner, group, user = SECURITY[name]
    path = f"{secure_place['dir']}/outer/inner"
    uid, gid = pwd.getpwnam(owner).pw_uid, grp.getgrnam(group).gr_gid
    os.makedirs(path)
    shutil.copy(f"{material['dir']}/rsa.pem", f"{path}/key")
    chmod_and_own(f"{path}/key", mode, uid, gid)
    chmod_and_own(path, inner, 0, gid)
    chmod_and_own(os.path.dirname(path), outer)
    write_files({"keys": f"k1 example.com:s1:{path}/key\n", "rules": "example.com k1\n"},
                {"dir": folder})
    os.chmod(folder, 0o777)
    daemon = OpenDkim(folder, fill(TABLES, {"dir": folder}) + f"RequireSafeKeys {safe}\n"
                      + (f"UserID {user}\n" if user else ""))
    try:
        said = explain(f"{folder}/opendkim.conf", Ask())
        done = action_done(do(daemon, Ask()))
        if safe == "yes" and name in INSECURE:
            assert done[0] == "tempfail"
        assert (said["action"], signatures_said(said)) == done, said
    finally:
        daemon.stop()


def test_a_user_that_is_none(place):
    conf = f"{place['dir']}/opendkim.conf"
    with open(conf, "w", encoding="utf-8") as file:
        file.write(f"Socket inet:{free_port()}@127.0.0.1\nUserID nobody-of-that-name\n")
    answer = subprocess.run(["opendkim", "-f", "-x", conf], capture_output=True, timeout=30)
    assert answer.returncode != 0
    assert explain(conf, Ask())["action"] == "stopped"


def genzone(place, *options):
    path = f"{place['dir']}/zone"
    subprocess.run(["opendkim-genzone", *options, "-o", path, f"file:{place['dir']}/keys"],
                   check=True, capture_output=True, cwd=place["dir"])
    return path


def test_records_of_opendkims_own_tools(place):
    """What opendkim-genkey and opendkim-genzone write is read as key records."""
    folder = place["dir"]
    subprocess.run(["opendkim-genkey", "-D", folder, "-d", "example.com", "-s", "gen", "-n", "a note",
                    "-t", "-S", "-r", "--append-domain"], check=True, capture_output=True)
    write_files({"keys": "k example.com:gen:{dir}/gen.private\n", "rules": "example.com k\n"}, place)
    daemon = OpenDkim(folder, fill(TABLES, place))
    try:
        message = daemon.sign(Ask().message())
    finally:
        daemon.stop()
    inkan = Inkan(folder)
    for path in (f"{folder}/gen.txt", genzone(place, "-F"), genzone(place, "-F", "-u"),
                 genzone(place, "-F", "-S", "-N", "ns1.example.com.", "-d", "example.com"),
                 genzone(place, "-F", "-t", "300")):
        answer = inkan.run("verify", "--records", path, stdin=message)
        assert answer.returncode == 0, answer.stdout + answer.stderr
