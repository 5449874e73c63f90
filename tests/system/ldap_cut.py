# SPDX-License-Identifier: Apache-2.0
"""A proxy for LDAP that counts writes and stops at one of them. It understands just enough of the
encoding (RFC 4511 5.1, BER) to know where a message ends and what it asks for."""

import contextlib
import select
import socket
import threading

from process import connect

WRITES = {0x4A: "delete", 0x66: "modify", 0x68: "add", 0x6C: "move"}


def split(octets):
    """The first whole message, and the rest; (None, octets) while it is not whole."""
    if len(octets) < 2:
        return None, octets
    long = octets[1] & 0x7F if octets[1] & 0x80 else 0
    if len(octets) < 2 + long:
        return None, octets
    length = int.from_bytes(octets[2:2 + long], "big") if long else octets[1]
    end = 2 + long + length
    return (octets[:end], octets[end:]) if len(octets) >= end else (None, octets)


def operation(message):
    """The tag of what a message asks for, behind its number."""
    long = message[1] & 0x7F if message[1] & 0x80 else 0
    number = 2 + long
    return message[number + 2 + message[number + 1]]


class Cut:
    """nth: the write to stop at (None: none); passed: the server does that one, and only its
    answer is lost; hold: the connection stays until release(); late: then that write is passed,
    and all that follow; alone: nobody gets through to the server afterwards."""

    def __init__(self, port, nth=None, passed=False, hold=False, alone=False, late=False):
        self.target = ("127.0.0.1", port)
        self.nth, self.passed, self.hold, self.alone = nth, passed, hold or late, alone
        self.late = late
        self.writes = []
        self.stopped = threading.Event()  # that write was reached
        self._released = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def release(self):
        self._released.set()

    def close(self):
        self.release()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):  # closed
            while True:
                client = self._listener.accept()[0]
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client, contextlib.suppress(OSError):
            if self.alone and self.stopped.is_set():
                return
            with connect(self.target) as server:
                self._pass(client, server)

    def _pass(self, client, server):
        waiting = b""
        while True:
            for end in select.select([client, server], [], [])[0]:
                octets = end.recv(1 << 16)
                if not octets:
                    return
                if end is server:
                    client.sendall(octets)
                    continue
                message, waiting = split(waiting + octets)
                while message is not None:
                    if self._is_the_one(message):
                        self._stop(server, message)
                        if not self.late:
                            return
                    server.sendall(message)
                    message, waiting = split(waiting)

    def _is_the_one(self, message):
        if self.stopped.is_set() or operation(message) not in WRITES:
            return False
        self.writes.append(WRITES[operation(message)])
        return len(self.writes) == self.nth

    def _stop(self, server, message):
        answer = b""
        if self.passed:
            server.sendall(message)
            while split(answer)[0] is None:
                answer += server.recv(1 << 16)
        self.stopped.set()
        if self.hold:
            self._released.wait()
