#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Measures inkand side by side with the floor program (floor.c) in one run.

Both get the same number of processes and the same load, in turn, for several rounds; the
medians and their ratio are printed. Figures of different runs or machines cannot be compared,
the ratio can. Needs a release build: cmake --preset release && cmake --build build.

  run.py                      unix socket and TCP, one domain
  run.py --domains 10000      any of 10,000 domains, all warm
  run.py --soak 1000000       a million messages; the workers' memory along the way
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def address(transport, directory, name):
    if transport == "unix":
        return f"unix:{directory}/{name}.sock"
    return f"inet:{free_port()}@127.0.0.1"


class Floor:
    def __init__(self, args, directory, transport):
        self.socket = address(transport, directory, "floor")
        self.process = subprocess.Popen(
            [args.build / "tests/bench/bench_floor", "--socket", self.socket,
             "--processes", str(args.processes)], stdout=subprocess.PIPE, text=True)
        self.pids = [int(self.process.stdout.readline()) for _ in range(args.processes)]

    def stop(self):
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)
        self.process.wait()


class Inkand:
    def __init__(self, args, directory, transport):
        self.socket = address(transport, directory, "inkan")
        self.log = directory / "inkand.log"
        conf = directory / "inkan.conf"
        conf.write_text(f"""
[store]
url = sqlite:{directory}/inkan.db
[vault]
keyring = {directory}/keyring
[server]
listen = {self.socket}
workers = {args.processes}
[log]
to = stderr
""")
        self.log.unlink(missing_ok=True)
        with self.log.open("a") as log:
            self.process = subprocess.Popen([args.build / "inkand", "-c", conf], stderr=log)
        deadline = time.monotonic() + 30
        while "ready: " not in self.log.read_text():
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit("inkand does not start:\n" + self.log.read_text())
            time.sleep(0.05)
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        self.pids = [int(pid) for pid in children.read_text().split()]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)


def load(args, server, messages):
    command = [args.build / "tests/bench/bench_load", "--socket", server.socket,
               "--messages", str(messages), "--domains", str(args.domains),
               "--connections", str(args.connections), "--body", str(args.body),
               "--pids", ",".join(map(str, server.pids))]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"the load failed against {server.socket}")
    return json.loads(done.stdout)


def resident_kib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))


def compare(args, directory, transport):
    servers = {"floor": Floor(args, directory, transport),
               "inkand": Inkand(args, directory, transport)}
    results = {name: [] for name in servers}
    try:
        for server in servers.values():
            load(args, server, max(2000, 4 * args.domains))
        for _ in range(args.rounds):
            for name, server in servers.items():
                results[name].append(load(args, server, args.messages))
    finally:
        for server in servers.values():
            server.stop()
    medians = {name: {key: statistics.median(r[key] for r in rounds)
                      for key in ("rate", "cpu_us", "p50_us", "p99_us")}
               for name, rounds in results.items()}
    for name, m in medians.items():
        print(f"{transport:5} {name:7} {m['rate']:7.0f} msg/s  {m['cpu_us']:6.1f} us CPU/msg  "
              f"p50 {m['p50_us']:6.0f} us  p99 {m['p99_us']:6.0f} us")
    ratios = [i["cpu_us"] / f["cpu_us"] for i, f in zip(results["inkand"], results["floor"])]
    print(f"{transport:5} inkand/floor CPU per message: {statistics.median(ratios):.3f} "
          f"(rounds {min(ratios):.3f} to {max(ratios):.3f}); "
          f"rate {medians['inkand']['rate'] / medians['floor']['rate']:.3f}")


def soak(args, directory):
    server = Inkand(args, directory, "unix")
    sent, step = 0, max(args.soak // 10, 1)
    first = None
    try:
        while sent < args.soak:
            result = load(args, server, step)
            sent += step
            resident = [resident_kib(pid) for pid in server.pids]
            first = first or sum(resident)
            print(f"{sent:9} messages  {result['rate']:6.0f} msg/s  resident KiB {resident}  "
                  f"growth {100 * (sum(resident) - first) / first:+.1f} %", flush=True)
            os.truncate(server.log, 0)
    finally:
        server.stop()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=10000, help="of one round")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--domains", type=int, default=1)
    parser.add_argument("--body", type=int, default=4096, help="octets")
    parser.add_argument("--transports", default="unix,tcp")
    parser.add_argument("--soak", type=int, metavar="MESSAGES")
    return parser.parse_args()


def main():
    args = arguments()
    args.build = args.build.resolve()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="inkan-bench-"))
    try:
        subprocess.run([args.build / "tests/bench/bench_setup", directory, str(args.domains)],
                       check=True)
        if args.soak:
            soak(args, directory)
        else:
            for transport in args.transports.split(","):
                compare(args, directory, transport)
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
