# SPDX-License-Identifier: Apache-2.0
"""`inkan dns check` with a trust anchor: which servers a signed zone has is believed only as far as
its signatures go."""

import os
import subprocess

import pytest

from inkan import Inkan
from nameservers import SOA, Bind, Unbound, quoted
from process import free_port

ZONE = "signed.example"
RIGHT, INVALID, TEMPORARY = 0, 2, 75


class SignedZone:
    """A zone in a folder of its own, with keys that sign it; signatures end at `until`."""

    def __init__(self, folder):
        self.folder = os.path.join(folder, "keys")
        os.mkdir(self.folder)
        self.ksk = self._run("dnssec-keygen", "-q", "-f", "KSK", "-a", "ECDSAP256SHA256", ZONE)
        self.zsk = self._run("dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", ZONE)
        self.anchor = os.path.join(folder, "anchor")
        with open(self.anchor, "w", encoding="ascii") as file:
            file.write(self._run("dnssec-dsfromkey", "-2", f"{self.ksk}.key") + "\n")

    def _run(self, program, *arguments):
        done = subprocess.run([f"/usr/bin/{program}", *arguments], cwd=self.folder, text=True,
                              capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def signed(self, record, until):
        """The zone's text with a record, signed."""
        path = os.path.join(self.folder, "zone")
        with open(path, "w", encoding="ascii") as file:
            file.write(SOA.format(zone=ZONE) + record + "\n")
            for key in (self.ksk, self.zsk):
                with open(f"{self.folder}/{key}.key", encoding="ascii") as public:
                    file.write(public.read())
        self._run("dnssec-signzone", "-q", "-P", "-o", ZONE, "-s", "20200101000000", "-e", until,
                  "-O", "full", path)
        with open(f"{path}.signed", encoding="ascii") as file:
            return file.read()


@pytest.fixture
def look(folder):
    """A function that serves the zone signed until then, and checks the key in it."""
    started = []

    def check(until, **settings):
        port = free_port()
        zone = SignedZone(folder)
        inkan = Inkan(f"{folder}/inkan", **{
            "dns__port": port, "dns__timeout": "3s", "dns__trust_anchor": zone.anchor,
            **settings}).set_up("acme")
        inkan.add_domain(ZONE, algorithms=("ed25519-sha256",))
        (name, value), = inkan.records().items()
        text = zone.signed(f"{name}. TXT {quoted(value)}", until)
        started.append(Bind(folder, {ZONE: text}, port=port, rule=""))
        started.append(Unbound(folder, {ZONE: ["127.0.0.1"]}, port))
        inkan.configure(dns__nameservers=f"127.0.0.1:{started[-1].port}")
        return inkan.run("dns", "check", ZONE)

    yield check
    for server in started:
        server.stop()


def test_good_signatures(look):
    answer = look("20601231000000")
    assert answer.returncode == RIGHT, answer.stdout + answer.stderr


def test_signatures_that_have_ended(look):
    answer = look("20210101000000")
    assert answer.returncode == TEMPORARY, answer.stdout + answer.stderr
    assert "unknown" in answer.stdout and "DNSSEC" in answer.stdout


def test_signatures_do_not_matter_without_an_anchor(look):
    answer = look("20210101000000", dns__trust_anchor=None)
    assert answer.returncode == RIGHT, answer.stdout + answer.stderr


def test_an_anchor_that_is_not_there(new_inkan, folder):
    """Is told once, by its name, and not as keys that nothing is known of."""
    inkan = new_inkan(dns__trust_anchor=f"{folder}/nowhere").set_up("acme")
    inkan.add_domain(ZONE, algorithms=("ed25519-sha256",))
    for command in (("dns", "check", ZONE), ("rotate", "run")):
        answer = inkan.run(*command)
        assert answer.returncode == INVALID and answer.stdout == ""
        assert (f"[dns] trust_anchor: {folder}/nowhere: No such file or directory"
                in answer.stderr)
