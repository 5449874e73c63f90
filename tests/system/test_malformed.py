# SPDX-License-Identifier: Apache-2.0
"""Hostile and broken milter clients: accepted unsigned or tempfail, never a crash, never a
wrong signature, and the next client is served."""

import base64
import hashlib
import os
import random
import struct
import threading

import pytest
from dkim.canonicalization import Relaxed

import messages
import peers
from inkan import PATIENCE, Inkan
from milter import (ACCEPT, ALL_ACTIONS, ALL_STEPS, ADD_HEADERS, CONTINUE, REPLY_CODE, TEMPFAIL,
                    Closed, Milter, with_fields)
from process import connect, freeze, thaw, wait_for

GOOD = messages.compose(b"a@example.com")
MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def service(module_folder):
    inkan = Inkan(f"{module_folder}/inkan", sign__max_header_count="2000",
                  sign__max_header_bytes="1M", server__workers="1")
    inkan.set_up("acme")
    inkan.add_domain("example.com")
    inkan.add_domain("both.example", algorithms=("rsa-sha256", "ed25519-sha256"))
    inkan.start()
    yield inkan
    inkan.stop()


@pytest.fixture(autouse=True)
def worker_survives(service):
    """After every test the same worker signs a good message."""
    before = wait_for("the worker", service.daemon.children)
    assert len(before) == 1
    yield
    with Milter(service.address) as milter:
        milter.greet()
        verdict, signed = milter.message(GOOD)
        assert verdict == CONTINUE
        assert peers.python_dkim(signed, service.records()) == [("rsa", True)]
    assert service.daemon.children() == before, "the worker was replaced"


def session(service):
    milter = Milter(service.address)
    milter.greet()
    return milter


def resident_bytes(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def unsigned(result):
    verdict, message = result
    assert verdict in (CONTINUE, ACCEPT)
    assert peers.signatures_of(message) == []


def test_random_octets_instead_of_packets(service):
    generator = random.Random(6376)
    for _ in range(50):
        with connect(service.address) as connection:
            try:
                connection.sendall(generator.randbytes(generator.randrange(1, 4000)))
            except OSError:
                pass  # it was closed before all was said


def test_random_packets_after_negotiation(service):
    generator = random.Random(8463)
    for _ in range(100):
        with Milter(service.address) as milter:
            try:
                for _ in range(generator.randrange(1, 12)):
                    milter.send(generator.choice(b"ABCDEHKLMNOQRTU".decode()).encode(),
                                generator.randbytes(generator.randrange(0, 300)))
            except OSError:
                pass


def test_packet_that_promises_four_gigabytes(service):
    before = resident_bytes(service.daemon.children()[0])
    with Milter(service.address) as milter:
        milter.send_raw(struct.pack("!I", 0xFFFFFFFF) + b"L" + b"x" * 1000)
    assert resident_bytes(service.daemon.children()[0]) - before < 100 * MEGABYTE


def test_packet_of_length_zero(service):
    with Milter(service.address) as milter:
        milter.send_raw(struct.pack("!I", 0))


@pytest.mark.parametrize("cut", range(0, 12, 3))
def test_connection_closed_inside_of_a_packet(service, cut):
    with session(service) as milter:
        milter.envelope("CUT1")
        milter.send_raw((struct.pack("!I", 20) + b"LSubject\0half a")[:cut])


@pytest.mark.parametrize("data", [b"", b"From", b"From\0", b"From\0a@example.com", b"\0\0",
                                  b"\0a@example.com\0", b"From\0a@example.com\0more\0"])
def test_header_packet_of_a_wrong_shape(service, data):
    with session(service) as milter:
        milter.envelope("SHAPE1")
        milter.send(b"L", data)
        try:
            milter.step(b"N")
            verdict, inserted = milter.end()
        except (Closed, OSError):
            return
        assert verdict in (CONTINUE, ACCEPT, TEMPFAIL, REPLY_CODE)
        assert len(inserted) <= 1


@pytest.mark.parametrize("name", [b"Fr om", b"From\x01", b"\xff\xfe", b"From:", b"From\n X"])
def test_field_name_that_is_none(service, name):
    with session(service) as milter:
        milter.envelope("NAME1")
        milter.header(name, b" a@example.com")
        milter.step(b"N")
        verdict, inserted = milter.end()
        assert verdict in (CONTINUE, ACCEPT) and not inserted


@pytest.mark.parametrize("value, signatures", [
    (b" a\n b", 1), (b" a\r\n b", 1), (b" a\r\n \r\n\tb", 1), (b" a\rb", 0), (b" a\r b", 0),
    (b" a\r", 0), (b" a\nb", 0), (b" a\n", 0), (b" a\n\n b", 0), (b" \r\r\n b", 0),
    (b" a\r\nFrom: b@evil.example", 0), (b" a\rFrom: b@evil.example", 0)])
def test_line_end_in_a_value_that_folds_nothing_is_not_signed(service, value, signatures):
    """No two readers agree on what it means; a fold is signed and verifies over what was said."""
    with session(service) as milter:
        milter.envelope("CRLF1")
        milter.header(b"From", b" a@example.com")
        milter.header(b"Subject", value)
        milter.step(b"N")
        milter.step(b"B", b"body\r\n")
        verdict, inserted = milter.end()
    assert verdict == CONTINUE and len(inserted) == signatures
    if signatures:
        folded = value.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        said = b"From: a@example.com\r\nSubject:" + folded + b"\r\n\r\nbody\r\n"
        signed = with_fields(said, inserted, milter.steps)
        assert peers.python_dkim(signed, service.records()) == [("rsa", True)]


def test_nul_octets_in_the_body_are_signed_as_they_are(service):
    with session(service) as milter:
        verdict, signed = milter.message(messages.compose(b"a@example.com",
                                                          body=b"a\0b\r\n\0\r\n"))
    assert verdict == CONTINUE
    assert peers.python_dkim(signed, service.records()) == [("rsa", True)]


@pytest.mark.parametrize("body", [b"\r", b"\n", b"\r\n\r", b"a\rb\nc\r\n", b"a\r\r\n", b"\n\r\n\r"])
def test_bare_line_ends_in_the_body_are_signed_as_they_are(service, body):
    """Judged by the body hash alone: verifiers that read files make their own line ends."""
    with session(service) as milter:
        verdict, signed = milter.message(messages.compose(b"a@example.com", body=body))
    assert verdict == CONTINUE
    (tags,) = peers.signatures_of(signed)
    digest = hashlib.sha256(Relaxed.canonicalize_body(body)).digest()
    assert base64.b64decode(tags["bh"]) == digest


def test_body_in_chunks_that_cut_line_ends(service):
    body = b"a \r\n\r\n \t\r\nb\r\n\r\n\r\n"
    for size in (1, 2, 3):
        with session(service) as milter:
            milter.envelope("CHUNK1")
            milter.content(messages.compose(b"a@example.com", body=b""))
            for start in range(0, len(body), size):
                milter.step(b"B", body[start:start + size])
            _, inserted = milter.end()
        field = b"DKIM-Signature:" + inserted[0][2].replace(b"\n", b"\r\n") + b"\r\n"
        signed = field + messages.compose(b"a@example.com", body=body)
        assert peers.python_dkim(signed, service.records()) == [("rsa", True)]


def test_more_fields_than_allowed(service):
    with session(service) as milter:
        unsigned(milter.message(messages.compose(b"a@example.com", *[b"X: y"] * 2000), "MANY1"))
    assert "not signed: " in service.reason("MANY1")


def test_more_fields_to_sign_than_a_signature_lists(service):
    """Not deferred: it would come back for days and be no smaller."""
    with session(service) as milter:
        unsigned(milter.message(messages.compose(b"a@example.com", *[b"Subject: y"] * 1500), "MANY2"))
    assert "not signed: more header fields than a signature lists" in service.log()


def test_header_larger_than_allowed(service):
    with session(service) as milter:
        unsigned(milter.message(messages.compose(
            b"a@example.com", *(b"X-%d: %s" % (n, b"y" * 60000) for n in range(30)))))


def test_huge_headers_do_not_grow_memory(service):
    worker = service.daemon.children()[0]
    fields = [b"X-%d: %s" % (n, b"y" * 60000) for n in range(200)]
    message = messages.compose(b"a@example.com", *fields)
    with session(service) as milter:
        milter.message(message)
        before = resident_bytes(worker)
        for _ in range(20):
            unsigned(milter.message(message))
    assert resident_bytes(worker) - before < 50 * MEGABYTE * PATIENCE


def test_many_messages_of_one_connection_do_not_grow_memory(service):
    worker = service.daemon.children()[0]
    with session(service) as milter:
        for _ in range(50):
            milter.message(GOOD)
        before = resident_bytes(worker)
        for _ in range(500):
            verdict, signed = milter.message(GOOD)
            assert verdict == CONTINUE
        assert peers.python_dkim(signed, service.records()) == [("rsa", True)]
    assert resident_bytes(worker) - before < 10 * MEGABYTE * PATIENCE


def test_end_of_message_without_end_of_header(service):
    """Nothing is signed that was not seen whole, or what is signed is what was seen."""
    with Milter(service.address, seconds=2) as milter:
        milter.greet()
        milter.envelope("NOEOH1")
        milter.header(b"From", b" a@example.com")
        try:
            verdict, inserted = milter.end()
        except (Closed, OSError):
            return  # libmilter leaves it unanswered
        assert verdict in (CONTINUE, ACCEPT, TEMPFAIL, REPLY_CODE)
        for _, name, value in inserted:
            field = name + b":" + value.replace(b"\n", b"\r\n") + b"\r\n"
            signed = field + b"From: a@example.com\r\n\r\n"
            assert peers.python_dkim(signed, service.records()) == [("rsa", True)]


def test_body_without_header(service):
    with session(service) as milter:
        milter.envelope("NOHEAD1")
        milter.step(b"N")
        milter.step(b"B", b"only a body\r\n")
        verdict, inserted = milter.end()
        assert verdict in (CONTINUE, ACCEPT) and not inserted


def test_message_without_macros(service):
    with Milter(service.address) as milter:
        milter.step(b"C", b"client.test\0" + b"4" + struct.pack("!H", 1) + b"127.0.0.1\0")
        milter.step(b"H", b"client.test\0")
        milter.step(b"M", b"<sender@example.com>\0")
        milter.step(b"R", b"<to@sink.test>\0")
        milter.step(b"T")
        milter.content(GOOD)
        verdict, inserted = milter.end()
    assert verdict == CONTINUE and len(inserted) == 1


def test_client_of_unknown_family_is_not_internal(service):
    with Milter(service.address) as milter:
        milter.step(b"C", b"unknown\0U")
        milter.step(b"H", b"client.test\0")
        unsigned(milter.message(GOOD))


def test_aborted_message_leaves_nothing_behind(service):
    with session(service) as milter:
        milter.envelope("ABORT1")
        milter.header(b"From", b" a@unknown.example")
        milter.header(b"Subject", b" of the first")
        milter.send(b"A")
        verdict, signed = milter.message(GOOD)
        assert verdict == CONTINUE
        assert peers.python_dkim(signed, service.records()) == [("rsa", True)]


@pytest.mark.parametrize("last", [b"M", b"L", b"N", b"B"])
def test_connection_closed_in_the_middle_of_a_message(service, last):
    with session(service) as milter:
        milter.envelope("GONE1")
        if last != b"M":
            milter.header(b"From", b" a@example.com")
        if last in (b"N", b"B"):
            milter.step(b"N")
        if last == b"B":
            milter.step(b"B", b"half of the bo")


def test_second_field_not_taken_defers_the_message(service):
    """The MTA is gone when the first of two fields has been handed over: it hangs up while the
    worker stands still."""
    worker = service.daemon.children()[0]
    with session(service) as milter:
        milter.envelope("HALF1")
        milter.content(messages.compose(b"a@both.example"))
        freeze(worker)
        milter.send(b"E")
    thaw(worker)
    assert service.reason("HALF1") == "deferred: the MTA did not take the DKIM-Signature field"


def test_mta_that_does_not_let_fields_be_added_never_passes_a_message_unsigned(service):
    """The message is not passed on as if it needed no signature: no session, or tempfail."""
    try:
        with Milter(service.address, actions=ALL_ACTIONS & ~ADD_HEADERS) as milter:
            milter.greet()
            verdict, _ = milter.message(GOOD)
    except (Closed, AssertionError, OSError):
        verdict = None
    assert verdict in (None, TEMPFAIL, REPLY_CODE)
    assert service.wait_log("does not let filters add header fields")


def test_mta_that_offers_no_optional_steps(service):
    """An old MTA: every step is said and answered, no leading spaces."""
    with Milter(service.address, actions=ADD_HEADERS, steps=0) as milter:
        assert milter.steps == 0
        milter.greet()
        verdict, signed = milter.message(messages.compose(b"a@example.com", b"Cc: b@sink.test"))
    assert verdict == CONTINUE
    assert peers.python_dkim(signed, service.records()) == [("rsa", True)]


def test_old_protocol_version_is_answered(service):
    with connect(service.address) as connection:
        connection.sendall(struct.pack("!IcIII", 13, b"O", 2, ADD_HEADERS, 0))
        connection.settimeout(10)
        connection.recv(100)


def test_100_clients_at_once(service):
    """All of them get their signature, with one worker."""
    results = []

    def run():
        with session(service) as milter:
            for _ in range(3):
                results.append(len(peers.signatures_of(milter.message(GOOD)[1])))

    threads = [threading.Thread(target=run) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [1] * 300


def test_idle_connections_do_not_keep_others_out(service):
    idle = [Milter(service.address, steps=ALL_STEPS) for _ in range(200)]
    try:
        with session(service) as milter:
            verdict, _ = milter.message(GOOD)
            assert verdict == CONTINUE
    finally:
        for milter in idle:
            milter.close()
