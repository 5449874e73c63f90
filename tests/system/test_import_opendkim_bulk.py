# SPDX-License-Identifier: Apache-2.0
"""A provider's whole OpenDKIM, whose domains share one key file, comes in under a minute."""

import resource
import time

import pytest

from inkan import PATIENCE
from takeover import Move
from test_opendkim_model import PATTERNS, fill, material, place, write_files

assert material and place  # fixtures
LINES = 100000


@pytest.fixture
def move(place):
    with Move(place["dir"]) as made:
        write_files({"keys": "".join(f"s1._domainkey.d{n}.test d{n}.test:s1:{{dir}}/rsa.pem\n"
                                     for n in range(LINES)),
                     "rules": "".join(f"*@d{n}.test s1._domainkey.d{n}.test\n"
                                      for n in range(LINES))}, place)
        yield made.configure(fill(PATTERNS, place))


def seconds_of_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_a_hundred_thousand_lines(move):
    """By the time of the processor, of which others on this machine take none away."""
    started, used = time.monotonic(), seconds_of_children()
    answer = move.inkan.run("import", "opendkim", "--tenant", "acme", "--config", move.conf, "--yes",
                            seconds=600)
    seconds, used = time.monotonic() - started, seconds_of_children() - used
    print(f"{LINES} lines in {seconds:.1f} s, {used:.1f} s of the processor")
    assert answer.returncode == 0, answer.stderr
    assert f"{LINES} keys and 0 rules: {LINES} added, 0 existed, 0 failed" in answer.stdout
    assert used < 60 * PATIENCE
