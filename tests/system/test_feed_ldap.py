# SPDX-License-Identifier: Apache-2.0
"""What was changed in a directory is in force on every worker within two seconds, without a reload,
whether inkan changed it or another tool did.

Servers with slapo-syncprov tell of all changes. Others are asked, by entryCSN or, where inkand does
not get to see that, by modifyTimestamp. They cannot tell of an entry that another tool removed; that
is in force when what is cached is past its time."""

import contextlib
import re
import socket
import time

import pytest

from inkan import Inkan
from ldap import BASE, SIGNER, Slapd
from ldap_cut import Cut
from memcached import Memcached
from process import wait_for
from workers import Daemon

ACME = f"inkanTenantName=acme,cn=tenants,{BASE}"
ED25519 = ("--algorithm", "ed25519-sha256")


def slapd_with(module_folder, name, *overlays):
    server = Slapd.single(module_folder, name, overlays=overlays)
    server.command = Inkan(f"{module_folder}/command-{name}", **server.settings()).set_up("acme")
    return server


@pytest.fixture(scope="module")
def telling(module_folder):
    server = slapd_with(module_folder, "telling", "syncprov", "deref")
    yield server
    server.kill()


@pytest.fixture(scope="module")
def asked(module_folder):
    server = slapd_with(module_folder, "asked")
    yield server
    server.kill()


@pytest.fixture(scope="module")
def asked_by_time(module_folder):
    server = slapd_with(module_folder, "asked-by-time")
    server.hide_csn(SIGNER)
    yield server
    server.kill()


@pytest.fixture(params=["telling", "asked", "asked_by_time"])
def slapd(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def start(new_inkan):
    """Starts a daemon with the account that daemons have."""
    def make(slapd, name="inkan", **settings):
        return new_inkan(name, vault__keyring=slapd.command.keyring, **slapd.settings(SIGNER),
                         **settings).start()
    return make


def domain_dn(domain):
    return f"inkanDomainName={domain},{ACME}"


def key_dn(domain, selector):
    return f"inkanKeySelector={selector},{domain_dn(domain)}"


def replace(slapd, dn, **values):
    """With ldapmodify; None takes an attribute away."""
    changes = "-\n".join(f"replace: {name}\n" + (f"{name}: {value}\n" if value else "")
                         for name, value in values.items())
    slapd.modify(f"dn: {dn}\nchangetype: modify\n{changes}")


# -- changes by inkan --------------------------------------------------------------------------


def test_changes_by_inkan(slapd, start):
    domain, command = "own.example", slapd.command
    daemon = Daemon(start(slapd))
    assert daemon.all_say(domain, [])
    command.add_domain(domain, algorithms=("ed25519-sha256",))
    daemon.becomes(domain, ["ed25519"])
    command.ok("key", "new", domain, *ED25519, "--selector", "next", "--activate")
    daemon.becomes(domain, ["next"])
    command.ok("domain", "suspend", domain)
    daemon.becomes(domain, [])
    command.ok("domain", "resume", domain)
    daemon.becomes(domain, ["next"])


def test_server_that_tells_is_heard_at_once(telling, start):
    """With asking each second alone, eight changes in a row would not all be in force so soon."""
    telling.command.add_domain("awake.example", algorithms=("ed25519-sha256",))
    daemon = Daemon(start(telling))
    daemon.becomes("awake.example", ["ed25519"])
    for _ in range(4):
        replace(telling, domain_dn("awake.example"), inkanDomainStatus="suspended")
        assert daemon.becomes("awake.example", []) < 0.6
        telling.command.ok("domain", "resume", "awake.example")
        assert daemon.becomes("awake.example", ["ed25519"]) < 0.6


# -- changes by other tools --------------------------------------------------------------------


def test_many_changes_at_once_by_another_tool(telling, start):
    """None of them waits for the next to come."""
    domains = [f"m{number}.example" for number in range(10)]
    for domain in domains:
        telling.command.add_domain(domain, algorithms=("ed25519-sha256",))
    daemon = Daemon(start(telling))
    for domain in domains:
        assert daemon.all_say(domain, ["ed25519"])
    telling.modify("\n".join(f"dn: {domain_dn(domain)}\nchangetype: modify\n"
                             "replace: inkanDomainStatus\ninkanDomainStatus: suspended\n"
                             for domain in domains))
    wait_for("all are suspended", lambda: all(daemon.all_say(domain, []) for domain in domains),
             0.6)


def test_suspended_and_resumed_by_another_tool(slapd, start):
    domain = "tool.example"
    slapd.command.add_domain(domain, algorithms=("ed25519-sha256",))
    daemon = Daemon(start(slapd))
    daemon.becomes(domain, ["ed25519"])
    replace(slapd, domain_dn(domain), inkanDomainStatus="suspended")
    daemon.becomes(domain, [])
    replace(slapd, domain_dn(domain), inkanDomainStatus="active")
    daemon.becomes(domain, ["ed25519"])
    replace(slapd, ACME, inkanTenantStatus="suspended")
    daemon.becomes(domain, [])
    slapd.command.ok("tenant", "resume", "acme")


def test_rotated_by_another_tool(slapd, start):
    domain, command = "turn.example", slapd.command
    command.add_domain(domain, algorithms=("ed25519-sha256",))
    command.ok("key", "new", domain, *ED25519, "--selector", "next")
    daemon = Daemon(start(slapd))
    daemon.becomes(domain, ["ed25519"])
    now = int(time.time()) + 1
    replace(slapd, key_dn(domain, "next"), inkanKeyState="active", inkanKeyActivated=now)
    replace(slapd, key_dn(domain, "ed25519"), inkanKeyState="retiring", inkanKeySealed=None,
            inkanKeyKek=None, inkanKeyRetired=now)
    daemon.becomes(domain, ["next"])
    replace(slapd, key_dn(domain, "next"), inkanKeyState="retiring", inkanKeySealed=None,
            inkanKeyKek=None, inkanKeyRetired=now)
    daemon.becomes(domain, [])


def test_added_by_another_tool(slapd, start):
    domain, command = "back.example", slapd.command
    daemon = Daemon(start(slapd))
    command.add_domain(domain, algorithms=("ed25519-sha256",))
    daemon.becomes(domain, ["ed25519"])
    saved = slapd.ldif(domain_dn(domain))
    command.ok("domain", "remove", domain, "--yes")
    daemon.becomes(domain, [])
    slapd.ldif_add(saved)
    daemon.becomes(domain, ["ed25519"])


def test_named_in_capitals_by_another_tool(slapd, start):
    """Names have no case in a directory; they are looked up, and keys opened, in lower case."""
    domain, command = "capital.example", slapd.command
    daemon = Daemon(start(slapd))
    command.add_domain(domain, algorithms=("ed25519-sha256",))
    saved = slapd.ldif(domain_dn(domain))
    slapd.delete(domain_dn(domain))
    slapd.ldif_add(saved.replace(f"inkanDomainName: {domain}", "inkanDomainName: Capital.EXAMPLE")
                   .replace(f"inkanKeyDomain: {domain}", "inkanKeyDomain: Capital.EXAMPLE")
                   .replace("inkanKeySelector: ed25519", "inkanKeySelector: Ed25519"))
    daemon.becomes(domain, ["ed25519"])
    shown = command.json("key", "show", domain, "ed25519")
    assert (shown["domain"], shown["selector"]) == (domain, "ed25519")
    replace(slapd, domain_dn(domain), inkanDomainStatus="suspended")
    daemon.becomes(domain, [])


def set_status(slapd, dn, status, stamp):
    """With the time of the change, as it is when two are made within one second."""
    slapd.modify(f"dn: {dn}\nchangetype: modify\nreplace: inkanDomainStatus\n"
                 f"inkanDomainStatus: {status}\n-\nreplace: modifyTimestamp\n"
                 f"modifyTimestamp: {stamp}\n", relaxed=True)
    assert slapd.search("(objectClass=*)", "modifyTimestamp", base=dn, scope="base")[0][
        "modifyTimestamp"] == [stamp.encode()]


def test_changed_twice_within_a_second_by_another_tool(asked_by_time, start):
    """The second change leaves the entry with the time that it had."""
    domain = "twice.example"
    asked_by_time.command.add_domain(domain, algorithms=("ed25519-sha256",))
    daemon = Daemon(start(asked_by_time))
    daemon.becomes(domain, ["ed25519"])
    for _ in range(2):
        stamp = time.strftime("%Y%m%d%H%M%SZ", time.gmtime())
        set_status(asked_by_time, domain_dn(domain), "suspended", stamp)
        daemon.becomes(domain, [])
        set_status(asked_by_time, domain_dn(domain), "active", stamp)
        daemon.becomes(domain, ["ed25519"])


def given(slapd):
    """How many entries each search by modifyTimestamp gave, in the order of their ends."""
    calls, counts = set(), []
    for call, asks, count in re.findall(
            r'(conn=\d+ op=\d+) (?:(SRCH) .*filter="\(&\(modifyTimestamp>='
            r'|SEARCH RESULT .*nentries=(\d+))', slapd.process.log_text()):
        if asks:
            calls.add(call)
        elif call in calls:
            counts.append(int(count))
    return counts


def test_what_did_not_change_is_not_given_for_ever(asked_by_time, start):
    asked_by_time.command.add_domain("quiet.example", algorithms=("ed25519-sha256",))
    daemon = Daemon(start(asked_by_time))
    daemon.becomes("quiet.example", ["ed25519"])
    wait_for("the searches give it", lambda: any(given(asked_by_time)[-4:]))
    wait_for("they no longer do", lambda: not any(given(asked_by_time)[-4:]), 10)
    replace(asked_by_time, domain_dn("quiet.example"), inkanDomainStatus="suspended")
    daemon.becomes("quiet.example", [])


def test_removed_by_another_tool(telling, start):
    domain = "gone.example"
    telling.command.add_domain(domain, algorithms=("rsa-sha256", "ed25519-sha256"))
    telling.command.add_domain(f"other.{domain}", algorithms=("ed25519-sha256",))
    daemon = Daemon(start(telling))
    wait_for("both keys", lambda: daemon.all_say(domain, ["rsa", "ed25519"]))
    assert daemon.all_say(f"other.{domain}", ["ed25519"])
    telling.delete(key_dn(domain, "rsa"))
    daemon.becomes(domain, ["ed25519"])
    telling.delete(domain_dn(domain))
    daemon.becomes(domain, [])
    assert daemon.all_say(f"other.{domain}", ["ed25519"])


def test_removed_by_another_tool_where_nobody_tells(asked, start):
    """In force once the entry in the cache is past its time."""
    asked.command.add_domain("late.example", algorithms=("ed25519-sha256",))
    daemon = Daemon(start(asked, cache__ttl="1s"))
    daemon.becomes("late.example", ["ed25519"])
    asked.delete(domain_dn("late.example"))
    daemon.becomes("late.example", [])


# -- a server that hangs -----------------------------------------------------------------------


class HangAtWatch(Cut):
    """Hangs the server when a watch begins: right before it gets the search that tells of changes
    (RFC 4533 2.2), which is passed on."""

    CONTROL = b"1.3.6.1.4.1.4203.1.9.1.1"

    def __init__(self, slapd):
        self.slapd, self.armed, self.clients = slapd, False, []
        super().__init__(slapd.port, late=True)

    def arm(self):
        """Ends all connections, so that every watch begins anew."""
        self.stopped.clear()
        self.armed = True
        for client in self.clients:
            with contextlib.suppress(OSError):  # it is closed
                client.shutdown(socket.SHUT_RDWR)
        self.clients.clear()

    def _serve(self, client):
        self.clients.append(client)
        super()._serve(client)

    def _is_the_one(self, message):
        return self.armed and self.CONTROL in message

    def _stop(self, server, message):
        self.armed = False
        self.slapd.hang()
        self.stopped.set()


@pytest.fixture
def hanging(telling):
    proxy = HangAtWatch(telling)
    yield proxy
    telling.resume()
    proxy.close()


def test_server_that_hangs_while_a_watch_begins(telling, hanging, new_inkan):
    """The thread that reads the feed waited for the server to be done, without any deadline."""
    domain = "hung.example"
    telling.command.add_domain(domain, algorithms=("ed25519-sha256",))
    settings = {**telling.settings(SIGNER), "store__timeout": "1s",
                "store__url": f"ldap://127.0.0.1:{hanging.port}/{BASE}"}
    inkan = new_inkan(vault__keyring=telling.command.keyring, **settings).start()
    daemon = Daemon(inkan)
    daemon.becomes(domain, ["ed25519"])

    def hang():
        hanging.arm()
        assert hanging.stopped.wait(20), "no watch began"
        time.sleep(1.5)  # all that waits is past its deadline

    hang()
    telling.resume()
    replace(telling, domain_dn(domain), inkanDomainStatus="suspended")
    wait_for("they hear of changes again", lambda: daemon.all_say(domain, []), 10)
    replace(telling, domain_dn(domain), inkanDomainStatus="active")
    daemon.becomes(domain, ["ed25519"])
    hang()
    for milter in daemon.sessions:
        milter.close()
    began = time.monotonic()
    inkan.stop()
    assert time.monotonic() - began < 5


# -- with memcached between --------------------------------------------------------------------


@pytest.fixture
def memcached(folder):
    server = Memcached(folder)
    yield server
    server.stop()


def test_no_change_is_undone_by_memcached(telling, start, memcached):
    """What another tool changes has no position in the feed. Entries of memcached that were read
    before are not used by those who heard of the change, nor by those who began later."""
    domain = "shared.example"
    telling.command.add_domain(domain, algorithms=("ed25519-sha256",))
    hosts = [Daemon(start(telling, name, cache__memcached=memcached.address))
             for name in ("first", "second")]
    for daemon in hosts:
        daemon.becomes(domain, ["ed25519"])
    wait_for("it is in memcached", lambda: int(memcached.stats()["curr_items"]) > 0)
    for status, expected in (("suspended", []), ("active", ["ed25519"]), ("suspended", [])):
        replace(telling, domain_dn(domain), inkanDomainStatus=status)
        for daemon in hosts:
            daemon.becomes(domain, expected)
    replace(telling, domain_dn(domain), inkanDomainStatus="active")
    for daemon in hosts:
        daemon.becomes(domain, ["ed25519"])
    telling.delete(key_dn(domain, "ed25519"))
    late = Daemon(start(telling, "late", cache__memcached=memcached.address))
    for daemon in (late, *hosts):
        daemon.becomes(domain, [])
