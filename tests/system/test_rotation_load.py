# SPDX-License-Identifier: Apache-2.0
"""A rotation while mail is signed: two daemons on one PostgreSQL with memcached between, and each
message verified with what DNS shows at that moment. And ten thousand keys at once."""

import collections
import itertools
import resource
import signal
import sqlite3
import threading
import time

import dkim
import pytest

import messages
from inkan import Inkan
from memcached import Memcached
from milter import CONTINUE, Milter
from peers import signatures_of
from postgres import Postgres
from test_rotation import ZONE, Site

DOMAINS = [f"d{number}.{ZONE}" for number in range(40)]


@pytest.fixture
def postgres(folder):
    server = Postgres.primary(folder)
    yield server
    server.stop(signal.SIGQUIT)


@pytest.fixture
def memcached(folder):
    server = Memcached(folder)
    yield server
    server.stop()


@pytest.fixture
def site(folder, postgres, memcached):
    made = Site(folder, store__url=postgres.url(), cache__memcached=memcached.address,
                cache__ttl="5m", lifecycle__max_age="12s", lifecycle__overlap="4s",
                lifecycle__tombstone="2s", lifecycle__check="1h")
    yield made
    made.stop()


class Sender(threading.Thread):
    """One client of a daemon, and the receiver of its mail."""

    def __init__(self, site, address, domains):
        super().__init__(daemon=True)
        self.site, self.address, self.domains = site, address, domains
        self.ended = threading.Event()
        self.selectors = collections.defaultdict(list)  # by domain, in the order they were used
        self.count, self.faults = 0, []

    def txt(self, name, timeout=5):
        values = self.site.named.txt(name.decode().rstrip("."))
        return values[0].encode() if values else None

    def run(self):
        with Milter(self.address) as milter:
            milter.greet()
            for domain in itertools.cycle(self.domains):
                if self.ended.is_set():
                    return
                try:
                    self.send(milter, domain)
                except Exception as problem:  # pylint: disable=broad-except
                    self.faults.append(repr(problem))
                    return

    def send(self, milter, domain):
        verdict, message = milter.message(messages.compose(b"a@" + domain.encode()))
        assert verdict == CONTINUE, f"{domain}: {verdict}"
        signatures = signatures_of(message)
        assert signatures, f"{domain}: unsigned"
        selector = signatures[0]["s"]
        assert dkim.verify(message, dnsfunc=self.txt), f"{domain}: {selector} does not verify"
        if selector not in self.selectors[domain]:
            self.selectors[domain].append(selector)
        self.count += 1


def test_rotation_under_load(site, folder):
    rows = "\n".join(f'{{"domain": "{name}", "tenant": "acme"}}' for name in DOMAINS)
    site.inkan.ok("import", "domains", "-", stdin=rows.encode())

    def active():
        return sum(key["state"] == "active" for key in site.inkan.json("key", "list"))

    site.run_until("all sign", lambda: active() == len(DOMAINS))
    second = Inkan(f"{folder}/second", vault__keyring=site.inkan.keyring, **{
        name.replace(".", "__"): value for name, value in site.inkan.settings.items()
        if name.split(".")[0] in ("store", "cache")})
    daemons = [site.inkan.start(), second.start()]
    senders = [Sender(site, daemon.address, DOMAINS[number::2])
               for daemon in daemons for number in range(2)]
    try:
        for sender in senders:
            sender.start()
        site.run_until("each domain has had three keys", lambda: any(
            sender.faults for sender in senders) or all(
                len(sender.selectors[name]) >= 3 for sender in senders for name in sender.domains),
                       60)
    finally:
        for sender in senders:
            sender.ended.set()
            sender.join(20)
        second.stop()
    assert [fault for sender in senders for fault in sender.faults] == []
    print(f"{sum(sender.count for sender in senders)} messages verified")


def succeed(site, count):
    """That many keys come of age together."""
    rows = "\n".join(f'{{"domain": "d{n}.{ZONE}", "tenant": "acme", "activate": true}}'
                     for n in range(count))
    site.inkan.ok("import", "domains", "-", stdin=rows.encode())
    now = int(time.time())
    with sqlite3.connect(site.inkan.database) as store:
        store.execute("UPDATE key SET activated = ?, shown = 'right', checked = ?, due = 1",
                      (now - 3540, now))
    store.close()
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(2):
        answer = site.inkan.run("rotate", "run", seconds=300)
        assert answer.returncode == 0, answer.stderr
    took, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    states = [key["state"] for key in site.inkan.json("key", "list")]
    assert states.count("active") == states.count("published") == count
    print(f"{count} successors made, published and proven in {took:.1f} s, {worked:.1f} s of CPU")
    assert worked < 60  # the rest is waiting for DNS, the disk and whoever else works here


def test_many_domains_are_due_at_once(folder):
    """Their successors are made, published and proven."""
    site = Site(folder, lifecycle__check="1h", lifecycle__max_age="1h", lifecycle__soak="1h")
    try:
        succeed(site, 10000)
    finally:
        site.stop()
