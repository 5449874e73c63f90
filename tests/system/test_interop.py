# SPDX-License-Identifier: Apache-2.0
"""What others sign, our verify accepts; what others refuse, it refuses."""

import pytest

import messages
import peers

DOMAIN, SELECTOR = "others.example", "s1"
NAME = f"{SELECTOR}._domainkey.{DOMAIN}"
MESSAGE = messages.compose(
    b"A <a@others.example>", b"Comments: folded\r\n\there  ", b"Cc:tight@sink.test",
    body=b"trailing \t \r\n.dot\r\n\r\n \xe4\r\n\r\n\r\n")
ALGORITHMS = ("rsa-sha256", "ed25519-sha256")


@pytest.fixture(scope="module")
def keys(module_folder):
    return {algorithm: peers.Key(module_folder, algorithm) for algorithm in ALGORITHMS}


@pytest.fixture
def verify(new_inkan):
    """Our verify with one key record: its exit code."""
    inkan = new_inkan()

    def run(message, record, name=NAME):
        path = f"{inkan.folder}/records"
        peers.write_records({name: record}, path)
        answer = inkan.run("verify", "--records", path, stdin=message)
        print(answer.stdout, answer.stderr)
        return answer.returncode

    return run


@pytest.mark.parametrize("pair", peers.PAIRS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_verify_accepts_what_python_dkim_signs(verify, keys, algorithm, pair):
    key = keys[algorithm]
    signed = peers.python_dkim_sign(MESSAGE, key, pair, DOMAIN, SELECTOR)
    assert verify(signed, key.record()) == 0
    assert verify(signed.replace(b"trailing", b"Trailing"), key.record()) == 1


@pytest.mark.parametrize("pair", peers.PAIRS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_verify_accepts_what_mail_dkim_signs(verify, keys, algorithm, pair):
    if algorithm == "ed25519-sha256":
        pytest.skip(peers.MAIL_DKIM_WITHOUT_ED25519)
    key = keys[algorithm]
    signed = peers.mail_dkim_sign(MESSAGE, key, pair, DOMAIN, SELECTOR)
    assert verify(signed, key.record()) == 0
    assert verify(signed.replace(b"trailing", b"Trailing"), key.record()) == 1


@pytest.mark.parametrize("pair", peers.PAIRS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_verify_accepts_what_opendkim_signs(verify, keys, folder, algorithm, pair):
    key = keys[algorithm]
    daemon = peers.opendkim_signing(f"{folder}/opendkim", key, pair, DOMAIN, SELECTOR)
    try:
        signed = daemon.sign(MESSAGE)
    finally:
        daemon.stop()
    if peers.opendkim(signed, {NAME: key.record()}) != [(SELECTOR, True)]:
        # Ed25519 with simple headers: it hashes its own field otherwise than it writes it.
        pytest.skip(f"OpenDKIM does not accept its own {algorithm} signature with {pair}")
    assert verify(signed, key.record()) == 0
    assert verify(signed.replace(b"trailing", b"Trailing"), key.record()) == 1


def test_verify_accepts_what_opendkim_signs_behind_postfix(verify, keys, folder, postfix, places):
    key = keys["rsa-sha256"]
    daemon = peers.opendkim_signing(f"{folder}/opendkim", key, "simple/simple", DOMAIN, SELECTOR,
                                    port=places.opendkim)
    try:
        signed = postfix.deliver("opendkim", MESSAGE)
    finally:
        daemon.stop()
    assert peers.signatures_of(signed), signed
    assert verify(signed, key.record()) == 0


def test_verify_refuses_without_a_record(verify, keys):
    key = keys["rsa-sha256"]
    signed = peers.python_dkim_sign(MESSAGE, key, "relaxed/relaxed", DOMAIN, SELECTOR)
    assert verify(signed, key.record(), name=f"other._domainkey.{DOMAIN}") == 1


def test_verify_refuses_a_revoked_key(verify, keys):
    key = keys["rsa-sha256"]
    signed = peers.python_dkim_sign(MESSAGE, key, "relaxed/relaxed", DOMAIN, SELECTOR)
    assert verify(signed, "v=DKIM1; p=") == 1


def test_verify_refuses_an_unsigned_message(verify, keys):
    assert verify(MESSAGE, keys["rsa-sha256"].record()) == 1


def test_verify_refuses_a_short_rsa_key(verify, folder):
    """RFC 8301 3.2: verifiers must not consider signatures with keys under 1024 bits."""
    key = peers.Key(folder, "rsa-sha256", bits=768)
    signed = peers.python_dkim_sign(MESSAGE, key, "relaxed/relaxed", DOMAIN, SELECTOR)
    assert verify(signed, key.record()) == 1
