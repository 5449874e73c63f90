# SPDX-License-Identifier: Apache-2.0
"""What the benches beside OpenDKIM share: a store that holds the same domains for both programs, all
with one RSA-2048 key, and the measurements in one run:

  - the time from the start of each daemon to its first signature;
  - messages per second, in turn for several rounds: OpenDKIM, which asks the store for every
    message, with the table of keys alone and with MultipleSignatures (all keys of a domain and of the
    domains above it, as inkand looks for); the floor, a libmilter filter that signs with one key and
    asks nobody (floor.c); inkand with the domains known to it, with known domains whose entries have
    run out of their ttl and are read again for each message, and a fresh inkand to which each is cold;
  - what cold domains cost the store.

A round goes over as many of the domains as it has messages. Known means that each worker has signed
for the domain before, twice, because OpenSSL prepares a key once for the first thread that signs
with it and once for all others. The kernel chooses the worker, so all others stand still meanwhile.
A hundred thousand domains take longer than the default cache.ttl, so that is longer here: what keeps
entries right is the change feed.

Figures of different runs or machines cannot be compared, the ratio can."""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
os.environ.setdefault("INKAN_BUILD", str(ROOT / "build"))
sys.path.insert(0, str(ROOT / "tests/system"))

# pylint: disable=wrong-import-position
import messages  # noqa: E402
from inkan import BUILD, Inkan  # noqa: E402
from milter import Closed, Milter  # noqa: E402
from peers import signatures_of  # noqa: E402
from process import Process, answers, freeze, thaw, wait_for  # noqa: E402

NAME = os.path.basename(sys.argv[0])


def check_needs(needed):
    """needed: {path: package}."""
    if os.geteuid() != 0:
        sys.exit(f"{NAME}: must be run as root: servers are started as their own users")
    for program in ("inkan", "inkand", "tests/bench/bench_load", "tests/bench/bench_setup"):
        if not os.access(f"{BUILD}/{program}", os.X_OK):
            sys.exit(f"{NAME}: {BUILD}/{program} is missing: build first (cmake --preset "
                     "release && cmake --build build)")
    missing = [package for path, package in needed.items() if not os.path.exists(path)]
    if missing:
        sys.exit(f"{NAME}: install {' '.join(missing)} first: apt-get install "
                 f"--no-install-recommends {' '.join(missing)}")


def set_up(folder, domains, *options):
    """Fills inkan's store; the shared private key as PEM."""
    subprocess.run([f"{BUILD}/tests/bench/bench_setup", *options, "--private", f"{folder}/key.der",
                    folder, str(domains)], check=True)
    return subprocess.run(["openssl", "rsa", "-inform", "DER", "-in", f"{folder}/key.der",
                           "-traditional"], check=True, capture_output=True, text=True).stdout


class Daemon:
    """One of the two, with what it took to start."""

    def __init__(self, name, path, command, log, env=None):
        self.name = name
        self.path = path
        began = time.monotonic()
        self.process = Process(name, command, log, env=env)
        self.first_signature = self._wait_signature(began)

    def _wait_signature(self, began):
        while not self._signs():
            if not self.process.is_alive() or time.monotonic() > began + 1800:
                sys.exit(f"{NAME}: {self.name} does not start:\n{self.process.log_text()}")
            time.sleep(0.005)
        return time.monotonic() - began

    def _signs(self):
        if not answers(self.path):
            return False
        try:
            with Milter(self.path) as milter:
                milter.greet()
                _, message = milter.message(messages.compose(b"a@d77.example"))
                return len(signatures_of(message)) == 1
        except (OSError, Closed):
            return False

    def pids(self):
        return self.process.children() or [self.process.pid]

    def stop(self):
        self.process.kill()


class Floor:
    def __init__(self, folder, processes):
        self.name = "floor"
        self.path = f"{folder}/floor.sock"
        self.process = Process(self.name, [f"{BUILD}/tests/bench/bench_floor", "--socket",
                                           f"unix:{self.path}", "--processes", str(processes)],
                               f"{folder}/floor.log")
        wait_for("the floor listens", lambda: answers(self.path))

    def pids(self):
        return self.process.children() or [self.process.pid]

    def stop(self):
        self.process.kill()


class Bench:
    """The two programs on one store. The store has: `label`, `settings()` of inkan,
    `opendkim_lines()` of OpenDKIM's tables, `asked_by_opendkim()`, how often it was asked so far,
    `begin_count()` and `count()`, a sentence on what the store was asked since then."""

    def __init__(self, args, folder, store):
        self.args = args
        self.folder = folder
        self.store = store

    def start_opendkim(self, name, multiple):
        path = f"{self.folder}/{name}.sock"
        conf = f"{self.folder}/{name}.conf"
        with open(conf, "w", encoding="ascii") as file:
            file.write(f"Socket local:{path}\nBackground no\nSyslog no\n"
                       f"PidFile {self.folder}/{name}.pid\nMode s\n"
                       "Canonicalization relaxed/relaxed\nInternalHosts 127.0.0.1\n"
                       f"MultipleSignatures {multiple}\n{self.store.opendkim_lines()}")
        return Daemon("opendkim", path, ["opendkim", "-f", "-x", conf],
                      f"{self.folder}/{name}.log")

    def start_inkand(self, name, **settings):
        inkan = Inkan(f"{self.folder}/{name}", vault__keyring=f"{self.folder}/keyring",
                      cache__memory=self.args.memory, server__listen=f"unix:{self.folder}/{name}.sock",
                      server__workers=str(self.args.processes), **self.store.settings(), **settings)
        return Daemon("inkand", inkan.address, [f"{BUILD}/inkand", "-c", inkan.conf],
                      f"{self.folder}/{name}.log")

    def load(self, daemon, count=None, domains=None):
        done = subprocess.run(
            [f"{BUILD}/tests/bench/bench_load", "--socket", f"unix:{daemon.path}", "--messages",
             str(count or self.args.messages), "--domains", str(domains or self.args.domains),
             "--connections", str(self.args.connections), "--body", str(self.args.body), "--pids",
             ",".join(map(str, daemon.pids()))], stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{NAME}: the load failed against {daemon.name}:\n"
                     f"{daemon.process.log_text()[-2000:]}")
        return json.loads(done.stdout)

    def cold_round(self):
        """A daemon that knows no domain yet, and what it costs the store."""
        inkand = self.start_inkand("cold")
        self.store.begin_count()
        result = self.load(inkand)
        print(f"cold: {self.args.messages} messages, each of another domain: {self.store.count()}",
              flush=True)
        inkand.stop()
        return result

    def warm_up(self, daemon, domains):
        """Has every worker sign for each of the domains, with threads of two runs."""
        for worker in daemon.pids():
            others = [pid for pid in daemon.pids() if pid != worker]
            for pid in others:
                freeze(pid)
            for _ in range(2):
                self.load(daemon, domains, domains)
            for pid in others:
                thaw(pid)

    def say_what_opendkim_asks(self, name, daemon, count=100):
        before = self.store.asked_by_opendkim()
        self.load(daemon, count)
        asked = (self.store.asked_by_opendkim() - before) / count
        print(f"{name}: {asked:.1f} questions to {self.store.label} for each message", flush=True)

    def measure(self):
        args = self.args
        of_round = min(args.domains, args.messages)
        known = self.start_inkand("known", cache__ttl="1h")
        print(f"inkand   start to first signature: {known.first_signature:.3f} s", flush=True)
        plain = self.start_opendkim("opendkim", "no")
        print(f"opendkim start to first signature: {plain.first_signature:.3f} s", flush=True)
        multiple = self.start_opendkim("multiple", "yes")
        self.say_what_opendkim_asks("opendkim", plain)
        self.say_what_opendkim_asks("opendkim, multiple", multiple)
        floor = Floor(self.folder, args.processes)
        expired = self.start_inkand("expired", cache__ttl="0")
        self.warm_up(known, args.domains)
        self.warm_up(expired, of_round)
        rows = {
            "opendkim": lambda: self.load(plain),
            "opendkim, multiple": lambda: self.load(multiple),
            "floor": lambda: self.load(floor),
            "inkand, known domains": lambda: self.load(known),
            "inkand, expired entries": lambda: self.load(expired, None, of_round),
            "inkand, each cold": self.cold_round,
        }
        rounds = [{name: measured() for name, measured in rows.items()}
                  for _ in range(args.rounds)]
        for daemon in (plain, multiple, floor, known, expired):
            daemon.stop()
        report(rounds)


def median(rounds, name):
    return {key: statistics.median(each[name][key] for each in rounds) for key in rounds[0][name]}


def report(rounds):
    """The ratios are those of the same round."""
    references = ("opendkim", "opendkim, multiple", "floor")
    for name in rounds[0]:
        result = median(rounds, name)
        print(f"{name:24} {result['rate']:7.0f} msg/s  {result['cpu_us']:7.1f} us CPU/msg  "
              f"p50 {result['p50_us']:6.0f} us  p99 {result['p99_us']:7.0f} us")
        for reference in references if name not in references else ():
            ratios = [each[name]["rate"] / each[reference]["rate"] for each in rounds]
            print(f"{'':24} {statistics.median(ratios):7.2f} times the rate of {reference} (rounds "
                  f"{min(ratios):.2f} to {max(ratios):.2f})")


def arguments(description):
    parser = argparse.ArgumentParser(description=description,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--domains", type=int, default=100000)
    parser.add_argument("--messages", type=int, default=20000, help="of one round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--body", type=int, default=4096, help="octets")
    parser.add_argument("--memory", default="1G", help="[cache] memory of each worker")
    return parser.parse_args()


def run(args, make_store):
    """make_store(folder) starts a server; the store's fill(domains, folder) fills it for both."""
    folder = tempfile.mkdtemp(prefix="inkan-bench-")
    os.chmod(folder, 0o755)
    store = make_store(folder)
    try:
        began = time.monotonic()
        store.fill(args.domains, folder)
        print(f"{args.domains} domains put into {store.label} twice in "
              f"{time.monotonic() - began:.0f} s", flush=True)
        Bench(args, folder, store).measure()
    finally:
        for process in Process.started:
            if process is not store.process() and process.is_alive():
                process.kill()
        store.stop()
        shutil.rmtree(folder)
