# SPDX-License-Identifier: Apache-2.0
"""The first command of a new user: deploy/quickstart.sh in a folder and on a port of its own."""

import os
import re
import socket
import subprocess

import pytest

import peers
from process import answers, free_port

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


class Demo:
    def __init__(self, folder):
        self.folder = f"{folder}/demo"
        self.port = free_port()

    def run(self, *arguments):
        return subprocess.run(
            ["sh", "deploy/quickstart.sh", *arguments], cwd=ROOT, capture_output=True, text=True,
            timeout=300, stdin=subprocess.DEVNULL,
            env={**os.environ, "INKAN_DEMO": self.folder, "INKAN_DEMO_PORT": str(self.port)})

    def read(self, name):
        with open(f"{self.folder}/{name}", "rb") as file:
            return file.read()

    def pid(self):
        return int(self.read("inkand.pid"))

    def is_up(self):
        return answers(("127.0.0.1", self.port))


@pytest.fixture
def demo(folder):
    quickstart = Demo(folder)
    yield quickstart
    quickstart.run("--stop")


def test_signs_a_message_others_accept_twice_and_stops(demo):
    for _ in range(2):
        answer = demo.run()
        assert answer.returncode == 0, answer.stdout + answer.stderr
        assert answer.stderr == ""
        record = demo.read("record.txt").decode().strip()
        assert record in answer.stdout
        assert f"smtpd_milters = inet:127.0.0.1:{demo.port}" in answer.stdout
        assert peers.python_dkim(demo.read("signed.eml"), peers.parse_records(record)) == [
            ("demo", True)]
        assert demo.is_up()
    assert {"inkan.conf", "keyring", "inkan.db", "signed.eml", "record.txt", "inkand.log"} <= set(
        os.listdir(demo.folder))
    assert os.stat(f"{demo.folder}/keyring").st_mode & 0o077 == 0
    answer = demo.run("--stop")
    assert answer.returncode == 0 and not demo.is_up()
    assert demo.run("--stop").returncode == 0


def test_second_run_replaces_the_daemon_of_the_first(demo):
    assert demo.run().returncode == 0
    first = demo.pid()
    assert demo.run().returncode == 0
    assert demo.pid() != first and not os.path.exists(f"/proc/{first}")


def test_port_of_another_program_is_one_sentence_and_the_program_goes_on(demo):
    with socket.socket() as other:
        other.bind(("127.0.0.1", demo.port))
        other.listen(5)
        answer = demo.run()
        assert answer.returncode != 0
        assert re.fullmatch(rf"quickstart\.sh: port {demo.port} is taken .*INKAN_DEMO_PORT.*\n",
                            answer.stderr), answer.stderr
        assert demo.is_up()


def test_stop_leaves_a_process_alone_that_only_has_the_number(demo):
    """The pid file of a daemon long gone, its number now another program's."""
    os.makedirs(demo.folder)
    other = subprocess.Popen(["sleep", "60"])
    try:
        with open(f"{demo.folder}/inkand.pid", "w", encoding="ascii") as file:
            file.write(f"{other.pid}\n")
        assert demo.run("--stop").returncode == 0
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_wrong_argument_is_one_sentence(demo):
    answer = demo.run("--halt")
    assert answer.returncode != 0 and len(answer.stderr.splitlines()) == 1


def test_data_base_left_empty_by_a_killed_run_is_made(demo):
    os.makedirs(demo.folder)
    with open(f"{demo.folder}/inkan.db", "wb"):
        pass
    answer = demo.run()
    assert answer.returncode == 0, answer.stdout + answer.stderr
