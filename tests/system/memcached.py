# SPDX-License-Identifier: Apache-2.0
"""memcached servers of our own, and what an attacker who reaches one can do."""

import os
import re
from urllib.parse import unquote_to_bytes

from process import Process, answers, connect, free_port, wait_for


class Memcached:
    """One server on 127.0.0.1. It keeps its port over stop and start."""

    def __init__(self, folder, name="memcached"):
        self.name = name
        self.port = free_port()
        self.log = os.path.join(folder, f"{name}.log")
        self.process = None
        self.start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        self.process = Process(self.name, [
            "/usr/bin/memcached", "-u", "memcache", "-l", "127.0.0.1", "-p", str(self.port),
            "-m", "64", "-U", "0"], self.log)
        wait_for(f"{self.name} listens", lambda: answers(("127.0.0.1", self.port)))

    def kill(self):
        self.process.kill()

    def stop(self):
        if self.process.is_alive():
            self.process.thaw()
        self.process.kill()

    def pause(self):
        self.process.freeze()

    def resume(self):
        self.process.thaw()

    # -- its text protocol ------------------------------------------------------------------

    def _ask(self, request, end):
        with connect(("127.0.0.1", self.port)) as connection:
            connection.sendall(request)
            answer = b""
            while not answer.endswith(end):
                part = connection.recv(1 << 20)
                assert part, f"{self.name} closed the connection: {answer[-200:]}"
                answer += part
            return answer

    def names(self):
        """The names of all entries."""
        listing = self._ask(b"lru_crawler metadump all\r\n", b"END\r\n")
        return [unquote_to_bytes(name) for name in re.findall(rb"^key=(\S+)", listing, re.M)]

    def entries(self):
        """{name: octets} of all entries."""
        found = {}
        for name in self.names():
            answer = self._ask(b"get " + name + b"\r\n", b"END\r\n")
            head, _, rest = answer.partition(b"\r\n")
            if head.startswith(b"VALUE "):
                found[name] = rest[:int(head.split()[3])]
        return found

    def put(self, name, octets):
        self._ask(b"set %s 0 0 %d\r\n%s\r\n" % (name, len(octets), octets), b"STORED\r\n")

    def flush(self):
        self._ask(b"flush_all\r\n", b"OK\r\n")

    def stats(self):
        lines = self._ask(b"stats\r\n", b"END\r\n").decode().splitlines()
        return {line.split()[1]: line.split()[2] for line in lines if line.startswith("STAT ")}
