#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Measures inkand side by side with OpenDKIM over the same domains in the same directory.

A slapd of its own in a temporary folder gets the domains twice: below inkan's base, and with the
schema and the filters that OpenDKIM's README.LDAP describes (the key found by its domain and not by
its selector, which all domains share here). What is measured is said at the top of beside.py; what
cold domains cost is the server's own count of searches.

Needs a release build (cmake --preset release && cmake --build build), root, and Debian's slapd,
ldap-utils and opendkim.

  ldap.py                    100,000 domains, 20,000 messages a round
  ldap.py --domains 10000    fewer
"""
import base64
import os
import time

import beside  # first: it says where the modules of the system tests are
from ldap import CONFIG, SUFFIX, Slapd  # noqa: E402
from test_ldap_mapped import OPENDKIM_SCHEMA, as_config  # noqa: E402

NEEDED = {
    "/usr/sbin/slapd": "slapd",
    "/usr/bin/ldapadd": "ldap-utils",
    "/usr/sbin/opendkim": "opendkim",
}
THEIR_BASE = f"ou=opendkim,{SUFFIX}"
INDEXES = """\
dn: olcDatabase={1}mdb,cn=config
changetype: modify
add: olcDbIndex
olcDbIndex: DKIMDomain,DKIMIdentity eq
"""
ENTRIES_AT_ONCE = 10000


class Store:
    label = "slapd"

    def __init__(self, folder):
        self.server = Slapd.single(folder, log_level="none")
        self.began = None

    def process(self):
        return self.server.process

    def stop(self):
        self.server.stop()

    def settings(self):
        return self.server.settings()

    def fill(self, domains, folder):
        conf = beside.Inkan(f"{folder}/filler", **self.settings()).conf
        pem = beside.set_up(folder, domains, "--url", self.server.url(), "--settings", conf)
        print(f"{domains} domains take {self.size() >> 20} MiB of slapd's data base", flush=True)
        key = base64.b64encode(pem.encode()).decode()
        self.server.ldif_add(as_config("opendkim", OPENDKIM_SCHEMA), CONFIG)
        self.server.modify(INDEXES, CONFIG)
        self.server.ldif_add(f"dn: {THEIR_BASE}\nobjectClass: organizationalUnit\nou: opendkim\n")
        for first in range(0, domains, ENTRIES_AT_ONCE):
            self.server.ldif_add("\n".join(
                f"dn: DKIMDomain=d{n}.example,{THEIR_BASE}\nobjectClass: DKIM\nDKIMSelector: s1\n"
                f"DKIMDomain: d{n}.example\nDKIMIdentity: d{n}.example\nDKIMKey:: {key}\n"
                for n in range(first, min(first + ENTRIES_AT_ONCE, domains))))

    def size(self):
        """The file has holes: what it takes of the disk."""
        return 512 * os.stat(f"{self.server.folder}/data/data.mdb").st_blocks

    def opendkim_lines(self):
        url = f"{self.server.plain_url}/{THEIR_BASE}"
        return (f"SigningTable {url}?DKIMDomain?sub?(DKIMIdentity=$d)\n"
                f"KeyTable {url}?DKIMDomain,DKIMSelector,DKIMKey?sub?(DKIMDomain=$d)\n")

    def asked_by_opendkim(self):
        return self.server.operations()

    def begin_count(self):
        self.began = (self.server.operations(), time.monotonic())

    def count(self):
        searches = self.server.operations() - self.began[0]
        seconds = time.monotonic() - self.began[1]
        return (f"{searches} searches in {seconds:.0f} s (besides, each worker reads the feed every "
                "second, and each of its connections begins with two)")


if __name__ == "__main__":
    arguments = beside.arguments(__doc__)
    beside.check_needs(NEEDED)
    beside.run(arguments, Store)
