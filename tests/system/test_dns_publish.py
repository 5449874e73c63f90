# SPDX-License-Identifier: Apache-2.0
"""`inkan dns publish` against BIND: what is added, replaced and removed, what is left alone, and
what is told when the server does not take it."""

import json
import os
import re
import sqlite3
import time

import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.update
import pytest

from inkan import PATIENCE, Inkan
from nameservers import SOA, Bind, PowerDNS
from process import free_port
from updates import Middleman, TsigKey, no_record, one_record

ZONE, OTHER, THIRD = "publish.example", "publish.test", "third.example"
GRAVESTONE = "v=DKIM1; p="
TIME_OF = {"published": "published", "active": "activated", "retiring": "retired",
           "revoked": "revoked", "destroyed": "destroyed"}


def bind(folder, key, zones=(ZONE, OTHER, THIRD), rule="allow-update {{ key inkan-publish; }};"):
    return Bind(folder, zones, keys=key.clause, rule=rule)


def powerdns(folder, key, zones=(ZONE, OTHER)):
    server = PowerDNS(folder, zones,
                      settings="dnsupdate=yes\nallow-dnsupdate-from=127.0.0.0/8\n")
    server.util("import-tsig-key", key.name, key.algorithm, key.secret)
    for zone in zones:
        server.util("set-meta", zone, "TSIG-ALLOW-DNSUPDATE", key.name)
    return server


class Site:
    """A name server whose zones only the holder of a key may change, and inkan with that key."""

    def __init__(self, folder, algorithm="hmac-sha256", tsig=True, serve=None, **options):
        self.folder = folder
        self.key = TsigKey(folder, algorithm=algorithm)
        self.secrets = {self.key.secret}
        self.named = (serve or bind)(folder, self.key, **options)
        self.inkan = Inkan(f"{folder}/inkan",
                           dns__update_server=f"127.0.0.1:{self.named.port}",
                           dns__tsig_key_file=self.key.path if tsig else None)
        self.inkan.set_up("acme")
        self.middle = None

    def stop(self):
        if self.middle is not None:
            self.middle.stop()
        self.named.stop()

    def between(self, **lies):
        """Puts somebody between inkan and the server."""
        self.middle = Middleman(self.named.port, **lies)
        self.inkan.configure(dns__update_server=f"127.0.0.1:{self.middle.port}")
        return self.middle

    def use(self, key):
        self.secrets.add(key.secret)
        self.inkan.configure(dns__tsig_key_file=key.path)

    def add(self, *domains, algorithm="ed25519-sha256", selector=None):
        """Staged keys; the names of their records."""
        for domain in domains:
            self.inkan.ok("domain", "add", domain, "--tenant", "acme", "--no-key")
            self.inkan.ok("key", "new", domain, "--algorithm", algorithm, "--selector",
                          selector or "s1")
        return [f"{selector or 's1'}._domainkey.{domain}" for domain in domains]

    def set_state(self, domain, state):
        """Past what an operator may do from there; a private key goes when it must."""
        wiped = ", sealed = x'', kek = ''" if state in ("retiring", "revoked", "destroyed") else ""
        with sqlite3.connect(self.inkan.database) as store:
            assert store.execute(f"UPDATE key SET state = ?, {TIME_OF[state]} = 1790000000{wiped}"
                                 " WHERE domain = ?", (state, domain)).rowcount == 1
        store.close()

    def run(self, *arguments):
        answer = self.inkan.run("dns", "publish", *arguments)
        for secret in self.secrets:
            assert secret not in answer.stdout + answer.stderr
        return answer

    def publish(self, *arguments, code=0):
        """{name: (action, reason)}"""
        answer = self.run(*arguments, "--json")
        assert answer.returncode == code, answer.stderr + answer.stdout
        rows = json.loads(answer.stdout)
        for row in rows:
            assert set(row) == {"domain", "selector", "name", "action", "reason"}
            assert row["name"] == f"{row['selector']}._domainkey.{row['domain']}"
        assert len({row["name"] for row in rows}) == len(rows)
        return {row["name"]: (row["action"], row["reason"]) for row in rows}

    def actions(self, *arguments, code=0):
        return {name: action for name, (action, _) in self.publish(*arguments, code=code).items()}

    def wanted(self):
        return self.inkan.records()

    def serial(self, zone=ZONE):
        return self.named.query(zone, "SOA").answer[0][0].serial

    def put(self, text, zone=ZONE):
        """Somebody else's change: `add` of an update."""
        update = dns.update.UpdateMessage(zone, keyring=self.key.dnspython())
        update.add(*text)
        assert dns.query.tcp(update, "127.0.0.1", 5, self.named.port).rcode() == dns.rcode.NOERROR


@pytest.fixture
def make_site(folder):
    made = []

    def make(**options):
        made.append(Site(folder, **options))
        return made[-1]

    yield make
    for site in made:
        site.stop()


@pytest.fixture
def site(make_site):
    return make_site()


# -- what is done -------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["hmac-sha256", "hmac-sha384", "hmac-sha512"])
def test_publish_adds_and_again_changes_nothing(make_site, algorithm):
    site = make_site(algorithm=algorithm)
    site.inkan.ok("domain", "add", ZONE, "--tenant", "acme",
                  "--algorithm", "rsa-sha256:4096,ed25519-sha256")
    site.add(f"below.{ZONE}", OTHER)
    wanted = site.wanted()
    assert len(wanted) == 4
    assert site.actions("--all") == dict.fromkeys(wanted, "added")
    for name, value in wanted.items():
        assert site.named.txt(name) == [value]
        (rrset,) = site.named.query(name).answer
        assert rrset.ttl == 3600
        strings = rrset[0].strings
        assert all(len(part) == 255 for part in strings[:-1]) and len(strings[-1]) <= 255
    serial = site.serial()
    assert site.publish("--all") == dict.fromkeys(wanted, ("unchanged", ""))
    assert site.serial() == serial


def test_one_domain_only(site):
    first, second = site.add(ZONE, OTHER)
    assert site.actions(ZONE) == {first: "added"}
    assert site.named.txt(second) == []
    assert site.run("nobody.example").returncode == 2
    assert site.run().returncode == 2


def test_what_people_read(site):
    (name,) = site.add(ZONE)
    none = "0 added, 0 replaced, 0 removed, {} unchanged, 0 refused, 0 failed\n"
    assert site.run(ZONE, "--dry-run").stdout.startswith(f"would add record {name}\n")
    assert site.named.txt(name) == []
    assert site.run(ZONE).stdout == f"added record {name}\n" + none.format(0).replace("0 a", "1 a")
    assert site.run(ZONE).stdout == none.format(1)


def test_dry_run_says_what_would_be_done(site):
    first, second = site.add(ZONE, OTHER)
    site.actions(OTHER)
    site.set_state(OTHER, "revoked")
    serials = site.serial(), site.serial(OTHER)
    assert site.actions("--all", "--dry-run") == {first: "added", second: "replaced"}
    assert (site.serial(), site.serial(OTHER)) == serials


@pytest.mark.parametrize("serve", [bind, powerdns])
def test_the_life_of_a_key(make_site, serve):
    site = make_site(serve=serve)
    (name,) = site.add(ZONE)
    wanted = site.wanted()[name]
    seen = []
    for state in ("staged", "published", "active", "retiring", "revoked", "destroyed"):
        if state != "staged":
            site.set_state(ZONE, state)
        (action,) = site.actions(ZONE).values()
        assert site.actions(ZONE) == {name: "unchanged"}, state
        seen.append((state, action, site.named.txt(name)))
    assert seen == [("staged", "added", [wanted]), ("published", "unchanged", [wanted]),
                    ("active", "unchanged", [wanted]), ("retiring", "unchanged", [wanted]),
                    ("revoked", "replaced", [GRAVESTONE]), ("destroyed", "removed", [])]


def test_a_key_record_goes_with_its_destroyed_key(site):
    (name,) = site.add(ZONE)
    site.actions(ZONE)
    site.set_state(ZONE, "destroyed")
    assert site.actions(ZONE) == {name: "removed"}
    assert site.named.txt(name) == []


def test_a_gravestone_stands_where_nothing_stood(site):
    (name,) = site.add(ZONE)
    site.set_state(ZONE, "revoked")
    assert site.actions(ZONE) == {name: "added"}
    assert site.named.txt(name) == [GRAVESTONE]


def test_a_key_for_key_records_only(make_site):
    """The rule that docs/install.md shows is enough for all that a key's life needs."""
    site = make_site(rule="update-policy {{ grant inkan-publish wildcard *._domainkey.{zone} TXT; }};")
    (name,) = site.add(ZONE)
    done = [site.actions(ZONE)[name]]
    for state in ("revoked", "destroyed"):
        site.set_state(ZONE, state)
        done.append(site.actions(ZONE)[name])
    assert done == ["added", "replaced", "removed"]
    ((action, reason),) = [site.publish("--all", code=3)[n] for n in site.add(f"below.{ZONE}")]
    assert action == "refused" and reason.endswith("the server refuses it (REFUSED)")


def test_updates_that_are_not_signed(make_site):
    site = make_site(tsig=False, rule="allow-update {{ 127.0.0.1; }};")
    names = site.add(ZONE, OTHER)
    assert site.actions("--all") == dict.fromkeys(names, "added")
    assert site.actions("--all") == dict.fromkeys(names, "unchanged")


def test_500_domains_of_three_zones_take_few_messages(site):
    domains = [f"d{n}.{zone}" for n in range(167) for zone in (ZONE, OTHER, THIRD)][:500]
    lines = "".join(json.dumps({"domain": domain, "tenant": "acme", "algorithm": "rsa-sha256",
                                "bits": 1024} if n % 5 == 0 else
                               {"domain": domain, "tenant": "acme",
                                "algorithm": "ed25519-sha256"}) + "\n"
                    for n, domain in enumerate(domains))
    site.inkan.ok("import", "domains", "-", stdin=lines.encode())
    middle = site.between()
    wanted = site.wanted()
    assert len(wanted) == 500
    assert site.actions("--all") == dict.fromkeys(wanted, "added")
    assert len(middle.updates) == 3
    for name, value in list(wanted.items())[::50]:
        assert site.named.txt(name) == [value]
    assert site.actions("--all") == dict.fromkeys(wanted, "unchanged")
    assert len(middle.updates) == 3


def test_a_message_has_at_most_64_kib(site):
    """Long keys, as of RSA with 5,000 bits: 100 of them are more than one message holds."""
    domains = [f"d{n}.{ZONE}" for n in range(100)]
    lines = "".join(json.dumps({"domain": domain, "tenant": "acme",
                                "algorithm": "ed25519-sha256"}) + "\n" for domain in domains)
    site.inkan.ok("import", "domains", "-", stdin=lines.encode())
    with sqlite3.connect(site.inkan.database) as store:
        store.execute("UPDATE key SET public_key = randomblob(700)")
    store.close()
    middle = site.between()
    wanted = site.wanted()
    assert site.actions("--all") == dict.fromkeys(wanted, "added")
    assert len(middle.updates) == 2 and max(middle.updates) <= 65535 < sum(middle.updates)
    for name, value in wanted.items():
        assert site.named.txt(name) == [value]


# -- what is left alone -------------------------------------------------------------------------


def test_a_record_of_somebody_else_is_never_touched(site):
    """Whatever the state of our key; and others are still done."""
    name, other = site.add(ZONE, OTHER)
    site.put((f"{name}.", 300, "TXT", '"theirs"'))
    serial = site.serial()
    for state in ("active", "revoked"):
        site.set_state(ZONE, state)
        answers = site.publish("--all", code=3)
        assert answers[name] == ("refused", "somebody else's record stands there")
    site.set_state(ZONE, "destroyed")
    assert site.publish(ZONE) == {name: ("unchanged", "somebody else's record stands there")}
    assert site.named.txt(name) == ["theirs"] and site.serial() == serial
    assert site.named.txt(other) == [site.wanted()[other]]


def test_ours_beside_another_is_left_alone(site):
    (name,) = site.add(ZONE)
    site.actions(ZONE)
    site.put((f"{name}.", 300, "TXT", '"theirs"'))
    for state, code, action in (("active", 3, "refused"), ("revoked", 3, "refused"),
                                ("destroyed", 0, "unchanged")):
        site.set_state(ZONE, state)
        assert site.publish(ZONE, code=code) == {name: (action, "2 TXT records stand there")}
    assert len(site.named.txt(name)) == 2


def test_refusals_are_told_to_people(site):
    (name,) = site.add(ZONE)
    site.put((f"{name}.", 300, "TXT", '"theirs"'))
    answer = site.run(ZONE)
    assert answer.returncode == 3
    assert f"inkan: refused record {name}: somebody else's record stands there\n" == answer.stderr


def test_a_record_that_says_the_same_will_do(site):
    name, other = site.add(ZONE, OTHER)
    for each, zone in ((name, ZONE), (other, OTHER)):
        site.put((f"{each}.", 300, "TXT",
                  f'"{site.wanted()[each].replace("v=DKIM1; ", "v=DKIM1;h=sha256;")}"'), zone)
    same = ("unchanged", "a record that says the same stands there")
    assert site.publish("--all") == dict.fromkeys((name, other), same)
    site.set_state(OTHER, "revoked")  # but only what is exactly ours is replaced
    assert site.actions(OTHER, code=3) == {other: "refused"}


def test_a_cname_is_told(site):
    """BIND passes over a TXT record for a name with a CNAME, and says NOERROR."""
    (name,) = site.add(ZONE)
    site.put((f"{name}.", 300, "CNAME", f"elsewhere.{ZONE}."))
    want = {name: ("refused", f"a CNAME to elsewhere.{ZONE} stands there")}
    assert site.publish(ZONE, code=3) == want
    site.set_state(ZONE, "destroyed")
    assert site.actions(ZONE) == {name: "unchanged"}


def test_a_wildcard_stands_in_nobodys_way(site):
    """Also one whose target is in another zone."""
    first, second = site.add(f"a.{ZONE}", f"a.{OTHER}")
    site.put((f"*.{ZONE}.", 300, "CNAME", f"www.{THIRD}."))
    site.put((f"*.{OTHER}.", 300, "TXT", '"theirs"'), OTHER)
    assert site.named.txt(second) == ["theirs"]
    assert site.actions("--all") == {first: "added", second: "added"}
    for name, value in site.wanted().items():
        assert site.named.txt(name) == [value]
    assert site.actions("--all") == {first: "unchanged", second: "unchanged"}


def test_a_gravestone_for_all_keys_that_never_were(site):
    first, second = site.add(ZONE, f"below.{ZONE}")
    for name in (ZONE, f"below.{ZONE}"):
        site.put((f"*._domainkey.{name}.", 300, "TXT", f'"{GRAVESTONE}"'))
    site.set_state(f"below.{ZONE}", "destroyed")
    assert site.actions("--all") == {first: "added", second: "unchanged"}
    assert site.named.txt(first) == [site.wanted()[first]]
    site.set_state(ZONE, "destroyed")
    assert site.actions(ZONE) == {first: "removed"}


def test_a_wildcard_does_not_tell_the_zone(make_site):
    """Asked for its SOA record, some servers tell of the zone that the wildcard leads to."""
    below = f"below.{ZONE}"
    site = make_site(zones=(ZONE, below))
    (name,) = site.add(f"a.{below}")
    site.put((f"*.{below}.", 300, "CNAME", f"www.{ZONE}."), below)

    def follow(query):
        if query.question[0].rdtype != dns.rdatatype.SOA or str(query.question[0].name) != f"{name}.":
            return None
        answer = no_record(query, ZONE)
        answer.answer.append(dns.rrset.from_text(f"{name}.", 300, "IN", "CNAME", f"www.{ZONE}."))
        return answer

    site.between(look=follow)
    serial = site.serial()
    assert site.actions("--all") == {name: "added"}
    assert site.named.txt(name) == [site.wanted()[name]] and site.serial() == serial


class Outdated:
    """Looks that are out of date when the update comes: at the first question for a name there is
    what `records` has there, or nothing."""

    def __init__(self, records=None):
        self.records = records or {}
        self.seen = set()

    def __call__(self, query):
        name = query.question[0].name
        if name in self.seen:
            return None
        self.seen.add(name)
        value = self.records.get(name.to_text(omit_final_dot=True))
        return no_record(query, ZONE) if value is None else one_record(query, value)


def test_who_was_faster_has_won(site):
    """Of 20 changes in one message two fail, and only these are not made."""
    names = site.add(*(f"d{n:02}.{ZONE}" for n in range(20)))
    site.put((f"{names[3]}.", 300, "TXT", '"theirs"'))
    site.put((f"{names[17]}.", 300, "CNAME", f"elsewhere.{ZONE}."))
    middle = site.between(look=Outdated())
    answers = site.publish("--all", code=3)
    assert answers.pop(names[3]) == ("refused", "somebody else's record stands there")
    assert answers.pop(names[17]) == ("refused", f"a CNAME to elsewhere.{ZONE} stands there")
    assert set(answers.values()) == {("added", "")}
    assert site.named.txt(names[3]) == ["theirs"]
    for name in answers:
        assert site.named.txt(name) == [site.wanted()[name]]
    assert len(middle.updates) <= 17


def test_who_was_faster_keeps_what_stands_there(site):
    """Our key records were looked at; what stands there when the update comes is somebody
    else's, or nothing."""
    names = site.add(*(f"d{n}.{ZONE}" for n in range(5)))
    ours = site.wanted()
    site.put((f"{names[4]}.", 300, "CNAME", f"elsewhere.{ZONE}."))
    for name in (names[0], names[2]):
        site.put((f"{name}.", 300, "TXT", '"theirs"'))
    for n, state in enumerate(("revoked", "revoked", "destroyed", "destroyed", "destroyed")):
        site.set_state(f"d{n}.{ZONE}", state)
    site.between(look=Outdated(ours))
    theirs = ("refused", "somebody else's record stands there")
    assert site.publish("--all", code=3) == {
        names[0]: theirs, names[1]: ("refused", "our record is not there any more"),
        names[2]: theirs, names[3]: ("removed", ""), names[4]: ("removed", "")}
    assert [site.named.txt(name) for name in names] == [["theirs"], [], ["theirs"], [], []]


def test_what_is_there_already_is_done(site):
    """As after a lost answer: the changes are sent again and find their own work."""
    names = site.add(*(f"d{n}.{ZONE}" for n in range(5)))
    site.actions("--all")
    serial = site.serial()
    site.between(look=Outdated())
    assert site.actions("--all") == dict.fromkeys(names, "added")
    assert site.serial() == serial


def test_a_zone_that_is_not_there(site):
    """Its records are refused, and others are still done."""
    name, other = site.add("elsewhere.example", ZONE)
    action, reason = site.publish("--all", code=3)[name]
    assert action == "refused"
    assert re.fullmatch(rf"update server 127.0.0.1:\d+ has no zone that {name} is in \(REFUSED\)",
                        reason)
    assert site.named.txt(other) == [site.wanted()[other]]


def test_of_a_zone_that_is_not_there_nothing_can_go(site):
    site.add("elsewhere.example")
    site.set_state("elsewhere.example", "destroyed")
    assert list(site.actions("--all").values()) == ["unchanged"]


def test_a_zone_that_cannot_be_loaded(make_site):
    """It fails for now; and others are still done."""
    site = make_site(zones={ZONE: SOA.format(zone=ZONE), OTHER: None})
    name, other = site.add(ZONE, OTHER)
    answers = site.publish("--all", code=75)
    assert answers[name] == ("added", "")
    assert answers[other][0] == "failed" and "SERVFAIL" in answers[other][1]


# -- keys and servers ---------------------------------------------------------------------------


def refusal(site, code=3):
    """The reason why the one change was refused."""
    ((action, reason),) = site.publish("--all", code=code).values()
    assert action == "refused"
    for name in site.wanted():
        assert site.named.txt(name) == []
    return reason


def test_another_secret(site):
    site.add(ZONE)
    os.mkdir(f"{site.folder}/wrong")
    site.use(TsigKey(f"{site.folder}/wrong"))
    assert refusal(site).endswith(
        "the server has another secret for the TSIG key inkan-publish (BADSIG)")


def test_an_unknown_key(site):
    site.add(ZONE)
    site.use(TsigKey(site.folder, name="stranger"))
    assert refusal(site).endswith(
        "the server does not know the TSIG key stranger with hmac-sha256 (BADKEY)")


def test_no_key_where_one_is_wanted(site):
    site.add(ZONE)
    site.inkan.configure(dns__tsig_key_file=None)
    assert refusal(site).endswith("the server refuses it (REFUSED)")


def answer_to(octets, key, rcode=dns.rcode.NOERROR, sign_as=None, **tsig):
    """An answer to an update as the server might give it."""
    update = dns.message.from_wire(octets, keyring=key.dnspython())
    answer = dns.message.make_response(update)
    answer.set_rcode(rcode)
    answer.use_tsig(sign_as or key.dnspython(), original_id=update.id, **tsig)
    answer.request_mac = update.mac
    return answer


def at(moment_s, answer):
    """The octets of an answer signed at another time."""
    clock, time.time = time.time, lambda: moment_s
    try:
        return answer.to_wire()
    finally:
        time.time = clock


def unsigned(octets):
    """NOERROR, by somebody who read the question only."""
    return octets[:2] + b"\xa8\x00" + octets[4:6] + bytes(6) + octets[12:12 + len(ZONE) + 6]


def wrongly_signed(octets, key):
    wrong = dns.tsig.Key(f"{key.name}.", b"x" * 32, f"{key.algorithm}.")
    return answer_to(octets, key, sign_as=wrong).to_wire()


LIES = {
    "unsigned": (lambda octets, key: unsigned(octets),
                 "the answer is not signed, and is not believed"),
    "wrongly signed": (wrongly_signed,
                       "the answer is wrongly signed with inkan-publish, and is not believed"),
    "of another hour": (lambda octets, key: at(time.time() - 3600, answer_to(octets, key)),
                        r"the server's clock is 3\d\d\d s behind ours; up to 300 s are allowed "
                        r"\(BADTIME\)"),
    "BADTIME": (lambda octets, key: answer_to(
        octets, key, dns.rcode.NOTAUTH, tsig_error=dns.rcode.BADTIME,
        other_data=(int(time.time()) + 5000).to_bytes(6, "big")).to_wire(),
                r"the server's clock is [45]\d\d\d s ahead of ours; up to 300 s are allowed "
                r"\(BADTIME\)"),
    "garbage": (lambda octets, key: unsigned(octets)[:11] + b"\1" + unsigned(octets)[12:]
                + b"\xff" * 40,
                "the answer is no DNS message, and is not believed"),
    "REFUSED without a signature": (
        lambda octets, key: unsigned(octets)[:3] + b"\x05" + unsigned(octets)[4:],
        r"the server refuses it \(REFUSED\): the answer is not signed, and is not believed"),
}


@pytest.mark.parametrize("lie", LIES)
def test_lies_are_not_believed(site, lie):
    """The server never gets the update: nobody may say that it was made."""
    site.add(ZONE)
    make, want = LIES[lie]
    site.between(update=lambda octets: make(octets, site.key))
    assert re.search(want + "$", refusal(site)), refusal(site)


def test_a_server_that_is_down(site):
    (name,) = site.add(ZONE)
    site.inkan.configure(dns__update_server=f"127.0.0.1:{free_port()}")
    answer = site.run("--all", "--json")
    assert (answer.returncode, json.loads(answer.stdout)) == (75, [])
    assert "Connection refused" in answer.stderr
    assert site.named.txt(name) == []


@pytest.mark.parametrize("silent", ["questions", "updates"])
def test_a_server_that_does_not_answer(site, silent):
    """100 keys do not take 100 times as long."""
    site.add(*(f"d{n}.{zone}" for n in range(3) for zone in (ZONE, OTHER)))
    site.inkan.configure(dns__timeout="1s")
    if silent == "questions":
        site.named.process.freeze()
    else:
        site.between(update=lambda octets: b"")
    began = time.monotonic()
    answer = site.run("--all", "--json")
    assert time.monotonic() - began < 3 * PATIENCE
    site.named.process.thaw()
    assert (answer.returncode, json.loads(answer.stdout)) == (75, [])
    assert "no answer in time" in answer.stderr
    site.inkan.configure(dns__update_server=f"127.0.0.1:{site.named.port}", dns__timeout=None)
    assert set(site.actions("--all").values()) == {"added"}


def test_a_key_file_that_others_can_read(site):
    (name,) = site.add(ZONE)
    os.chmod(site.key.path, 0o644)
    answer = site.run("--all")
    assert answer.returncode == 3
    assert answer.stderr == (f"inkan: TSIG key file {site.key.path}: mode 0644 (must be 0600 or "
                             "stricter, or root's with 0640)\n")
    assert site.named.txt(name) == []
    os.chmod(site.key.path, 0o640)  # as Debian's BIND has its own
    assert site.actions("--all") == {name: "added"}


@pytest.mark.parametrize("clause, code, want", [
    ('key k { algorithm hmac-md5; secret "{}"; };', 2, "line 1: hmac-md5 is too weak"),
    ('key k { algorithm hmac-sha1; secret "{}"; };', 2, "line 1: hmac-sha1 is too weak"),
    ('key k {\nalgorithm {};', 2, "line 2: the algorithm is none of"),
    (None, 70, "No such file or directory"),
])
def test_a_faulty_key_file(site, clause, code, want):
    site.add(ZONE)
    os.remove(site.key.path)
    if clause is not None:
        with open(site.key.path, "w", encoding="ascii") as file:
            file.write(clause.replace("{}", site.key.secret))
        os.chmod(site.key.path, 0o600)
    answer = site.run("--all")
    assert answer.returncode == code and want in answer.stderr
    assert answer.stderr.startswith(f"inkan: TSIG key file {site.key.path}: ")


def test_no_server_is_set(site):
    site.add(ZONE)
    site.inkan.configure(dns__update_server=None)
    answer = site.run("--all")
    assert answer.returncode == 2
    assert answer.stderr == ("inkan: [dns] update_server is not set: there is no server to send "
                             "updates to\n")


@pytest.mark.parametrize("server, want", [
    ("127.0.0.1:53, 127.0.0.2:53", "more than one server"),
    ("127.0.0.1:99999", "has no port"),
])
def test_no_such_server_can_be_set(site, server, want):
    site.inkan.configure(dns__update_server=server)
    answer = site.run("--all")
    assert answer.returncode == 2 and want in answer.stderr


def test_a_server_by_its_name(site):
    """localhost may be ::1 first, where nobody listens."""
    (name,) = site.add(ZONE)
    site.inkan.configure(dns__update_server=f"localhost:{site.named.port}")
    assert site.actions("--all") == {name: "added"}
