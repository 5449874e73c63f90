# SPDX-License-Identifier: Apache-2.0
"""inkand as a service: start, reload, stop, dying workers, privileges."""

import os
import pwd
import signal
import socket
import stat
import threading
import time

import pytest

import messages
import peers
from inkan import BUILD, PATIENCE
from milter import CONTINUE, REPLY_CODE, TEMPFAIL, Closed, Milter
from process import Process, answers, wait_for

GOOD = messages.compose(b"a@example.com")
EXIT_INVALID, EXIT_REFUSED, EXIT_BROKEN, EXIT_TEMPORARY = 2, 3, 70, 75


@pytest.fixture
def inkan(new_inkan):
    installation = new_inkan().set_up("acme")
    installation.add_domain("example.com")
    return installation


def signs(inkan):
    with Milter(inkan.address) as milter:
        milter.greet()
        verdict, message = milter.message(GOOD)
        return verdict == CONTINUE and len(peers.signatures_of(message)) == 1


def uid_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        (line,) = [line for line in file if line.startswith("Uid:")]
    return set(line.split()[1:])


class Load:
    """Clients that send message after message until told to stop. A message is lost when its
    session ends without a verdict on it, or when it comes back unsigned; it is deferred when the
    MTA is told to try again."""

    def __init__(self, inkan, clients=4):
        self.inkan = inkan
        self.signed = 0
        self.lost = []
        self.deferred = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _run(self):
        while not self._stop.is_set():
            try:
                milter = Milter(self.inkan.address)
                milter.greet()
            except (OSError, Closed):
                self._stop.wait(0.05)  # nobody there: an MTA would try again
                continue
            with milter:
                self._send_messages(milter)

    def _send_messages(self, milter):
        for _ in range(20):
            if self._stop.is_set():
                return
            try:
                milter.envelope("LOAD1")
            except (OSError, Closed):
                return  # closed between two messages: nothing was promised
            try:
                verdict, message = self._finish(milter)
            except (OSError, Closed) as problem:
                self._count(None, problem)
                return
            self._count(verdict, message)

    @staticmethod
    def _finish(milter):
        verdict = milter.content(GOOD)
        inserted = []
        if verdict == CONTINUE:
            verdict, inserted = milter.end()
        return verdict, b"".join(name for _, name, _ in inserted)

    def _count(self, verdict, what):
        with self._lock:
            if verdict == CONTINUE and what == b"DKIM-Signature":
                self.signed += 1
            elif verdict in (TEMPFAIL, REPLY_CODE):
                self.deferred += 1
            else:
                self.lost.append((verdict, what))

    def wait_for_more(self, count=30):
        """Until so many more messages were signed."""
        goal = self.signed + count
        wait_for("messages under load", lambda: self.signed >= goal, 30 * PATIENCE)

    def end(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def load(inkan):
    inkan.start()
    clients = Load(inkan)
    clients.wait_for_more()
    yield clients
    clients.end()


def test_killed_worker_is_replaced_and_others_go_on(inkan, load):
    victim, other = inkan.daemon.children()
    os.kill(victim, signal.SIGKILL)
    inkan.wait_log(rf"worker {victim} was ended by signal 9")
    load.wait_for_more()
    wait_for("a new worker", lambda: len(inkan.daemon.children()) == 2)
    assert victim not in inkan.daemon.children() and other in inkan.daemon.children()
    load.wait_for_more()
    assert len(load.lost) <= 4, "only sessions of the killed worker may end"


def test_sigterm_under_load_loses_no_message(inkan, load):
    inkan.daemon.signal(signal.SIGTERM)
    code = inkan.daemon.wait_exit(40)
    load.end()
    assert load.lost == []  # what began after the signal is deferred
    assert code == 0
    assert not answers(inkan.address)


def test_sigterm_waits_for_the_message_in_work(inkan):
    inkan.start()
    with Milter(inkan.address) as milter:
        milter.greet()
        milter.envelope("SLOW1")
        milter.content(GOOD)
        inkan.daemon.signal(signal.SIGTERM)
        wait_for("nobody listens", lambda: not answers(inkan.address))
        verdict, inserted = milter.end()
    assert verdict == CONTINUE and len(inserted) == 1
    assert inkan.daemon.wait_exit(40) == 0


def test_sigterm_ends_a_session_that_never_finishes(new_inkan):
    inkan = new_inkan(server__drain="1s").set_up("acme")
    inkan.add_domain("example.com")
    inkan.start()
    with Milter(inkan.address) as milter:
        milter.greet()
        milter.envelope("NEVER1")
        start = time.monotonic()
        inkan.stop()
        assert time.monotonic() - start < 15 * PATIENCE


def test_sighup_with_good_settings_under_load_loses_no_message(inkan, load):
    before = inkan.daemon.children()
    inkan.configure(sign__canonicalization="simple/simple")
    inkan.daemon.signal(signal.SIGHUP)
    inkan.wait_log("reloaded: 2 new workers serve", 30)
    load.wait_for_more()

    def canonicalization():
        with Milter(inkan.address) as milter:
            milter.greet()
            _, signed = milter.message(GOOD)
        return peers.signatures_of(signed)[0]["c"]

    # A worker that is being replaced may have taken one more connection before it heard of it.
    wait_for("the new settings sign", lambda: canonicalization() == "simple/simple", 5)
    load.end()
    wait_for("old workers are gone", lambda: not set(before) & set(inkan.daemon.children()), 40)
    assert load.lost == [] and load.deferred == 0


def test_sighup_with_broken_settings_changes_nothing(inkan, load):
    before = inkan.daemon.children()
    inkan.configure(sign__canonicalization="strict", server__workers="none")
    inkan.daemon.signal(signal.SIGHUP)
    inkan.wait_log("the settings stay as they were")
    assert '[sign] canonicalization: "strict"' in inkan.log()
    assert '[server] workers: "none"' in inkan.log()
    load.wait_for_more()
    load.end()
    assert inkan.daemon.children() == before
    assert load.lost == [] and load.deferred == 0


def test_supervisor_killed_leaves_no_worker_behind(inkan):
    daemon = inkan.start().daemon
    workers = daemon.children()
    daemon.signal(signal.SIGKILL)
    daemon.wait_exit()
    inkan.daemon = None
    wait_for("workers are gone",
             lambda: not any(os.path.exists(f"/proc/{pid}") for pid in workers), 40)


def test_unix_socket_remains_when_a_worker_dies_and_goes_at_the_stop(new_inkan, folder):
    path = f"{folder}/inkan.sock"
    inkan = new_inkan(server__listen=f"unix:{path}", server__socket_mode="0600").set_up("acme")
    inkan.add_domain("example.com")
    inkan.start()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    for victim in inkan.daemon.children():
        os.kill(victim, signal.SIGKILL)
        inkan.wait_log(rf"worker {victim} was ended")
    assert os.path.exists(path)
    wait_for("new workers sign", lambda: signs(inkan))
    inkan.stop()
    assert not os.path.exists(path)


def test_stale_unix_socket_is_replaced(new_inkan, folder):
    path = f"{folder}/inkan.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    inkan = new_inkan(server__listen=f"unix:{path}").set_up("acme")
    inkan.add_domain("example.com")
    inkan.start()
    assert signs(inkan)


def refuses_to_start(inkan):
    """(exit code, what it said) of an inkand that must not start."""
    daemon = inkan.launch()
    code = daemon.wait_exit(30)
    inkan.daemon = None
    assert not daemon.sanitizer_reports(), daemon.log_text()
    return code, daemon.log_text()


def test_living_unix_socket_is_left_alone(new_inkan, folder):
    path = f"{folder}/inkan.sock"
    inkan = new_inkan(server__listen=f"unix:{path}").set_up("acme")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        other.listen(1)
        code, said = refuses_to_start(inkan)
        assert answers(path)
    assert code == EXIT_TEMPORARY and "another program is listening" in said, said


def test_file_at_the_place_of_the_unix_socket_is_left_alone(new_inkan, folder):
    path = f"{folder}/precious"
    with open(path, "w", encoding="ascii") as file:
        file.write("precious")
    code, said = refuses_to_start(new_inkan(server__listen=f"unix:{path}").set_up("acme"))
    assert code == EXIT_INVALID and "not a socket" in said, said
    with open(path, encoding="ascii") as file:
        assert file.read() == "precious"


def test_port_in_use_is_said(inkan):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        inkan.configure(server__listen=f"inet:{other.getsockname()[1]}@127.0.0.1")
        code, said = refuses_to_start(inkan)
    assert code == EXIT_TEMPORARY and "another program is listening" in said, said


def test_workers_run_as_the_user_of_the_settings(inkan):
    """The key-encryption keys stay readable by root alone; the store belongs to the user."""
    nobody = pwd.getpwnam("nobody")
    store = f"{inkan.folder}/store"
    os.mkdir(store)
    for name in os.listdir(inkan.folder):
        if name.startswith("inkan.db"):
            os.rename(f"{inkan.folder}/{name}", f"{store}/{name}")
    inkan.configure(store__url=f"sqlite:{store}/inkan.db", server__user="nobody",
                    server__group="nogroup")
    for path in [store] + [f"{store}/{name}" for name in os.listdir(store)]:
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    assert os.stat(inkan.keyring).st_uid == 0
    assert stat.S_IMODE(os.stat(inkan.keyring).st_mode) & 0o077 == 0
    inkan.start()
    assert signs(inkan)
    for pid in inkan.daemon.children():
        assert uid_of(pid) == {str(nobody.pw_uid)}
    assert uid_of(inkan.daemon.pid) == {"0"}
    # What root writes, beside the workers and without them, leaves the store theirs.
    inkan.ok("domain", "suspend", "example.com")
    wait_for("suspension is seen", lambda: not signs(inkan), 2)
    inkan.stop()
    inkan.ok("domain", "resume", "example.com")
    inkan.start()
    assert signs(inkan)


def test_unknown_user_is_said(inkan):
    inkan.configure(server__user="no-such-user-here")
    code, said = refuses_to_start(inkan)
    assert code == EXIT_INVALID and "no-such-user-here" in said, said


def test_missing_keyring_is_said(inkan):
    os.rename(inkan.keyring, inkan.keyring + ".away")
    code, said = refuses_to_start(inkan)
    assert code == EXIT_BROKEN and inkan.keyring in said, said


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_keyring_others_can_read_is_refused(inkan, mode):
    os.chmod(inkan.keyring, mode)
    code, said = refuses_to_start(inkan)
    assert code == EXIT_REFUSED and inkan.keyring in said, said


def test_broken_keyring_is_refused(inkan):
    with open(inkan.keyring, "w", encoding="ascii") as file:
        file.write("not a keyring\n")
    code, said = refuses_to_start(inkan)
    assert code == EXIT_BROKEN and inkan.keyring in said, said


def test_keyring_without_the_key_of_the_store_is_refused_or_defers(inkan):
    """A key that cannot be opened must never let the message pass unsigned."""
    os.rename(inkan.keyring, inkan.keyring + ".away")
    inkan.ok("vault", "init")
    inkan.start()
    with Milter(inkan.address) as milter:
        milter.greet()
        verdict, message = milter.message(GOOD)
    assert verdict in (TEMPFAIL, REPLY_CODE) and not peers.signatures_of(message)


def test_pid_file_names_the_supervisor_and_goes_at_the_stop(inkan):
    inkan.start()
    path = inkan.settings["server.pid_file"]
    wait_for("pid file", lambda: os.path.exists(path))
    with open(path, encoding="ascii") as file:
        assert int(file.read()) == inkan.daemon.pid
    inkan.stop()
    assert not os.path.exists(path)


def test_store_that_is_not_there_defers_and_is_found_when_it_comes(new_inkan):
    inkan = new_inkan()
    inkan.ok("vault", "init")
    inkan.start()
    with Milter(inkan.address) as milter:
        milter.greet()
        verdict, message = milter.message(GOOD)
        assert verdict in (TEMPFAIL, REPLY_CODE) and not peers.signatures_of(message)
    assert "inkan.db" in inkan.reason("TEST0001")
    inkan.ok("store", "init")
    inkan.ok("tenant", "add", "acme")
    inkan.add_domain("example.com")
    wait_for("the daemon finds the store", lambda: signs(inkan), 5)


def test_store_that_is_not_there_lets_pass_if_the_settings_say_so(new_inkan):
    inkan = new_inkan(sign__on_store_error="accept")
    inkan.ok("vault", "init")
    inkan.start()
    with Milter(inkan.address) as milter:
        milter.greet()
        verdict, message = milter.message(GOOD)
    assert verdict == CONTINUE and not peers.signatures_of(message)
    assert inkan.reason("TEST0001").startswith("not signed: ")


def test_check_says_nothing_of_good_settings(inkan):
    log = f"{inkan.folder}/check.log"
    check = Process("inkand --check", [f"{BUILD}/inkand", "-c", inkan.conf, "--check"], log)
    assert check.wait_exit() == 0
    assert check.log_text() == ""
    assert not answers(inkan.address)


def test_second_daemon_on_the_same_port_does_not_disturb_the_first(inkan, new_inkan):
    inkan.start()
    second = new_inkan("second", server__listen=inkan.settings["server.listen"])
    second.set_up("acme")
    code, said = refuses_to_start(second)
    assert code == EXIT_TEMPORARY, said
    assert signs(inkan)


def test_connection_made_while_the_daemon_starts_is_served(inkan):
    """The very first ones that the port takes: no socket takes them only to be closed again."""
    def knock():
        while True:
            try:
                Milter(inkan.address).close()
                return answers_got.append("served")
            except ConnectionRefusedError:
                pass  # nobody listens yet
            except (Closed, OSError) as cut:
                return answers_got.append(repr(cut))

    for _ in range(10):
        answers_got = []
        knocking = [threading.Thread(target=knock) for _ in range(4)]
        for thread in knocking:
            thread.start()
        inkan.launch()
        for thread in knocking:
            thread.join()
        inkan.stop()
        assert answers_got == ["served"] * 4
