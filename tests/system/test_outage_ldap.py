# SPDX-License-Identifier: Apache-2.0
"""slapd killed, frozen and failed over under a steady load of signing over 2,000 domains.

Each time: no message unanswered, none signed wrongly, warm domains signed throughout, cold ones
answered within store.timeout + 0.5 s, all normal again within 5 s after the fault ends."""

import pytest

from inkan import Inkan
from ldap import BASE, Slapd
from load import NORMAL_WITHIN
from milter import Milter
from outages import (COLD, TIMEOUT, WARM, await_deferred, fault_lasts, fill, load_on, outage, send,
                     starter)
from process import wait_for
from workers import Daemon

FROZEN = 4
DOWN = 2


@pytest.fixture(scope="module")
def pair(module_folder):
    """Two servers in mirror mode. Most tests use the first alone."""
    first, second = servers = Slapd.mirror(module_folder, log_level="none")
    settings = first.settings()
    fill(first, module_folder, settings.pop("store__url"), **settings)
    first.wait_replicated(second)
    first.command = Inkan(f"{module_folder}/command", vault__keyring=first.keyring,
                          **first.settings())
    yield servers
    for server in servers:
        server.kill()


@pytest.fixture
def start(pair, new_inkan):
    """Afterwards both run again, whatever was done to them."""
    settings = pair[0].settings()
    del settings["store__url"]
    make = starter(pair[0], new_inkan)
    yield lambda url, **more: make(url, **settings, **more)
    for server in pair:
        server.resume()
        if not server.process.is_alive():
            server.start()
    pair[0].wait_replicated(pair[1])


def either(pair):
    """The URL of both, the first of them first."""
    return f"ldap://{pair[0].address},{pair[1].address}/{BASE}"


def test_killed_and_started_again(pair, start):
    outage(load_on(pair[0], start(pair[0].url())), pair[0].kill, pair[0].start, DOWN)


def test_frozen(pair, start):
    outage(load_on(pair[0], start(pair[0].url())), pair[0].hang, pair[0].resume, FROZEN)


def test_frozen_while_entries_are_past_their_time(pair, start):
    """Stale beats nothing: every warm entry is too old, and is used all the same."""
    outage(load_on(pair[0], start(pair[0].url(), cache__ttl="1s")), pair[0].hang, pair[0].resume,
           DOWN, warm_wait=True)


def test_first_of_two_servers_killed_and_started_again(pair, start):
    """Not even cold domains notice. What is changed on the second meanwhile is in force, and so
    is what is changed on the first when it is back."""
    command = pair[0].command
    command.add_domain("moved.example", algorithms=("ed25519-sha256",))
    pair[0].wait_replicated(pair[1])
    inkan = start(either(pair))
    daemon = Daemon(inkan)
    daemon.becomes("moved.example", ["ed25519"])
    load = load_on(pair[0], inkan)
    load.fault_begins()
    pair[0].kill()
    command.configure(store__url=either(pair))
    command.ok("domain", "suspend", "moved.example")
    daemon.becomes("moved.example", [])
    fault_lasts(load, DOWN)
    pair[0].start()
    load.fault_ends()
    cold = load.check(TIMEOUT)
    assert {r.result for r in cold} == {"signed"}
    pair[1].wait_replicated(pair[0])
    command.configure(store__url=pair[0].url())
    command.ok("domain", "resume", "moved.example")
    daemon.becomes("moved.example", ["ed25519"])


def test_first_of_two_servers_frozen(pair, start):
    """Half of the time-out goes to the server that does not answer, the rest is enough; calls on
    connections that were open run into their time-out first."""
    load = load_on(pair[0], start(either(pair)))
    load.fault_begins()
    pair[0].hang()
    fault_lasts(load, FROZEN)
    pair[0].resume()
    load.fault_ends()
    cold = load.check(TIMEOUT)
    assert sum(r.result == "signed" for r in cold) > len(cold) / 2


def test_killed_again_after_it_came_back(pair, start):
    """What a daemon has in its cache is in doubt after the first outage, as it could not hear of
    changes, and still good enough for the second."""
    pair[0].command.add_domain("doubted.example", algorithms=("ed25519-sha256",))
    daemon = Daemon(start(pair[0].url()))
    daemon.becomes("doubted.example", ["ed25519"])
    for domain in WARM[:20]:
        assert daemon.all_say(domain, ["s1"])
    pair[0].kill()
    pair[0].start()
    for milter in daemon.sessions:
        wait_for("signed again", lambda m=milter: send(m, COLD[0]) == "signed", NORMAL_WITHIN)
    pair[0].modify(f"dn: inkanDomainName=doubted.example,inkanTenantName=acme,cn=tenants,{BASE}\n"
                   "changetype: modify\nreplace: inkanDomainStatus\n"
                   "inkanDomainStatus: suspended\n")
    wait_for("they hear of changes again", lambda: daemon.all_say("doubted.example", []),
             NORMAL_WITHIN)
    pair[0].kill()
    for domain in WARM[:20]:
        assert daemon.all_say(domain, ["s1"])


# -- OpenDKIM 2.11 fails these -------------------------------------------------------------


def test_frozen_with_messages_in_flight_crashes_no_worker(pair, start):
    """With two the daemon died of an assertion."""
    inkan = start(pair[0].url(), server__workers="1")
    workers = inkan.daemon.children()
    load = load_on(pair[0], inkan, cold_rate=60)
    load.fault_begins()
    pair[0].hang()
    await_deferred(load, 10)
    pair[0].resume()
    load.fault_ends()
    load.check(TIMEOUT)
    assert inkan.daemon.children() == workers


def test_down_for_one_message_does_not_hang_the_later_ones(pair, start):
    inkan = start(pair[0].url(), server__workers="1")
    with Milter(inkan.address) as milter:
        milter.greet()
        assert send(milter, "d0.example") == "signed"
        pair[0].kill()
        assert send(milter, "d1.example") == "deferred"
        pair[0].start()
        wait_for("signed again", lambda: send(milter, "d1.example") == "signed", NORMAL_WITHIN)
        for number in range(403):
            assert send(milter, f"d{number}.example") == "signed"
