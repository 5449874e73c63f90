# SPDX-License-Identifier: Apache-2.0
"""Name servers of our own on loopback addresses: BIND with zones that anybody here may update, NSD
with zones as they are given, PowerDNS with its HTTP API, Unbound as the resolver that knows where
these are, and one that misbehaves as it is told. All keep what they have in a temporary folder."""

import json
import os
import pwd
import re
import socket
import sqlite3
import subprocess
import threading
import urllib.request

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.update

from process import Process, free_port, wait_for

SOA = "$TTL 300\n@ SOA ns.{zone}. admin.{zone}. 1 3600 600 86400 300\n@ NS ns.{zone}.\nns A 127.0.0.1\n"
PDNS_SCHEMA = "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql"


def quoted(value, length=255):
    """A value as a master file has it, in strings of at most `length` octets."""
    return " ".join(f'"{value[at:at + length]}"' for at in range(0, len(value), length))


class NameServer:
    """What all have in common: a port of DNS, the first zone to ask for, an account."""

    def __init__(self, folder, name, account, address="127.0.0.1", port=None):
        self.name = name
        self.folder = os.path.join(folder, name)
        self.log = os.path.join(folder, f"{name}.log")
        self.address = address
        self.port = port or free_port()
        self.process = None
        self.zones = ()
        os.mkdir(self.folder)
        self.account = pwd.getpwnam(account)

    def _write_zones(self, zones):
        """zones: names, or {name: text}; a text of None is a file that is not there."""
        texts = zones if isinstance(zones, dict) else {zone: SOA.format(zone=zone) for zone in zones}
        for zone, text in texts.items():
            if text is not None:
                with open(f"{self.folder}/{zone}.zone", "w", encoding="ascii") as file:
                    file.write(text)
        self.zones = [zone for zone, text in texts.items() if text is not None]
        return texts

    def _give_away(self):
        for path in [self.folder, *(f"{self.folder}/{name}" for name in os.listdir(self.folder))]:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def query(self, name, kind="TXT", seconds=5):
        """The answer over TCP, so that it is whole."""
        return dns.query.tcp(dns.message.make_query(name, kind), self.address, seconds, self.port)

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
    """`rule` says who may update a {zone}; keys named there have their clauses in `keys`."""

    def __init__(self, folder, zones, name="named", port=None, *,
                 rule="allow-update {{ 127.0.0.0/8; }};", keys=""):
        super().__init__(folder, name, "bind", port=port)
        clauses = [keys]
        for zone in self._write_zones(zones):
            clauses.append(f'zone "{zone}" {{ type primary; file "{self.folder}/{zone}.zone";'
                           f" {rule.format(zone=zone)} }};\n")
        with open(f"{self.folder}/named.conf", "w", encoding="ascii") as file:
            file.write(f'options {{ directory "{self.folder}"; pid-file none; recursion no;\n'
                       f"listen-on port {self.port} {{ {self.address}; }}; listen-on-v6 {{ none; }};\n"
                       "session-keyfile none; notify no; dnssec-validation no; };\ncontrols { };\n" + "".join(clauses))
        self._give_away()
        self.process = Process(name, ["/usr/sbin/named", "-g", "-u", "bind", "-c",
                                      f"{self.folder}/named.conf"], self.log)
        wait_for(f"{name} answers", self._is_up)

    def set_txt(self, name, *values, ttl=300):
        """Makes these, and no other, the TXT records at a name of one of the zones."""
        zone = max((z for z in self.zones if name.endswith(f".{z}")), key=len)
        update = dns.update.UpdateMessage(zone)
        update.delete(f"{name}.", "TXT")
        for value in values:
            update.add(f"{name}.", ttl, "TXT", quoted(value))
        self._update(update)

    def set_cname(self, name, target=None, ttl=300):
        """Makes the name of one of the zones an alias of the target; None: of nothing."""
        update = dns.update.UpdateMessage(max((z for z in self.zones if name.endswith(f".{z}")),
                                              key=len))
        update.delete(f"{name}.", "CNAME")
        if target is not None:
            update.add(f"{name}.", ttl, "CNAME", f"{target}.")
        self._update(update)

    def _update(self, update):
        answer = dns.query.tcp(update, self.address, 5, self.port)
        assert answer.rcode() == dns.rcode.NOERROR, answer


class Nsd(NameServer):
    """Does not change: a server whose copy of a zone is another than BIND's lags behind."""

    def __init__(self, folder, zones, name="nsd", addresses=("127.0.0.1",), port=None):
        super().__init__(folder, name, "nsd", addresses[0], port)
        listen = "".join(f" ip-address: {each}@{self.port}\n" for each in addresses)
        clauses = [f'zone:\n name: "{zone}"\n zonefile: "{self.folder}/{zone}.zone"\n'
                   for zone in self._write_zones(zones)]
        with open(f"{self.folder}/nsd.conf", "w", encoding="ascii") as file:
            file.write(f"server:\n{listen} username: nsd\n"
                       f' zonesdir: "{self.folder}"\n database: ""\n pidfile: ""\n chroot: ""\n'
                       f' xfrdfile: "{self.folder}/xfrd"\n zonelistfile: "{self.folder}/zones"\n'
                       f' xfrdir: "{self.folder}"\n server-count: 1\n rrl-ratelimit: 0\n'
                       " reuseport: no\nremote-control:\n control-enable: no\n" + "".join(clauses))
        self._give_away()
        self.process = Process(name, ["/usr/sbin/nsd", "-d", "-c", f"{self.folder}/nsd.conf"],
                               self.log)
        wait_for(f"{name} answers", self._is_up)


class Unbound(NameServer):
    """A resolver that finds each zone at the addresses given for it, all at one port."""

    def __init__(self, folder, zones, zone_port, name="unbound", address="127.0.0.1", port=None):
        super().__init__(folder, name, "unbound", address, port)
        with socket.socket() as probe:  # whether it may listen there
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, self.port))
        self.zones = list(zones)
        with open(f"{self.folder}/unbound.conf", "w", encoding="ascii") as file:
            file.write(f"server:\n interface: {address}@{self.port}\n"
                       f' username: "unbound"\n chroot: ""\n directory: "{self.folder}"\n'
                       ' pidfile: ""\n use-syslog: no\n do-not-query-localhost: no\n'
                       ' module-config: "iterator"\n num-threads: 1\n ip-ratelimit: 0\n log-queries: yes\n'
                       "remote-control:\n control-enable: no\n")
            for zone, addresses in zones.items():
                file.write(f'stub-zone:\n name: "{zone}"\n')
                file.writelines(f" stub-addr: {each}@{zone_port}\n" for each in addresses)
        self._give_away()
        self.process = Process(name, ["/usr/sbin/unbound", "-d", "-c",
                                      f"{self.folder}/unbound.conf"], self.log)
        wait_for(f"{name} answers", self._is_up)

    def was_asked_for(self, name):
        """Whether anybody asked for the name or one below it."""
        return re.search(rf"info: \S+ (\S+\.)?{re.escape(name)}\. [A-Z]+ IN", self.process.log_text())


class Misbehaving:
    """Answers over UDP whatever `answers(query)` gives, a list of messages or octets; TCP is
    refused."""

    def __init__(self, address, port, answers):
        self.answers = answers
        self.fault = None
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, port))
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        while self.fault is None:
            octets, peer = self.socket.recvfrom(65535)
            if not octets:
                return
            try:
                for answer in self.answers(dns.message.from_wire(octets)):
                    wire = answer if isinstance(answer, bytes) else answer.to_wire()
                    self.socket.sendto(wire, peer)
            except Exception as fault:
                self.fault = fault

    def stop(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"", self.socket.getsockname())
        self.thread.join()
        self.socket.close()
        assert self.fault is None, repr(self.fault)


class PowerDNS(NameServer):
    KEY = "of the tests"

    def __init__(self, folder, zones, name="pdns", settings=""):
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
                       "cache-ttl=0\nquery-cache-ttl=0\nnegquery-cache-ttl=0\nzone-cache-refresh-interval=0\n"
                       + settings)
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

    def util(self, *arguments):
        """pdnsutil, beside the running server."""
        subprocess.run(["/usr/bin/pdnsutil", f"--config-dir={self.folder}", *arguments],
                       check=True, capture_output=True)

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
