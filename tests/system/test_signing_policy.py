# SPDX-License-Identifier: Apache-2.0
"""Who gets a signature and who does not, as Postfix tells it; the reason is in the log."""

import re
import smtplib

import pytest

import messages
import peers
from inkan import Inkan

OTHER_FIELDS = b"To: to@sink.test\r\nSubject: A message\r\n\r\nHello\r\n"
IDN, IDN_ASCII = "münchen.example", "xn--mnchen-3ya.example"


@pytest.fixture(scope="module")
def service(module_folder, places):
    """192.0.2.0/24 is internal here, the loopback network is not."""
    inkan = Inkan(f"{module_folder}/inkan", server__listen=f"inet:{places.tcp}@127.0.0.1",
                  trust__internal_hosts="192.0.2.0/24, !192.0.2.66", trust__exempt="192.0.2.77")
    inkan.set_up("acme", "globex")
    inkan.add_domain("example.com")
    inkan.add_domain("parent.example", subdomains="yes")
    inkan.add_domain("lonely.example")
    inkan.add_domain(IDN)
    inkan.add_domain("resting.example")
    inkan.ok("domain", "suspend", "resting.example")
    inkan.add_domain("globex.example", tenant="globex")
    inkan.ok("tenant", "suspend", "globex")
    inkan.ok("domain", "add", "staged.example", "--tenant", "acme")
    inkan.ok("domain", "add", "keyless.example", "--tenant", "acme", "--no-key")
    inkan.start()
    yield inkan
    inkan.stop()


def queue_id_of(message):
    return re.search(rb"with \w+ id (\w+)", message).group(1).decode()


def pass_through(postfix, message, addr="192.0.2.1", **client):
    """(message as delivered, its queue id)."""
    delivered = postfix.deliver("tcp", message, addr=addr, **client)
    return delivered, queue_id_of(delivered)


UNSIGNED = {
    "no From": (b"", "the message has no From field"),
    "two From fields": (b"From: a@example.com\r\nFrom: b@example.com\r\n",
                        "the message has 2 From fields"),
    "two authors": (b"From: a@example.com, b@example.com\r\n", "names 2 authors"),
    "authors of two tenants": (b"From: a@example.com, b@globex.example\r\n", "names 2 authors"),
    "a group of two": (b"From: Us: a@example.com, b@example.com;\r\n", "names 2 authors"),
    "a From that is no address": (b"From: nobody at all\r\n", "not signed: From: at "),
    "an empty From": (b"From:\r\n", "From: "),
    "an address without domain": (b"From: <root>\r\n", "From: "),
    "two at signs": (b"From: a@example.com@evil.example\r\n", "From: "),
    "an unknown domain": (b"From: a@unknown.example\r\n",
                          "unknown.example is not a domain of this service"),
    "a lookalike that ends in our domain": (b"From: a@notexample.com\r\n",
                                            "notexample.com is not a domain of this service"),
    "an address in the display name": (b"From: \"a@example.com\" <b@unknown.example>\r\n",
                                       "unknown.example is not a domain"),
    "an encoded display name with an address": (
        b"From: =?utf-8?q?a=40example=2Ecom?= <b@unknown.example>\r\n",
        "unknown.example is not a domain"),
    "an address in a comment": (b"From: (a@example.com) b@unknown.example\r\n",
                                "unknown.example is not a domain"),
    "below a domain without subdomains": (b"From: a@sub.lonely.example\r\n", "sub.lonely.example"),
    "a suspended domain": (b"From: a@resting.example\r\n", "resting.example is suspended"),
    "a suspended tenant": (b"From: a@globex.example\r\n", "tenant globex is suspended"),
    "a domain without key": (b"From: a@keyless.example\r\n", "keyless.example has no active key"),
    "a staged key": (b"From: a@staged.example\r\n", "staged.example has no active key"),
}


@pytest.mark.parametrize("what", UNSIGNED)
def test_is_passed_on_unsigned_with_the_reason_in_the_log(postfix, service, what):
    author, reason = UNSIGNED[what]
    delivered, queue_id = pass_through(postfix, author + OTHER_FIELDS)
    assert peers.signatures_of(delivered) == []
    said = service.reason(queue_id)
    assert said.startswith("not signed: ") and reason in said, said


SIGNED = {
    "a plain author": ("a@example.com", "example.com"),
    "upper case": ("A@EXAMPLE.COM", "example.com"),
    "a display name": ("Anna Muster <a@example.com>", "example.com"),
    "comments": ("a(comment (nested))@example.com (Anna)", "example.com"),
    "a quoted local part": ('"a b@c"@example.com', "example.com"),
    "a quoted display name with an address": ('"x@evil.example" <a@example.com>', "example.com"),
    "an encoded display name": ("=?utf-8?b?QW5uYSA8eEBldmlsLmV4YW1wbGU+?= <a@example.com>",
                                "example.com"),
    "a group of one": ("Us: a@example.com;", "example.com"),
    "a folded From": ("Anna\r\n <a@example.com>", "example.com"),
    "below a parent that takes subdomains": ("a@x.y.parent.example", "parent.example"),
    "a domain in UTF-8": (f"a@{IDN}", IDN_ASCII),
    "a domain in A-labels": (f"a@{IDN_ASCII}", IDN_ASCII),
    "a display name in UTF-8": ("Zoë <a@example.com>", "example.com"),
}


@pytest.mark.parametrize("what", SIGNED)
def test_is_signed_by(postfix, service, what):
    author, domain = SIGNED[what]
    message = b"From: " + author.encode() + b"\r\n" + OTHER_FIELDS
    delivered, queue_id = pass_through(postfix, message)
    assert [tags["d"] for tags in peers.signatures_of(delivered)] == [domain]
    assert peers.python_dkim(delivered, service.records()) == [("rsa", True)]
    assert f"DKIM-Signature field added (s=rsa, d={domain})" in service.reason(queue_id)


MESSAGE = b"From: a@example.com\r\n" + OTHER_FIELDS
CLIENTS = {
    "an external client": ({"addr": "198.51.100.1"}, 0),
    "the host itself where it is not internal": ({"addr": "127.0.0.1"}, 0),
    "an internal client": ({"addr": "192.0.2.1"}, 1),
    "an exception in an internal network": ({"addr": "192.0.2.66"}, 0),
    "an exempt client": ({"addr": "192.0.2.77"}, 0),
    "an external client that logged in": ({"addr": "198.51.100.1", "login": "bob@acme"}, 1),
}


@pytest.mark.parametrize("who", CLIENTS)
def test_client(postfix, service, who):
    client, signatures = CLIENTS[who]
    delivered, queue_id = pass_through(postfix, MESSAGE, **client)
    assert len(peers.signatures_of(delivered)) == signatures
    said = service.reason(queue_id)
    if signatures == 0:
        assert re.search("not signed: the client is (neither internal nor auth|exempt)", said), said


def test_several_messages_of_one_smtp_connection_are_judged_each(postfix, service):
    """What is known of one message does not leak into the next."""
    authors = [b"a@example.com", b"a@unknown.example", b"a@parent.example", b"", b"a@example.com"]
    recipients = [postfix.new_recipient() for _ in authors]
    with smtplib.SMTP("127.0.0.1", postfix.ports["tcp"], local_hostname="client.test") as smtp:
        smtp.docmd("XCLIENT", "ADDR=192.0.2.1")
        smtp.ehlo()
        for author, recipient in zip(authors, recipients):
            field = b"From: " + author + b"\r\n" if author else b""
            smtp.sendmail("sender@example.com", [recipient], field + OTHER_FIELDS)
    got = [peers.signatures_of(postfix.sink.wait(recipient)) for recipient in recipients]
    assert [[tags["d"] for tags in signatures] for signatures in got] == [
        ["example.com"], [], ["parent.example"], [], ["example.com"]]
