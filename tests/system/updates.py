# SPDX-License-Identifier: Apache-2.0
"""What the tests of dynamic updates need besides a name server: TSIG keys as tsig-keygen makes
them, and somebody between inkan and the server who counts the messages and may tell lies."""

import os
import re
import socket
import struct
import subprocess
import threading

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.tsig

from nameservers import quoted
from process import free_port


class TsigKey:
    """A new key with its file."""

    def __init__(self, folder, name="inkan-publish", algorithm="hmac-sha256", mode=0o600):
        self.name = name
        self.algorithm = algorithm
        self.clause = subprocess.run(["/usr/sbin/tsig-keygen", "-a", algorithm, name],
                                     capture_output=True, text=True, check=True).stdout
        self.secret = re.search(r'secret "([^"]+)"', self.clause).group(1)
        self.path = os.path.join(folder, f"{name}-{algorithm}.key")
        with open(self.path, "w", encoding="ascii") as file:
            file.write(self.clause)
        os.chmod(self.path, mode)

    def dnspython(self):
        return dns.tsig.Key(f"{self.name}.", self.secret, f"{self.algorithm}.")


def no_record(query, zone):
    """The answer of an authoritative server that there is nothing at the name."""
    answer = dns.message.make_response(query)
    answer.flags |= dns.flags.AA
    answer.set_rcode(dns.rcode.NXDOMAIN)
    answer.authority.append(dns.rrset.from_text(
        f"{zone}.", 300, "IN", "SOA", f"ns.{zone}. admin.{zone}. 1 3600 600 86400 300"))
    return answer


def one_record(query, value):
    """The answer of an authoritative server with a TXT record of that value."""
    answer = dns.message.make_response(query)
    answer.flags |= dns.flags.AA
    if query.question[0].rdtype == dns.rdatatype.TXT:
        answer.answer.append(dns.rrset.from_text(query.question[0].name, 300, "IN", "TXT",
                                                 quoted(value)))
    return answer


def _exactly(connection, octets):
    content = b""
    while len(content) < octets:
        part = connection.recv(octets - len(content))
        if not part:
            raise ConnectionError("ended early")
        content += part
    return content


class Middleman:
    """Passes questions (UDP) and updates (TCP) on to the server at `target`, a port. `look(query)`
    may answer a question with a message instead, and `update(octets)` an update with octets; None
    passes it on, and b"" of an update leaves it without an answer."""

    def __init__(self, target=None, look=None, update=None):
        self.target = target
        self.look = look or (lambda query: None)
        self.update = update or (lambda octets: None)
        self.updates = []  # how many octets each message had
        self.port = free_port()
        self._ended = threading.Event()
        self._kept = []
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        self._tcp = socket.create_server(("127.0.0.1", self.port), backlog=128)
        for each in (self._udp, self._tcp):
            each.settimeout(0.05)
        self._threads = [threading.Thread(target=run) for run in (self._questions, self._updates)]
        for thread in self._threads:
            thread.start()

    def stop(self):
        self._ended.set()
        for thread in self._threads:
            thread.join()
        for each in (self._udp, self._tcp, *self._kept):
            each.close()

    def _questions(self):
        while not self._ended.is_set():
            try:
                octets, client = self._udp.recvfrom(65535)
            except socket.timeout:
                continue
            query = dns.message.from_wire(octets)
            answer = self.look(query)
            if answer is None:
                answer = dns.query.udp(query, "127.0.0.1", 5, self.target)
            self._udp.sendto(answer.to_wire(), client)

    def _updates(self):
        while not self._ended.is_set():
            try:
                connection = self._tcp.accept()[0]
            except socket.timeout:
                continue
            connection.settimeout(5)
            octets = _exactly(connection, struct.unpack("!H", _exactly(connection, 2))[0])
            self.updates.append(len(octets))
            answer = self.update(octets)
            if answer == b"":
                self._kept.append(connection)
                continue
            if answer is None:
                answer = self._pass_on(octets)
            connection.sendall(struct.pack("!H", len(answer)) + answer)
            connection.close()

    def _pass_on(self, octets):
        with socket.create_connection(("127.0.0.1", self.target), 5) as server:
            server.sendall(struct.pack("!H", len(octets)) + octets)
            return _exactly(server, struct.unpack("!H", _exactly(server, 2))[0])
