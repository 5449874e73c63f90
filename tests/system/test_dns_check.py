# SPDX-License-Identifier: Apache-2.0
"""`inkan dns check` against BIND, NSD and Unbound. Each domain is a case of its own; what DNS shows
for it is the same in all tests, but for those domains that say otherwise."""

import json
import os
import socket
import subprocess
import time
from types import SimpleNamespace

import dns.flags
import dns.message
import dns.query
import dns.rdatatype
import dns.rrset
import pytest

from inkan import BUILD, PATIENCE, SANITIZER_ENV, Inkan
from nameservers import Bind, Misbehaving, Nsd, Unbound, quoted
from process import free_port

# One port, so that all of them can be servers of one zone. BIND takes only what an interface has.
BIND, NSD, ODD, SILENT = "127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"
SYSTEM = "127.0.0.59"
CROWD = [f"127.0.0.{n}" for n in range(101, 118)]  # NSD, too
ADDRESSES, SERVERS = 16, 32  # of a server and of a zone; so many are asked
SIX = "::1"
BOTH = {"ns1": BIND, "ns2": NSD}
TIMEOUT = 2  # s, of one look
BULK = 1000

# Both servers show what the function makes of (name, value of our key).
SAME = {
    "right": lambda name, value: [f"{name}. TXT {quoted(value)}"],
    "split": lambda name, value: [f"{name}. TXT {quoted(value, 50)}"],
    "another-key": lambda name, _: [f"{name}. TXT {quoted('v=DKIM1; k=ed25519; p=' + 'A' * 43 + '=')}"],
    "another-type": lambda name, value: [f"{name}. TXT {quoted(value.replace('ed25519', 'rsa'))}"],
    "two": lambda name, value: [f"{name}. TXT {quoted(value)}", f"{name}. TXT \"v=spf1 -all\""],
    "not-a-key": lambda name, _: [f"{name}. TXT \"v=spf1 -all\""],
    "revoked": lambda name, _: [f"{name}. TXT \"v=DKIM1; p=\""],
    "testing": lambda name, value: [f"{name}. TXT {quoted(value + '; t=y')}"],
    "sha1": lambda name, value: [f"{name}. TXT {quoted(value + '; h=sha1')}"],
    "sha256": lambda name, value: [f"{name}. TXT {quoted(value + '; h=sha1:sha256')}"],
    "large": lambda name, value: [f"{name}. TXT {quoted(value + '; n=' + 'x' * 3000)}"],
    "alias": lambda name, _: [f"{name}. 60 CNAME alias.hop.example."],
    "dangling": lambda name, _: [f"{name}. CNAME nowhere.provider.example."],
    "circle": lambda name, _: [f"{name}. CNAME one.circle.example.",
                               "one CNAME two", f"two CNAME {name}."],
    "long-chain": lambda name, value: [
        f"{name}. CNAME a1", *(f"a{i} CNAME a{i + 1}" for i in range(1, 9)),
        f"a9 TXT {quoted(value)}"],
}


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind((SIX, 0))
        return True
    except OSError:
        return False


def zone_text(zone, servers, *records):
    lines = [f"$ORIGIN {zone}.", "$TTL 300", f"@ SOA ns1.{zone}. admin.{zone}. 1 3600 600 86400 300"]
    for host, address in servers.items():
        lines += [f"@ NS {host}", f"{host} {'AAAA' if ':' in address else 'A'} {address}"]
    return "\n".join([*lines, *records, ""])


def odd_answers(values):
    """What ODD does, by the first label of the domain that it is asked about."""
    def whole(query):
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA
        name = query.question[0].name
        value = values.get(name.to_text(omit_final_dot=True))
        if value is not None and query.question[0].rdtype == dns.rdatatype.TXT:
            answer.answer.append(dns.rrset.from_text(name, 300, "IN", "TXT", quoted(value)))
        return answer

    def cut(query):
        answer = whole(query)
        answer.flags |= dns.flags.TC
        return [answer]

    def not_authoritative(query):
        answer = whole(query)
        answer.flags &= ~dns.flags.AA
        return [answer]

    def forged_first(query):
        """Another id, another question, no answer at all, less than a header, and then the truth."""
        truth = whole(query)
        other = dns.message.make_query("elsewhere.example", "TXT")
        other.id = query.id
        forged = dns.message.make_response(other)
        stranger = dns.message.from_wire(dns.message.make_response(query).to_wire())
        stranger.id = query.id ^ 1
        return [stranger, forged, query, truth.to_wire()[:7], truth]

    def garbage(query):
        return [whole(query).to_wire()[:12] + b"\xc0" * 400]

    def malformed(query):
        """A good header and question, and then a record that goes beyond the end."""
        return [whole(query).to_wire()[:-3]]

    lost = set()

    def second_time(query):
        question = query.question[0].to_text()
        if question not in lost:
            lost.add(question)
            return []
        return [whole(query)]

    behaviours = {"cut": cut, "not-authoritative": not_authoritative, "forged": forged_first,
                  "garbage": garbage, "malformed": malformed, "lossy": second_time}

    def answers(query):
        domain = query.question[0].name.to_text(omit_final_dot=True).lower().split(".")[-2]
        return behaviours[domain](query)

    return answers


@pytest.fixture(scope="module")
def world(module_folder):
    """An installation with a key for each case, and the name servers that show them or do not."""
    port = free_port()
    inkan = Inkan(f"{module_folder}/inkan", dns__port=port, dns__timeout=f"{TIMEOUT}s").set_up("acme")
    cases = [*SAME, "lagging", "half-wrong", "servfail", "lame", "silent", "two-aliases", "below",
             "below-silent", "six",
             "stale", "stale-there", "early", "staged", "cut", "not-authoritative", "forged", "garbage", "malformed",
             "lossy", "undelegated", "no-address", "fifth-address", "many-addresses", "many-servers"]
    rows = ["domain,tenant,algorithm,selector,activate"]
    rows += [f"{case}.example,acme,{'rsa-sha256' if case == 'split' else 'ed25519-sha256'},s,"
             f"{'false' if case == 'staged' else 'true'}" for case in cases]
    inkan.ok("import", "domains", "-", stdin="\n".join(rows).encode())
    records = {name.split(".")[2]: (name, value) for name, value in inkan.records().items()}
    keys = {case: f"{name}. TXT {quoted(value)}" for case, (name, value) in records.items()}

    bind = {"example": zone_text("example", {"ns1": BIND})}
    nsd = {}
    for case, make in SAME.items():
        text = zone_text(f"{case}.example", BOTH, *make(*records[case]))
        bind[f"{case}.example"] = nsd[f"{case}.example"] = text
    for zone, record in (
            ("hop", "alias 30 CNAME alias.provider.example."),
            ("provider", f"alias TXT {quoted(records['alias'][1])}")):
        text = zone_text(f"{zone}.example", BOTH, record)
        bind[f"{zone}.example"] = nsd[f"{zone}.example"] = text

    def apart(case, at_bind, at_nsd, servers=BOTH):
        for zones, lines in ((bind, at_bind), (nsd, at_nsd)):
            if lines is not None:
                zones[f"{case}.example"] = zone_text(f"{case}.example", servers, *lines)

    name = {case: f"{record[0]}." for case, record in records.items()}
    apart("lagging", [keys["lagging"]], [])
    apart("half-wrong", [keys["half-wrong"]], [f"{name['half-wrong']} TXT \"v=DKIM1; k=ed25519; p=AAAA\""])
    apart("servfail", None, [keys["servfail"]])
    bind["servfail.example"] = None
    apart("lame", [keys["lame"]], None)
    apart("silent", [keys["silent"]], None, {"ns0": SILENT, "ns1": BIND})
    apart("two-aliases", [f"{name['two-aliases']} CNAME alias.hop.example."],
          [f"{name['two-aliases']} CNAME alias.provider.example."])
    # A zone of its own below the domain, on another server.
    for case, servers in (("below", {"ns1": BIND}), ("below-silent", {"ns0": SILENT, "ns1": BIND})):
        apart(case, [f"_domainkey NS ns.{case}.example.", f"ns A {NSD}"], None, servers)
        nsd[f"_domainkey.{case}.example"] = (
            f"$ORIGIN _domainkey.{case}.example.\n$TTL 300\n"
            f"@ SOA ns.{case}.example. a 1 2 3 4 5\n@ NS ns.{case}.example.\n{keys[case]}\n")
    apart("six", None, [keys["six"]], {"ns6": SIX})
    apart("no-address", [keys["no-address"], "@ NS gone.hop.example."], None, {"ns1": BIND})
    for case in ("stale", "stale-there", "early"):
        apart(case, [], None, {"ns1": BIND})
    for case in ("cut", "not-authoritative", "forged", "garbage", "malformed", "lossy"):
        apart(case, [keys[case]], None, {"ns1": BIND, "ns3": ODD})
    apart("staged", [keys["staged"]], None, {"ns1": BIND})
    fifth = [f"ns1 A {address}" for address in CROWD[:4]]
    apart("fifth-address", fifth, [keys["fifth-address"], *fifth], {"ns1": BIND})
    apart("many-addresses", None, [keys["many-addresses"], *(f"ns1 A {a}" for a in CROWD[1:])],
          {"ns1": CROWD[0]})
    apart("many-servers", None, [keys["many-servers"]], {f"ns{n}": NSD for n in range(SERVERS + 1)})

    servers = [Bind(module_folder, bind, port=port),
               Nsd(module_folder, nsd, addresses=[NSD, *CROWD, *([SIX] if has_ipv6() else [])], port=port),
               Misbehaving(ODD, port, odd_answers({n: v for n, v in records.values()}))]
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind((SILENT, port))
    stubs = {zone: [BIND] if bind.get(zone) is not None else [NSD] for zone in {**bind, **nsd}}
    resolver = Unbound(module_folder, stubs, port)
    inkan.configure(dns__nameservers=f"127.0.0.1:{resolver.port}")
    yield SimpleNamespace(inkan=inkan, bind=servers[0], resolver=resolver,
                          records=records, port=port, stubs=stubs)
    for server in [resolver, *servers]:
        server.stop()
    silent.close()


def look(world, case, code):
    """The one key of a case, its servers by name and address."""
    answer = world.inkan.run("--json", "dns", "check", f"{case}.example")
    assert answer.returncode == code, answer.stdout + answer.stderr
    assert answer.stderr == ""
    (key,) = json.loads(answer.stdout)
    assert (key["name"], key["value"]) == world.records[case]
    key["by"] = {(server["server"].split(".")[0], server["address"]): server
                 for server in key["servers"]}
    return key


def verdicts(key):
    return {where: server["verdict"] for where, server in key["by"].items()}


RESOLVER = ("resolver", "127.0.0.1")
ALL_RIGHT = {("ns1", BIND): "right", ("ns2", NSD): "right", RESOLVER: "right"}


# -- proof ------------------------------------------------------------------------------------

def test_all_servers_and_the_resolver_have_the_record(world):
    key = look(world, "right", 0)
    assert verdicts(key) == ALL_RIGHT
    assert (key["verdict"], key["state"], key["selector"]) == ("right", "active", "s")
    assert (key["ttl"], key["cname"], key["advice"]) == (300, [], "")
    assert {server["answer"] for server in key["servers"]} == {world.records["right"][1]}


@pytest.mark.parametrize("case", ["split", "sha256"])
def test_other_forms_of_the_same_record_are_right(world, case):
    assert verdicts(look(world, case, 0)) == ALL_RIGHT


def test_an_answer_too_long_for_udp_is_had_over_tcp(world):
    key = look(world, "large", 0)
    assert verdicts(key) == ALL_RIGHT
    assert len(key["servers"][0]["answer"]) > 3000


def test_aliases_are_followed_from_zone_to_zone(world):
    key = look(world, "alias", 0)
    assert key["cname"] == ["alias.hop.example", "alias.provider.example"]
    assert [(s["server"], s["verdict"]) for s in key["servers"]] == [
        *((f"{ns}.{zone}.example", "right") for zone in ("alias", "hop", "provider")
          for ns in ("ns1", "ns2")), ("resolver", "right")]


@pytest.mark.parametrize("case", ["below", "below-silent"])
def test_a_zone_below_the_domain_is_found(world, case):
    """Its servers count, and not those of the domain, of which one that answers is enough."""
    key = look(world, case, 0)
    assert verdicts(key) == {("ns", NSD): "right", RESOLVER: "right"}


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_a_server_with_an_address_of_ipv6(world):
    assert verdicts(look(world, "six", 0)) == {("ns6", SIX): "right", RESOLVER: "right"}


def test_a_datagram_that_was_lost_is_sent_again(world):
    assert look(world, "lossy", 0)["verdict"] == "right"


def test_answers_of_others_are_not_believed(world):
    assert look(world, "forged", 0)["verdict"] == "right"


def test_a_staged_key_is_looked_for_as_well(world):
    assert look(world, "staged", 0)["state"] == "staged"


# -- no proof: wrong --------------------------------------------------------------------------

@pytest.mark.parametrize("case, says", [
    ("another-key", "has another public key"),
    ("another-type", "has a key of another type (k=)"),
    ("two", "has 2 TXT records instead of one"),
    ("not-a-key", "has a TXT record that is no key record: "),
    ("revoked", "has p= without a key, which revokes it"),
    ("testing", "has t=y, which says that signatures are tests"),
    ("sha1", "has h= without sha256"),
])
def test_a_record_that_verifiers_would_not_take(world, case, says):
    key = look(world, case, 1)
    assert verdicts(key) == {("ns1", BIND): "wrong", ("ns2", NSD): "wrong"}
    assert key["servers"][0]["detail"].startswith(says)
    assert key["servers"][0]["answer"]
    assert key["verdict"] == "wrong" and says in key["advice"]
    assert key["name"] in key["advice"]


def test_one_server_with_another_key_is_enough(world):
    key = look(world, "half-wrong", 1)
    assert verdicts(key) == {("ns1", BIND): "right", ("ns2", NSD): "wrong"}
    assert key["verdict"] == "wrong" and NSD in key["advice"]


def test_servers_that_say_different_aliases(world):
    key = look(world, "two-aliases", 1)
    assert key["verdict"] == "wrong"
    assert "and others of" in key["advice"]


def test_aliases_in_a_circle(world):
    key = look(world, "circle", 1)
    assert key["cname"] == ["one.circle.example", "two.circle.example"]
    assert key["verdict"] == "wrong" and "circle" in key["advice"]


def test_more_aliases_than_are_followed(world):
    key = look(world, "long-chain", 1)
    assert len(key["cname"]) == 8
    assert key["verdict"] == "wrong" and "more than 8 aliases" in key["advice"]


def test_a_resolver_that_still_has_the_old_record(world):
    name, value = world.records["stale"]
    world.bind.set_txt(name, "v=DKIM1; k=ed25519; p=" + "A" * 43 + "=")
    assert world.resolver.txt(name)
    world.bind.set_txt(name, value)
    key = look(world, "stale", 1)
    assert verdicts(key) == {("ns1", BIND): "right", RESOLVER: "wrong"}
    assert key["advice"].startswith("wait ")


# -- no proof: missing ------------------------------------------------------------------------

def test_only_one_of_two_servers_has_it(world):
    key = look(world, "lagging", 1)
    assert verdicts(key) == {("ns1", BIND): "right", ("ns2", NSD): "missing"}
    assert key["verdict"] == "missing"
    assert f"ns2.lagging.example {NSD} has no TXT record" in key["advice"]


def test_only_the_fifth_address_of_a_server_lacks_it(world):
    key = look(world, "fifth-address", 1)
    assert verdicts(key) == {("ns1", BIND): "missing",
                             **{("ns1", address): "right" for address in CROWD[:4]}}


def test_an_alias_of_nothing(world):
    key = look(world, "dangling", 1)
    assert key["verdict"] == "missing"
    assert key["advice"] == "publish the TXT record at nowhere.provider.example"


def test_a_domain_that_is_not_there(world):
    """The zone above says so."""
    key = look(world, "undelegated", 1)
    assert verdicts(key) == {("ns1", BIND): "missing"}


def test_looking_too_early_hides_nothing(world):
    """A resolver that was asked would remember that there is no record."""
    name, value = world.records["early"]
    key = look(world, "early", 1)
    assert key["advice"] == f"publish the TXT record at {name}"
    assert world.resolver.was_asked_for("early.example")
    assert not world.resolver.was_asked_for("_domainkey.early.example")
    world.bind.set_txt(name, value)
    assert verdicts(look(world, "early", 0)) == {("ns1", BIND): "right", RESOLVER: "right"}
    assert world.resolver.was_asked_for(name)


# -- no proof: unknown ------------------------------------------------------------------------

@pytest.mark.parametrize("case, where, says", [
    ("servfail", ("ns1", BIND), "answers SERVFAIL"),
    ("lame", ("ns2", NSD), "answers REFUSED"),
    ("not-authoritative", ("ns3", ODD), "is not authoritative"),
    ("cut", ("ns3", ODD), "cannot be asked: the answer is truncated, and over TCP: "),
    ("garbage", ("ns3", ODD), "cannot be asked: no answer in time"),
    ("malformed", ("ns3", ODD), "cannot be asked: a malformed answer"),
    ("no-address", ("gone", ""), "has no address"),
])
def test_a_server_that_proves_nothing(world, case, where, says):
    key = look(world, case, 75)
    assert key["verdict"] == "unknown"
    assert key["by"][where]["verdict"] == "unknown"
    detail = key["by"][where]["detail"].replace(f"{ODD} port {world.port}: ", "", 1)
    assert detail.startswith(says), detail
    (right,) = [s for s in key["servers"] if s["verdict"] == "right"]
    assert right["address"] in (BIND, NSD)
    assert key["advice"].startswith("ask again later")
    assert key["by"][where]["detail"] in key["advice"]


@pytest.mark.parametrize("case, who, limit, what", [
    ("many-addresses", "ns1.many-addresses.example", ADDRESSES, "addresses"),
    ("many-servers", "many-servers.example", SERVERS, "name servers"),
])
def test_servers_that_are_too_many_to_be_asked(world, case, who, limit, what):
    """All that were asked have the record; but one of the others may not."""
    key = look(world, case, 75)
    assert key["verdict"] == "unknown"
    told = verdicts(key)
    assert told.pop((who.split(".")[0], "")) == "unknown"
    assert len(told) == limit and set(told.values()) == {"right"}
    assert key["advice"].endswith(
        f"{who} has more than {limit} {what}, and the others were not asked")


def test_a_server_that_does_not_answer_leaves_time_for_the_others(world):
    started = time.monotonic()
    key = look(world, "silent", 75)
    assert time.monotonic() - started < TIMEOUT + PATIENCE
    assert verdicts(key) == {("ns0", SILENT): "unknown", ("ns1", BIND): "right"}
    assert key["by"]["ns0", SILENT]["detail"].endswith("no answer in time")


def test_resolvers_that_do_not_answer(world):
    nameservers = world.inkan.settings["dns.nameservers"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        world.inkan.configure(dns__nameservers=f"127.0.0.1:{silent.getsockname()[1]}")
        try:
            started = time.monotonic()
            answer = world.inkan.run("--json", "dns", "check", "right.example")
            assert time.monotonic() - started < TIMEOUT + PATIENCE
        finally:
            world.inkan.configure(dns__nameservers=nameservers)
    assert answer.returncode == 75, answer.stderr
    (key,) = json.loads(answer.stdout)
    assert (key["verdict"], key["servers"], key["ttl"]) == ("unknown", [], -1)
    assert "no answer of the resolvers in time" in key["advice"]


# -- the system's resolvers -------------------------------------------------------------------

@pytest.fixture
def of_the_system(world, folder):
    """Runs inkan where /etc/resolv.conf names a resolver of ours, which is on port 53 therefore."""
    try:
        server = Unbound(folder, world.stubs, world.port, address=SYSTEM, port=53)
    except OSError as fault:
        pytest.skip(f"no resolver can be started at {SYSTEM} port 53: {fault}")
    with open(f"{folder}/resolv.conf", "w", encoding="ascii") as file:
        file.write(f"nameserver {SYSTEM}\n")
    nameservers = world.inkan.settings["dns.nameservers"]
    world.inkan.configure(dns__nameservers="")

    def run(*arguments):
        answer = subprocess.run(
            ["unshare", "--mount", "sh", "-c",
             'mount --bind "$1" /etc/resolv.conf || exit 126; shift; exec "$@"', "sh",
             f"{folder}/resolv.conf", f"{BUILD}/inkan", "-c", world.inkan.conf, *arguments],
            capture_output=True, text=True, timeout=60, check=False,
            env={**os.environ, **SANITIZER_ENV})
        if answer.returncode == 126 or answer.stderr.startswith("unshare:"):
            pytest.skip(f"no mount of one's own: {answer.stderr}")
        return answer

    yield run
    world.inkan.configure(dns__nameservers=nameservers)
    server.stop()


def test_the_resolvers_of_the_system(world, of_the_system):
    for case, code, verdict in (("right", 0, "right"), ("split", 0, "right")):
        answer = of_the_system("--json", "dns", "check", f"{case}.example")
        assert answer.returncode == code, answer.stdout + answer.stderr
        (key,) = json.loads(answer.stdout)
        (resolver,) = [s for s in key["servers"] if s["server"] == "resolver"]
        assert (resolver["address"], resolver["verdict"]) == ("", verdict)
        assert resolver["answer"] == world.records[case][1]


def test_a_resolver_of_the_system_that_still_has_the_old_record(world, of_the_system):
    name, value = world.records["stale-there"]
    world.bind.set_txt(name, "v=DKIM1; k=ed25519; p=" + "A" * 43 + "=")
    query = dns.message.make_query(name, "TXT")
    assert dns.query.udp(query, SYSTEM, 5, 53).answer
    world.bind.set_txt(name, value)
    answer = of_the_system("--json", "dns", "check", "stale-there.example")
    assert answer.returncode == 1, answer.stdout + answer.stderr
    (key,) = json.loads(answer.stdout)
    assert {s["server"].split(".")[0]: s["verdict"] for s in key["servers"]} == {
        "ns1": "right", "resolver": "wrong"}


# -- the command ------------------------------------------------------------------------------

def test_for_people(world):
    name, value = world.records["lagging"]
    answer = world.inkan.run("dns", "check", "lagging.example")
    assert answer.returncode == 1 and answer.stderr == ""
    assert answer.stdout.splitlines() == [
        "lagging.example s (active): missing",
        f"  {name} TXT {value}",
        f"  ns1.lagging.example {BIND}: right: has the record",
        f"  ns2.lagging.example {NSD}: missing: has no TXT record",
        "  to do: wait until all servers of the zone have it, or see to the server: "
        f"ns2.lagging.example {NSD} has no TXT record",
    ]


def test_what_is_right_is_told_in_short_when_all_are_asked_for(world):
    answer = world.inkan.run("dns", "check", "--all")
    assert answer.returncode == 1 and answer.stderr == ""
    lines = answer.stdout.splitlines()
    at = lines.index("right.example s (active): right")
    assert not lines[at + 1].startswith(" ")
    assert lines[-1].startswith(f"{len(world.records)} keys: ")
    assert sum(line.startswith("  to do: ") for line in lines) == sum(
        line.endswith((": missing", ": wrong", ": unknown")) for line in lines)


def test_domain_or_all(world):
    assert world.inkan.run("dns", "check").returncode == 2
    assert world.inkan.run("dns", "check", "right.example", "--all").returncode == 2
    assert world.inkan.run("dns", "check", "nobodys.example").returncode == 2


def test_a_thousand_keys(module_folder):
    """In the zone of one domain, each asked for at two servers and at the resolver."""
    inkan = Inkan(f"{module_folder}/bulk", dns__timeout="5s").set_up("acme")
    rows = ["domain,tenant,algorithm,selector,activate"]
    rows += [f"d{i}.bulk.example,acme,ed25519-sha256,s,true" for i in range(BULK)]
    inkan.ok("import", "domains", "-", stdin="\n".join(rows).encode())
    port = free_port()
    text = zone_text("bulk.example", BOTH, *(f"{name}. TXT {quoted(value)}"
                                             for name, value in inkan.records().items()))
    servers = [Bind(module_folder, {"bulk.example": text}, "bulk-named", port),
               Nsd(module_folder, {"bulk.example": text}, "bulk-nsd", [NSD], port)]
    servers.append(Unbound(module_folder, {"bulk.example": [BIND]}, port, "bulk-unbound"))
    inkan.configure(dns__port=port, dns__nameservers=f"127.0.0.1:{servers[-1].port}")
    try:
        started = time.monotonic()
        keys = json.loads(inkan.ok("--json", "dns", "check", "--all"))
        seconds = time.monotonic() - started
    finally:
        for server in servers:
            server.stop()
    assert len(keys) == BULK
    assert {(key["verdict"], len(key["servers"])) for key in keys} == {("right", 3)}
    assert [key["domain"] for key in keys] == sorted(f"d{i}.bulk.example" for i in range(BULK))
    assert seconds < 20 * PATIENCE, f"{seconds:.1f} s"
