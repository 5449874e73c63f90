# SPDX-License-Identifier: Apache-2.0
"""What the tests of outages share: a data base with 2,000 domains, daemons on it with empty
caches, and the steady load on them. The fixtures are those of PostgreSQL."""

import os
import signal
import subprocess
import time

import pytest

import messages
from inkan import BUILD, PATIENCE, Inkan
from load import Load
from milter import CONTINUE, REPLY_CODE
from peers import parse_records, signatures_of
from postgres import Postgres
from process import wait_for

DOMAINS = 2000
TIMEOUT = 1.0  # store.timeout of the daemons, seconds
ALL = [f"d{number}.example" for number in range(DOMAINS)]
WARM, COLD = ALL[:DOMAINS // 2], ALL[DOMAINS // 2:]


def fill(server, folder, url, **settings):
    """2,000 domains, each with an Ed25519 key of its own. The server gets two attributes: the
    keyring that opens them, and the records of all."""
    server.keyring = os.path.join(folder, "keyring")
    teller = Inkan(os.path.join(folder, "teller"), vault__keyring=server.keyring, store__url=url,
                   **settings)
    subprocess.run([f"{BUILD}/tests/bench/bench_setup", "--own-keys", "--url", url, "--settings",
                    teller.conf, folder, str(DOMAINS)], check=True)
    server.records = parse_records(teller.ok("dns", "records", "--all", "--format", "oneline"))
    assert len(server.records) == DOMAINS


def starter(server, new_inkan):
    """A function that starts a daemon on a URL that leads to what fill() made."""
    made = []

    def make(url, **settings):
        made.append(f"inkan{len(made)}")
        settings.setdefault("store__timeout", f"{int(TIMEOUT * 1000)}ms")
        return new_inkan(made[-1], store__url=url, vault__keyring=server.keyring,
                         **settings).start()

    return make


@pytest.fixture(scope="module")
def cluster(module_folder):
    primary = Postgres.primary(module_folder)
    fill(primary, module_folder, primary.url())
    yield primary
    primary.stop(signal.SIGQUIT)


@pytest.fixture
def start(cluster, new_inkan):
    """Afterwards the primary runs again, whatever was done to it."""
    yield starter(cluster, new_inkan)
    cluster.resume()
    if not cluster.server.is_alive():
        cluster.start()


def load_on(cluster, *inkans, **options):
    """The load, begun and steady."""
    addresses = [inkan.address for inkan in inkans]
    return Load(addresses, WARM, COLD, cluster.records, patience=PATIENCE, **options).start()


def await_deferred(load, count=3):
    """Waits until the fault is felt: cold domains are deferred."""
    wait_for("cold domains are deferred", lambda: sum(
        r.result == "deferred" and r.sent >= load.fault for r in load.results()) >= count)


def fault_lasts(load, seconds):
    """A fault has a length: that is what these tests are about."""
    time.sleep(max(0, load.fault + seconds - time.monotonic()))


def outage(load, fault, mend, seconds, **expected):
    """The load while a fault lasts that cold domains feel; `expected` as of Load.check."""
    load.fault_begins()
    fault()
    await_deferred(load)
    fault_lasts(load, seconds)
    mend()
    load.fault_ends()
    load.check(TIMEOUT, **expected)


def send(milter, domain):
    verdict, message = milter.message(messages.compose(b"a@" + domain.encode()))
    if verdict == REPLY_CODE:
        assert milter.reply.startswith(b"451"), milter.reply
        return "deferred"
    assert verdict == CONTINUE, verdict
    assert [tags["d"] for tags in signatures_of(message)] == [domain]
    return "signed"
