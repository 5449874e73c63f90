# SPDX-License-Identifier: Apache-2.0
"""Mail through Postfix, signed by inkand, accepted by three verifiers that are not ours."""

import statistics
import time

import pytest

import messages
import peers
from inkan import Inkan
from milter import CONTINUE, Milter

# One domain for each pair of canonicalizations, so that one daemon serves all.
DOMAINS = {pair: pair.replace("/", "-") + ".example" for pair in peers.PAIRS}
ALGORITHMS = ("rsa-sha256", "ed25519-sha256")
ZOO = sorted(messages.zoo(b"x"))
BIG = 20 * 1000 * 1000


@pytest.fixture(scope="module")
def signing(module_folder, places):
    inkan = Inkan(f"{module_folder}/inkan", server__listen=f"inet:{places.tcp}@127.0.0.1")
    inkan.set_up("acme")
    for pair, domain in DOMAINS.items():
        inkan.add_domain(domain, algorithms=ALGORITHMS, canonicalization=pair)
    inkan.start()
    yield inkan
    inkan.stop()


@pytest.fixture(scope="module")
def signing_unix(signing, module_folder, places):
    """A second daemon on the same store, at a unix socket that Postfix's user may open."""
    inkan = Inkan(f"{module_folder}/unix", server__listen=f"unix:{places.unix}",
                  server__socket_mode="0666", store__url=f"sqlite:{signing.database}",
                  vault__keyring=signing.keyring)
    inkan.start()
    yield inkan
    inkan.stop()


@pytest.fixture(scope="module")
def records(signing):
    return signing.records()


def author(pair):
    return b"Anna <anna@" + DOMAINS[pair].encode() + b">"


def assert_all_accept(message, records, pair):
    """Both signatures are there, of the right domain and pair, and everybody accepts them."""
    tags = peers.signatures_of(message)
    assert sorted(t["s"] for t in tags) == ["ed25519", "rsa"]
    assert {(t["d"], t["c"]) for t in tags} == {(DOMAINS[pair], pair)}
    accepted = [("ed25519", True), ("rsa", True)]
    assert sorted(peers.python_dkim(message, records)) == accepted
    assert sorted(peers.opendkim(message, records)) == accepted
    # It reports the algorithm it lacks as a failure; the RSA signature must pass beside it.
    assert ("rsa", True) in peers.mail_dkim(message, records), peers.MAIL_DKIM_WITHOUT_ED25519


@pytest.mark.parametrize("pair", peers.PAIRS)
def test_message_over_tcp_is_accepted_by_three_verifiers(postfix, signing, records, pair):
    assert_all_accept(postfix.deliver("tcp", messages.compose(author(pair))), records, pair)


@pytest.mark.parametrize("pair", peers.PAIRS)
def test_message_over_unix_socket_is_accepted_by_three_verifiers(postfix, signing_unix, records,
                                                                 pair):
    assert_all_accept(postfix.deliver("unix", messages.compose(author(pair))), records, pair)


@pytest.mark.parametrize("name", ZOO)
def test_strange_message_is_signed_as_it_is_delivered(postfix, signing, records, name):
    for pair in peers.PAIRS:
        message = postfix.deliver("tcp", messages.zoo(author(pair))[name])
        passed = sorted(peers.python_dkim(message, records))
        assert passed == [("ed25519", True), ("rsa", True)], (pair, message[:2000])


@pytest.mark.parametrize("name", ZOO)
def test_strange_message_over_unix_socket(postfix, signing_unix, records, name):
    for pair in ("simple/simple", "relaxed/relaxed"):
        message = postfix.deliver("unix", messages.zoo(author(pair))[name])
        passed = sorted(peers.python_dkim(message, records))
        assert passed == [("ed25519", True), ("rsa", True)], (pair, message[:2000])


@pytest.mark.parametrize("name", ZOO)
def test_strange_message_is_accepted_by_our_verify(postfix, signing, records, name):
    del records
    path = signing.records_file()
    message = postfix.deliver("tcp", messages.zoo(author("simple/simple"))[name])
    answer = signing.run("verify", "--records", path, stdin=message)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize("service", ["tcp", "unix"])
def test_20_megabytes_are_signed(postfix, signing, signing_unix, records, service):
    del signing, signing_unix
    message = postfix.deliver(service, messages.big(author("relaxed/relaxed"), BIG))
    assert len(message) > BIG
    assert sorted(peers.python_dkim(message, records)) == [("ed25519", True), ("rsa", True)]


def test_local_submission_with_bare_line_feeds_is_signed(postfix, signing, records):
    del signing
    for pair in peers.PAIRS:
        message = messages.compose(author(pair), b"Comments: a\r\n\tb",
                                   body=b"one \r\n.\r\n..two\t\r\n\r\n\r\n")
        delivered = postfix.deliver_local(message.replace(b"\r\n", b"\n"))
        assert_all_accept(delivered, records, pair)


def test_changed_message_is_refused_by_all(postfix, signing, records):
    """The verifiers of these tests can say no."""
    message = postfix.deliver("tcp", messages.compose(author("relaxed/relaxed")))
    changed = message.replace(b"Subject: A message", b"Subject: Another message")
    assert changed != message
    assert not any(passed for _, passed in peers.python_dkim(changed, records))
    assert not any(passed for _, passed in peers.mail_dkim(changed, records))
    assert not any(passed for _, passed in peers.opendkim(changed, records))
    answer = signing.run("verify", "--records", signing.records_file(), stdin=changed)
    assert answer.returncode == 1, answer.stdout + answer.stderr


def test_added_second_from_breaks_the_signature(postfix, signing, records):
    del signing
    message = postfix.deliver("tcp", messages.compose(author("relaxed/relaxed")))
    forged = b"From: boss@evil.example\r\n" + message
    assert not any(passed for _, passed in peers.python_dkim(forged, records))


def test_signing_adds_nothing_but_signatures(postfix, signing, records):
    del signing, records
    sent = messages.compose(author("relaxed/relaxed"), body=b" \t as it is \r\n\r\n")
    delivered = postfix.deliver("tcp", sent)
    assert delivered.endswith(sent)
    added = delivered[:-len(sent)]
    names = [line.split(b":")[0] for line in added.split(b"\r\n") if line[:1] not in b" \t"]
    assert sorted(names) == [b"DKIM-Signature", b"DKIM-Signature", b"Received"]


def test_service_over_tcp_is_not_slowed_by_nagle(signing):
    """20 messages in a row took 44 ms each where small writes wait for each other."""
    with Milter(signing.address) as milter:
        milter.greet()
        milter.message(messages.compose(author("relaxed/relaxed")))
        seconds = []
        for _ in range(20):
            start = time.monotonic()
            verdict, _ = milter.message(messages.compose(author("relaxed/relaxed")))
            seconds.append(time.monotonic() - start)
            assert verdict == CONTINUE
    assert statistics.median(seconds) < 0.035
