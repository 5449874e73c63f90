# SPDX-License-Identifier: Apache-2.0
"""Every worker of a daemon, each spoken to by a session of its own: what was changed in the data
base is in force when all of them say so."""

import os
import time

import messages
from milter import CONTINUE, Milter
from peers import signatures_of
from process import wait_for

SECONDS = 2  # until a change is in force, as promised


def worker_of(inkan, milter):
    """The process id of the worker that serves a connection."""
    mine, port = milter.socket.getsockname()[1], inkan.address[1]
    with open("/proc/net/tcp", encoding="ascii") as file:
        inodes = {line.split()[9] for line in file.readlines()[1:]
                  if [int(end.split(":")[1], 16) for end in line.split()[1:3]] == [port, mine]}
    for pid in inkan.daemon.children():
        for descriptor in os.listdir(f"/proc/{pid}/fd"):
            try:
                target = os.readlink(f"/proc/{pid}/fd/{descriptor}")
            except FileNotFoundError:
                continue  # closed meanwhile
            if target in {f"socket:[{inode}]" for inode in inodes}:
                return pid
    return None


def one_session_a_worker(inkan):
    sessions, spare = {}, []
    workers = set(inkan.daemon.children())

    def try_another():
        milter = Milter(inkan.address)
        milter.greet()
        spare.append(milter)
        sessions.setdefault(worker_of(inkan, milter), milter)
        return workers <= set(sessions)

    wait_for("a session with each worker", try_another)
    for milter in spare:
        if milter not in sessions.values():
            milter.close()
    return [sessions[worker] for worker in workers]


def selectors(milter, domain):
    verdict, message = milter.message(messages.compose(b"a@" + domain.encode()))
    assert verdict == CONTINUE, milter.reply
    return [tags["s"] for tags in signatures_of(message)]


class Daemon:
    """A daemon with two workers, and a session with each."""

    def __init__(self, inkan):
        self.sessions = one_session_a_worker(inkan)

    def all_say(self, domain, expected):
        return all(selectors(milter, domain) == expected for milter in self.sessions)

    def becomes(self, domain, expected):
        """Seconds until every worker says so; and none goes back on it."""
        began = time.monotonic()
        wait_for(f"{domain}: {expected} on every worker",
                 lambda: self.all_say(domain, expected), SECONDS)
        took = time.monotonic() - began
        for _ in range(20):
            assert self.all_say(domain, expected), "it was in force already"
        return took
