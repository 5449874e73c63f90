# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL stopped, frozen and failed over under a steady load of signing over 2,000 domains.

Each time: no message unanswered, none signed wrongly, warm domains signed throughout, cold ones
answered within store.timeout + 0.5 s, all normal again within 5 s after the fault ends. The
sanitized build, there to find the program's own faults, gets shorter ones."""

import signal
import time

from inkan import PATIENCE
from load import NORMAL_WITHIN
from milter import Milter
from outages import (TIMEOUT, cluster, fault_lasts, load_on, outage, send,  # noqa: F401
                     start)
from process import wait_for

FROZEN = 20 if PATIENCE == 1 else 6
DOWN = 4


def test_stopped_at_once_and_started_again(cluster, start):
    outage(load_on(cluster, start(cluster.url())), lambda: cluster.stop(signal.SIGQUIT),
           cluster.start, DOWN)


def test_frozen(cluster, start):
    outage(load_on(cluster, start(cluster.url())), cluster.pause, cluster.resume, FROZEN)


def test_frozen_while_entries_are_past_their_time(cluster, start):
    """Stale beats nothing: every warm entry is too old, and is used all the same."""
    outage(load_on(cluster, start(cluster.url(), cache__ttl="1s")), cluster.pause, cluster.resume,
           DOWN, warm_wait=True)


def two_hosts(primary, standby, attributes):
    return (f"postgresql://postgres@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/inkan"
            f"?target_session_attrs={attributes}")


def test_failover_to_the_standby(cluster, start, folder):
    """Readers take any host: not even cold domains notice that the primary has gone."""
    standby = cluster.standby(folder)
    try:
        load = load_on(cluster, start(two_hosts(cluster, standby, "any")))
        load.fault_begins()
        cluster.stop(signal.SIGQUIT)
        fault_lasts(load, DOWN)
        standby.promote()
        load.fault_ends()
        cold = load.check(TIMEOUT)
        assert sum(r.result == "signed" for r in cold) > len(cold) / 2
    finally:
        standby.stop(signal.SIGQUIT)


def test_frozen_primary_and_a_standby(cluster, start, folder):
    """Half of the time-out goes to the host that does not answer, the rest is enough."""
    standby = cluster.standby(folder)
    try:
        load = load_on(cluster, start(two_hosts(cluster, standby, "any")))
        load.fault_begins()
        cluster.pause()
        fault_lasts(load, DOWN)
        cluster.resume()
        load.fault_ends()
        cold = load.check(TIMEOUT)
        assert sum(r.result == "signed" for r in cold) > len(cold) / 2
    finally:
        standby.stop(signal.SIGQUIT)


def test_failover_to_the_standby_of_who_wants_the_primary(cluster, start, folder):
    """With target_session_attrs=read-write the standby is of use once it is promoted."""
    standby = cluster.standby(folder)
    try:
        outage(load_on(cluster, start(two_hosts(cluster, standby, "read-write"))),
               lambda: cluster.stop(signal.SIGQUIT), standby.promote, DOWN)
    finally:
        standby.stop(signal.SIGQUIT)


# -- OpenDKIM 2.11 fails these -------------------------------------------------------------


def test_postgresql_down_for_one_message_does_not_hang_the_later_ones(cluster, start):
    """A lock was kept: 402 of 403 messages signed, then nothing until the process was killed."""
    inkan = start(cluster.url(), server__workers="1")
    with Milter(inkan.address) as milter:
        milter.greet()
        assert send(milter, "d0.example") == "signed"
        cluster.stop(signal.SIGQUIT)
        assert send(milter, "d1.example") == "deferred"
        cluster.start()
        wait_for("signed again", lambda: send(milter, "d1.example") == "signed", NORMAL_WITHIN)
        for number in range(403):
            assert send(milter, f"d{number}.example") == "signed"


def test_postgresql_frozen_has_a_time_limit(cluster, start):
    inkan = start(cluster.url(), server__workers="1")
    with Milter(inkan.address) as milter:
        milter.greet()
        cluster.pause()
        for domain in ("d0.example", "d1.example"):
            began = time.monotonic()
            assert send(milter, domain) == "deferred"
            assert time.monotonic() - began < TIMEOUT + 0.5 * PATIENCE
        cluster.resume()
        wait_for("signed again", lambda: send(milter, "d1.example") == "signed", NORMAL_WITHIN)


def test_key_that_is_no_key_defers_its_own_domain_only(cluster, start):
    """A row without a value crashed the daemon at its start. Here a value is always there; one
    that does not open is its domain's trouble."""
    assert cluster.error("UPDATE key SET sealed = NULL WHERE domain = 'd5.example'") == "23502"
    assert cluster.error("UPDATE key SET sealed = '' WHERE domain = 'd5.example'") == "23514"
    before = cluster.sql("SELECT sealed FROM key WHERE domain = 'd5.example'")
    cluster.sql("UPDATE key SET sealed = '\\x00' WHERE domain = 'd5.example'")
    inkan = start(cluster.url(), server__workers="1")
    workers = inkan.daemon.children()
    with Milter(inkan.address) as milter:
        milter.greet()
        assert send(milter, "d5.example") == "deferred"
        assert send(milter, "d6.example") == "signed"
        cluster.sql(f"UPDATE key SET sealed = '{before}' WHERE domain = 'd5.example'")
        assert send(milter, "d6.example") == "signed"
    assert inkan.daemon.children() == workers
