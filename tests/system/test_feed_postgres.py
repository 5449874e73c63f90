# SPDX-License-Identifier: Apache-2.0
"""The change feed on PostgreSQL: no row is ever skipped, and what was changed is in force on every
worker within two seconds, however the daemon reaches the data base."""

import signal
import threading

import pytest

from inkan import Inkan
from postgres import PgBouncer, Postgres
from process import wait_for
from workers import Daemon


@pytest.fixture(scope="module")
def primary(module_folder):
    server = Postgres.primary(module_folder)
    server.command = Inkan(f"{module_folder}/command", store__url=server.url()).set_up("acme")
    yield server
    server.stop(signal.SIGQUIT)


@pytest.fixture(scope="module")
def standby(primary, module_folder):
    server = primary.standby(module_folder)
    yield server
    server.stop(signal.SIGQUIT)


@pytest.fixture(scope="module")
def urls(primary, standby, module_folder):
    """{way: URL} to the same data."""
    bouncer = PgBouncer(module_folder, {"inkan": primary})
    yield {"direct": primary.url(), "pgbouncer": bouncer.url(), "standby": standby.url()}
    bouncer.stop()


# -- rows are never skipped --------------------------------------------------------------------


class Reader:
    """Reads the feed as a worker does: what is after the cursor, in order."""

    def __init__(self, primary):
        self.session = primary.session()
        self.cursor = int(self.session.run("SELECT coalesce(max(position), 0) FROM change"))
        self.names = []

    def poll(self):
        rows = self.session.run(f"SELECT position, name FROM change WHERE position > {self.cursor}"
                                " ORDER BY position").splitlines()
        for row in rows:
            position, name = row.split("|")
            self.cursor = int(position)
            self.names.append(name)
        return self.names


def insert(name):
    return f"INSERT INTO change (kind, name, time, version) VALUES ('domain', '{name}', 0, 1)"


def overlapping(primary):
    """Two writers with a transaction open each, and a reader."""
    reader, first, second = Reader(primary), primary.session(), primary.session()
    first.run("BEGIN")
    second.run("BEGIN")
    return reader, first, second


def waits_for_a_lock(primary, session):
    return primary.sql(f"SELECT wait_event_type FROM pg_stat_activity WHERE pid = {session.pid}"
                       ) == "Lock"


def test_second_of_two_overlapping_writers_waits_for_the_first(primary):
    reader, first, second = overlapping(primary)
    first.run(insert("first.example"))
    second.send(insert("second.example"))
    wait_for("the second writer waits", lambda: waits_for_a_lock(primary, second))
    assert reader.poll() == []
    first.run("COMMIT")
    second.answer()
    assert reader.poll() == ["first.example"]
    second.run("COMMIT")
    assert reader.poll() == ["first.example", "second.example"]
    for session in (reader.session, first, second):
        session.close()


def test_writer_that_rolls_back_or_dies_holds_nobody_up(primary):
    for end in ("ROLLBACK", None):
        reader, first, second = overlapping(primary)
        first.run(insert("first.example"))
        second.send(insert("second.example"))
        wait_for("the second writer waits", lambda: waits_for_a_lock(primary, second))
        if end:
            first.run(end)
        else:
            primary.sql(f"SELECT pg_terminate_backend({first.pid})")
        second.answer()
        second.run("COMMIT")
        assert reader.poll() == ["second.example"]
        for session in (reader.session, first, second):
            session.close()


def test_without_turns_a_row_is_skipped(primary):
    """Why they take turns: the reader's cursor passes a row that is not committed yet."""
    primary.sql("ALTER TABLE change DISABLE TRIGGER change_turn")
    try:
        reader, first, second = overlapping(primary)
        first.run(insert("first.example"))
        second.run(insert("second.example"))
        second.run("COMMIT")
        assert reader.poll() == ["second.example"]
        first.run("COMMIT")
        assert reader.poll() == ["second.example"], "the order of commits does not matter"
        for session in (reader.session, first, second):
            session.close()
    finally:
        primary.sql("ALTER TABLE change ENABLE TRIGGER change_turn")


def test_promoted_standby_that_lacks_changes_gives_no_position_out_twice(module_folder, new_inkan):
    """The workers are past the positions that were lost; what is changed on the new primary must
    come after them."""
    others = Postgres.primary(module_folder, name="doomed")
    standby = others.standby(module_folder, "heir")
    try:
        command = Inkan(f"{module_folder}/others", store__url=others.url()).set_up("acme")
        command.add_domain("a.example", algorithms=("ed25519-sha256",))
        others.wait_streamed(1)
        daemon = Daemon(new_inkan(
            store__url=f"postgresql://postgres@127.0.0.1:{others.port},127.0.0.1:{standby.port}"
                       "/inkan", vault__keyring=command.keyring).start())
        daemon.becomes("a.example", ["ed25519"])
        standby.stop()
        command.ok("domain", "set", "a.example", "note=seen by the workers, lost with the primary")
        for number in range(3):
            command.add_domain(f"lost{number}.example", algorithms=("ed25519-sha256",))
        daemon.becomes("lost2.example", ["ed25519"])
        last = int(others.sql("SELECT max(position) FROM change"))
        others.stop(signal.SIGQUIT)
        standby.start().promote()
        assert int(standby.sql("SELECT max(position) FROM change")) < last
        command.configure(store__url=standby.url())
        command.ok("domain", "suspend", "a.example")
        daemon.becomes("a.example", [])
        assert int(standby.sql("SELECT min(position) FROM change WHERE name = 'a.example'"
                               f" AND position > {last}")) > last
    finally:
        for server in (others, standby):
            server.stop(signal.SIGQUIT)


def test_many_writers_at_once_and_no_row_is_skipped(primary):
    reader, writers, each = Reader(primary), [primary.session() for _ in range(4)], 100

    def write(session, writer):
        for number in range(each):
            session.run(f"BEGIN; {insert(f'w{writer}-{number}')}; COMMIT")

    threads = [threading.Thread(target=write, args=(session, writer))
               for writer, session in enumerate(writers)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        reader.poll()
    expected = {f"w{writer}-{number}" for writer in range(4) for number in range(each)}
    names = reader.poll()
    assert len(names) == len(expected) and set(names) == expected
    for session in (reader.session, *writers):
        session.close()


# -- in force on every worker ------------------------------------------------------------------


@pytest.mark.parametrize("way", ["direct", "pgbouncer", "standby"])
def test_changes_are_in_force_on_every_worker(primary, urls, new_inkan, way):
    domain, command = f"{way}.example", primary.command
    inkan = new_inkan(store__url=urls[way], vault__keyring=command.keyring).start()
    daemon = Daemon(inkan)
    assert daemon.all_say(domain, [])
    command.add_domain(domain, algorithms=("ed25519-sha256",))
    took = {"added": daemon.becomes(domain, ["ed25519"])}
    command.ok("domain", "suspend", domain)
    took["suspended"] = daemon.becomes(domain, [])
    command.ok("domain", "resume", domain)
    took["resumed"] = daemon.becomes(domain, ["ed25519"])
    command.ok("key", "new", domain, "--algorithm", "ed25519-sha256", "--selector", "next",
               "--activate")
    took["rotated"] = daemon.becomes(domain, ["next"])
    command.ok("tenant", "suspend", "acme")
    took["tenant suspended"] = daemon.becomes(domain, [])
    command.ok("tenant", "resume", "acme")
    took["tenant resumed"] = daemon.becomes(domain, ["next"])
    command.ok("domain", "remove", domain, "--yes")
    took["removed"] = daemon.becomes(domain, [])
    print(way, {change: round(seconds, 2) for change, seconds in took.items()})


def test_direct_connection_hears_at_once(primary, urls, new_inkan):
    """NOTIFY wakes the workers: with polling each second alone, eight changes in a row would not
    all be in force within 0.6 s."""
    command = primary.command
    command.add_domain("awake.example", algorithms=("ed25519-sha256",))
    daemon = Daemon(new_inkan(store__url=urls["direct"], vault__keyring=command.keyring).start())
    daemon.becomes("awake.example", ["ed25519"])
    for _ in range(4):
        command.ok("domain", "suspend", "awake.example")
        assert daemon.becomes("awake.example", []) < 0.6
        command.ok("domain", "resume", "awake.example")
        assert daemon.becomes("awake.example", ["ed25519"]) < 0.6


@pytest.mark.parametrize("wanted, chosen", [
    ("any", "first"), ("primary", "primary"), ("read-write", "primary"), ("standby", "standby"),
    ("read-only", "standby"), ("prefer-standby", "standby")])
@pytest.mark.parametrize("first", ["primary", "standby"])
def test_url_says_which_host_is_asked(primary, standby, new_inkan, wanted, chosen, first):
    """target_session_attrs means to inkan what it means to libpq, whatever the order of hosts."""
    servers = {"primary": primary, "standby": standby}
    order = sorted(servers, key=lambda name: name != first)
    hosts = ",".join(f"127.0.0.1:{servers[name].port}" for name in order)
    inkan = new_inkan(store__url=f"postgresql://postgres@{hosts}/inkan?application_name=chooser"
                                 f"&target_session_attrs={wanted}",
                      vault__keyring=primary.command.keyring, server__workers="1").start()

    def clients():
        return {name: server.sql("SELECT count(*) FROM pg_stat_activity"
                                 " WHERE application_name = 'chooser'") != "0"
                for name, server in servers.items()}

    expected = first if chosen == "first" else chosen
    wait_for(f"connections to the {expected} alone",
             lambda: clients() == {name: name == expected for name in servers})
    inkan.stop()
    wait_for("all have left", lambda: not any(clients().values()))
