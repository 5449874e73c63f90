# SPDX-License-Identifier: Apache-2.0
"""Starting real programs, waiting for conditions, stopping by process id."""

import os
import re
import signal
import socket
import subprocess
import time

SANITIZER = re.compile(r"^.*(?:AddressSanitizer|LeakSanitizer|runtime error:).*$", re.M)

# FIRST-LAST; tests/run.sh gives each of its runs another.
PORTS = range(*(int(port) for port in os.environ.get("INKAN_PORTS", "10000-14999").split("-")))
_given_out = []


def wait_for(what, condition, seconds=20):
    """The first true answer of condition(); fails by name when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.02)


def free_port():
    """A port of 127.0.0.1 nobody listens on, not given out before in this run. Not one of those that
    the kernel gives to outgoing connections, which come and go; and each run that is under way at
    the same time has a range of its own."""
    while True:
        port = PORTS[len(_given_out) % len(PORTS)]
        _given_out.append(port)
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass  # somebody else's


def connect(address, seconds=10):
    """A connected socket for (host, port) or the path of a unix socket."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    connection.settimeout(seconds)
    try:
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


def answers(address):
    try:
        connect(address).close()
        return True
    except OSError:
        return False


def freeze(pid):
    """SIGSTOP, and back only when every thread stands still: the kernel tells them one by one, and
    the last one may still answer on a busy machine."""
    os.kill(pid, signal.SIGSTOP)
    wait_for(f"process {pid} stands still", lambda: set(_states(pid)) == {"T"})


def thaw(pid):
    os.kill(pid, signal.SIGCONT)


def _states(pid):
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/stat", encoding="utf-8", errors="replace") as file:
            yield file.read().rpartition(")")[2].split()[0]


class Process:
    """A program with its output in a log file. Its group is its own, so that stop() can end
    what it left behind."""

    started = []  # for the logs of a test that fails

    def __init__(self, name, command, log, env=None, cwd=None):
        self.name = name
        self.log = log
        with open(log, "ab") as output:
            self.popen = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=cwd,
                env={**os.environ, **(env or {})}, start_new_session=True)
        Process.started.append(self)

    @property
    def pid(self):
        return self.popen.pid

    def is_alive(self):
        return self.popen.poll() is None

    def log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def children(self):
        """Process ids of the direct children."""
        with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as file:
            return [int(pid) for pid in file.read().split()]

    def signal(self, number):
        self.popen.send_signal(number)

    def freeze(self):
        freeze(self.pid)

    def thaw(self):
        self.signal(signal.SIGCONT)

    def wait_exit(self, seconds=30):
        return self.popen.wait(seconds)

    def kill(self):
        """Ends it and what it left behind, without asking."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.popen.wait()

    def stop(self, seconds=30):
        """SIGTERM and the exit code; SIGKILL for the whole group if it does not listen."""
        if self.is_alive():
            self.signal(signal.SIGTERM)
        try:
            code = self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        self.kill()
        assert code is not None, f"{self.name} did not stop within {seconds} s of SIGTERM"
        return code

    def sanitizer_reports(self):
        return SANITIZER.findall(self.log_text())
