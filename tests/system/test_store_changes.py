# SPDX-License-Identifier: Apache-2.0
"""What the inkan command writes is in force in a running daemon within two seconds."""

import pytest

import messages
import peers
from milter import CONTINUE, Milter
from process import wait_for

SECONDS = 2


@pytest.fixture
def inkan(new_inkan):
    installation = new_inkan(server__workers="1").set_up("acme")
    installation.add_domain("example.com")
    return installation.start()


def signatures(inkan, domain="example.com"):
    """(selector, d=) of what a message From that domain gets."""
    with Milter(inkan.address) as milter:
        milter.greet()
        verdict, message = milter.message(messages.compose(b"a@" + domain.encode()))
        assert verdict == CONTINUE
        return [(tags["s"], tags["d"]) for tags in peers.signatures_of(message)]


def becomes(inkan, expected, domain="example.com"):
    wait_for(f"{domain}: {expected}", lambda: signatures(inkan, domain) == expected, SECONDS)


def test_new_domain_signs(inkan):
    assert signatures(inkan, "new.example") == []
    inkan.add_domain("new.example")
    becomes(inkan, [("rsa", "new.example")], "new.example")


def test_new_key_of_another_algorithm_signs_too(inkan):
    assert signatures(inkan) == [("rsa", "example.com")]
    inkan.ok("key", "new", "example.com", "--algorithm", "ed25519-sha256", "--selector", "e1",
             "--activate")
    wait_for("two signatures", lambda: len(signatures(inkan)) == 2, SECONDS)


def test_successor_replaces_the_active_key(inkan):
    assert signatures(inkan) == [("rsa", "example.com")]
    inkan.ok("key", "new", "example.com", "--selector", "next", "--activate")
    becomes(inkan, [("next", "example.com")])
    states = {key["selector"]: key["state"] for key in inkan.json("key", "list", "example.com")}
    assert states == {"rsa": "retiring", "next": "active"}


@pytest.mark.parametrize("noun, name", [("domain", "example.com"), ("tenant", "acme")])
def test_suspended_does_not_sign_until_resumed(inkan, noun, name):
    assert signatures(inkan) == [("rsa", "example.com")]
    inkan.ok(noun, "suspend", name)
    becomes(inkan, [])
    inkan.ok(noun, "resume", name)
    becomes(inkan, [("rsa", "example.com")])


def test_removed_domain_does_not_sign(inkan):
    assert signatures(inkan) == [("rsa", "example.com")]
    inkan.ok("domain", "remove", "example.com", "--yes")
    becomes(inkan, [])


def test_subdomains_switched_on_and_off(inkan):
    assert signatures(inkan, "a.example.com") == []
    inkan.ok("domain", "set", "example.com", "subdomains=yes")
    becomes(inkan, [("rsa", "example.com")], "a.example.com")
    inkan.ok("domain", "set", "example.com", "subdomains=no")
    becomes(inkan, [], "a.example.com")


def test_more_specific_domain_added_below_a_parent(inkan):
    inkan.ok("domain", "set", "example.com", "subdomains=yes")
    becomes(inkan, [("rsa", "example.com")], "a.example.com")
    inkan.add_domain("a.example.com")
    becomes(inkan, [("rsa", "a.example.com")], "a.example.com")


def test_retired_key_does_not_sign(inkan):
    assert signatures(inkan) == [("rsa", "example.com")]
    inkan.ok("key", "retire", "example.com", "rsa", "--yes")
    becomes(inkan, [])
