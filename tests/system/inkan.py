# SPDX-License-Identifier: Apache-2.0
"""inkan and inkand of one build, with settings, store and keyring of their own."""

import json
import os
import re
import subprocess

from peers import parse_records
from process import SANITIZER, Process, answers, free_port, wait_for

BUILD = os.path.abspath(os.environ.get(
    "INKAN_BUILD", os.path.join(os.path.dirname(__file__), "..", "..", "build")))
# A report of a sanitizer must not look like an exit code of ours.
SANITIZER_ENV = {"ASAN_OPTIONS": "exitcode=99:detect_leaks=1:quarantine_size_mb=16", "UBSAN_OPTIONS": "print_stacktrace=1"}
# OpenSSL's and the sanitizer's own start take their time there.
PATIENCE = 3 if BUILD.endswith("asan") else 1


def write_settings(path, values):
    """values: {"section.key": value}."""
    sections = {}
    for name, value in values.items():
        section, key = name.split(".")
        sections.setdefault(section, []).append(f"{key} = {value}\n")
    with open(path, "w", encoding="utf-8") as file:
        for section, lines in sections.items():
            file.write(f"[{section}]\n{''.join(lines)}")


class Inkan:
    """A folder with settings and the two programs run on them."""

    def __init__(self, folder, **overrides):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        self.conf = os.path.join(folder, "inkan.conf")
        self.keyring = os.path.join(folder, "keyring")
        self.database = os.path.join(folder, "inkan.db")
        self.settings = {
            "store.url": f"sqlite:{self.database}",
            "vault.keyring": self.keyring,
            "server.listen": f"inet:{free_port()}@127.0.0.1",
            "server.pid_file": os.path.join(folder, "inkand.pid"),
            "server.workers": "2",
            "server.drain": "20s",
            "log.to": "stderr",
        }
        self.daemon = None
        self.configure(**overrides)

    def configure(self, **values):
        """Changes settings (section__key=value); None takes one away."""
        for name, value in values.items():
            self.settings[name.replace("__", ".")] = value
        self.settings = {name: v for name, v in self.settings.items() if v is not None}
        write_settings(self.conf, self.settings)

    # -- inkan ------------------------------------------------------------------------------

    def run(self, *arguments, stdin=b"", seconds=120):
        """Any command; the finished process with text in stdout and stderr."""
        answer = subprocess.run([f"{BUILD}/inkan", "-c", self.conf, *arguments], input=stdin,
                                capture_output=True, timeout=seconds,
                                env={**os.environ, **SANITIZER_ENV})
        answer.output = answer.stdout
        answer.stdout = answer.stdout.decode(errors="replace")
        answer.stderr = answer.stderr.decode(errors="replace")
        assert not SANITIZER.search(answer.stderr), answer.stderr
        assert answer.returncode >= 0, f"inkan {arguments} died of signal {-answer.returncode}"
        return answer

    def ok(self, *arguments, stdin=b""):
        answer = self.run(*arguments, stdin=stdin)
        assert answer.returncode == 0, f"inkan {' '.join(arguments)}: {answer.stderr}"
        return answer.stdout

    def json(self, *arguments):
        return json.loads(self.ok("--json", *arguments))

    def set_up(self, *tenants):
        self.ok("vault", "init")
        self.ok("store", "init")
        for tenant in tenants:
            self.ok("tenant", "add", tenant)
        return self

    def add_domain(self, domain, tenant="acme", algorithms=("rsa-sha256",), **values):
        """A domain with active keys; selector rsa or ed25519."""
        self.ok("domain", "add", domain, "--tenant", tenant, "--no-key")
        if values:
            self.ok("domain", "set", domain, *(f"{k}={v}" for k, v in values.items()))
        for algorithm in algorithms:
            self.ok("key", "new", domain, "--algorithm", algorithm, "--selector",
                    algorithm.split("-")[0], "--activate")

    def records(self):
        """{name: TXT value} of all keys in the store."""
        return parse_records(self.ok("dns", "records", "--all", "--format", "oneline"))

    def records_file(self):
        path = os.path.join(self.folder, "records")
        with open(path, "w", encoding="ascii") as file:
            file.write(self.ok("dns", "records", "--all", "--format", "oneline"))
        return path

    # -- inkand -----------------------------------------------------------------------------

    @property
    def address(self):
        """Where the daemon listens, as process.connect takes it."""
        listen = self.settings["server.listen"]
        if listen.startswith("unix:"):
            return listen[len("unix:"):]
        port, host = re.fullmatch(r"inet:(\d+)@(.+)", listen).groups()
        return host, int(port)

    def launch(self):
        """Starts inkand without waiting for it."""
        self.daemon = Process("inkand", [f"{BUILD}/inkand", "-c", self.conf],
                              os.path.join(self.folder, "inkand.log"), env=SANITIZER_ENV)
        return self.daemon

    def start(self):
        """Starts inkand and returns when it answers."""
        self.launch()
        wait_for("inkand listens", self._is_up, 20 * PATIENCE)
        return self

    def _is_up(self):
        """Its workers serve; a crash before that would be a start that failed."""
        log = self.daemon.log_text()
        assert self.daemon.is_alive(), f"inkand ended at its start:\n{log}"
        return "ready: listening" in log and answers(self.address)

    def stop(self):
        """Stops inkand; it must leave with 0 and without a report of a sanitizer."""
        if self.daemon is not None:
            daemon, self.daemon = self.daemon, None
            code = daemon.stop(45)
            assert not daemon.sanitizer_reports(), daemon.log_text()
            assert code == 0, f"inkand ended with {code}:\n{daemon.log_text()}"

    def log(self):
        with open(os.path.join(self.folder, "inkand.log"), encoding="utf-8",
                  errors="replace") as file:
            return file.read()

    def wait_log(self, pattern, seconds=10):
        """The first match of the pattern in the daemon's log."""
        return wait_for(f"log line {pattern!r}",
                        lambda: re.search(pattern, self.log(), re.M), seconds)

    def reason(self, queue_id):
        """What the log says of a message."""
        return self.wait_log(rf"{queue_id}: (.*)$").group(1)
