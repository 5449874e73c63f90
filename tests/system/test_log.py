# SPDX-License-Identifier: Apache-2.0
"""The lines other people's searches and collectors rely on."""

import json
import re

import pytest

import messages
from milter import Milter

SIGNED = messages.compose(b"a@example.com")
UNSIGNED = messages.compose(b"a@unknown.example")


@pytest.fixture
def log_of(new_inkan):
    """What inkand writes of the messages sent, one after the other, with these settings."""

    def run(*sent, **settings):
        inkan = new_inkan(**settings).set_up("acme")
        inkan.add_domain("example.com", algorithms=("rsa-sha256", "ed25519-sha256"))
        inkan.start()
        with Milter(inkan.address) as milter:
            milter.greet()
            for number, message in enumerate(sent):
                milter.message(message, queue_id=f"4F2B11A{number}")
        inkan.stop()
        return inkan.log()

    return run


def test_line_of_a_signature(log_of):
    log = log_of(SIGNED)
    for selector in ("rsa", "ed25519"):
        assert re.search(rf"4F2B11A0: DKIM-Signature field added \(s={selector}, d=example\.com\) "
                         rf"a={selector}-sha256 tenant=acme us=\d+$", log, re.M), log


def test_line_of_a_message_that_is_not_signed(log_of):
    log = log_of(UNSIGNED)
    assert re.search(r"4F2B11A0: not signed: unknown\.example is not a domain of this service$",
                     log, re.M), log


def test_json_objects(log_of):
    log = log_of(SIGNED, UNSIGNED, log__format="json")
    events = [json.loads(line) for line in log.splitlines()]
    signed = [e for e in events if e.get("queue_id") == "4F2B11A0"]
    assert {e["algorithm"] for e in signed} == {"rsa-sha256", "ed25519-sha256"}
    for event in signed:
        assert event["event"] == "signed"
        assert (event["tenant"], event["domain"]) == ("acme", "example.com")
        assert event["selector"] == event["algorithm"].split("-")[0]
    (unsigned,) = [e for e in events if e.get("queue_id") == "4F2B11A1"]
    assert unsigned["event"] == "unsigned" and unsigned["reason"]


def test_sender_cannot_forge_a_line(log_of):
    log = log_of(messages.compose(b"a@unknown.example\r\n 4F2B11A9: not signed: forged"),
                 messages.compose(b"\x1b[31m\x00a\r\n\t4F2B11A9: forged"))
    assert not re.search(r"^4F2B11A9|[\x00-\x08\x0b-\x1f]", log, re.M), log


def test_no_private_key_in_the_log(log_of):
    log = log_of(SIGNED, log__level="debug")
    assert not re.search(r"PRIVATE|[A-Za-z0-9+/]{60}", log), log
