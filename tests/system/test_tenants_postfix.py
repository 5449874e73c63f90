# SPDX-License-Identifier: Apache-2.0
"""Customers of one provider who log in to the same Postfix and sign as each other, or try to.

Ann is a customer of the tenant acme, Bob of globex. Whatever is refused to one of them is
signed for the other, so that no test passes because nothing is ever signed.
"""

import peers
import pytest
from inkan import PATIENCE, Inkan
from process import free_port, wait_for
from sasl import Submission, queue_id_of

REST = b"To: to@sink.test\r\nSubject: A message\r\nMessage-ID: <1@client.test>\r\n\r\nHello\r\n"

LOOPBACK = "127.0.0.1"  # internal
INTERNAL_OF_ACME = "127.0.1.1"
EXTERNAL = "127.0.2.1"
EXTERNAL_OF_ACME = "127.0.3.1"
EXTERNAL_OF_GLOBEX, PAST_GLOBEX = "127.0.4.127", "127.0.4.128"

# How the daemons on the one store differ.
SERVICES = {
    "enforce": {},
    "sender": {"sign__author": "from,sender"},
    "external": {"trust__internal_hosts": "192.0.2.1"},
    "strict": {"trust__internal_is_provider": "no"},
    "log": {"trust__tenant_check": "log"},
    "off": {"trust__tenant_check": "off"},
}
# Further services before the daemon `enforce`, each with a {daemon_name} of its own.
DAEMON_NAMES = {"shop": "ACME-SHOP", "unknown": "NOBODYS"}

# login: the tenant's domain that takes subdomains, and the one that does not.
PEOPLE = {
    "ann": ("ann@acme.example", "acme", "acme.example", "acme-two.example"),
    "bob": ("bob@globex.example", "globex", "globex.example", "globex-two.example"),
}
LOGINS = [login for login, *_ in PEOPLE.values()] + ["web17"]


class Fleet:
    """inkands on one store, each started when it is first asked for, and one Postfix."""

    def __init__(self, folder, sink):
        self.ports = {name: free_port() for name in SERVICES}
        self.store = Inkan(f"{folder}/enforce", **self._settings("enforce")).set_up()
        self.inkands = {"enforce": self.store}
        self.folder = folder
        milters = {name: f"inet:{LOOPBACK}:{port}" for name, port in self.ports.items()}
        milters.update({name: milters["enforce"] for name in DAEMON_NAMES})
        self.postfix = Submission(f"{folder}/postfix", sink, milters, local="strict",
                                  daemon_names=DAEMON_NAMES)
        self.records = {}

    def _settings(self, name):
        return {"server__listen": f"inet:{self.ports[name]}@{LOOPBACK}", "server__workers": "1",
                "trust__internal_hosts": f"{LOOPBACK}, 127.0.1.0/24", **SERVICES[name]}

    def inkand(self, service):
        """The running daemon behind a service of Postfix."""
        name = "enforce" if service in DAEMON_NAMES else service
        if name not in self.inkands:
            self.inkands[name] = Inkan(
                f"{self.folder}/{name}", **self._settings(name),
                store__url=f"sqlite:{self.store.database}", vault__keyring=self.store.keyring)
        if self.inkands[name].daemon is None:
            self.inkands[name].start()
        return self.inkands[name]

    def publish(self):
        """Makes all key records of the store known to the verifiers."""
        self.records = self.store.records()
        self.records_file = self.store.records_file()

    def submit(self, head, login=None, service="enforce", **options):
        """A message with the head's fields; what came of it."""
        inkand = self.inkand(service)
        message = head.encode() + b"\r\n" + REST
        return Outcome(self, inkand, self.postfix.submit(service, message, login, **options))

    def stop(self):
        self.postfix.stop()
        for inkand in self.inkands.values():
            inkand.stop()


class Outcome:
    """What became of a message."""

    def __init__(self, fleet, inkand, message):
        self.fleet = fleet
        self.message = message
        self.domains = [tags["d"] for tags in peers.signatures_of(message)]
        queue_id = queue_id_of(message)
        inkand.reason(queue_id)
        self.lines = [line.partition(f"{queue_id}: ")[2] for line in inkand.log().splitlines()
                      if f"{queue_id}: " in line]

    def assert_signed(self, domain):
        """By that domain alone, nothing else is said, and verifiers agree."""
        self.assert_signed_with_log(domain)
        assert len(self.lines) == 1, self.lines

    def assert_signed_with_log(self, domain):
        assert self.domains == [domain], self.lines
        assert f"DKIM-Signature field added (s=rsa, d={domain}) " in self.lines[-1]
        assert peers.python_dkim(self.message, self.fleet.records) == [("rsa", True)]
        answer = self.fleet.store.run("verify", "--records", self.fleet.records_file,
                                      stdin=self.message)
        assert answer.returncode == 0, answer.stdout + answer.stderr

    def assert_unsigned(self, reason):
        """The log's only line says so and has the reason in it."""
        assert self.domains == [], self.lines
        assert len(self.lines) == 1, self.lines
        assert self.lines[0].startswith("not signed: ") and reason in self.lines[0], self.lines

    def assert_refused(self, who, domain, tenant):
        assert self.domains == [], self.lines
        assert self.lines == [f"not signed: {who} may not sign for {domain} (tenant {tenant})"]


@pytest.fixture(scope="module")
def fleet(module_folder, sink):
    made = Fleet(module_folder, sink)
    for login, tenant, domain, second in PEOPLE.values():
        made.store.ok("tenant", "add", tenant)
        made.store.add_domain(domain, tenant, subdomains="yes")
        made.store.add_domain(second, tenant)
    for login in LOGINS:
        made.postfix.add_login(login)
    made.publish()
    yield made
    made.stop()


def other(who):
    return "bob" if who == "ann" else "ann"


def encoded(domain):
    """As it may stand in an encoded word."""
    return domain.replace(".", "=2E")


def written(template, domain, shown):
    """A head whose author is of the domain, and which shows the second one as well."""
    return "\r\n".join(template).format(
        d=domain, e=shown, D=domain.upper(), spaced=domain.replace(".", " . "),
        full=domain.replace(".", "\u3002"), wide=chr(ord(domain[0]) + 0xfee0) + domain[1:],
        code=encoded(domain), shown_code=encoded(shown))


# {d} is the author's domain for whoever reads a From field as RFC 5322 has it, {e} another's.
SPELLINGS = {
    "a plain address": ["From: u@{d}"],
    "a display name": ["From: Anna Muster <u@{d}>"],
    "upper case": ["FROM: <U@{D}>"],
    "no space after the colon": ["From:u@{d}"],
    "white space around the @": ["From: \t u \t@ {d} \t"],
    "white space around the dots": ["From: u@{spaced}"],
    "folding before the angle": ["From: Anna", " <u@{d}>"],
    "folding before everything": ["From:", " u", "\t@", " {d}"],
    "an address in a comment before": ["From: (x@{e}) u@{d}"],
    "an address in a comment of the local part": ["From: u(x@{e})@{d}"],
    "a domain in a comment before the domain": ["From: u@({e}){d}"],
    "a domain in a comment after the domain": ["From: u@{d}(.{e})"],
    "an address in a comment in a comment": ["From: u@(a \\) (b) <x@{e}>){d}"],
    "an address in a folded comment": ["From: u(", " x@{e}", " )@{d}"],
    "an address as quoted local part": ['From: "x@{e}"@{d}'],
    "an angle address in a quoted local part": ['From: <"u@{e}>, <x"@{d}>'],
    "an address as quoted display name": ['From: "x@{e}" <u@{d}>'],
    "an angle address in a quoted display name": ['From: "<x@{e}>," <u@{d}>'],
    "an address as encoded display name": ["From: =?utf-8?q?x=40{shown_code}?= <u@{d}>"],
    "an address that ends in an encoded display name": [
        "From: =?utf-8?q?=3Cx=40{shown_code}=3E=2C?= <u@{d}>"],
    "an address as encoded local part": ["From: =?utf-8?q?x=40{shown_code}?=@{d}"],
    "an address with a wide @ as display name": ["From: x\uff20{e} <u@{d}>"],
    "a percent": ["From: x%{e}@{d}"],
    "a bang path": ["From: {e}!x@{d}"],
    "a group of one": ["From: Us: u@{d};"],
    "a group with an address as name": ['From: "x@{e}": u@{d};'],
    "commas without addresses": ["From: ,u@{d},,"],
    "Resent-From": ["From: u@{d}", "Resent-From: x@{e}"],
    "Resent-From before": ["Resent-From: x@{e}", "From: u@{d}"],
    "Reply-To and Return-Path": ["Return-Path: <x@{e}>", "From: u@{d}", "Reply-To: x@{e}"],
    "Sender that does not count": ["From: u@{d}", "Sender: x@{e}"],
    "X-From and other names that begin or end so": ["X-From: x@{e}", "From: u@{d}", "Fromm: x@{e}"],
    "ideographic full stops": ["From: u@{full}"],
    "a wide letter": ["From: u@{wide}"],
}


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("what", SPELLINGS)
def test_own_author_is_signed(fleet, what, who):
    login, _, domain, _ = PEOPLE[who]
    head = written(SPELLINGS[what], domain, PEOPLE[other(who)][2])
    fleet.submit(head, login, source=EXTERNAL).assert_signed(domain)


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("what", SPELLINGS)
def test_other_tenants_author_is_refused(fleet, what, who):
    _, tenant, domain, _ = PEOPLE[other(who)]
    head = written(SPELLINGS[what], domain, PEOPLE[who][2])
    outcome = fleet.submit(head, PEOPLE[who][0], source=EXTERNAL)
    outcome.assert_refused(f"login {PEOPLE[who][0]}", domain, tenant)


NEVER = {
    "two mailboxes": (["From: u@{d}, x@{e}"], "names 2 authors"),
    "two mailboxes of one domain": (["From: u@{d}, x@{d}"], "names 2 authors"),
    "a mailbox and an angle address": (["From: u@{d}, Anna", " <x@{e}>"], "names 2 authors"),
    "a group of two": (["From: Us: u@{d}, x@{e};"], "names 2 authors"),
    "a group and a mailbox": (["From: Us: u@{d};, x@{e}"], "names 2 authors"),
    "two groups": (["From: Us: u@{d};, Them: x@{e};"], "names 2 authors"),
    "two From fields": (["From: u@{d}", "From: x@{e}"], "2 From fields"),
    "two From fields in different case": (["fRoM: u@{d}", "Subject: x", "FROM: x@{e}"],
                                          "2 From fields"),
    "a second From field that is empty": (["From: u@{d}", "From:"], "2 From fields"),
    "a second From field that is no address": (["From: no one", "From: u@{d}"], "2 From fields"),
    "a route": (["From: <@{e}:u@{d}>"], "From: at "),
    "a route of two": (["From: Anna <@{e},@relay.example:u@{d}>"], "From: at "),
    "a domain literal": (["From: u@[127.0.0.1]"], "an address literal"),
    "a domain as literal": (["From: u@[{d}]"], "an address literal"),
    "a dot at the end": (["From: u@{d}."], "From: at "),
    "two @": (["From: u@{d}@{e}"], "From: at "),
    "an address for display name": (["From: x@{e} <u@{d}>"], "From: at "),
    "two angle addresses": (["From: <u@{d}> <x@{e}>"], "From: at "),
    "an encoded word instead of an address": (["From: =?utf-8?q?u=40{code}?="], "From: at "),
    "an encoded angle address": (["From: =?utf-8?q?=3Cu=40{code}=3E?="], "From: at "),
    "an encoded word as domain": (["From: u@=?utf-8?q?{code}?="], "From: at "),
    "an encoded word below the domain": (["From: u@=?utf-8?q?x?=.{d}"], "From: at "),
    "an encoded word in an angle address": (["From: <=?utf-8?q?u=40{code}?=>"], "From: at "),
    "a comment without end": (["From: u@{d} (x@{e}"], "From: at "),
    "a quote without end": (['From: "x@{e} <u@{d}>'], "From: at "),
    "the domain's parent": (["From: u@example"], "example is not a domain of this service"),
    "a domain that ends so": (["From: u@not{d}"], "not{d} is not a domain of this service"),
    "a domain that begins so": (["From: u@{d}.test"], "{d}.test is not a domain of this service"),
    "no From field": (["Resent-From: u@{d}", "Sender: u@{d}"], "the message has no From field"),
}


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("what", NEVER)
def test_is_never_signed(fleet, what, who):
    """In either order; what is the author's own and alone is in SPELLINGS."""
    template, reason = NEVER[what]
    own, others = PEOPLE[who][2], PEOPLE[other(who)][2]
    for domain, shown in ((own, others), (others, own)):
        outcome = fleet.submit(written(template, domain, shown), PEOPLE[who][0], source=EXTERNAL)
        outcome.assert_unsigned(reason.format(d=domain))
