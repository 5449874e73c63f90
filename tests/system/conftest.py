# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the system tests: real programs, started once where that is enough, with their
logs shown when a test fails."""

import os
import shutil
import tempfile
from types import SimpleNamespace

import pytest

import process
from inkan import BUILD, Inkan
from postfix import Postfix
from process import free_port
from sink import Sink

LOG_LINES = 80


def pytest_sessionstart(session):
    del session
    if os.geteuid() != 0:
        pytest.exit("the system tests need root: Postfix and the dropping of privileges", 2)
    for program in ("inkan", "inkand"):
        if not os.access(f"{BUILD}/{program}", os.X_OK):
            pytest.exit(f"{BUILD}/{program} is missing: build first (cmake --preset release && "
                        "cmake --build --preset release)", 2)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for started in process.Process.started:
            if os.path.exists(started.log):
                lines = started.log_text().splitlines()[-LOG_LINES:]
                report.sections.append((f"log of {started.name} ({started.pid})", "\n".join(lines)))


@pytest.fixture(autouse=True)
def forget_ended_processes():
    """Logs of a failure are those of programs that ran in this test."""
    yield
    process.Process.started = [p for p in process.Process.started if p.is_alive()]


@pytest.fixture(scope="session")
def workdir():
    """A folder every user may enter; Postfix and the workers are not root."""
    path = tempfile.mkdtemp(prefix="inkan-system-")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def folder(workdir):
    """A fresh folder for one test."""
    path = tempfile.mkdtemp(dir=workdir)
    os.chmod(path, 0o755)
    return path


@pytest.fixture(scope="module")
def module_folder(workdir):
    path = tempfile.mkdtemp(dir=workdir)
    os.chmod(path, 0o755)
    return path


@pytest.fixture(scope="session")
def sink():
    server = Sink()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def places(workdir):
    """Addresses kept free for the filters Postfix knows of; each belongs to one test at a
    time."""
    os.mkdir(f"{workdir}/run")
    return SimpleNamespace(tcp=free_port(), opendkim=free_port(), unix=f"{workdir}/run/inkan.sock")


@pytest.fixture(scope="session")
def postfix(workdir, sink, places):
    """One Postfix for all tests, with a service for each filter and one without."""
    server = Postfix(f"{workdir}/postfix", sink, {
        "tcp": f"inet:127.0.0.1:{places.tcp}",
        "unix": f"unix:{places.unix}",
        "opendkim": f"inet:127.0.0.1:{places.opendkim}",
        "none": "",
    }, local="tcp")
    yield server
    server.stop()


@pytest.fixture
def new_inkan(folder):
    """Makes installations that are stopped at the end of the test."""
    made = []

    def make(name="inkan", **settings):
        made.append(Inkan(os.path.join(folder, name), **settings))
        return made[-1]

    yield make
    for inkan in made:
        inkan.stop()
