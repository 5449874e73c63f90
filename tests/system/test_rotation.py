# SPDX-License-Identifier: Apache-2.0
"""The life of keys by itself: `inkan rotate` with real name servers and a daemon that signs. Time is
moved by policies of seconds."""

import json
import os
import random
import re
import sqlite3
import subprocess
import threading
import time

import dkim
import pytest

import messages
from inkan import BUILD, PATIENCE, Inkan
from ldap import Slapd
from nameservers import Bind, Unbound
from process import wait_for
from updates import TsigKey

ZONE, ELSEWHERE = "rotation.example", "customer.example"
GRAVESTONE = "v=DKIM1; p="
NO, INVALID, REFUSED, TEMPORARY = 1, 2, 3, 75


class Site:
    """BIND, which takes updates for one zone and not for the other, a resolver, and inkan."""

    def __init__(self, folder, name="inkan", **settings):
        self.key = TsigKey(folder)
        self.named = Bind(folder, (ZONE, ELSEWHERE), keys=self.key.clause,
                          rule=f"allow-update {{{{ key {self.key.name}; 127.0.0.1; }}}};")
        self.unbound = Unbound(folder, {ZONE: ["127.0.0.1"], ELSEWHERE: ["127.0.0.1"]},
                               self.named.port)
        values = {
            "lifecycle__algorithms": "ed25519-sha256", "lifecycle__soak": "1s",
            "lifecycle__retry": "1s", "lifecycle__check": "1s",
            "dns__nameservers": f"127.0.0.1:{self.unbound.port}", "dns__port": self.named.port,
            "dns__timeout": "3s", "dns__ttl": "1s",
            "dns__update_server": f"127.0.0.1:{self.named.port}",
            "dns__tsig_key_file": self.key.path, "cache__ttl": "0", **settings}
        self.inkan = Inkan(f"{folder}/{name}", **values).set_up("acme")

    def stop(self):
        self.inkan.stop()
        self.unbound.stop()
        self.named.stop()

    def add(self, *domains):
        for domain in domains:
            self.inkan.ok("domain", "add", domain, "--tenant", "acme")

    def run(self, *options, code=0):
        answer = self.inkan.run("rotate", "run", *options)
        assert answer.returncode == code, answer.stdout + answer.stderr
        return answer.stdout

    def keys(self, domain):
        return self.inkan.json("key", "list", domain)

    def states(self, domain):
        return [key["state"] for key in self.keys(domain)]

    def shown(self, key):
        return self.named.txt(f"{key['selector']}._domainkey.{key['domain']}")

    def run_until(self, what, condition, seconds=20):
        """Runs until it is so; the states that were seen on the way."""
        def again():
            self.run()
            return condition()
        return wait_for(what, again, seconds * PATIENCE)


@pytest.fixture
def make_site(folder):
    made = []

    def make(**settings):
        made.append(Site(folder, **settings))
        return made[-1]

    yield make
    for site in made:
        site.stop()


class Signer:
    """A daemon, and a verifier that believes what the name server shows at that moment."""

    def __init__(self, site, domain):
        self.site, self.domain = site, domain
        self.message = None  # the last one that was signed
        site.inkan.start()

    def txt(self, name, timeout=5):
        values = self.site.named.txt(name.decode().rstrip("."))
        return values[0].encode() if values else None

    def verifies(self, message):
        return dkim.verify(message, dnsfunc=self.txt)

    def signed_by(self):
        """The selector that signs now, and verifies; None when the message went unsigned."""
        listen = self.site.inkan.settings["server.listen"]
        answer = self.site.inkan.run("probe", "--socket", listen,
                                     stdin=messages.compose(f"a@{self.domain}".encode()))
        if answer.returncode == NO:
            return None
        assert answer.returncode == 0, answer.stderr
        self.message = answer.output
        assert self.verifies(self.message), answer.output
        return re.search(r"[\s;]s=([^;]+);", answer.stdout).group(1)


def test_whole_life_of_a_domain(make_site):
    """Made, published, proven, active, succeeded, retiring, gravestone, destroyed."""
    site = make_site(lifecycle__max_age="12s", lifecycle__overlap="2s", lifecycle__tombstone="2s")
    site.add(ZONE)
    first, = site.keys(ZONE)
    assert site.shown(first) == []
    told = site.run()
    assert f"{ZONE} {first['selector']}: prove" in told
    assert site.states(ZONE) == ["published"] and len(site.shown(first)) == 1

    site.run_until("it signs", lambda: site.states(ZONE) == ["active"])
    signer = Signer(site, ZONE)
    assert signer.signed_by() == first["selector"]
    on_its_way = signer.message

    def state_of(selector):
        return next(key["state"] for key in site.keys(ZONE) if key["selector"] == selector)

    site.run_until("it has a successor", lambda: len(site.keys(ZONE)) == 2)
    second = next(k for k in site.keys(ZONE) if k["selector"] != first["selector"])
    wait_for("the first signs still", lambda: signer.signed_by() == first["selector"], 3)
    site.run_until("the successor signs", lambda: state_of(second["selector"]) == "active")
    assert state_of(first["selector"]) == "retiring"
    assert site.shown(first) != [GRAVESTONE], "mail on its way still verifies"
    wait_for("the daemon has heard", lambda: signer.signed_by() == second["selector"], 3)
    assert signer.verifies(on_its_way), "mail on its way still verifies"

    site.run_until("the first has a gravestone", lambda: state_of(first["selector"]) == "revoked")
    site.run_until("DNS has it", lambda: site.shown(first) == [GRAVESTONE])
    assert not signer.verifies(on_its_way) and signer.signed_by() not in (None, first["selector"])
    site.run_until("it is gone", lambda: state_of(first["selector"]) == "destroyed")
    site.run_until("so is its record", lambda: site.shown(first) == [])
    assert signer.signed_by() not in (None, first["selector"])
    events = [event for event in site.inkan.json("audit", "list")
              if event["name"] == f"{ZONE} {first['selector']}" and event["action"] != "key.look"]
    assert [event["action"] for event in events] == [
        "key.add", "key.prove", "key.activate", "key.retire", "key.revoke", "key.destroy"]
    assert "resolver 127.0.0.1" in events[1]["detail"] and "right" in events[1]["detail"]


# -- what is proof, and what is not ------------------------------------------------------------


def test_customer_publishes_it_and_takes_it_away(make_site):
    """A zone that we may not write to: nobody signs before DNS shows the record."""
    site = make_site(dns__update_server=None, dns__tsig_key_file=None)
    site.add(ELSEWHERE)
    key, = site.keys(ELSEWHERE)
    name = f"{key['selector']}._domainkey.{ELSEWHERE}"
    value = site.inkan.records()[name]
    site.run()
    assert site.states(ELSEWHERE) == ["staged"]
    site.named.set_txt(name, value, ttl=1)
    site.run_until("it is proven", lambda: site.states(ELSEWHERE) == ["published"])
    site.named.set_txt(name)
    site.run_until("it is doubted", lambda: site.states(ELSEWHERE) == ["staged"])
    site.named.set_txt(name, value, ttl=1)
    # Unbound remembers for a second that there was nothing; it is asked again.
    site.run_until("it signs", lambda: site.states(ELSEWHERE) == ["active"])
    assert site.inkan.run("rotate", "status").returncode == 0
    site.named.set_txt(name)
    site.run_until("it is missed", lambda: site.keys(ELSEWHERE)[0]["shown"] == "missing")
    answer = site.inkan.run("rotate", "status")
    assert answer.returncode == NO
    assert f"{ELSEWHERE} {key['selector']}: gone: DNS does not show its record" in answer.stdout
    metrics = site.inkan.ok("rotate", "status", "--metrics")
    assert 'inkan_key_alarms{alarm="gone"} 1\n' in metrics
    assert 'inkan_keys{state="active",algorithm="ed25519-sha256"} 1\n' in metrics


def test_nothing_is_due_twice(make_site):
    """A run looks only at what is due; what is due is told without being done."""
    site = make_site(lifecycle__check="1h", lifecycle__soak="1h")
    site.add(ZONE, f"a.{ZONE}")
    plan = site.inkan.ok("rotate", "plan")
    assert plan.count(": ask (whether DNS shows its record)") == 2
    assert site.states(ZONE) == ["staged"]
    assert "due: 2, changed: 2, failed: 0" in site.run()
    assert "due: 0," in site.run()
    assert "due: 0," in site.inkan.ok("rotate", "plan")
    change_store(site, "UPDATE key SET activated = 1, state = 'active', due = 1, checked = updated")
    assert site.inkan.ok("rotate", "plan").count(": make (it comes of age)") == 2
    assert site.inkan.ok("rotate", "plan", "--limit", "1").count(": make (it comes of age)") == 1
    change_store(site, "UPDATE key SET activated = 0, state = 'published', published = updated")
    told = site.inkan.ok("rotate", "plan", "--domain", ZONE)
    assert re.search(rf"{ZONE} \S+: wait until \S+Z \(its record is not known everywhere yet\)",
                     told)


def test_dry_run_changes_nothing(make_site):
    site = make_site()
    site.add(ZONE)
    key, = site.keys(ZONE)
    before = site.inkan.ok("--json", "audit", "list")
    answer = site.inkan.run("--dry-run", "rotate", "run")
    assert answer.returncode == 0 and site.shown(key) == []
    assert site.inkan.ok("--json", "audit", "list") == before
    assert site.keys(ZONE) == [key]


@pytest.mark.parametrize("whose", ["settings", "tenant", "domain"])
def test_freeze(make_site, whose):
    """Proven on any day, but not used."""
    day = time.strftime("%m-%d", time.gmtime())
    tomorrow = time.strftime("%m-%d", time.gmtime(time.time() + 86400))
    site = make_site(lifecycle__soak="1s")

    def freeze(days):
        if whose == "settings":
            site.inkan.configure(lifecycle__freeze=days or None)
        else:
            site.inkan.ok(whose, "set", {"tenant": "acme", "domain": ZONE}[whose],
                          f"freeze={days}")

    site.add(ZONE)
    freeze(f"{day}/{tomorrow}")
    site.run()
    assert site.states(ZONE) == ["published"]
    key, = site.keys(ZONE)
    wait_for("it has soaked", lambda: "nothing changes in these days" in site.inkan.ok(
        "rotate", "plan", "--domain", ZONE))
    site.run("--domain", ZONE)
    assert site.keys(ZONE)[0]["state"] == "published"
    freeze("")
    site.run("--domain", ZONE)
    assert site.keys(ZONE)[0]["state"] == "active"
    assert key["selector"] == site.keys(ZONE)[0]["selector"]


def test_policy_of_a_domain_and_of_a_tenant(make_site):
    site = make_site(lifecycle__max_age="1h", lifecycle__soak="1h")
    site.add(ZONE, f"a.{ZONE}")
    site.inkan.ok("tenant", "set", "acme", "soak=1")
    site.inkan.ok("domain", "set", f"a.{ZONE}", "soak=7200", "algorithms=rsa-sha256:1024")
    site.run()
    site.run_until("that of the tenant", lambda: site.states(ZONE) == ["active"])
    assert site.states(f"a.{ZONE}") == ["published"]
    site.inkan.ok("key", "new", f"a.{ZONE}", "--selector", "rsa")
    assert {key["algorithm"] for key in site.keys(f"a.{ZONE}")} == {"ed25519-sha256", "rsa-sha256"}
    site.inkan.ok("tenant", "set", "acme", "algorithms=rsa-sha256:1024,ed25519-sha256")
    site.add(f"b.{ZONE}")
    assert [(key["algorithm"], key["bits"]) for key in site.keys(f"b.{ZONE}")] == [
        ("ed25519-sha256", 256), ("rsa-sha256", 1024)]
    answer = site.inkan.run("domain", "set", ZONE, "algorithms=md5")
    assert answer.returncode == 2 and "md5 is no algorithm" in answer.stderr


@pytest.mark.parametrize("wanted", ["sign", "unsigned", "provider"])
def test_key_that_dns_no_longer_shows(make_site, wanted):
    site = make_site(dns__update_server=None, dns__tsig_key_file=None,
                     sign__provider_domain=f"provider.{ZONE}")
    site.inkan.ok("tenant", "add", "us")
    site.inkan.add_domain(f"provider.{ZONE}", "us", algorithms=("ed25519-sha256",))
    site.inkan.ok("tenant", "set", "acme", f"on_unpublished={wanted}")
    site.add(ELSEWHERE)
    for name, value in site.inkan.records().items():
        site.named.set_txt(name, value, ttl=1)
    site.run_until("it signs", lambda: site.states(ELSEWHERE) == ["active"])
    signer = Signer(site, ELSEWHERE)
    own = site.keys(ELSEWHERE)[0]["selector"]
    assert signer.signed_by() == own
    name = f"{own}._domainkey.{ELSEWHERE}"
    value = site.inkan.records()[name]
    site.named.set_txt(name)
    site.run_until("it is missed", lambda: site.keys(ELSEWHERE)[0]["shown"] == "missing")
    if wanted == "sign":
        return
    expected = "ed25519" if wanted == "provider" else None
    wait_for("the daemon follows", lambda: signer.signed_by() == expected, 3)
    told = site.inkan.run("explain", "--from", f"a@{ELSEWHERE}")
    assert "1 that DNS does not show" in told.stdout
    assert (f"provider.{ZONE} signs" in told.stdout) == (wanted == "provider")
    site.named.set_txt(name, value, ttl=1)
    site.run_until("it is back", lambda: site.keys(ELSEWHERE)[0]["shown"] == "right")
    wait_for("it signs again", lambda: signer.signed_by() == own, 3)


def test_due_keys_are_found_by_an_index(make_site):
    """What a run asks the store for does not walk over the keys that are not due."""
    site = make_site()
    statement = ('SELECT "domain" FROM "key" WHERE "due" > 0 AND "due" <= 1000'
                 ' ORDER BY "domain", "selector" LIMIT 64')
    with sqlite3.connect(site.inkan.database) as store:
        plan = store.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
    store.close()
    assert "key_by_due" in plan[0][3], plan


def test_steps_by_hand(make_site):
    """Each only from its states; what destroys wants to be told twice; the audit log knows whether DNS
    was asked."""
    site = make_site(lifecycle__soak="1h")
    inkan = site.inkan
    site.add(ZONE)
    proven = site.keys(ZONE)[0]["selector"]
    site.run()
    inkan.ok("key", "new", ZONE, "--selector", "hasty", "--activate")
    steps = [  # what, of which key, the answer, the state afterwards
        (("activate", proven), 0, "active"),
        (("activate", proven), REFUSED, "active"),
        (("destroy", proven, "--yes"), REFUSED, "active"),
        (("revoke", proven), REFUSED, "active"),
        (("revoke", proven, "--yes"), 0, "revoked"),
        (("retire", proven), REFUSED, "revoked"),
        (("activate", proven), REFUSED, "revoked"),
        (("destroy", proven), REFUSED, "revoked"),
        (("destroy", proven, "--yes"), 0, "destroyed"),
        (("revoke", proven, "--yes"), REFUSED, "destroyed"),
        (("revoke", "hasty"), 0, "revoked"),  # it is retiring: its private key is gone already
    ]
    for (verb, selector, *yes), code, state in steps:
        answer = inkan.run("key", verb, ZONE, selector, *yes)
        assert answer.returncode == code, (verb, selector, answer.stderr)
        assert inkan.json("key", "show", ZONE, selector)["state"] == state
    notes = {event["name"]: event["detail"] for event in inkan.json("audit", "list")
             if event["action"] == "key.activate"}
    assert "proof skipped" in notes[f"{ZONE} hasty"]
    assert "proof skipped" not in (notes[f"{ZONE} {proven}"] or "")


# -- many --------------------------------------------------------------------------------------


def test_limit_and_failures(make_site):
    site = make_site(dns__update_server=None, dns__tsig_key_file=None, lifecycle__soak="1h")
    names = [f"d{number}.{ZONE}" for number in range(6)]
    site.add(*names)
    for name, value in site.inkan.records().items():
        site.named.set_txt(name, value, ttl=1)
    assert "changed: 2," in site.run("--limit", "2")
    assert "changed: 4," in site.run()
    for name in site.inkan.records():
        site.named.set_txt(name)
    site.inkan.configure(lifecycle__soak="1s")
    change_store(site, "UPDATE key SET due = 1, published = published - 60")
    answer = site.inkan.run("rotate", "run", "--max-failures", "2")
    assert answer.returncode == NO, answer.stdout + answer.stderr
    assert "stopped after 3 failures (--max-failures 2)" in answer.stderr
    assert sorted(site.states(name)[0] for name in names) == ["published"] * 3 + ["staged"] * 3


def test_dns_is_down(make_site):
    """Rotation stands still, and says so."""
    site = make_site(dns__update_server=None, dns__tsig_key_file=None, dns__timeout="1s")
    site.add(ZONE)
    site.unbound.stop()
    answer = site.inkan.run("rotate", "run")
    assert answer.returncode == TEMPORARY
    assert "DNS gave no answer for any of 1 records" in answer.stderr
    assert site.states(ZONE) == ["staged"]


def test_silence_is_no_failure_and_is_asked_again(make_site):
    """A record that was there, and cannot be seen now: no alarm, and no waiting until `check`."""
    site = make_site(dns__update_server=None, dns__tsig_key_file=None, dns__timeout="1s",
                     lifecycle__check="1h")
    site.add(ELSEWHERE)
    for name, value in site.inkan.records().items():
        site.named.set_txt(name, value, ttl=1)
    site.run_until("it signs", lambda: site.states(ELSEWHERE) == ["active"])
    change_store(site, "UPDATE key SET due = 1, checked = checked - 3600,"
                       " activated = activated - 100 * 86400")
    site.unbound.stop()
    answer = site.inkan.run("rotate", "run", "--max-failures", "0")
    assert answer.returncode == TEMPORARY, answer.stderr
    assert site.keys(ELSEWHERE)[0]["shown"] == "right"
    assert site.inkan.run("rotate", "status").returncode == 0
    wait_for("it is asked again", lambda: site.inkan.run("rotate", "run").returncode == TEMPORARY)


def test_a_key_that_its_successor_has_just_retired(make_site):
    """Its own turn comes later in the same page, and finds another record than was read."""
    site = make_site(lifecycle__soak="1s")
    site.inkan.ok("domain", "add", ZONE, "--tenant", "acme", "--no-key")
    site.inkan.ok("key", "new", ZONE, "--selector", "z", "--activate")
    site.inkan.ok("key", "new", ZONE)
    told = []

    def step():
        told.append(site.run("--domain", ZONE))
        return site.states(ZONE) == ["active", "retiring"]

    wait_for("the successor signs", step)
    assert all(", failed: 0" in answer for answer in told), told
    assert ": activate (" in told[-1] and " z: " not in told[-1]


def test_keys_whose_domain_is_gone(make_site):
    """Both of them are told, and the run goes on."""
    site = make_site(lifecycle__algorithms="ed25519-sha256,rsa-sha256:1024")
    site.add(f"a.{ZONE}", f"b.{ZONE}")
    change_store(site, f"DELETE FROM domain WHERE name = 'a.{ZONE}'")
    told = site.run()
    assert told.count(f"a.{ZONE} ") == 2 and told.count(": fail (") == 2, told
    assert site.states(f"b.{ZONE}") == ["published"] * 2


def test_only_those_of_a_tenant(make_site):
    site = make_site()
    site.inkan.ok("tenant", "add", "globex")
    site.add(f"a.{ZONE}", ZONE)
    site.inkan.ok("domain", "add", f"b.{ZONE}", "--tenant", "globex")
    plan = site.inkan.json("rotate", "plan", "--tenant", "globex")
    assert [(deed["domain"], deed["deed"], deed["state"]) for deed in plan] == [
        (f"b.{ZONE}", "ask", "staged")]
    deeds = site.inkan.json("rotate", "run", "--tenant", "globex")
    assert [(deed["domain"], deed["deed"]) for deed in deeds] == [(f"b.{ZONE}", "prove")]
    assert site.states(ZONE) == site.states(f"a.{ZONE}") == ["staged"]
    answer = site.inkan.run("rotate", "run", "--tenant", "initech")
    assert answer.returncode == INVALID and "initech" in answer.stderr


def test_alarms_say_what_to_do(make_site):
    """Old, stuck and overdue, each with its domain and the next step."""
    site = make_site(dns__update_server=None, dns__tsig_key_file=None)
    site.add(ELSEWHERE)
    site.inkan.ok("domain", "add", ZONE, "--tenant", "acme", "--no-key")
    site.inkan.ok("key", "new", ZONE, "--selector", "old", "--activate")
    change_store(site, "UPDATE key SET created = created - 8 * 86400, due = due - 2 * 86400"
                       f" WHERE domain = '{ELSEWHERE}'")
    change_store(site, f"UPDATE key SET activated = 1 WHERE domain = '{ZONE}'")
    answer = site.inkan.run("rotate", "status")
    assert answer.returncode == NO
    stuck = site.keys(ELSEWHERE)[0]["selector"]
    assert f"{ELSEWHERE} {stuck}: stuck: DNS has not come to show" in answer.stdout
    assert f"{ZONE} old: old: it is older than max_age" in answer.stdout
    assert re.search(rf"{ELSEWHERE} {stuck}: overdue since \S+Z, and 1 keys in all", answer.stdout)
    told = json.loads(site.inkan.run("--json", "rotate", "status").stdout)
    assert (told["overdue"], told["overdue_domain"], told["overdue_selector"]) == (
        1, ELSEWHERE, stuck)
    assert {alarm["alarm"] for alarm in told["alarms"]} == {"old", "stuck"}
    metrics = site.inkan.ok("rotate", "status", "--metrics")
    assert "inkan_rotation_overdue 1\n" in metrics
    assert 'inkan_key_alarms{alarm="stuck"} 1\n' in metrics
    # A suspended domain gets no successor; its key signs nothing.
    site.inkan.ok("domain", "suspend", ZONE)
    assert f"{ZONE} old" not in site.inkan.run("rotate", "status").stdout


def test_what_is_not_published_is_told(make_site, folder):
    """A server that does not know our key, or is not there; a zone it does not have is none of it."""
    os.mkdir(f"{folder}/stranger")
    stranger = TsigKey(f"{folder}/stranger")
    site = make_site(dns__tsig_key_file=stranger.path)
    site.add(f"a.{ZONE}", f"b.{ZONE}")
    answer = site.inkan.run("rotate", "run")
    assert answer.returncode == 0 and site.states(f"a.{ZONE}") == ["staged"]
    said = [line for line in answer.stderr.splitlines() if "not published" in line]
    assert len(said) == 1 and "a.rotation.example" in said[0], answer.stderr
    site.inkan.configure(dns__tsig_key_file=site.key.path)
    site.inkan.ok("domain", "add", "nowhere.example", "--tenant", "acme")
    assert "not published" not in site.inkan.run(
        "rotate", "run", "--domain", "nowhere.example").stderr


def test_two_runs_at_once(make_site):
    """One works, the other is told who does; afterwards anybody may."""
    site = make_site(dns__timeout="5s")
    site.add(ZONE)
    site.named.process.freeze()
    try:
        first = subprocess.Popen([f"{BUILD}/inkan", "-c", site.inkan.conf, "rotate", "run"],
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        wait_for("the first has its lease", lambda: any(
            event["action"] == "lease.take" for event in site.inkan.json("audit", "list")))
        answer = site.inkan.run("rotate", "run")
        assert answer.returncode == REFUSED
        assert re.search(r"rotation is at work already: .*, process \d+ \(until ", answer.stderr)
    finally:
        site.named.process.thaw()
    first.communicate(timeout=30)
    assert first.returncode == 0
    site.run()


def test_the_store_fails_in_the_middle(make_site):
    """What was not done is due for the next run, and this one says that it failed."""
    site = make_site(dns__timeout="5s", store__timeout="1s")
    site.add(ZONE)
    site.named.process.freeze()
    try:
        process = subprocess.Popen([f"{BUILD}/inkan", "-c", site.inkan.conf, "rotate", "run"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        wait_for("it has its lease", lambda: any(
            event["action"] == "lease.take" for event in site.inkan.json("audit", "list")))
        store = sqlite3.connect(site.inkan.database, isolation_level=None)
        store.execute("BEGIN IMMEDIATE")
    finally:
        site.named.process.thaw()
    _, said = process.communicate(timeout=30)
    assert process.returncode == TEMPORARY and "locked" in said, said
    store.execute("ROLLBACK")
    store.close()
    assert site.states(ZONE) == ["staged"]
    site.run()
    assert site.states(ZONE) == ["published"]


def change_store(site, statement):
    with sqlite3.connect(site.inkan.database) as store:
        store.execute(statement)
    store.close()


def kill_at_work(site):
    """Leaves the lease of a run that was killed."""
    site.named.process.freeze()
    killed = subprocess.Popen([f"{BUILD}/inkan", "-c", site.inkan.conf, "rotate", "run"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for("it has its lease", lambda: any(
        event["action"] == "lease.take" for event in site.inkan.json("audit", "list")))
    killed.kill()
    killed.wait()
    site.named.process.thaw()


def test_a_lease_ends_with_its_holder(make_site):
    """On the same host at once."""
    site = make_site(dns__timeout="5s")
    site.add(ZONE)
    kill_at_work(site)
    site.run()
    assert site.states(ZONE) == ["published"]


def test_a_lease_of_another_host_ends_with_its_time(make_site):
    """Nobody here can know whether its holder lives."""
    site = make_site(dns__timeout="5s")
    site.add(ZONE)
    kill_at_work(site)
    # 36 characters that tell this boot of this host from all others
    change_store(site, "UPDATE lease SET holder = substr(holder, 1, instr(holder, '-') - 9)"
                       " || '00000000' || substr(holder, instr(holder, '-'))")
    answer = site.inkan.run("--json", "rotate", "run")
    assert answer.returncode == REFUSED and answer.stdout == ""
    assert "rotation is at work already: " in answer.stderr
    change_store(site, "UPDATE lease SET until = 1")
    site.run()
    assert site.states(ZONE) == ["published"]


def invariants(site):
    """What must hold whenever a run was killed."""
    keys = site.inkan.json("key", "list")
    events = {(event["action"], event["name"]) for event in site.inkan.json(
        "audit", "list", "--limit", "1000000")}
    active = [(key["domain"], key["algorithm"]) for key in keys if key["state"] == "active"]
    assert len(active) == len(set(active)), "two active keys of one algorithm"
    past = {"published": "key.prove", "active": "key.activate", "retiring": "key.retire",
            "revoked": "key.revoke", "destroyed": "key.destroy"}
    for key in keys:
        name = f"{key['domain']} {key['selector']}"
        assert ("key.add", name) in events
        if key["state"] in past:
            assert (past[key["state"]], name) in events, (name, key["state"])
    waiting = [(k["domain"], k["algorithm"]) for k in keys if k["state"] in ("staged", "published")]
    assert len(waiting) == len(set(waiting)), "two successors of one key"
    assert site.inkan.run("store", "check").returncode == 0
    return keys


def test_killed_at_many_points(make_site):
    """200 domains that all move on; whenever it is killed, the next run goes on."""
    site = make_site(lifecycle__max_age="10s", lifecycle__overlap="2s", lifecycle__tombstone="2s",
                     lifecycle__check="1h")
    rows = "\n".join(f'{{"domain": "d{n}.{ZONE}", "tenant": "acme"}}' for n in range(200))
    site.inkan.ok("import", "domains", "-", stdin=rows.encode())
    chance = random.Random(8463)
    for number in range(30):
        process = subprocess.Popen([f"{BUILD}/inkan", "-c", site.inkan.conf, "rotate", "run"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.random() * PATIENCE)  # the point is to hit it anywhere
        process.kill()
        process.wait()
        if number % 5 == 4:
            invariants(site)

    def seconds():
        keys = site.inkan.json("key", "list")
        first = {k["domain"]: k["activated"] for k in sorted(
            keys, key=lambda k: k["activated"] or "", reverse=True) if k["activated"]}
        return {k["domain"] for k in keys
                if k["state"] == "active" and k["activated"] > first[k["domain"]]}

    site.run_until("all sign with a second key", lambda: len(seconds()) == 200, 60)
    invariants(site)


def test_keys_in_a_directory(folder, make_site):
    server = Slapd.single(folder, log_level="none")
    try:
        site = make_site(lifecycle__max_age="6s", lifecycle__overlap="2s", **server.settings())
        site.add(ZONE, f"a.{ZONE}")
        site.run_until("both sign with a second key", lambda: all(
            sorted(site.states(name))[:2] == ["active", "retiring"] for name in
            (ZONE, f"a.{ZONE}")), 40)
        lease, = server.search("(inkanLeaseName=rotation)")
        assert b"process" in lease["inkanLeaseHolder"][0]
    finally:
        server.kill()


def test_others_change_the_directory_meanwhile(folder, make_site):
    """A change that came first costs one key its turn, and no run the rest of its work."""
    server = Slapd.single(folder, log_level="none")
    done = threading.Event()
    try:
        site = make_site(lifecycle__soak="1h", **server.settings())
        rows = "\n".join(f'{{"domain": "d{n}.{ZONE}", "tenant": "acme"}}' for n in range(200))
        site.inkan.ok("import", "domains", "-", stdin=rows.encode())

        def write():
            number = 0
            while not done.is_set():
                number += 1
                site.inkan.run("tenant", "add", f"t{number}")

        writer = threading.Thread(target=write)
        writer.start()
        try:
            answer = site.inkan.run("rotate", "run")
        finally:
            done.set()
            writer.join()
        assert "due: 200," in answer.stdout and ", failed: 0" in answer.stdout, answer.stdout
        site.run()
        states = {key["state"] for key in site.inkan.json("key", "list")}
        assert states == {"published"} and len(site.inkan.json("tenant", "list")) > 1
    finally:
        server.stop()
