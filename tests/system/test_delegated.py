# SPDX-License-Identifier: Apache-2.0
"""Delegated domains: a customer publishes CNAMEs once, and keys come and go where they lead to. BIND
serves the customers' zones and the provider's; inkan has a TSIG key for the latter alone."""

import json
import re
import subprocess

import dns.rdatatype
import pytest

from inkan import PATIENCE, Inkan
from ldap import Slapd
from nameservers import Bind, PowerDNS, Unbound
from process import wait_for
from test_rotation import GRAVESTONE, NO, Signer, Site
from updates import TsigKey

CUSTOMER, OTHER, PROVIDER = "customer.example", "other.example", "dkim.provider.example"
# Nothing is remembered for long, also not that there is nothing.
ZONE_TEXT = ("$TTL 1\n@ SOA ns.{0}. admin.{0}. 1 3600 600 86400 1\n@ NS ns.{0}.\n"
             "ns A 127.0.0.1\n")
INVALID, REFUSED, TEMPORARY = 2, 3, 75


class Provider(Site):
    def __init__(self, folder, **settings):
        self.key = TsigKey(folder)
        zones = {zone: ZONE_TEXT.format(zone) for zone in (CUSTOMER, OTHER, PROVIDER)}
        self.named = Bind(folder, zones, keys=self.key.clause,
                          rule=f"allow-update {{{{ key {self.key.name}; 127.0.0.1; }}}};")
        self.unbound = Unbound(folder, {zone: ["127.0.0.1"] for zone in zones}, self.named.port)
        values = {
            "lifecycle__algorithms": "ed25519-sha256", "lifecycle__soak": "1s",
            "lifecycle__retry": "1s", "lifecycle__check": "1s", "lifecycle__max_age": "5s",
            "lifecycle__overlap": "1s", "lifecycle__tombstone": "1s",
            "dns__nameservers": f"127.0.0.1:{self.unbound.port}", "dns__port": self.named.port,
            "dns__timeout": "3s", "dns__ttl": "1s", "dns__delegation_zone": PROVIDER,
            "dns__update_server": f"127.0.0.1:{self.named.port}",
            "dns__tsig_key_file": self.key.path, "cache__ttl": "0", **settings}
        self.inkan = Inkan(f"{folder}/inkan", **values).set_up("acme", "globex")

    def delegate(self, domain, tenant="acme"):
        """{name: target} of the CNAMEs that the customer is told to publish."""
        told = self.inkan.ok("domain", "add", domain, "--tenant", tenant, "--delegate")
        assert f"added domain {domain}" in told
        return dict(re.findall(r"^(\S+)\. IN CNAME (\S+)\.$", told, re.M))

    def publish(self, aliases):
        for name, target in aliases.items():
            self.named.set_cname(name, target, ttl=1)

    def serial(self, zone):
        return self.named.query(zone, "SOA").answer[0][0].serial

    def key_of(self, domain, selector):
        return next((k for k in self.keys(domain) if k["selector"] == selector), None)

    def signing(self, domain):
        """Selector and public key of the one that signs."""
        active = [k for k in self.keys(domain) if k["state"] == "active"]
        assert len(active) <= 1
        return (active[0]["selector"], active[0]["public_key"]) if active else None


class Verifier(Signer):
    """Follows aliases, as every verifier's resolver does."""

    def txt(self, name, timeout=5):
        name = name.decode().rstrip(".")
        for _ in range(8):
            answer = self.site.named.query(name)
            target = [rrset[0].target for rrset in answer.answer
                      if rrset.rdtype == dns.rdatatype.CNAME]
            if not target:
                break
            name = target[-1].to_text(omit_final_dot=True)
        values = self.site.named.txt(name)
        return values[0].encode() if values else None


@pytest.fixture
def make_provider(folder):
    made = []

    def make(**settings):
        made.append(Provider(folder, **settings))
        return made[-1]

    yield make
    for provider in made:
        provider.stop()


@pytest.fixture(params=["sqlite", "directory"])
def store(folder, request):
    if request.param == "sqlite":
        yield {}
        return
    server = Slapd.single(folder, log_level="none")
    yield server.settings()
    server.kill()


def test_whole_life_without_the_customer(make_provider, store):
    """Five keys in three slots; mail verifies with each, and nobody touches the customer's DNS."""
    site = make_provider(**store)
    aliases = site.delegate(CUSTOMER)
    assert sorted(aliases) == [f"e{n}._domainkey.{CUSTOMER}" for n in (1, 2, 3)]
    assert all(target.endswith(f".{PROVIDER}") for target in aliases.values())
    site.publish(aliases)
    serial = site.serial(CUSTOMER)
    signer, signed = None, []
    for selector in ("e1", "e2", "e3", "e1", "e2"):
        site.run_until(f"a new key signs in {selector}", lambda: (
            site.signing(CUSTOMER) or ("", ""))[0] == selector
            and site.signing(CUSTOMER) not in signed, 30)
        signed.append(site.signing(CUSTOMER))
        signer = signer or Verifier(site, CUSTOMER)
        wait_for("mail is signed with it", lambda: signer.signed_by() == selector, 3 * PATIENCE)
    assert len({public for _, public in signed}) == 5
    assert len(site.keys(CUSTOMER)) == 3
    assert site.serial(CUSTOMER) == serial
    events = [event for event in site.inkan.json("audit", "list", "--limit", "1000")
              if event["name"] == f"{CUSTOMER} e1" and event["action"] != "key.look"]
    assert [event["action"] for event in events][:7] == [
        "key.add", "key.prove", "key.activate", "key.retire", "key.revoke", "key.destroy",
        "key.renew"]
    assert f"public_key: {signed[0][1]} -> {signed[3][1]}" in events[6]["detail"]


def test_records_stand_at_targets(make_provider):
    """The key, its gravestone, and nothing: all at the target, which the name is an alias of."""
    site = make_provider(lifecycle__max_age="1h", lifecycle__tombstone="1h")
    aliases = site.delegate(CUSTOMER)
    name = f"e1._domainkey.{CUSTOMER}"
    site.publish(aliases)
    site.run_until("it signs", lambda: site.signing(CUSTOMER))
    shown, = site.named.txt(aliases[name])
    key = site.key_of(CUSTOMER, "e1")
    assert key["target"] == aliases[name] and shown.endswith(key["public_key"])
    assert f"added record {aliases[name]}" not in site.inkan.ok("dns", "publish", CUSTOMER)
    site.inkan.ok("key", "revoke", CUSTOMER, "e1", "--yes")
    site.run_until("the gravestone", lambda: site.named.txt(aliases[name]) == [GRAVESTONE])
    site.inkan.ok("key", "destroy", CUSTOMER, "e1", "--yes")
    site.run_until("nothing", lambda: site.named.txt(aliases[name]) == [])
    assert site.named.query(name, "CNAME").answer, "the alias is the customer's, and stays"


def test_gravestone_of_a_slot_is_replaced_by_the_next_key(make_provider):
    """Where something was left at a target of ours it is ours to replace."""
    site = make_provider()
    aliases = site.delegate(CUSTOMER)
    site.publish(aliases)
    target = aliases[f"e1._domainkey.{CUSTOMER}"]
    site.named.set_txt(target, GRAVESTONE, ttl=1)
    site.run_until("it signs", lambda: site.signing(CUSTOMER))
    assert site.named.txt(target) != [GRAVESTONE]


def test_missing_alias_of_one_slot(make_provider):
    """Told before a key needs it; the key that does never signs, and its predecessor goes on."""
    site = make_provider()
    aliases = site.delegate(CUSTOMER)
    second = f"e2._domainkey.{CUSTOMER}"
    site.publish({name: target for name, target in aliases.items() if name != second})
    site.run_until("it signs", lambda: site.signing(CUSTOMER))
    answer = site.inkan.run("dns", "check", CUSTOMER)
    assert answer.returncode == NO
    assert f"{CUSTOMER} e1 (active): right" in answer.stdout
    assert f"  alias of {aliases[f'e1._domainkey.{CUSTOMER}']}" in answer.stdout
    assert f"{CUSTOMER} e2 (free): missing" in answer.stdout
    assert f"{CUSTOMER} e3 (free): right" in answer.stdout
    assert f"to do: publish the CNAME record at {second}: {aliases[second]}" in answer.stdout
    assert not site.unbound.was_asked_for(aliases[second]), "a resolver would remember it"
    site.run_until("it has a successor", lambda: site.key_of(CUSTOMER, "e2"))

    def is_old():
        answer = site.inkan.run("rotate", "status")
        return answer.returncode == NO and f"{CUSTOMER} e1: old" in answer.stdout

    site.run_until("people are told", is_old)
    assert site.key_of(CUSTOMER, "e2")["state"] == "staged"
    assert site.named.txt(aliases[second]) != [], "its record is at the target all the same"
    assert (f"publish the CNAME record at {second}: {aliases[second]}"
            in site.inkan.run("dns", "check", CUSTOMER).stdout)
    site.publish({second: "somewhere.else.example"})
    answer = site.inkan.run("dns", "check", CUSTOMER)
    assert f"publish the CNAME record at {second}: {aliases[second]}" in answer.stdout
    site.publish(aliases)
    site.run_until("it signs", lambda: site.signing(CUSTOMER)[0] == "e2")


def test_no_slot_is_free(make_provider):
    """While mail of two keys is on its way the third goes on, whatever its age."""
    site = make_provider(lifecycle__overlap="1h", lifecycle__max_age="4s")
    site.publish(site.delegate(CUSTOMER))
    site.run_until("the third signs", lambda: (site.signing(CUSTOMER) or ("",))[0] == "e3", 40)

    def waits():
        return ("no slot is free yet for a successor" in
                site.inkan.ok("rotate", "plan", "--domain", CUSTOMER))

    site.run_until("it comes of age", waits)
    answer = site.inkan.run("key", "new", CUSTOMER)
    assert answer.returncode == REFUSED
    assert f"{CUSTOMER}: is delegated, and no slot of ed25519-sha256 is free" in answer.stderr
    site.inkan.ok("domain", "set", CUSTOMER, "overlap=1", "tombstone=1")
    site.run_until("a slot is free", lambda: (
        site.run("--domain", CUSTOMER), site.signing(CUSTOMER)[0] == "e1")[1])


def test_slots_by_hand(make_provider):
    """Keys of operators take the slots as well, and no other selector."""
    site = make_provider()
    site.inkan.ok("domain", "add", CUSTOMER, "--tenant", "acme", "--delegate", "--no-key")
    assert site.inkan.ok("dns", "records", CUSTOMER, "--targets") == ""
    answer = site.inkan.run("key", "new", CUSTOMER, "--selector", "mine")
    assert answer.returncode == REFUSED
    assert "the slot for the next key of ed25519-sha256 is e1" in answer.stderr
    told = site.inkan.ok("key", "new", CUSTOMER, "--algorithm", "rsa-sha256", "--bits", "1024")
    assert told.count(" IN CNAME ") == 3 and f"s3._domainkey.{CUSTOMER}. IN CNAME s3-" in told
    key = site.inkan.json("key", "new", CUSTOMER, "--selector", "e1")
    assert [line.split()[:2] for line in key["cnames"]] == [
        [f"e{n}._domainkey.{CUSTOMER}", "CNAME"] for n in (1, 2, 3)]
    assert key["record"].startswith(f"{key['target']} v=DKIM1; ")
    shown = site.inkan.json("domain", "show", CUSTOMER)
    assert key["target"] == f"e1-{shown['delegation']}"
    answer = site.inkan.run("domain", "set", CUSTOMER, "delegation=x.example")
    assert answer.returncode == INVALID and "no setting of a domain" in answer.stderr


def test_aliases_that_customers_left_behind(make_provider):
    site = make_provider()
    aliases = site.delegate(CUSTOMER)
    site.publish(aliases)
    site.publish(site.delegate(OTHER, "globex"))
    assert "0 CNAMEs" in site.inkan.ok("dns", "check", "--dangling")
    site.inkan.ok("domain", "remove", CUSTOMER, "--yes")
    answer = site.inkan.run("--json", "dns", "check", "--dangling")
    assert answer.returncode == NO
    assert {row["name"]: row["target"] for row in json.loads(answer.stdout)} == aliases
    again = site.delegate(CUSTOMER, "globex")
    assert sorted(again) == sorted(aliases)
    assert not set(again.values()) & set(aliases.values())
    site.publish({f"e1._domainkey.{CUSTOMER}": again[f"e1._domainkey.{CUSTOMER}"]})
    answer = site.inkan.run("dns", "check", "--dangling")
    assert answer.returncode == NO and "2 CNAMEs of removed domains still lead here" in answer.stdout
    assert " e1 " not in answer.stdout and OTHER not in answer.stdout
    site.publish(again)
    assert "0 CNAMEs" in site.inkan.ok("dns", "check", "--dangling")
    assert site.inkan.run("dns", "check", "--dangling", "--all").returncode == INVALID


def test_aliases_left_behind_while_dns_is_out_of_reach(make_provider):
    """That none was found is no answer then."""
    site = make_provider(dns__timeout="1s")
    site.publish(site.delegate(CUSTOMER))
    site.inkan.ok("domain", "remove", CUSTOMER, "--yes")
    site.unbound.stop()
    for form in ((), ("--json",)):
        answer = site.inkan.run(*form, "dns", "check", "--dangling")
        assert answer.returncode == TEMPORARY, answer.stdout + answer.stderr
        assert "whether 6 CNAMEs of removed domains still lead here is not known" in answer.stderr
        assert answer.stdout == ("[]\n" if form else "0 CNAMEs of removed domains still lead here; "
                                 "6 names could not be asked for\n")


def test_aliases_of_a_domain_without_keys(make_provider, store):
    """Its owner may publish them before there is a key; of which algorithms there are to be keys
    the domain says, else its tenant, else the settings."""
    site = make_provider(**store)
    site.inkan.ok("domain", "add", CUSTOMER, "--tenant", "acme", "--delegate", "--no-key")
    site.inkan.ok("domain", "add", OTHER, "--tenant", "globex")
    delegation = site.inkan.json("domain", "show", CUSTOMER)["delegation"]

    def slots(letters):
        return [(f"{letter}{n}._domainkey.{CUSTOMER}", "CNAME", f"{letter}{n}-{delegation}")
                for letter in letters for n in (1, 2, 3)]

    def told(*command):
        answer = site.inkan.json("dns", *command)
        records = answer["records"] if isinstance(answer, dict) else answer
        return [(record["name"], record["type"], record["value"]) for record in records
                if "_domainkey" in record["name"]]

    for letters, change in (("e", ()), ("s", ("tenant", "set", "acme", "algorithms=rsa-sha256")),
                            ("es", ("domain", "set", CUSTOMER,
                                    "algorithms=rsa-sha256,ed25519-sha256"))):
        if change:
            site.inkan.ok(*change)
        assert told("records", CUSTOMER) == told("onboard", CUSTOMER) == slots(letters)
        assert told("records", "--all")[:-1] == slots(letters)
        answer = site.inkan.run("dns", "check", CUSTOMER)
        assert answer.returncode == NO
        assert answer.stdout.count(" (free): missing\n") == len(slots(letters))
    site.publish({name: target for name, _, target in slots("es")})
    assert site.inkan.ok("dns", "check", CUSTOMER).count(" (free): right\n") == 6
    site.inkan.ok("key", "new", CUSTOMER, "--algorithm", "ed25519-sha256")
    assert told("records", CUSTOMER) == slots("e"), "of what it has keys of"
    assert "For your mail to be signed, publish" in site.inkan.ok("dns", "onboard", CUSTOMER)


def nsupdate(site, text, key=""):
    done = subprocess.run(["nsupdate"], input=f"server 127.0.0.1 {site.named.port}\n{key}{text}",
                          capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_records_for_those_who_publish_by_hand(make_provider, folder):
    """Customer and provider both feed nsupdate; then DNS is as it should be."""
    site = make_provider(dns__update_server=None, dns__tsig_key_file=None)
    site.delegate(CUSTOMER)
    site.inkan.ok("domain", "add", OTHER, "--tenant", "globex")
    nsupdate(site, site.inkan.ok("dns", "records", CUSTOMER, "--format", "nsupdate"))
    nsupdate(site, site.inkan.ok("dns", "records", "--all", "--targets", "--format", "nsupdate"))
    site.run_until("it signs", lambda: site.signing(CUSTOMER))
    assert site.inkan.ok("dns", "records", OTHER, "--targets") == ""
    zone = site.inkan.ok("dns", "records", CUSTOMER)
    assert len(re.findall(r"^e\d\._domainkey\S+ IN CNAME e\d-\S+\.$", zone, re.M)) == 3
    assert zone.count("\n") == 3
    targets = site.inkan.ok("dns", "records", CUSTOMER, "--targets")
    assert re.fullmatch(r"e1-\S+ IN TXT \( .* \)\n", targets)
    rows = json.loads(site.inkan.ok("dns", "records", "--all", "--format", "json"))
    assert [row["type"] for row in rows] == ["CNAME"] * 3 + ["TXT"]
    message = site.inkan.ok("sign", stdin=b"From: a@%s\r\n\r\nx\r\n" % CUSTOMER.encode())
    with open(f"{folder}/records", "w", encoding="ascii") as file:
        file.write(zone + targets)
    told = site.inkan.run("verify", "--records", f"{folder}/records", stdin=message.encode())
    assert told.returncode == 0, told.stdout + told.stderr


def test_text_for_new_customers(make_provider):
    site = make_provider()
    aliases = site.delegate(CUSTOMER)
    told = site.inkan.ok("dns", "onboard", CUSTOMER)
    assert [told.count(f"{name}. IN CNAME {target}.") for name, target in aliases.items()] == [1] * 3
    rows = site.inkan.json("dns", "onboard", CUSTOMER)["records"]
    assert {row["name"]: row["value"] for row in rows if row["type"] == "CNAME"} == aliases
    assert [row["purpose"] for row in rows if row["type"] == "TXT"] == ["spf", "dmarc"]


def test_powerdns_takes_aliases_and_targets(make_provider, folder):
    site = make_provider()
    aliases = site.delegate(CUSTOMER)
    server = PowerDNS(folder, (CUSTOMER, PROVIDER))
    try:
        for options in ((), ("--targets",)):
            for line in site.inkan.ok("dns", "records", "--all", "--format", "powerdns",
                                      *options).splitlines():
                body = json.loads(line)
                server.request("PATCH", body["name"], body)
        for name, target in aliases.items():
            assert server.query(name, "CNAME").answer[0][0].target.to_text() == f"{target}."
        assert len(server.txt(aliases[f"e1._domainkey.{CUSTOMER}"])) == 1
    finally:
        server.stop()


def test_import_and_export(make_provider):
    """Rows with `delegate`; nobody's target is anybody else's."""
    site = make_provider(lifecycle__algorithms="ed25519-sha256,rsa-sha256:1024")
    rows = [{"domain": f"d{n}.{CUSTOMER}", "tenant": ("acme", "globex")[n % 2], "delegate": n < 8}
            for n in range(10)]
    text = "\n".join(json.dumps(row) for row in rows).encode()
    for _ in range(2):  # what is there is passed over
        site.inkan.ok("import", "domains", "-", stdin=text)
    aliases = [row for row in json.loads(site.inkan.ok("dns", "records", "--all", "--format",
                                                       "json")) if row["type"] == "CNAME"]
    targets = [row["value"] for row in aliases]
    assert len(targets) == len(set(targets)) == 8 * 3 * 2
    assert len({target.split("-")[1] for target in targets}) == 8
    assert sorted(key["selector"] for key in site.keys(f"d0.{CUSTOMER}")) == ["e1", "s1"]
    exported = [json.loads(line) for line in site.inkan.ok("export", "domains").splitlines()]
    assert [row.get("delegate", False) for row in exported] == [n < 8 for n in range(10)]


def test_delegation_needs_a_zone(make_provider):
    site = make_provider(dns__delegation_zone=None)
    answer = site.inkan.run("domain", "add", CUSTOMER, "--tenant", "acme", "--delegate")
    assert answer.returncode == INVALID and "[dns] delegation_zone is not set" in answer.stderr
    row = json.dumps({"domain": CUSTOMER, "tenant": "acme", "delegate": True}).encode()
    answer = site.inkan.run("import", "domains", "-", stdin=row)
    assert answer.returncode == NO
    assert "delegate: [dns] delegation_zone is not set" in answer.stderr
