# SPDX-License-Identifier: Apache-2.0
"""Servers that refer to others: a replica that only reads, a part of the tree that another server
has, and referrals that lead nowhere, to a server that hangs, or back."""

import re
import socket
import threading
import time

import pytest

import messages
from inkan import PATIENCE, Inkan
from ldap import ADMIN, BASE, CONFIG, REPLICA, ROOT, SUFFIX, Authority, Slapd
from milter import REPLY_CODE, Milter
from process import free_port, wait_for

DONE, REFUSED, BROKEN, TEMPORARY = 0, 3, 70, 75
DATA_BASE = "olcDatabase={1}mdb,cn=config"
ED25519 = ("--algorithm", "ed25519-sha256")
TIMEOUT = 1
CIRCLE = "more than 5 servers refer to each other"


@pytest.fixture(scope="module")
def authority(module_folder):
    return Authority(module_folder)


@pytest.fixture(scope="module")
def first(module_folder, authority):
    """Takes changes, and has a store with the tenant acme."""
    server = Slapd.single(module_folder, "first", authority=authority, log_level="none")
    server.keyring = Inkan(f"{module_folder}/first-command", **server.settings()).set_up(
        "acme").keyring
    yield server
    server.kill()


@pytest.fixture(scope="module")
def second(module_folder, authority, first):
    """Has a store of its own, with domains of the tenants globex and initech."""
    server = Slapd.single(module_folder, "second", authority=authority, log_level="none")
    inkan = Inkan(f"{module_folder}/second-command", vault__keyring=first.keyring,
                  **server.settings())
    inkan.ok("store", "init")
    for tenant in ("globex", "initech"):
        inkan.ok("tenant", "add", tenant)
        inkan.add_domain(f"{tenant}.example", tenant, algorithms=("ed25519-sha256",))
    server.command = inkan
    yield server
    server.kill()


def replicate(provider, folder, name, **options):
    """A server that has what the provider has, and refers who wants to change it there."""
    server = Slapd(folder, name, log_level="none", **options)
    line = REPLICA.format(number=1, url=provider.plain_url, suffix=SUFFIX, root=ROOT)
    server.modify(f"dn: {DATA_BASE}\nchangetype: modify\nadd: olcSyncrepl\n{line}\n-\n"
                  f"add: olcUpdateRef\nolcUpdateRef: {provider.plain_url}\n", CONFIG)
    return server


def refer_changes(server, url):
    """Where a replica refers those who want to change something."""
    server.modify(f"dn: {DATA_BASE}\nchangetype: modify\nreplace: olcUpdateRef\n"
                  f"olcUpdateRef: {url}\n", CONFIG)


@pytest.fixture(scope="module")
def replica(module_folder, authority, first):
    server = replicate(first, module_folder, "replica", authority=authority)
    yield server
    server.kill()


@pytest.fixture
def referring(first, replica):
    """The replica; at the end of the test it refers to the first server again."""
    first.wait_replicated(replica)
    yield replica
    refer_changes(replica, first.plain_url)


@pytest.fixture
def command(first, authority, new_inkan):
    """An installation for the store of a server, over TLS."""
    def make(server=first, name="inkan", **more):
        way = {"ldap__starttls": None, "ldap__ca_file": authority.certificate,
               "store__timeout": f"{TIMEOUT}s", "ldap__referrals": "yes", **more}
        return new_inkan(name, vault__keyring=first.keyring, **{**server.settings(), **way})
    return make


@pytest.fixture
def refer(first):
    """Puts a referral into a server in the place of an entry below its tenants."""
    made = []

    def put(url, rdn="cn=there", server=first):
        dn, (kind, name) = f"{rdn},cn=tenants,{BASE}", rdn.split("=")
        done = server._tool("ldapadd", ROOT, "-M", text=(
            f"dn: {dn}\nobjectClass: referral\nobjectClass: extensibleObject\n{kind}: {name}\n"
            f"ref: {url}\n"))
        assert done.returncode == 0, done.stderr
        made.append((server, dn))

    yield put
    for server, dn in made:
        done = server._tool("ldapdelete", ROOT, "-M", dn)
        assert done.returncode == 0, done.stderr


@pytest.fixture
def frozen(authority, folder):
    """A server that has what it needs and hangs."""
    server = Slapd.single(folder, "frozen", authority=authority, log_level="none")
    server.hang()
    yield server
    server.kill()


def domains(inkan):
    return [domain["name"] for domain in inkan.json("domain", "list")]


def in_time(inkan, *arguments):
    """Runs a command that must end within the time-out of a call."""
    began = time.monotonic()
    answer = inkan.run(*arguments)
    assert time.monotonic() - began < TIMEOUT + 0.5 * PATIENCE
    assert not re.search("-secret", answer.stdout + answer.stderr)
    return answer


# -- replicas ------------------------------------------------------------------------------


def test_change_at_a_replica_is_refused_and_told_where_to_go(first, referring, command):
    before = first.ldif(BASE)
    inkan = command(referring, ldap__referrals=None)
    answer = in_time(inkan, "domain", "add", "no.example", "--tenant", "acme", *ED25519)
    assert answer.returncode == TEMPORARY
    assert (f"it refers to ldap://127.0.0.1:{first.port} (ldap.referrals = yes follows it)"
            in answer.stderr)
    assert first.ldif(BASE) == before


def test_changes_at_a_replica_are_made_where_it_refers_to(first, referring, command):
    """Each command sees what the one before it did, however far the replica has come."""
    inkan = command(referring)
    inkan.ok("domain", "add", "replica.example", "--tenant", "acme", "--no-key")
    inkan.ok("key", "new", "replica.example", *ED25519, "--selector", "s1")
    inkan.ok("domain", "set", "replica.example", "note=x")
    inkan.ok("key", "activate", "replica.example", "s1")
    writer, = first.search("(objectClass=inkanWriter)")
    assert "inkanJournal" not in writer
    first.wait_replicated(referring)
    assert "replica.example" in domains(inkan)
    assert inkan.run("store", "check").returncode == DONE
    signed = inkan.run("sign", stdin=messages.compose(b"a@replica.example"))
    assert signed.returncode == DONE and b"d=replica.example" in signed.output


def test_store_is_made_where_a_replica_refers_to(authority, folder, new_inkan):
    provider = Slapd.single(folder, "provider", log_level="none")
    reader = replicate(provider, folder, "reader")
    try:
        provider.wait_replicated(reader)
        inkan = new_inkan(**reader.settings(), ldap__referrals="yes")
        inkan.ok("vault", "init")
        inkan.ok("store", "init")
        assert provider.search("(objectClass=inkanWriter)")
    finally:
        provider.kill()
        reader.kill()


def test_change_that_lags_behind_at_the_replica_is_no_hindrance(first, referring, command):
    """The replica hears of nothing any more, and what it says of the last revision is wrong."""
    referring.modify(f"dn: {DATA_BASE}\nchangetype: modify\nreplace: olcSyncrepl\n"
                     + REPLICA.format(number=1, url=f"ldap://127.0.0.1:{free_port()}",
                                      suffix=SUFFIX, root=ROOT) + "\n", CONFIG)
    try:
        inkan = command(referring)
        for number in range(3):
            inkan.ok("tenant", "set", "acme", f"note={number}")
        entry, = first.search("(inkanTenantName=acme)", "inkanTenantNote")
        assert entry["inkanTenantNote"] == [b"2"]
    finally:
        referring.modify(f"dn: {DATA_BASE}\nchangetype: modify\nreplace: olcSyncrepl\n"
                         + REPLICA.format(number=1, url=first.plain_url, suffix=SUFFIX, root=ROOT)
                         + "\n", CONFIG)


def test_account_that_the_other_server_does_not_know(folder, authority, referring, command):
    stranger = Slapd(folder, "stranger", authority=authority, log_level="none")
    try:
        refer_changes(referring, stranger.plain_url)
        answer = in_time(command(referring), "tenant", "add", "no")
        assert answer.returncode == REFUSED
        assert f"referred to {stranger.plain_url}: ldap: bind: Invalid credentials" in answer.stderr
    finally:
        stranger.kill()


# -- trust ---------------------------------------------------------------------------------


class Eavesdropper:
    """Takes connections, keeps what it is told, and says nothing."""

    def __init__(self):
        self.heard = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ldap://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return
            with connection:
                while octets := connection.recv(4096):
                    self.heard += octets

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def eavesdropper():
    server = Eavesdropper()
    yield server
    server.close()


@pytest.mark.parametrize("scheme, starttls, encrypted", [
    ("ldap", None, True), ("ldaps", "no", True), ("ldap", "no", False)],
    ids=["StartTLS", "TLS", "in the open"])
def test_password_goes_nowhere_in_the_open_that_it_did_not_before(
        referring, command, eavesdropper, scheme, starttls, encrypted):
    refer_changes(referring, eavesdropper.url)
    inkan = command(referring, store__url=referring.url(scheme), ldap__starttls=starttls)
    answer = in_time(inkan, "tenant", "add", "no")
    assert answer.returncode == TEMPORARY
    assert f"referred to {eavesdropper.url}: ldap: the server does not answer" in answer.stderr
    wait_for("something was said", lambda: eavesdropper.heard)
    assert (ADMIN[1].encode() not in eavesdropper.heard) == encrypted


@pytest.mark.parametrize("scheme", ["ldap", "ldaps"])
def test_certificate_of_the_other_server_is_checked(folder, referring, command, scheme):
    impostor = Slapd.single(folder, "impostor", authority=Authority(folder, "other"),
                            log_level="none")
    try:
        refer_changes(referring, impostor.url(scheme).removesuffix(f"/{BASE}"))
        answer = in_time(command(referring), "tenant", "add", "no")
        assert answer.returncode == TEMPORARY
        assert "not vouched for by ldap.ca_file" in answer.stderr
    finally:
        impostor.kill()


# -- parts of the tree ---------------------------------------------------------------------


def test_part_that_another_server_has(second, command, refer):
    refer(f"{second.plain_url}/inkanTenantName=globex,cn=tenants,{BASE}",
          "inkanTenantName=globex")
    alone, inkan = command(name="alone", ldap__referrals=None), command()
    assert "globex.example" not in domains(alone)
    assert set(domains(inkan)) == {*domains(alone), "globex.example"}
    assert [tenant["name"] for tenant in inkan.json("tenant", "list")] == ["acme", "globex"]
    message = messages.compose(b"a@globex.example")
    assert alone.run("sign", stdin=message).returncode != DONE
    signed = inkan.run("sign", stdin=message)
    assert signed.returncode == DONE and b"d=globex.example" in signed.output


def test_part_is_changed_where_it_is(first, second, command, refer):
    refer(f"{second.plain_url}/inkanTenantName=globex,cn=tenants,{BASE}",
          "inkanTenantName=globex")
    inkan = command()
    inkan.ok("domain", "set", "globex.example", "note=changed")
    inkan.add_domain("new.globex.example", "globex", algorithms=("ed25519-sha256",))
    inkan.ok("domain", "remove", "new.globex.example", "--yes")
    inkan.ok("domain", "add", "new.globex.example", "--tenant", "globex", "--algorithm",
             "ed25519-sha256", "--activate")  # its selector is another one
    assert second.command.json("domain", "show", "globex.example")["note"] == "changed"
    assert "new.globex.example" in domains(second.command)
    assert not first.search("(inkanDomainName=*globex.example)")
    for server in (first, second):
        writer, = server.search("(objectClass=inkanWriter)")
        assert "inkanJournal" not in writer


def test_all_on_another_server(folder, second, authority, command):
    """One that knows only who to ask."""
    guide = Slapd(folder, "guide", authority=authority, log_level="none")
    guide.modify("dn: cn=config\nchangetype: modify\nadd: olcReferral\n"
                 f"olcReferral: {second.plain_url}\n", CONFIG)
    guide.modify(f"dn: {DATA_BASE}\nchangetype: modify\nreplace: olcSuffix\n"
                 "olcSuffix: dc=elsewhere\n-\nreplace: olcRootDN\n"
                 "olcRootDN: cn=root,dc=elsewhere\n", CONFIG)
    guide.ldif_add("dn: dc=elsewhere\nobjectClass: domain\ndc: elsewhere\n",
                   ("cn=root,dc=elsewhere", ROOT[1]))
    try:
        way = {"ldap__bind_dn": None, "ldap__bind_password_file": None}
        answer = command(guide, name="anonymous", ldap__referrals=None, **way).run("domain", "list")
        assert answer.returncode == TEMPORARY
        assert f"it refers to {second.plain_url}" in answer.stderr
    finally:
        guide.kill()


def test_dangling_part_is_told(second, command, refer):
    refer(f"{second.plain_url}/cn=nobody,{BASE}")
    answer = in_time(command(), "domain", "list")
    assert (answer.returncode, answer.stdout) == (BROKEN, "")
    assert f"referred to {second.plain_url}: ldap: No such object" in answer.stderr


# -- referrals that lead nowhere -----------------------------------------------------------


def test_circle_of_parts(first, second, command, refer):
    refer(f"{second.plain_url}/cn=tenants,{BASE}")
    refer(f"{first.plain_url}/cn=tenants,{BASE}", "cn=back", second)
    answer = in_time(command(), "domain", "list")
    assert (answer.returncode, answer.stdout) == (BROKEN, "")
    assert CIRCLE in answer.stderr
    assert re.search(rf"the last one to ({first.plain_url}|{second.plain_url})/", answer.stderr)


def test_circle_of_replicas(folder, authority, first, referring, command):
    other = replicate(first, folder, "other", authority=authority)
    try:
        first.wait_replicated(other)
        refer_changes(referring, other.plain_url)
        refer_changes(other, referring.plain_url)
        answer = in_time(command(referring), "tenant", "add", "no")
        assert answer.returncode == BROKEN and CIRCLE in answer.stderr
    finally:
        other.kill()


def test_port_that_nobody_listens_on(referring, command, refer):
    url = f"ldap://127.0.0.1:{free_port()}"
    refer(f"{url}/cn=tenants,{BASE}")
    refer_changes(referring, url)
    for answer in (in_time(command(), "domain", "list"),
                   in_time(command(referring, "replica"), "tenant", "add", "no")):
        assert (answer.returncode, answer.stdout) == (TEMPORARY, "")
        assert f"referred to {url}: ldap: 127.0.0.1: Connection refused" in answer.stderr


@pytest.mark.parametrize("scheme, starttls", [("ldap", None), ("ldaps", None), ("ldap", "no")],
                         ids=["StartTLS", "TLS", "in the open"])
def test_server_that_hangs(referring, frozen, command, refer, scheme, starttls):
    url = frozen.url(scheme).removesuffix(f"/{BASE}")
    refer(f"{url}/cn=tenants,{BASE}")
    refer_changes(referring, url)
    for answer in (in_time(command(ldap__starttls=starttls), "domain", "list"),
                   in_time(command(referring, "replica", ldap__starttls=starttls), "tenant", "add",
                           "no")):
        assert (answer.returncode, answer.stdout) == (TEMPORARY, "")
        assert f"referred to {url}: ldap: " in answer.stderr
        assert "the server does not answer" in answer.stderr


def test_next_server_of_a_referral_after_one_that_is_not_there(second, command, refer):
    part = f"inkanTenantName=globex,cn=tenants,{BASE}"
    refer(f"ldap://127.0.0.1:{free_port()}/{part}\nref: {second.plain_url}/{part}",
          "inkanTenantName=globex")
    assert "globex.example" in domains(command())


def test_daemon_whose_other_server_hangs_and_dies(second, command, refer):
    """Every message has its answer in time, and no worker ends."""
    refer(f"{second.plain_url}/inkanTenantName=initech,cn=tenants,{BASE}",
          "inkanTenantName=initech")
    inkan = command(server__workers="1", cache__negative_ttl="0").start()
    workers = inkan.daemon.children()

    def verdict(milter, sender=b"a@initech.example"):
        began = time.monotonic()
        answer = milter.message(messages.compose(sender), queue_id="Q")[0]
        assert time.monotonic() - began < TIMEOUT + 0.5 * PATIENCE
        return answer

    with Milter(inkan.address) as milter:
        milter.greet()

        def cached():
            """What is read while the daemon begins to hear of changes is not kept."""
            assert verdict(milter) != REPLY_CODE
            second.hang()
            try:
                return verdict(milter) != REPLY_CODE
            finally:
                second.resume()

        wait_for("it is in the cache", cached)
        second.hang()
        assert verdict(milter, b"a@cold1.example") == REPLY_CODE
        second.resume()
        wait_for("answered again", lambda: verdict(milter, b"a@cold2.example") != REPLY_CODE)
        second.kill()
        for number in range(3, 6):
            assert verdict(milter, b"a@cold%d.example" % number) == REPLY_CODE
        assert verdict(milter) != REPLY_CODE, "it is in the cache"
        second.start()
        wait_for("answered again", lambda: verdict(milter, b"a@cold6.example") != REPLY_CODE)
    assert inkan.daemon.children() == workers
