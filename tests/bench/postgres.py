#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Measures inkand side by side with OpenDKIM over the same domains in the same PostgreSQL.

A PostgreSQL of its own in a temporary folder gets the domains twice: as inkan's store and as the
table that OpenDKIM's documents describe. What is measured is said at the top of beside.py; what
cold domains cost is counted by pg_stat_statements.

Needs a release build (cmake --preset release && cmake --build build), root, and Debian's
postgresql-15, opendkim and libopendbx1-pgsql.

  postgres.py                    100,000 domains, 20,000 messages a round
  postgres.py --domains 10000    fewer
"""
import signal

import beside  # first: it says where the modules of the system tests are
from postgres import BIN, Postgres  # noqa: E402

SETTINGS = "shared_buffers = 512MB\nmax_wal_size = 4GB\nfsync = off\nsynchronous_commit = off\n"
NEEDED = {
    f"{BIN}/postgres": "postgresql-15",
    "/usr/sbin/opendkim": "opendkim",
    "/usr/lib/opendbx/libpgsqlbackend.so.1": "libopendbx1-pgsql",
}


class Store:
    label = "PostgreSQL"

    def __init__(self, folder):
        self.server = Postgres.primary(folder, SETTINGS)

    def process(self):
        return self.server.server

    def stop(self):
        self.server.stop(signal.SIGQUIT)

    def settings(self):
        return {"store__url": self.server.url()}

    def fill(self, domains, folder):
        pem = beside.set_up(folder, domains, "--url", self.server.url())
        self.server.sql("CREATE DATABASE opendkim", database="postgres")
        self.server.sql(
            "CREATE TABLE dkim (id serial PRIMARY KEY, domain_name varchar(255) NOT NULL UNIQUE,"
            " selector varchar(63) NOT NULL, private_key text NOT NULL);"
            "INSERT INTO dkim (domain_name, selector, private_key)"
            f" SELECT 'd' || n || '.example', 's1', '{pem}' FROM generate_series(0, {domains - 1})"
            " n;", database="opendkim")
        for database in ("inkan", "opendkim"):
            self.server.sql("VACUUM ANALYZE", database=database)

    def opendkim_lines(self):
        dsn = f"dsn:pgsql://postgres:none@{self.server.port}+127.0.0.1/opendkim/table=dkim"
        return (f"SigningTable {dsn}?keycol=domain_name?datacol=id\n"
                f"KeyTable {dsn}?keycol=id?datacol=domain_name,selector,private_key\n")

    def asked_by_opendkim(self):
        return int(self.server.sql(
            "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements JOIN pg_database d"
            " ON d.oid = dbid WHERE d.datname = 'opendkim'"))

    def begin_count(self):
        self.server.sql("SELECT pg_stat_statements_reset()")

    def count(self):
        answer = self.server.sql(
            "SELECT coalesce(sum(calls), 0), count(*) FROM pg_stat_statements"
            " WHERE query LIKE '%FROM \"place_of\"(%'").split("|")
        return f"{answer[0]} look-ups of {answer[1]} text (each worker's feed asks once)"


if __name__ == "__main__":
    arguments = beside.arguments(__doc__)
    beside.check_needs(NEEDED)
    beside.run(arguments, Store)
