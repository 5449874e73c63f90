#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Measures inkand side by side with OpenDKIM over the same domains in the same PostgreSQL.

A PostgreSQL of its own in a temporary folder gets the domains twice: as inkan's store and as the
table that OpenDKIM's documents describe, all with one RSA-2048 key. Then, in one run:

  - the time from the start of each daemon to its first signature;
  - messages per second, in turn for several rounds: OpenDKIM, which asks PostgreSQL for every
    message, inkand with the domains known to it, inkand whose entries are all past their time,
    and a fresh inkand to which each is cold;
  - the statements that cold domains cost, counted by pg_stat_statements.

A round goes over as many of the domains as it has messages.

Known means that each worker has signed for the domain before, which takes several passes over
all of them, because the kernel chooses the worker. These passes take longer than the 5 minutes
for which entries are kept by default, so this daemon has a cache.ttl of an hour: what is measured
is a domain that has not run out of its time. It makes no entry wrong, as it is the change feed
that drops what was changed. The daemon with a cache.ttl of 0 is the other end: it reads every
domain again for every message, but has the parsed keys; an entry that was read again costs that.

Figures of different runs or machines cannot be compared, the ratio can. Needs a release build
(cmake --preset release && cmake --build build), root, and Debian's postgresql-15, opendkim and
libopendbx1-pgsql.

  postgres.py                    100,000 domains, 20,000 messages a round
  postgres.py --domains 10000    fewer
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
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
from postgres import BIN, Postgres  # noqa: E402
from process import Process, answers  # noqa: E402

SETTINGS = "shared_buffers = 512MB\nmax_wal_size = 4GB\nfsync = off\nsynchronous_commit = off\n"
NEEDED = {
    f"{BIN}/postgres": "postgresql-15",
    "/usr/sbin/opendkim": "opendkim",
    "/usr/lib/opendbx/libpgsqlbackend.so.1": "libopendbx1-pgsql",
}


def check_needs():
    if os.geteuid() != 0:
        sys.exit("postgres.py: must be run as root: PostgreSQL is started as its own user")
    for program in ("inkan", "inkand", "tests/bench/bench_load", "tests/bench/bench_setup"):
        if not os.access(f"{BUILD}/{program}", os.X_OK):
            sys.exit(f"postgres.py: {BUILD}/{program} is missing: build first (cmake --preset "
                     "release && cmake --build build)")
    missing = [package for path, package in NEEDED.items() if not os.path.exists(path)]
    if missing:
        sys.exit(f"postgres.py: install {' '.join(missing)} first: apt-get install "
                 f"--no-install-recommends {' '.join(missing)}")


def fill(args, folder, server):
    """The same domains for both programs."""
    began = time.monotonic()
    subprocess.run([f"{BUILD}/tests/bench/bench_setup", "--url", server.url(), "--private",
                    f"{folder}/key.der", folder, str(args.domains)], check=True)
    pem = subprocess.run(["openssl", "rsa", "-inform", "DER", "-in", f"{folder}/key.der",
                          "-traditional"], check=True, capture_output=True, text=True).stdout
    server.sql("CREATE DATABASE opendkim", database="postgres")
    server.sql(
        "CREATE TABLE dkim (id serial PRIMARY KEY, domain_name varchar(255) NOT NULL UNIQUE,"
        " selector varchar(63) NOT NULL, private_key text NOT NULL);"
        "INSERT INTO dkim (domain_name, selector, private_key) SELECT 'd' || n || '.example', 's1',"
        f" '{pem}' FROM generate_series(0, {args.domains - 1}) n;", database="opendkim")
    for database in ("inkan", "opendkim"):
        server.sql("VACUUM ANALYZE", database=database)
    print(f"{args.domains} domains put into PostgreSQL twice in {time.monotonic() - began:.0f} s",
          flush=True)


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
                sys.exit(f"postgres.py: {self.name} does not start:\n{self.process.log_text()}")
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


def start_opendkim(folder, server):
    path = f"{folder}/opendkim.sock"
    dsn = f"dsn:pgsql://postgres:none@{server.port}+127.0.0.1/opendkim/table=dkim"
    with open(f"{folder}/opendkim.conf", "w", encoding="ascii") as file:
        file.write(f"Socket local:{path}\nBackground no\nSyslog no\nPidFile {folder}/opendkim.pid\n"
                   "Mode s\nCanonicalization relaxed/relaxed\nInternalHosts 127.0.0.1\n"
                   f"SigningTable {dsn}?keycol=domain_name?datacol=id\n"
                   f"KeyTable {dsn}?keycol=id?datacol=domain_name,selector,private_key\n")
    return Daemon("opendkim", path, ["opendkim", "-f", "-x", f"{folder}/opendkim.conf"],
                  f"{folder}/opendkim.log")


def start_inkand(args, folder, server, name, **settings):
    inkan = Inkan(f"{folder}/{name}", store__url=server.url(),
                  vault__keyring=f"{folder}/keyring", cache__memory=args.memory,
                  server__listen=f"unix:{folder}/{name}.sock", server__workers=str(args.processes),
                  **settings)
    return Daemon("inkand", inkan.address, [f"{BUILD}/inkand", "-c", inkan.conf],
                  f"{folder}/{name}.log")


def load(args, daemon, count=None, domains=None):
    done = subprocess.run(
        [f"{BUILD}/tests/bench/bench_load", "--socket", f"unix:{daemon.path}", "--messages",
         str(count or args.messages), "--domains", str(domains or args.domains), "--connections",
         str(args.connections), "--body", str(args.body), "--pids",
         ",".join(map(str, daemon.pids()))], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"postgres.py: the load failed against {daemon.name}:\n"
                 f"{daemon.process.log_text()[-2000:]}")
    return json.loads(done.stdout)


def lookups(server):
    """(calls, distinct texts) of the look-ups."""
    answer = server.sql("SELECT coalesce(sum(calls), 0), count(*) FROM pg_stat_statements"
                        " WHERE query LIKE '%FROM \"signing_of\"(%'")
    return tuple(int(number) for number in answer.split("|"))


def row(name, result):
    print(f"{name:24} {result['rate']:7.0f} msg/s  {result['cpu_us']:7.1f} us CPU/msg  "
          f"p50 {result['p50_us']:6.0f} us  p99 {result['p99_us']:7.0f} us", flush=True)


def median(rounds):
    return {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}


def cold_round(args, folder, server):
    """A daemon that knows no domain yet, and the statements it costs."""
    inkand = start_inkand(args, folder, server, "cold")
    server.sql("SELECT pg_stat_statements_reset()")
    result = load(args, inkand)
    calls, texts = lookups(server)
    inkand.stop()
    print(f"cold: {args.messages} messages, each of another domain: {calls} look-ups of {texts} "
          f"text (each worker's feed asks once)", flush=True)
    return result


def measure(args, folder, server):
    known = start_inkand(args, folder, server, "known", cache__ttl="1h")
    print(f"inkand   start to first signature: {known.first_signature:.3f} s", flush=True)
    opendkim = start_opendkim(folder, server)
    print(f"opendkim start to first signature: {opendkim.first_signature:.3f} s", flush=True)
    expired = start_inkand(args, folder, server, "expired", cache__ttl="0")
    of_round = min(args.domains, args.messages)
    load(args, known, args.domains * args.passes)
    load(args, expired, of_round * args.passes, of_round)
    theirs = []
    ours = {"known domains": [], "expired entries": [], "each cold": []}
    for _ in range(args.rounds):
        theirs.append(load(args, opendkim))
        ours["known domains"].append(load(args, known))
        ours["expired entries"].append(load(args, expired))
        ours["each cold"].append(cold_round(args, folder, server))
    for daemon in (opendkim, known, expired):
        daemon.stop()
    row("opendkim", median(theirs))
    for name, rounds in ours.items():
        ratios = [i["rate"] / o["rate"] for i, o in zip(rounds, theirs)]
        row(f"inkand, {name}", median(rounds))
        print(f"{'':24} {statistics.median(ratios):7.1f} times opendkim's rate (rounds "
              f"{min(ratios):.1f} to {max(ratios):.1f})")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--domains", type=int, default=100000)
    parser.add_argument("--messages", type=int, default=20000, help="of one round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--passes", type=int, default=8,
                        help="over all domains before the measured rounds")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--body", type=int, default=4096, help="octets")
    parser.add_argument("--memory", default="1G", help="[cache] memory of each worker")
    return parser.parse_args()


def main():
    args = arguments()
    check_needs()
    folder = tempfile.mkdtemp(prefix="inkan-bench-")
    os.chmod(folder, 0o755)
    server = Postgres.primary(folder, SETTINGS)
    try:
        fill(args, folder, server)
        measure(args, folder, server)
    finally:
        for process in Process.started:
            if process is not server.server and process.is_alive():
                process.kill()
        server.stop(signal.SIGQUIT)
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
