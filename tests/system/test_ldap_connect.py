# SPDX-License-Identifier: Apache-2.0
"""How inkan comes to a directory: TLS and whose certificates it takes, accounts and their passwords,
several hosts, and servers that accept and never answer."""

import os
import socket
import threading
import time

import pytest

from inkan import PATIENCE, Inkan
from ldap import BASE, Authority, Slapd
from process import free_port

DONE, REFUSED, BROKEN, TEMPORARY = 0, 3, 70, 75
CERTIFICATE = "certificate is expired, of another host, or not vouched for by ldap.ca_file"
SECRETS = ("admin-secret", "signer-secret", "root-secret", "wrong-secret")


@pytest.fixture(scope="module")
def authority(module_folder):
    return Authority(module_folder)


@pytest.fixture(scope="module")
def slapd(module_folder, authority):
    server = Slapd.single(module_folder, authority=authority, log_level="none")
    server.way = server.settings()
    Inkan(f"{module_folder}/command", **server.way).set_up("acme")
    yield server
    server.kill()


@pytest.fixture
def listing(slapd, folder):
    """`inkan tenant list` with other settings than those that work."""
    def run(**settings):
        inkan = Inkan(f"{folder}/inkan", **{**slapd.way, **settings})
        answer = inkan.run("tenant", "list")
        for secret in SECRETS:
            assert secret not in answer.stdout + answer.stderr
        assert (answer.returncode == DONE) == ("acme" in answer.stdout)
        return answer
    return run


@pytest.fixture
def password(folder):
    """Writes a file with a password."""
    def write(text, mode=0o600):
        path = f"{folder}/password"
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(path, mode)
        return path
    return write


def refused(answer, code, words):
    assert (answer.returncode, answer.stdout) == (code, "")
    assert words in answer.stderr


# -- TLS -----------------------------------------------------------------------------------


def test_server_without_tls_is_refused_unless_told_otherwise(listing, folder):
    plain = Slapd.single(folder, "plain", log_level="none")
    try:
        answer = listing(store__url=plain.url(), ldap__starttls=None)
        refused(answer, TEMPORARY, "StartTLS, which ldap.starttls demands")
    finally:
        plain.kill()


@pytest.mark.parametrize("scheme", ["ldap", "ldaps"])
def test_certificate_of_the_authority_that_is_named(slapd, listing, authority, folder, scheme):
    way = {"store__url": slapd.url(scheme), "ldap__starttls": None}
    assert listing(**way, ldap__ca_file=authority.certificate).returncode == DONE
    refused(listing(**way), TEMPORARY, CERTIFICATE)
    other = Authority(folder, "other")
    refused(listing(**way, ldap__ca_file=other.certificate), TEMPORARY, CERTIFICATE)
    refused(listing(**way, ldap__ca_file="/nowhere"), BROKEN, "ldap.ca_file: /nowhere")


@pytest.mark.parametrize("fault", [{"hosts": "DNS:elsewhere.example"}, {"days": -1}],
                         ids=["of another host", "expired"])
def test_certificate_that_is_not_good(listing, authority, folder, fault):
    certificate = authority.issue(f"bad{len(fault)}{next(iter(fault))}", **fault)
    server = Slapd(folder, authority=authority, certificate=certificate, log_level="none")
    try:
        for scheme in ("ldap", "ldaps"):
            refused(listing(store__url=server.url(scheme), ldap__starttls=None,
                            ldap__ca_file=authority.certificate), TEMPORARY, CERTIFICATE)
    finally:
        server.kill()


# -- accounts ------------------------------------------------------------------------------


@pytest.mark.parametrize("mechanism, name", [
    (None, "cn=inkan-admin,dc=example,dc=net"), ("SCRAM-SHA-256", "inkan-admin")],
    ids=["simple", "SCRAM"])
def test_account_with_a_password(listing, password, mechanism, name):
    way = {"ldap__sasl_mechanism": mechanism, "ldap__bind_dn": name}
    good = password("admin-secret\nnot this line\n")
    assert listing(**way, ldap__bind_password_file=good).returncode == DONE
    wrong = password("wrong-secret\n")
    refused(listing(**way, ldap__bind_password_file=wrong), REFUSED, "Invalid credentials")


def test_password_file_that_is_not_good(listing, password):
    open_to_all = password("admin-secret\n", 0o644)
    refused(listing(ldap__bind_password_file=open_to_all), REFUSED,
            f"ldap.bind_password_file: {open_to_all}: mode 0644 (must be 0600 or stricter")
    refused(listing(ldap__bind_password_file=password("")), BROKEN, "no password in it")
    refused(listing(ldap__bind_password_file="/nowhere"), BROKEN,
            "/nowhere: cannot open: No such file")
    pipe = password("")
    os.unlink(pipe)
    os.mkfifo(pipe, 0o600)
    refused(listing(ldap__bind_password_file=pipe), REFUSED, "not a regular file")
    refused(listing(ldap__bind_password_file=None), BROKEN, "ldap.bind_password_file: needed")


def test_account_of_whoever_is_behind_the_unix_socket(slapd, listing):
    way = {"store__url": slapd.url("ldapi"), "ldap__bind_dn": None,
           "ldap__bind_password_file": None}
    assert listing(**way, ldap__sasl_mechanism="EXTERNAL").returncode == DONE
    assert listing(**way).returncode != DONE, "anonymous may read nothing"


# -- servers that do not answer ------------------------------------------------------------


class Silent:
    """Takes connections and says nothing, but (agree=True) that it will begin with TLS."""

    def __init__(self, agree=False):
        self.agree = agree
        self.asked = 0
        self._taken = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return
            self.asked += 1
            self._taken.append(connection)
            if self.agree:
                number = connection.recv(4096)[4]
                connection.sendall(bytes((0x30, 12, 2, 1, number, 0x78, 7, 10, 1, 0, 4, 0, 4, 0)))

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        for connection in (self._listener, *self._taken):
            connection.close()


@pytest.fixture(params=["plain", "StartTLS", "TLS", "StartTLS agreed"])
def silent(request, authority):
    """A server, and the settings that lead to where it stops."""
    server = Silent(agree=request.param == "StartTLS agreed")
    server.scheme = "ldaps" if request.param == "TLS" else "ldap"
    server.way = {"ldap__starttls": "no" if request.param == "plain" else None,
                  "ldap__ca_file": authority.certificate, "store__timeout": "1s"}
    yield server
    server.close()


def test_server_that_says_nothing_costs_no_more_than_the_time_out(listing, silent):
    began = time.monotonic()
    answer = listing(store__url=f"{silent.scheme}://{silent.address}/{BASE}", **silent.way)
    refused(answer, TEMPORARY, "the server does not answer")
    assert time.monotonic() - began < 1 + 0.5 * PATIENCE
    assert silent.asked


def test_next_host_after_one_that_says_nothing(slapd, listing, silent):
    """Half of the time-out goes to the first of two."""
    port = slapd.tls_port if silent.scheme == "ldaps" else slapd.port
    began = time.monotonic()
    answer = listing(store__url=f"{silent.scheme}://{silent.address},127.0.0.1:{port}/{BASE}",
                     **silent.way)
    assert answer.returncode == DONE, answer.stderr
    assert 0.4 < time.monotonic() - began < 1 * PATIENCE
    assert silent.asked


def test_next_host_after_one_that_is_not_there(slapd, listing):
    for hosts in (f"127.0.0.1:{free_port()},{slapd.address}",
                  f"{slapd.address},127.0.0.1:{free_port()}"):
        assert listing(store__url=f"ldap://{hosts}/{BASE}").returncode == DONE
    hosts = f"127.0.0.1:{free_port()},127.0.0.1:{free_port()}"
    refused(listing(store__url=f"ldap://{hosts}/{BASE}"), TEMPORARY, "Connection refused")
