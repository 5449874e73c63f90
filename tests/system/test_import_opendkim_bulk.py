# SPDX-License-Identifier: Apache-2.0
"""A provider's whole OpenDKIM, whose domains share one key file, comes in under a minute."""

import resource
import time

import pytest

from inkan import PATIENCE
from postgres import Postgres
from takeover import Move, move
from test_opendkim_model import PATTERNS, fill, material, place, write_files

assert material and move and place  # fixtures
LINES = 100000
FEW = 5000


def configure(move, count, form, first=""):
    """With a rule of that form for each domain."""
    write_files({"keys": "".join(f"s1._domainkey.d{n}.test d{n}.test:s1:{{dir}}/rsa.pem\n"
                                 for n in range(count)),
                 "rules": first + "".join(f"{form.replace('#', str(n))} s1._domainkey.d{n}.test\n"
                                          for n in range(count))}, move.place)
    return move.configure(fill(PATTERNS, move.place))


def seconds_of_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.fixture
def server(folder):
    """With all settings as PostgreSQL has them by itself, so each commit is on the disk."""
    server = Postgres.primary(folder)
    yield server
    server.stop()


def time_import(move, counts, other_seconds=lambda: 0):
    """Seconds of the processor, with those of another program."""
    started, used = time.monotonic(), seconds_of_children() + other_seconds()
    answer = move.inkan.run("import", "opendkim", "--tenant", "acme", "--config", move.conf, "--yes",
                            seconds=600)
    seconds, used = time.monotonic() - started, seconds_of_children() + other_seconds() - used
    print(f"{LINES} lines in {seconds:.1f} s, {used:.1f} s of the processor: {counts}")
    assert answer.returncode == 0, answer.stderr
    assert f"{LINES} keys and 0 rules: {counts}" in answer.stdout
    return used


ALL_NEW = f"{LINES} added, 0 existed, 0 failed"
ALL_THERE = f"0 added, {LINES} existed, 0 failed"


def test_a_hundred_thousand_lines(move):
    """By the time of the processor, of which others on this machine take none away."""
    configure(move, LINES, "*@d#.test")
    for counts in (ALL_NEW, ALL_THERE):
        assert time_import(move, counts) < 60 * PATIENCE


def test_a_hundred_thousand_lines_into_postgresql(place, server):
    """Here the server's time counts as well; it is a child of ours that has not ended yet. Two
    processes that hand each other work suffer most from a host that is busy, so there is a second
    try."""
    used = []
    for database in ("first", "second"):
        server.sql(f"CREATE DATABASE {database}")
        with Move(f"{place['dir']}/{database}", store__url=server.url(database=database)) as move:
            move.place = place
            configure(move, LINES, "*@d#.test")
            used.append(time_import(move, ALL_NEW, server.seconds))
            if used[-1] < 60 * PATIENCE:
                assert time_import(move, ALL_THERE, server.seconds) < 60 * PATIENCE
                break
    assert min(used) < 60 * PATIENCE


def seconds_of(move, count, form, first):
    configure(move, count, form, first)
    used = seconds_of_children()
    answer = move.inkan.run("import", "opendkim", "--tenant", "acme", "--config", move.conf, seconds=600)
    assert f"{count} keys and " in answer.stdout, answer.stderr
    return seconds_of_children() - used


@pytest.mark.parametrize("form, first", [
    ("*@*.d#.test", ""), ("*d#.test", ""), ("ann#@*.test", ""),
    ("*@*.d#.test", "ann@* s1._domainkey.d0.test\nbob@* s1._domainkey.d0.test\n")],
    ids=["below hosts", "ends of hosts", "authors anywhere", "crossings"])
def test_the_time_grows_with_the_lines(form, first, move):
    """And not with their square, whatever the patterns are."""
    one, four = (seconds_of(move, count, form, first) for count in (FEW, 4 * FEW))
    print(f"{form}: {one:.1f} s, four times as many {four:.1f} s")
    assert four < 8 * one + 1
