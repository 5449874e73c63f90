# SPDX-License-Identifier: Apache-2.0
"""Passwords and TLS on the way to PostgreSQL, as docs/cluster.md has them in the URL: with a real
server that asks for a password (SCRAM) and takes no connection without TLS."""

import os
import pwd
import shutil

import pytest

import messages
from ldap import Authority
from milter import REPLY_CODE, Milter
from postgres import Postgres

OK, REFUSED, TEMPORARY = 0, 3, 75
PASSWORD = "pass:word with\\ all"


@pytest.fixture(scope="module")
def authority(module_folder):
    return Authority(module_folder)


@pytest.fixture(scope="module")
def server(module_folder, authority):
    """Takes the role `inkan` over TLS with its password only."""
    primary = Postgres.primary(module_folder)
    primary.sql(f"CREATE ROLE inkan LOGIN SUPERUSER PASSWORD '{PASSWORD}'")
    owner = pwd.getpwnam("postgres")
    for source, name in zip(authority.issue("server", "IP:127.0.0.1"), ("pem", "key")):
        path = f"{primary.data}/server.{name}"
        shutil.copyfile(source, path)
        os.chown(path, owner.pw_uid, owner.pw_gid)
        os.chmod(path, 0o600)
    primary.sql("ALTER SYSTEM SET ssl_cert_file = 'server.pem'")
    primary.sql("ALTER SYSTEM SET ssl_key_file = 'server.key'")
    primary.sql("ALTER SYSTEM SET ssl = on")
    with open(f"{primary.data}/pg_hba.conf", encoding="ascii") as file:
        rest = file.read()
    with open(f"{primary.data}/pg_hba.conf", "w", encoding="ascii") as file:
        file.write(f"hostssl all inkan 127.0.0.1/32 scram-sha-256\nhost all inkan all reject\n{rest}")
    primary.stop()
    primary.start()
    yield primary
    primary.stop()


@pytest.fixture
def url(server, authority, folder):
    """A function for a URL with these options; a password file and the authority are given."""
    passfile = f"{folder}/pgpass"

    def make(password=PASSWORD, **options):
        escaped = password.replace("\\", "\\\\").replace(":", "\\:")
        with open(passfile, "w", encoding="ascii",
                  opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(f"127.0.0.1:{server.port}:inkan:inkan:{escaped}\n")
        options = {"passfile": passfile, "sslmode": "verify-full",
                   "sslrootcert": authority.certificate, **options}
        return server.url(user="inkan") + "?" + "&".join(f"{key}={value}"
                                                         for key, value in options.items() if value)

    return make


def test_password_from_a_file_over_tls(server, url, new_inkan):
    inkan = new_inkan(store__url=url()).set_up("acme")
    inkan.add_domain("tls.example", algorithms=("ed25519-sha256",))
    inkan.start()
    with Milter(inkan.address) as milter:
        milter.greet()
        milter.message(messages.compose(b"a@tls.example"), queue_id="TLS")
    assert "DKIM-Signature field added" in inkan.reason("TLS")
    assert set(server.sql("SELECT version FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
                          " WHERE usename = 'inkan'").split()) == {"TLSv1.3"}


def refused(inkan, code):
    """The sentence, which shows no password, not even a part of the line it stands in."""
    answer = inkan.run("tenant", "list")
    assert (answer.returncode, answer.stdout) == (code, "")
    assert "word with" not in answer.stderr and "wrong" not in answer.stderr
    return answer.stderr


def test_password_that_is_wrong_or_missing(url, new_inkan):
    inkan = new_inkan("wrong", store__url=url(password="wrong"))
    assert "password authentication failed for user \"inkan\"" in refused(inkan, REFUSED)
    inkan = new_inkan("missing", store__url=url(passfile="/nonexistent"))
    assert "no password supplied" in refused(inkan, REFUSED)


def test_password_in_the_url_is_refused_and_not_shown(server, new_inkan):
    for text in (f"postgresql://inkan:wrong@127.0.0.1:{server.port}/inkan",
                 server.url(user="inkan") + "?password=wrong"):
        inkan = new_inkan(store__url=text)
        assert "give passfile=FILE instead" in refused(inkan, 2)


def test_connection_without_tls_is_refused_by_the_server(url, new_inkan):
    inkan = new_inkan(store__url=url(sslmode="disable"))
    assert "no encryption" in refused(inkan, REFUSED)


def test_certificate_that_nobody_vouches_for(folder, url, new_inkan):
    other = Authority(folder, "other")
    inkan = new_inkan(store__url=url(sslrootcert=other.certificate))
    assert "certificate verify failed" in refused(inkan, TEMPORARY)


def test_certificate_of_another_host(server, url, new_inkan):
    named = url().replace("@127.0.0.1", "@localhost") + "&hostaddr=127.0.0.1"
    inkan = new_inkan(store__url=named)
    assert 'does not match host name "localhost"' in refused(inkan, TEMPORARY)


def test_server_that_has_no_tls(module_folder, url, new_inkan, server):
    bare = Postgres.primary(module_folder, name="bare")
    try:
        inkan = new_inkan(store__url=url().replace(f":{server.port}/", f":{bare.port}/"))
        assert "does not support SSL" in refused(inkan, TEMPORARY)
    finally:
        bare.stop()
