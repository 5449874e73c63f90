# SPDX-License-Identifier: Apache-2.0
"""`inkan dns records` in every format, given to the program it is for and read back through DNS.
Where that program is a service of others, the form is compared with its documents."""

import json
import subprocess

import pytest
import yaml

from inkan import Inkan
from nameservers import Bind, PowerDNS
from peers import parse_records

ZONES = ("formats.example", "formats.test")
ALGORITHMS = ("rsa-sha256", "ed25519-sha256")
GRAVESTONE = "v=DKIM1; p="
LONGEST_STRING = 255  # octets of a character-string


@pytest.fixture(scope="module")
def inkan(module_folder):
    command = Inkan(f"{module_folder}/inkan").set_up("acme")
    for zone in ZONES:
        command.add_domain(zone, algorithms=ALGORITHMS)
    return command


def listing(inkan, form, *which):
    return inkan.ok("dns", "records", *(which or ("--all",)), "--format", form)


def wanted(inkan):
    records = parse_records(listing(inkan, "oneline"))
    assert len(records) == len(ZONES) * len(ALGORITHMS)
    return records


def nsupdate(server, text):
    return subprocess.run(["nsupdate"], input=f"server 127.0.0.1 {server.port}\n{text}",
                          capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def named(folder):
    server = Bind(folder, ZONES)
    yield server
    server.stop()


def test_nsupdate_to_bind(inkan, named):
    """Each zone gets its own; a second time nothing is there to be added."""
    done = nsupdate(named, listing(inkan, "nsupdate"))
    assert (done.returncode, done.stderr) == (0, "")
    for name, value in wanted(inkan).items():
        assert named.txt(name) == [value]
    again = nsupdate(named, listing(inkan, "nsupdate"))
    assert again.stderr.count("YXRRSET") == 4
    for name, value in wanted(inkan).items():
        assert named.txt(name) == [value]


def test_nsupdate_leaves_a_record_of_somebody_else_alone(inkan, named):
    name = next(iter(wanted(inkan)))
    assert nsupdate(named, f"update add {name}. 60 TXT theirs\nsend\n").returncode == 0
    done = nsupdate(named, listing(inkan, "nsupdate"))
    assert done.stderr.count("YXRRSET") == 1
    for other, value in wanted(inkan).items():
        assert named.txt(other) == (["theirs"] if other == name else [value])


@pytest.fixture
def shown(new_inkan, named):
    """An installation whose records BIND shows, with RSA keys of two strings, and then revoked."""
    inkan = new_inkan().set_up("acme")
    for zone in ZONES:
        inkan.add_domain(zone, algorithms=ALGORITHMS)
    assert nsupdate(named, listing(inkan, "nsupdate")).stderr == ""
    before = wanted(inkan)
    for zone in ZONES:
        inkan.ok("key", "revoke", zone, "rsa", "--yes")
    return inkan, before, [name for name in before if name.startswith("rsa.")]


def test_nsupdate_puts_gravestones_in_the_place_of_keys(shown, named):
    """Of those and of nothing else; a second time the key is not there any more."""
    inkan, before, revoked = shown
    after = {name: GRAVESTONE if name in revoked else value for name, value in before.items()}
    assert wanted(inkan) == after and all(len(before[name]) > LONGEST_STRING for name in revoked)
    for absent in (0, len(revoked)):
        done = nsupdate(named, listing(inkan, "nsupdate"))
        assert done.stderr.count("NXRRSET") == absent and done.stderr.count("YXRRSET") == 2
        for name, value in after.items():
            assert named.txt(name) == [value]


@pytest.mark.parametrize("beside", [False, True])
def test_nsupdate_of_gravestones_leaves_a_record_of_somebody_else_alone(shown, named, beside):
    """Instead of ours or beside it: nothing is taken away, and nothing added."""
    inkan, before, (theirs, ours) = shown
    standing = ["theirs", *([before[theirs]] if beside else [])]
    named.set_txt(theirs, *standing)
    done = nsupdate(named, listing(inkan, "nsupdate"))
    assert done.stderr.count("NXRRSET") == 1
    assert sorted(named.txt(theirs)) == sorted(standing)
    assert named.txt(ours) == [GRAVESTONE]


def test_nsupdate_passes_an_alias_by(inkan, named):
    """And says so: BIND would be silent about a TXT record that it does not add beside a CNAME."""
    name = next(iter(wanted(inkan)))
    named.set_cname(name, "elsewhere.example")
    done = nsupdate(named, listing(inkan, "nsupdate"))
    assert done.stderr.count("YXRRSET") == 1 and named.txt(name) == []


def test_zone_is_a_master_file(inkan, folder):
    with open(f"{folder}/zone", "w", encoding="ascii") as file:
        file.write("$TTL 300\n@ SOA ns admin 1 3600 600 86400 300\n@ NS ns\nns A 127.0.0.1\n"
                   + listing(inkan, "zone", ZONES[0]))
    done = subprocess.run(["/usr/bin/named-checkzone", "-D", ZONES[0], f"{folder}/zone"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("v=DKIM1") == len(ALGORITHMS)


def test_powerdns_takes_it_through_its_api(inkan, folder):
    server = PowerDNS(folder, ZONES)
    try:
        for _ in range(2):  # it may be sent again
            for line in listing(inkan, "powerdns").splitlines():
                body = json.loads(line)
                server.request("PATCH", body["name"], body)
        for name, value in wanted(inkan).items():
            assert server.txt(name) == [value]
    finally:
        server.stop()


def unquoted(strings):
    """The value of `"..." "..."`, each string of it short enough."""
    parts = strings[1:-1].split('" "')
    assert strings[0] == strings[-1] == '"' and all(len(part) <= LONGEST_STRING for part in parts)
    return "".join(parts)


def test_route53_change_batches(inkan):
    """ChangeBatch of the API's ChangeResourceRecordSets: a batch is of one hosted zone."""
    seen = {}
    for line, zone in zip(listing(inkan, "route53").splitlines(), ZONES, strict=True):
        batch = json.loads(line)
        assert set(batch) == {"Comment", "Changes"} and batch["Comment"] == zone
        for change in batch["Changes"]:
            assert set(change) == {"Action", "ResourceRecordSet"} and change["Action"] == "UPSERT"
            records = change["ResourceRecordSet"]
            assert set(records) == {"Name", "Type", "TTL", "ResourceRecords"}
            assert (records["Type"], records["TTL"]) == ("TXT", 3600)
            assert records["Name"].endswith(f".{zone}.")
            (value,) = records["ResourceRecords"]
            seen[records["Name"].rstrip(".")] = unquoted(value.pop("Value"))
            assert value == {}
    assert seen == wanted(inkan)


def test_cloudflare_batches(inkan):
    """Body of POST /zones/{zone_id}/dns_records/batch: `posts` are records to make."""
    seen = {}
    for line, zone in zip(listing(inkan, "cloudflare").splitlines(), ZONES, strict=True):
        batch = json.loads(line)
        assert set(batch) == {"posts"}
        for record in batch["posts"]:
            assert set(record) == {"name", "type", "content", "ttl"}
            assert (record["type"], record["ttl"]) == ("TXT", 3600)
            assert record["name"].endswith(f".{zone}")
            seen[record["name"]] = unquoted(record["content"])
    assert seen == wanted(inkan)


def test_octodns_documents(inkan):
    """Zone files of octoDNS' YamlProvider: names below the zone, semicolons escaped."""
    text = listing(inkan, "octodns")
    seen = {}
    for document, zone in zip(yaml.safe_load_all(text), ZONES, strict=True):
        assert f"# {zone}.\n" in text
        for name, record in document.items():
            assert set(record) == {"ttl", "type", "value"}
            assert (record["type"], record["ttl"]) == ("TXT", 3600)
            assert record["value"].count(";") == record["value"].count("\\;") > 0
            seen[f"{name}.{zone}"] = record["value"].replace("\\;", ";")
    assert seen == wanted(inkan)


def test_onboarding_text(new_inkan):
    """A person's text, whose records are as a zone file has them; and the same as JSON."""
    inkan = new_inkan().set_up("acme")
    inkan.add_domain("onboard.example", algorithms=("rsa-sha256", "ed25519-sha256"))
    inkan.ok("key", "retire", "onboard.example", "rsa")
    told = inkan.ok("dns", "onboard", "onboard.example")
    assert "ed25519._domainkey.onboard.example. IN TXT" in told and "rsa._domainkey" not in told
    assert 'onboard.example. IN TXT ( "v=spf1 mx ~all" )' in told
    assert ('_dmarc.onboard.example. IN TXT ( "v=DMARC1; p=none; '
            'rua=mailto:postmaster@onboard.example" )') in told
    assert "_adsp" not in told
    answer = inkan.json("dns", "onboard", "onboard.example", "--adsp", "--reports", "d@r.example",
                        "--spf-include", "_spf.provider.example")
    assert answer["domain"] == "onboard.example"
    records = {record["purpose"]: (record["name"], record["value"]) for record in answer["records"]}
    assert records["adsp"] == ("_adsp._domainkey.onboard.example", "dkim=all")
    assert records["spf"] == ("onboard.example", "v=spf1 mx include:_spf.provider.example ~all")
    assert records["dmarc"][1] == "v=DMARC1; p=none; rua=mailto:d@r.example"
    assert records["dkim"][0] == "ed25519._domainkey.onboard.example"
    assert inkan.run("dns", "onboard", "nobody.example").returncode == 2
    inkan.ok("domain", "add", "keyless.example", "--tenant", "acme", "--no-key")
    told = inkan.ok("dns", "onboard", "keyless.example")
    assert told.startswith("There is no key yet") and "publish in DNS" not in told
