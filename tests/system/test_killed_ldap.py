# SPDX-License-Identifier: Apache-2.0
"""A command stopped at each of its writes to a directory leaves all of the change or nothing of it.

A directory changes one entry at a time, so a change is many writes: first a journal of all, then
one by one. Each operation is stopped before and after each of its writes, by a kill, by a connection
that is lost, and by a server that is out of reach from then on."""

import json
import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import messages
from inkan import BUILD, Inkan
from ldap import BASE, Slapd
from ldap_cut import Cut
from peers import signatures_of

DONE, NO, BROKEN, TEMPORARY = 0, 1, 70, 75
AT_ONCE = 8
OLD, NEW = "old.example", "new.example"
ED25519 = ("--algorithm", "ed25519-sha256")

# {operation: (what comes before it, the command)}
SUCCESSOR = ("key", "new", OLD, *ED25519, "--selector", "next")
OPERATIONS = {
    "domain added": ([], ("domain", "add", NEW, "--tenant", "acme", *ED25519, "--activate")),
    "successor made": ([], SUCCESSOR),
    "successor activated": ([SUCCESSOR], ("key", "activate", OLD, "next")),
    "domain removed": ([], ("domain", "remove", OLD, "--yes")),
}
ENDS = {"killed": {"hold": True}, "cut off": {}, "alone from then on": {"alone": True}}


@pytest.fixture(scope="module")
def slapd(module_folder):
    server = Slapd.single(module_folder, log_level="none")
    server.keyring = f"{module_folder}/keyring"
    Inkan(f"{module_folder}/maker", vault__keyring=server.keyring).ok("vault", "init")
    server.way = {name: value for name, value in server.settings().items() if name != "store__url"}
    yield server
    server.kill()


class Case:
    """A store of its own."""

    def __init__(self, slapd, folder, name):
        self.slapd = slapd
        self.base = f"ou={name},{BASE}"
        slapd.ldif_add(f"dn: {self.base}\nobjectClass: organizationalUnit\nou: {name}\n")
        self.inkan = Inkan(f"{folder}/{name}", vault__keyring=slapd.keyring,
                           store__url=slapd.url(base=self.base), **slapd.way)
        self.inkan.ok("store", "init")
        self.inkan.ok("tenant", "add", "acme")
        self.inkan.add_domain(OLD, algorithms=ED25519[1:])

    def prepare(self, operation):
        for command in OPERATIONS[operation][0]:
            self.inkan.ok(*command)

    def content(self):
        """What is in the store, and what its audit log says."""
        return {
            "domains": {domain["name"] for domain in self.inkan.json("domain", "list")},
            "keys": {(key["domain"], key["selector"], key["state"])
                     for key in self.inkan.json("key", "list")},
            "events": [(event["action"], event["name"])
                       for event in self.inkan.json("audit", "list", "--limit", "10000")],
        }

    def run_through(self, cut, command):
        """The command with the proxy in the middle, killed if that holds it up. Its exit code and
        what it said."""
        path = f"{self.inkan.folder}/cut.conf"
        with open(self.inkan.conf, encoding="utf-8") as file:
            text = file.read().replace(self.slapd.address, f"127.0.0.1:{cut.port}")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        process = subprocess.Popen([f"{BUILD}/inkan", "-c", path, *command], text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if cut.hold:
            assert cut.stopped.wait(20), "it never came to that write"
            process.send_signal(signal.SIGKILL)
        said = process.communicate(timeout=60)[1]
        cut.close()
        return process.returncode, said

    # -- what must hold ---------------------------------------------------------------------

    def active_keys(self):
        """{(domain, algorithm): number}, of what stands in the directory."""
        count = {}
        for entry in self.slapd.search("(inkanKeyState=active)", "inkanKeyDomain",
                                       "inkanKeyAlgorithm", base=self.base):
            key = entry["inkanKeyDomain"][0], entry["inkanKeyAlgorithm"][0]
            count[key] = count.get(key, 0) + 1
        return count

    def check_settled(self):
        """After the next write."""
        assert set(self.active_keys().values()) <= {1}, "two active keys of one algorithm"
        writer, = self.slapd.search("(objectClass=inkanWriter)", base=self.base)
        assert "inkanJournal" not in writer
        assert self.inkan.run("store", "check").returncode == DONE
        assert self.inkan.run("audit", "verify").returncode == DONE
        content = self.content()
        for domain, selector, _ in content["keys"]:
            assert domain in content["domains"]
            assert ("key.add", f"{domain} {selector}") in content["events"]
        assert content["events"].pop() == ("tenant.set", "acme")
        return content

    def feed(self):
        """The names that the change feed tells of."""
        return {row.split()[2].decode() for entry in
                self.slapd.search("(inkanChanged=*)", "inkanChanged", base=self.base)
                for row in entry["inkanChanged"]}


def check_words(code, said, happened, through):
    """Whoever was not killed says what is so. through: the server could be asked afterwards."""
    assert code in (DONE, BROKEN, TEMPORARY), said
    if code == DONE:
        assert happened
    if "before the change was made" in said:
        assert not happened
    if through:
        assert code == (DONE if happened else TEMPORARY), said
    elif code != DONE:
        assert "nobody can say yet" in said


def signers(inkan, domain):
    """Who signs at this moment: [(domain, selector)]."""
    answer = inkan.run("sign", stdin=messages.compose(b"a@" + domain.encode()))
    assert answer.returncode in (DONE, NO), answer.stderr
    return [(tags["d"], tags["s"]) for tags in signatures_of(answer.output)]


def stop_at(slapd, folder, operation, how):
    """What a command that was stopped left behind, and whether the change happened."""
    end, passed, nth = how
    case = Case(slapd, folder, f"{operation} {end} {passed} {nth}".replace(" ", "-"))
    case.prepare(operation)
    cut = Cut(slapd.port, nth, passed, **ENDS[end])
    code, said = case.run_through(cut, OPERATIONS[operation][1])
    assert cut.stopped.is_set(), "it never came to that write"
    assert len(signers(case.inkan, OLD)) == 1 or operation == "domain removed"
    case.inkan.ok("tenant", "set", "acme", "note=x")
    happened = nth > 1 or passed  # the journal decides
    if end != "killed":
        check_words(code, said, happened, end == "cut off")
    return case.check_settled(), case.feed(), happened


def ways(writes):
    """(end, whether that write was done, which write). Killed after one or before the next is the
    same to the server."""
    for nth in range(1, writes + 1):
        yield "killed", True, nth
        yield "cut off", False, nth
    yield "killed", False, 1
    yield "alone from then on", False, 1
    for nth in (1, 2, writes):
        yield "cut off", True, nth
        yield "alone from then on", True, nth


@pytest.mark.parametrize("operation", OPERATIONS)
def test_stopped_at_any_write_a_change_is_whole_or_not_there(slapd, folder, operation):
    case = Case(slapd, folder, operation.replace(" ", "-"))
    case.prepare(operation)
    case.inkan.ok("tenant", "set", "acme", "note=x")
    nothing = case.check_settled(), case.feed()
    cut = Cut(slapd.port)
    case.run_through(cut, OPERATIONS[operation][1])
    case.inkan.ok("tenant", "set", "acme", "note=y")
    whole = case.check_settled(), case.feed()
    whole[0]["events"].remove(("tenant.set", "acme"))
    with ThreadPoolExecutor(AT_ONCE) as threads:
        outcomes = {way: threads.submit(stop_at, slapd, folder, operation, way)
                    for way in ways(len(cut.writes))}
    faults = {way: outcome.exception() for way, outcome in outcomes.items()}
    assert {way: fault for way, fault in faults.items() if fault} == {}
    for way, outcome in outcomes.items():
        content, feed, happened = outcome.result()
        assert (content, feed) == (whole if happened else nothing), way


# -- two at once -------------------------------------------------------------------------------

ROWS = 300


@pytest.mark.parametrize("changes", [20, 10000], ids=["some", "as long as it takes"])
def test_two_writers_at_once_lose_nothing(slapd, folder, changes):
    """One of the two may be told to come again (75), and then nothing of its change is there."""
    case = Case(slapd, folder, f"two{changes}")
    rows = "".join(json.dumps({"domain": f"d{i}.example", "tenant": "acme", "activate": True,
                               "algorithm": "ed25519-sha256"}) + "\n" for i in range(ROWS))
    path = f"{folder}/rows.jsonl"
    with open(path, "w", encoding="ascii") as file:
        file.write(rows)
    process = subprocess.Popen([f"{BUILD}/inkan", "-c", case.inkan.conf, "--json", "import",
                                "domains", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    codes = []
    while process.poll() is None and len(codes) < changes:
        codes.append(case.inkan.run("tenant", "set", "acme", f"note=n{len(codes)}").returncode)
        assert codes[-1] in (DONE, TEMPORARY)
    report, said = process.communicate()
    print(f"import {process.returncode}, {len(codes)} changes, {codes.count(TEMPORARY)} refused")
    assert process.returncode in (DONE, TEMPORARY), said
    assert codes.count(DONE) > 3
    again = json.loads(case.inkan.ok("--json", "import", "domains", path))
    assert again["existed"] + again["added"] == ROWS
    assert again["added"] == 0 or process.returncode == TEMPORARY, report
    case.inkan.ok("tenant", "set", "acme", "note=last")
    content, feed = case.check_settled(), case.feed()
    added = {f"d{i}.example" for i in range(ROWS)}
    assert content["domains"] == added | {OLD}
    assert {key[0] for key in content["keys"]} == added | {OLD}
    assert added | {"acme"} <= feed
    assert content["events"].count(("tenant.set", "acme")) == codes.count(DONE)
    for domain in added:
        assert content["events"].count(("domain.add", domain)) == 1
