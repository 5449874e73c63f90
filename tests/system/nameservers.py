# SPDX-License-Identifier: Apache-2.0
"""Authoritative name servers of our own on 127.0.0.1: BIND with zones that anybody here may update,
and PowerDNS with its HTTP API. Both keep what they are told in a temporary folder."""

import json
import os
import pwd
import sqlite3
import urllib.request

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from process import Process, free_port, wait_for

SOA = "$TTL 300\n@ SOA ns.{zone}. admin.{zone}. 1 3600 600 86400 300\n@ NS ns.{zone}.\nns A 127.0.0.1\n"
PDNS_SCHEMA = "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql"


class NameServer:
    """What both have in common: a port of DNS."""

    def __init__(self, folder, name, account):
        self.name = name
        self.folder = os.path.join(folder, name)
        self.log = os.path.join(folder, f"{name}.log")
        self.port = free_port()
        self.process = None
        os.mkdir(self.folder)
        self.account = pwd.getpwnam(account)

    def _give_away(self):
        for path in [self.folder, *(f"{self.folder}/{name}" for name in os.listdir(self.folder))]:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def query(self, name, kind="TXT", seconds=5):
        """The answer over TCP, so that it is whole."""
        return dns.query.tcp(dns.message.make_query(name, kind), "127.0.0.1", seconds, self.port)

    def txt(self, name):
        """The joined values of the TXT records at a name."""
        answer = self.query(name)
        assert answer.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN), answer
        return [b"".join(record.strings).decode() for rrset in answer.answer for record in rrset
                if rrset.rdtype == dns.rdatatype.TXT]

    def _is_up(self):
        assert self.process.is_alive(), f"{self.name} ended:\n{self.process.log_text()}"
        try:
            return self.query(self.zones[0], "SOA", 1).rcode() == dns.rcode.NOERROR
        except (OSError, dns.exception.DNSException):
            return False

    def stop(self):
        self.process.stop()


class Bind(NameServer):
    def __init__(self, folder, zones, name="named"):
        super().__init__(folder, name, "bind")
        self.zones = zones
        clauses = []
        for zone in zones:
            with open(f"{self.folder}/{zone}.zone", "w", encoding="ascii") as file:
                file.write(SOA.format(zone=zone))
            clauses.append(f'zone "{zone}" {{ type primary; file "{self.folder}/{zone}.zone";'
                           " allow-update { 127.0.0.1; }; };\n")
        with open(f"{self.folder}/named.conf", "w", encoding="ascii") as file:
            file.write(f'options {{ directory "{self.folder}"; pid-file none; recursion no;\n'
                       f"listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n"
                       "session-keyfile none; notify no; };\ncontrols { };\n" + "".join(clauses))
        self._give_away()
        self.process = Process(name, ["/usr/sbin/named", "-g", "-u", "bind", "-c",
                                      f"{self.folder}/named.conf"], self.log)
        wait_for(f"{name} answers", self._is_up)


class PowerDNS(NameServer):
    KEY = "of the tests"

    def __init__(self, folder, zones, name="pdns"):
        super().__init__(folder, name, "pdns")
        self.zones = zones
        self.http_port = free_port()
        with sqlite3.connect(f"{self.folder}/pdns.db") as database:
            with open(PDNS_SCHEMA, encoding="ascii") as file:
                database.executescript(file.read())
        database.close()
        with open(f"{self.folder}/pdns.conf", "w", encoding="ascii") as file:
            file.write(f"launch=gsqlite3\ngsqlite3-database={self.folder}/pdns.db\n"
                       f"local-address=127.0.0.1\nlocal-port={self.port}\napi=yes\n"
                       f"api-key={self.KEY}\nwebserver=yes\nwebserver-address=127.0.0.1\n"
                       f"webserver-port={self.http_port}\nsocket-dir={self.folder}\n"
                       "setuid=pdns\nsetgid=pdns\nguardian=no\ndaemon=no\n"
                       "cache-ttl=0\nquery-cache-ttl=0\nnegquery-cache-ttl=0\nzone-cache-refresh-interval=0\n")
        self._give_away()
        self.process = Process(name, ["/usr/sbin/pdns_server", f"--config-dir={self.folder}"],
                               self.log)
        wait_for(f"{name} listens", self._takes_requests)
        for zone in zones:
            self.request("POST", "", {"name": f"{zone}.", "kind": "Native",
                                      "nameservers": [f"ns.{zone}."]})
        wait_for(f"{name} answers", self._is_up)

    def _takes_requests(self):
        assert self.process.is_alive(), f"{self.name} ended:\n{self.process.log_text()}"
        try:
            return self.request("GET", "") == []
        except OSError:
            return False

    def request(self, method, zone, body=None):
        """What the API answers; an OSError when it refuses."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http_port}/api/v1/servers/localhost/zones"
            + (f"/{zone}" if zone else ""), method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"X-API-Key": self.KEY, "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None
