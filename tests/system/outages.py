# SPDX-License-Identifier: Apache-2.0
"""What the tests of outages share: PostgreSQL with 2,000 domains, daemons on it with empty
caches, and the steady load on them."""

import os
import signal
import subprocess
import time

import pytest

from inkan import BUILD, PATIENCE, Inkan
from load import Load
from peers import parse_records
from postgres import Postgres
from process import wait_for

DOMAINS = 2000
TIMEOUT = 1.0  # store.timeout of the daemons, seconds
ALL = [f"d{number}.example" for number in range(DOMAINS)]
WARM, COLD = ALL[:DOMAINS // 2], ALL[DOMAINS // 2:]


@pytest.fixture(scope="module")
def cluster(module_folder):
    """A primary with 2,000 domains, each with an Ed25519 key of its own."""
    primary = Postgres.primary(module_folder)
    subprocess.run([f"{BUILD}/tests/bench/bench_setup", "--own-keys", "--url", primary.url(),
                    module_folder, str(DOMAINS)], check=True)
    primary.keyring = os.path.join(module_folder, "keyring")
    teller = Inkan(os.path.join(module_folder, "teller"), store__url=primary.url(),
                   vault__keyring=primary.keyring)
    primary.records = parse_records(teller.ok("dns", "records", "--all", "--format", "oneline"))
    assert len(primary.records) == DOMAINS
    yield primary
    primary.stop(signal.SIGQUIT)


@pytest.fixture
def start(cluster, new_inkan):
    """Starts a daemon on a URL. Afterwards the primary runs again, whatever was done to it."""
    made = []

    def make(url, **settings):
        made.append(f"inkan{len(made)}")
        settings.setdefault("store__timeout", f"{int(TIMEOUT * 1000)}ms")
        return new_inkan(made[-1], store__url=url, vault__keyring=cluster.keyring,
                         **settings).start()

    yield make
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
