# SPDX-License-Identifier: Apache-2.0
"""A whole cluster as docs/cluster.md describes it: two inkand hosts, each with a PgBouncer of its
own, a primary and a streaming standby, and three memcached, all as processes of their own; and
the failover in it."""

import contextlib
import os
import signal

import pytest

from inkan import PATIENCE, Inkan
from load import NORMAL_WITHIN, Load
from memcached import Memcached
from outages import (COLD, TIMEOUT, WARM, await_deferred, cluster, fault_lasts,  # noqa: F401
                     load_on, start)
from postgres import PgBouncer
from process import wait_for
from workers import Daemon

DOWN = 4


@pytest.fixture
def whole(cluster, start, folder):
    """The parts, with a login for the daemons that has only inkan_signer."""
    standby = cluster.standby(folder)
    caches = [Memcached(folder, f"memcached{number}") for number in range(3)]
    bouncers = [PgBouncer(folder, {"inkan": cluster}, f"pgbouncer{host}", user="inkand")
                for host in range(2)]
    cluster.sql("DO $$ BEGIN CREATE ROLE inkand LOGIN IN ROLE inkan_signer;"
                " EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    shared = ",".join(cache.address for cache in caches)
    hosts = [start(bouncer.url(), cache__memcached=shared) for bouncer in bouncers]
    yield standby, caches, bouncers, hosts
    for part in (*bouncers, *caches):
        part.stop()
    standby.stop(signal.SIGQUIT)


@pytest.fixture
def command(cluster, whole, folder):
    """inkan for operators: whichever server takes writes."""
    standby = whole[0]
    url = (f"postgresql://postgres@127.0.0.1:{cluster.port},127.0.0.1:{standby.port}/inkan"
           "?target_session_attrs=read-write")
    return Inkan(f"{folder}/command", store__url=url, vault__keyring=cluster.keyring)


def change_and_see(command, hosts, domain):
    """A domain is added and rotated; all workers of both hosts follow."""
    daemons = [Daemon(host) for host in hosts]
    assert all(daemon.all_say(domain, []) for daemon in daemons)
    command.add_domain(domain, algorithms=("ed25519-sha256",))
    for daemon in daemons:
        daemon.becomes(domain, ["ed25519"])
    command.ok("key", "new", domain, "--algorithm", "ed25519-sha256", "--selector", "next",
               "--activate")
    for daemon in daemons:
        daemon.becomes(domain, ["next"])


def test_failover(cluster, whole, command):
    """The primary is lost, the standby promoted and both PgBouncer pointed at it, as Patroni's
    call-back would; changes made before and after are in force on both hosts."""
    standby, _, bouncers, hosts = whole
    change_and_see(command, hosts, "before.example")
    cluster.wait_streamed(1)
    load = load_on(cluster, *hosts)
    load.fault_begins()
    cluster.stop(signal.SIGQUIT)
    await_deferred(load)
    answer = command.run("tenant", "add", "during")
    assert answer.returncode == 75, answer.stderr
    fault_lasts(load, DOWN)
    standby.promote()
    for bouncer in bouncers:
        bouncer.point_at({"inkan": standby})
    load.fault_ends()
    load.check(TIMEOUT)
    assert command.json("tenant", "list")[0]["name"] == "acme"
    change_and_see(command, hosts, "after.example")


def test_one_of_two_hosts_is_lost(cluster, whole):
    """Its sessions are closed and its clients go to the other host, which has what it needs."""
    hosts = whole[3]
    load = Load([host.address for host in hosts], WARM[:200], COLD, cluster.records,
                patience=PATIENCE, elsewhere=hosts[1].address).start()
    workers = hosts[0].daemon.children()
    load.fault_begins()
    hosts[0].daemon.kill()
    for worker in workers:
        with contextlib.suppress(ProcessLookupError):  # some notice by themselves
            os.kill(worker, signal.SIGKILL)
    hosts[0].daemon = None
    wait_for("all clients are with the other host", lambda: all(
        sender.address == hosts[1].address for sender in load.senders), NORMAL_WITHIN)
    load.fault_ends()
    lost = [r for r in load.first_tries if r.result == "none"]
    assert len(lost) <= len(load.senders), "each client may find its session closed once"
    assert all(r.sent < load.fault + 1 for r in lost)
    load.first_tries = [r for r in load.first_tries if r.result != "none"]
    load.check(TIMEOUT, warm_wait=True)


def test_parts_fail_one_after_the_other(cluster, whole):
    """A memcached, a PgBouncer's server and the standby: never the signing of warm domains."""
    standby, caches, _, hosts = whole
    load = load_on(cluster, *hosts)
    load.fault_begins()
    caches[0].kill()
    fault_lasts(load, 1)
    standby.stop(signal.SIGQUIT)
    fault_lasts(load, 2)
    caches[1].pause()
    fault_lasts(load, 3)
    cluster.pause()
    fault_lasts(load, 3 + DOWN)
    cluster.resume()
    caches[1].resume()
    caches[0].start()
    load.fault_ends()
    load.check(TIMEOUT)


def test_a_pgbouncer_that_lost_its_server_is_passed_over(cluster, folder):
    """It takes logins all the same, once it has had a server."""
    standby = cluster.standby(folder)
    losing, other = (PgBouncer(folder, {"inkan": server}, f"pgbouncer-of-{name}")
                     for name, server in (("standby", standby), ("primary", cluster)))
    inkan = Inkan(f"{folder}/inkan", store__url=losing.url(), store__timeout="2s",
                  vault__keyring=cluster.keyring)
    everything = inkan.json("store", "status")
    standby.stop(signal.SIGQUIT)
    wait_for("the server is lost", lambda: inkan.run("store", "status").returncode == 75)
    inkan.configure(store__url=f"postgresql://postgres@127.0.0.1:{losing.port},"
                               f"127.0.0.1:{other.port}/inkan")
    assert {**inkan.json("store", "status"), "url": ""} == {**everything, "url": ""}
    for bouncer in (losing, other):
        bouncer.stop()
