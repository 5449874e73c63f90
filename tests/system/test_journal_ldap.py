# SPDX-License-Identifier: Apache-2.0
"""What other programs do between the writes of a change: none of it is undone, and nothing of it
stands in the way of the next change."""

import subprocess

import pytest

from inkan import BUILD, Inkan
from ldap import BASE, Slapd
from ldap_cut import Cut

ED25519 = ("--algorithm", "ed25519-sha256")
ADD, FIRST_WRITE = ("domain", "add"), 2  # the first of all puts the journal down


@pytest.fixture(scope="module")
def server(module_folder):
    slapd = Slapd.single(module_folder, log_level="none")
    yield slapd
    slapd.stop()


@pytest.fixture(scope="module")
def inkan(server, module_folder):
    return Inkan(f"{module_folder}/inkan", **server.settings()).set_up("acme")


@pytest.fixture
def domain(inkan, request):
    """A domain of this test with an active key."""
    name = f"{request.node.name[len('test_'):60].replace('_', '-').strip('-')}.example"
    inkan.ok(*ADD, name, "--tenant", "acme", *ED25519, "--activate")
    return name


def dn_of(domain):
    return f"inkanDomainName={domain},inkanTenantName=acme,cn=tenants,{BASE}"


def launch(inkan, cut, *command):
    """The command with the proxy between it and the server, up to the write it stops at."""
    through = Inkan(f"{inkan.folder}/through", **{
        **{name.replace(".", "__"): value for name, value in inkan.settings.items()},
        "store__url": f"ldap://127.0.0.1:{cut.port}/{BASE}"})
    process = subprocess.Popen([f"{BUILD}/inkan", "-c", through.conf, *command],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert cut.stopped.wait(10)
    return process


def kill_at_first_write(inkan, server, *command):
    """Its journal stands, and nothing of it is done."""
    cut = Cut(server.port, nth=FIRST_WRITE, hold=True)
    process = launch(inkan, cut, *command)
    process.kill()
    process.communicate()
    cut.close()
    assert journals(server) == 1


def journals(server):
    return len(server.search("(inkanJournal=*)", "inkanRevision"))


def states(server, domain):
    return {entry["inkanKeySelector"][0].decode(): (entry["inkanKeyState"][0].decode(),
                                                    "inkanKeySealed" in entry)
            for entry in server.search(f"(inkanKeyDomain={domain})", "inkanKeySelector",
                                       "inkanKeyState", "inkanKeySealed")}


def test_an_entry_that_arrives_late_does_not_bring_back_what_was_removed(inkan, server):
    cut = Cut(server.port, nth=FIRST_WRITE, late=True)
    process = launch(inkan, cut, *ADD, "late.example", "--tenant", "acme", *ED25519, "--activate")
    inkan.ok("tenant", "set", "acme", "note=completes what it finds")
    inkan.ok("domain", "remove", "late.example", "--yes")
    cut.release()
    process.communicate()
    cut.close()
    assert process.returncode == 0
    assert server.search("(|(inkanDomainName=late.example)(inkanKeyDomain=late.example))") == []


def test_a_key_whose_successor_was_taken_away_goes_on_signing(inkan, server, domain):
    old, = states(server, domain)
    inkan.ok("key", "new", domain, *ED25519, "--selector", "next")
    kill_at_first_write(inkan, server, "key", "activate", domain, "next")
    server.modify(f"dn: inkanKeySelector=next,{dn_of(domain)}\nchangetype: delete\n")
    inkan.ok("tenant", "set", "acme", f"note={domain}")
    assert states(server, domain) == {old: ("active", True)}
    assert journals(server) == 0


def test_what_stands_below_a_domain_that_is_gone_is_left_out(inkan, server, domain):
    kill_at_first_write(inkan, server, "key", "new", domain, *ED25519, "--selector", "next")
    server.remove(dn_of(domain))
    inkan.ok("tenant", "set", "acme", f"note={domain}")
    assert journals(server) == 0
    assert states(server, domain) == {}


def test_a_change_by_another_tool_stays(inkan, server, domain):
    kill_at_first_write(inkan, server, "domain", "set", domain, "note=ours")
    server.modify(f"dn: {dn_of(domain)}\nchangetype: modify\nreplace: inkanDomainStatus\n"
                  "inkanDomainStatus: suspended\n")
    inkan.ok("tenant", "set", "acme", f"note={domain}")
    shown = inkan.json("domain", "show", domain)
    assert (shown["status"], shown["note"]) == ("suspended", "ours")


def test_what_has_entries_of_others_below_it_is_not_removed(inkan, server, domain):
    server.ldif_add(f"dn: cn=notes,{dn_of(domain)}\nobjectClass: organizationalRole\ncn: notes\n")
    refused = inkan.run("domain", "remove", domain, "--yes")
    assert refused.returncode == 3
    assert "there are entries of other programs below" in refused.stderr
    assert [state for state, _ in states(server, domain).values()] == ["active"]
    inkan.ok("tenant", "set", "acme", f"note={domain}")


def test_an_entry_that_only_bears_our_class_is_not_removed(inkan, server):
    server.ldif_add(f"dn: cn=own,{BASE}\nobjectClass: organizationalRole\n"
                    "objectClass: inkanDomain\ncn: own\ndescription: the provider's\n"
                    "inkanDomainName: own.example\ninkanDomainTenant: acme\n")
    refused = inkan.run("domain", "remove", "own.example", "--yes")
    assert refused.returncode == 3
    assert "was made by another program" in refused.stderr
    assert server.search("(cn=own)", "description")[0]["description"] == [b"the provider's"]
