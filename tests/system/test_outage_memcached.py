# SPDX-License-Identifier: Apache-2.0
"""memcached killed, frozen, wiped, lied to and cut off under a steady load of signing over 2,000
domains in PostgreSQL.

Whoever can write to memcached can at most cause a miss, so in all of these every message is
signed, warm or cold, and in time; and all is as it was within 5 s after the fault ends."""

import itertools
import random
import threading
import time

import pytest

import messages
from inkan import PATIENCE
from load import NORMAL_WITHIN
from memcached import Memcached
from milter import CONTINUE, Milter
from outages import (ALL, COLD, TIMEOUT, WARM, cluster, fault_lasts, load_on,  # noqa: F401
                     start)
from peers import signatures_of
from process import wait_for
from proxy import Proxy

DOWN = 3
DROPPED = 10 if PATIENCE == 1 else 4


@pytest.fixture
def caches(folder):
    """Three servers."""
    servers = [Memcached(folder, f"memcached{number}") for number in range(3)]
    yield servers
    for server in servers:
        server.stop()


def listed(servers):
    return ",".join(server.address for server in servers)


def hits(caches):
    return sum(int(server.stats()["get_hits"]) for server in caches)


def fill(inkan, domains, patience=0):
    """Has each of the domains signed, each once. With patience (seconds) one that is deferred is
    sent again: on a busy machine a memcached may answer late, and is left alone for a while."""
    with Milter(inkan.address) as milter:
        milter.greet()
        for domain in domains:
            until = time.monotonic() + patience
            verdict, message = milter.message(messages.compose(b"a@" + domain.encode()))
            while verdict != CONTINUE and time.monotonic() < until:
                verdict, message = milter.message(messages.compose(b"a@" + domain.encode()))
            assert verdict == CONTINUE, (domain, milter.reply)
            assert [tags["d"] for tags in signatures_of(message)] == [domain]


def all_signed(load):
    cold = load.check(TIMEOUT)
    assert {r.result for r in cold} == {"signed"}


def test_domain_known_to_one_daemon_costs_the_other_no_statement(cluster, start, caches):
    """What the tests below take away must have been there."""
    fill(start(cluster.url(), cache__memcached=listed(caches)), WARM[:200])
    entries = sum(len(server.names()) for server in caches)
    assert entries >= 200
    assert all(len(server.names()) > 20 for server in caches), "not spread over the servers"
    second = start(cluster.url(), cache__memcached=listed(caches))
    # Before it has read the change feed a worker takes nothing from memcached; each domain is asked
    # for once, as it is in the worker's own memory afterwards.
    rest = itertools.cycle(WARM[:100])
    wait_for("a domain comes from memcached", lambda: fill(second, [next(rest)]) or hits(caches))
    cluster.stop()
    before = hits(caches)
    fill(second, WARM[100:200], patience=5)
    assert hits(caches) >= before + 100


@pytest.mark.parametrize("number", range(3))
def test_server_killed_and_started_again(cluster, start, caches, number):
    load = load_on(cluster, start(cluster.url(), cache__memcached=listed(caches)))
    load.fault_begins()
    caches[number].kill()
    fault_lasts(load, DOWN)
    caches[number].start()
    load.fault_ends()
    all_signed(load)


def test_server_that_is_back_is_used_again(cluster, start, caches):
    inkan = start(cluster.url(), cache__memcached=caches[0].address, server__workers="1")
    fill(inkan, WARM[:10])
    caches[0].kill()
    fill(inkan, WARM[10:20])
    caches[0].start()
    rest = iter(COLD)
    wait_for("entries are written again",
             lambda: fill(inkan, [next(rest)]) or caches[0].names(), NORMAL_WITHIN)


def test_all_servers_frozen(cluster, start, caches):
    load = load_on(cluster, start(cluster.url(), cache__memcached=listed(caches)))
    load.fault_begins()
    for server in caches:
        server.pause()
    fault_lasts(load, DOWN)
    for server in caches:
        server.resume()
    load.fault_ends()
    all_signed(load)


def test_flushed_again_and_again(cluster, start, caches):
    load = load_on(cluster, start(cluster.url(), cache__memcached=listed(caches)))
    load.fault_begins()
    for second in range(DOWN):
        for server in caches:
            server.flush()
        fault_lasts(load, second + 1)
    load.fault_ends()
    all_signed(load)


class Vandal(threading.Thread):
    """Writes to memcached without pause: over every entry, what `forge` makes of it."""

    def __init__(self, caches, forge):
        super().__init__(daemon=True)
        self.caches = caches
        self.forge = forge
        self.written = 0
        self.problem = None
        self.ended = threading.Event()

    def run(self):
        try:
            while not self.ended.wait(0.2):
                self.overwrite_all()
        except Exception as problem:  # the thread's own end is not seen
            self.problem = problem

    def overwrite_all(self):
        for server in self.caches:
            entries = server.entries()
            for name, octets in entries.items():
                server.put(name, self.forge(name, octets, entries))
                self.written += 1

    def end(self):
        self.ended.set()
        self.join()
        assert self.problem is None, repr(self.problem)
        assert self.written > 100, "nothing was forged"


def garbage(name, octets, entries):
    del name, entries
    chance = random.Random(len(octets))
    return chance.choice([
        b"", b"\0", octets[:-1], octets + b"\0", octets[:len(octets) // 2],
        chance.randbytes(len(octets)), bytes([octets[0] ^ 1]) + octets[1:] if octets else b"x",
        b"\xff" * 65536])


def of_another_domain(name, octets, entries):
    """Each gets its neighbour's entry: well sealed, for another name."""
    del octets
    names = sorted(entries)
    return entries[names[(names.index(name) + 1) % len(names)]]


@pytest.mark.parametrize("forge", [garbage, of_another_domain])
def test_forged_entries(cluster, start, caches, forge):
    """Two daemons: what one has written, the other asks for, after the vandal was there."""
    settings = {"cache__memcached": listed(caches)}
    first = start(cluster.url(), **settings)
    fill(first, COLD)
    vandal = Vandal(caches, forge)
    load = load_on(cluster, start(cluster.url(), **settings))
    vandal.overwrite_all()
    given_out = hits(caches)
    load.fault_begins()
    vandal.start()
    fault_lasts(load, DOWN)
    vandal.end()
    load.fault_ends()
    assert hits(caches) > given_out + 20, "no forged entry was read"
    all_signed(load)


def test_old_entries_bring_no_retired_key_back(cluster, start, caches, new_inkan):
    """Entries from before a rotation are put back over the new ones: the old selector is not
    used by a daemon that has or has not known the domain before."""
    settings = {"cache__memcached": listed(caches)}
    domains = ALL[-20:]
    known = start(cluster.url(), **settings)
    fill(known, domains)
    old = [server.entries() for server in caches]
    assert sum(map(len, old)) >= len(domains)
    command = new_inkan("command", store__url=cluster.url(), vault__keyring=cluster.keyring)
    for domain in domains:
        command.ok("key", "new", domain, "--algorithm", "ed25519-sha256", "--selector", "next",
                   "--activate")
    fresh = start(cluster.url(), **settings)
    wait_for("the rotation is in force", lambda: all(
        selector(inkan, domain) == "next" for inkan in (known, fresh) for domain in domains), 2)

    load = load_on(cluster, known, fresh)
    later = start(cluster.url(), **settings)
    load.fault_begins()
    put_back(caches, old)
    for inkan in (known, fresh, later):
        assert {selector(inkan, domain) for domain in domains} == {"next"}
        put_back(caches, old)
    cluster.sql("INSERT INTO change (kind, name, time, version) VALUES ('tenant', 'acme', 0, 1)")
    for inkan in (known, fresh, later):
        put_back(caches, old)
        assert {selector(inkan, domain) for domain in domains} == {"next"}
    fault_lasts(load, 1)
    load.fault_ends()
    all_signed(load)


def put_back(caches, old):
    for server, entries in zip(caches, old):
        for name, octets in entries.items():
            server.put(name, octets)


def selector(inkan, domain):
    with Milter(inkan.address) as milter:
        milter.greet()
        verdict, message = milter.message(messages.compose(b"a@" + domain.encode()))
        assert verdict == CONTINUE
        (tags,) = signatures_of(message)
        return tags["s"]


def test_packets_dropped(cluster, start, caches):
    proxies = [Proxy(("127.0.0.1", server.port)) for server in caches]
    try:
        listed_proxies = ",".join(f"127.0.0.1:{proxy.port}" for proxy in proxies)
        load = load_on(cluster, start(cluster.url(), cache__memcached=listed_proxies))
        assert sum(len(server.names()) for server in caches) > 500
        load.fault_begins()
        for proxy in proxies:
            proxy.drop()
        fault_lasts(load, DROPPED)
        for proxy in proxies:
            proxy.restore()
        load.fault_ends()
        all_signed(load)
    finally:
        for proxy in proxies:
            proxy.stop()


def test_memcached_and_postgresql_away_together(cluster, start, caches):
    """Warm domains need neither."""
    load = load_on(cluster, start(cluster.url(), cache__memcached=listed(caches)))
    load.fault_begins()
    for server in caches:
        server.pause()
    cluster.pause()
    fault_lasts(load, DOWN)
    cluster.resume()
    for server in caches:
        server.resume()
    load.fault_ends()
    load.check(TIMEOUT)


# -- OpenDKIM 2.11 fails this --------------------------------------------------------------


def test_six_connections_do_not_end_a_daemon_with_memcached(cluster, start, caches):
    """It shares one libmemcached handle among its threads and aborts within a few messages."""
    inkan = start(cluster.url(), cache__memcached=listed(caches), server__workers="1",
                  cache__ttl="1s")
    workers = inkan.daemon.children()
    faults = []

    def client(number):
        try:
            fill(inkan, ALL[number * 300:number * 300 + 300] * 2)
        except Exception as problem:  # the thread's own end is not seen
            faults.append(repr(problem))

    clients = [threading.Thread(target=client, args=(number,)) for number in range(6)]
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    assert faults == []
    assert inkan.daemon.children() == workers
