# SPDX-License-Identifier: Apache-2.0
"""`inkan import opendkim` into a store where others are: nobody's authors get another tenant's
signature, and what stands in the way is told once, with file and line."""

import base64

import pytest

from ldap import SUFFIX
from takeover import directory, move, notes
from test_import_opendkim_report import DONE, INVALID, NO, configure, whole_state
from test_opendkim_model import KEYS, PATTERNS, TABLES, Ask, material, place

assert directory and material and move and place  # fixtures


def rules_of(move):
    return [(rule["pattern"], rule["domain"]) for rule in move.inkan.json("rule", "list")]


# -- authors and keys of others ---------------------------------------------------------------

@pytest.mark.parametrize("options", [[], ["--yes"]], ids=["rehearsed", "done"])
@pytest.mark.parametrize("author", ["theirs.test", "sub.theirs.test", ".theirs.test", "ann@theirs.test"])
def test_no_rule_for_authors_of_another_tenant(author, options, move):
    configure(move, TABLES, keys=KEYS, rules=f"{author} k1\nexample.com k1\n")
    move.inkan.ok("tenant", "add", "globex")
    move.inkan.add_domain("theirs.test", "globex", ("ed25519-sha256",))
    answer = move.run(*options)
    assert answer.returncode == NO
    assert [note[:3] for note in notes(answer.report, "refused")] == [("refused", "rules", 1)]
    text = notes(answer.report, "refused")[0][3]
    assert text.startswith(f"{author}: ") and "domain theirs.test belongs to tenant globex" in text
    assert [note[:3] for note in notes(answer.report, "taken") if note[1] == "rules"] == [("taken", "rules", 2)]
    assert answer.report["rule_list"] == [] and rules_of(move) == []
    assert (answer.report["added"], answer.report["failed"]) == (1, 0)


def test_a_wide_rule_stays(move):
    """The domain of the other tenant signs for its authors before it counts."""
    configure(move, TABLES, keys=KEYS, rules="* k1\n")
    move.inkan.ok("tenant", "add", "globex")
    move.inkan.add_domain("theirs.test", "globex", ("ed25519-sha256",))
    assert move.run("--yes").returncode == DONE and rules_of(move) == [("*", "example.com")]


def test_a_domain_of_another_tenant_is_told_once(move):
    """No key of it goes in, and none of the lines is told to be taken."""
    configure(move, TABLES, keys=KEYS, rules="example.com k1\nexample.org k2\nelsewhere.test k1\n")
    move.inkan.ok("tenant", "add", "globex")
    move.inkan.ok("domain", "add", "example.com", "--tenant", "globex", "--no-key")
    answer = move.run("--yes")
    assert answer.returncode == NO and answer.report["keys"] == 1
    told = [note for note in notes(answer.report, "taken", "refused") if note[1] in ("rules", "keys", "")]
    assert [note[:3] for note in told] == [("refused", "rules", 1), ("refused", "rules", 3), ("taken", "rules", 2)]
    assert all("domain example.com belongs to tenant globex" in note[3] for note in told[:2])
    assert [key["domain"] for key in move.inkan.json("key", "list")] == ["example.org"]


def test_a_tenant_for_each_domain_and_a_key_for_two(move):
    configure(move, TABLES, keys=KEYS, rules="example.com k1\nann@example.org k2\nexample.org k1\n")
    for options in (["--yes"], ["--yes"], []):
        answer = move.run(*options, tenant="%")
        assert answer.returncode == DONE, answer.report
        (_, _, line, text), = [note for note in notes(answer.report, "changed") if note[1] == "rules"]
        assert line == 3 and text.startswith("example.org: ")
        assert "tenant_check = enforce only for the provider's own hosts" in text
    assert sorted(rules_of(move)) == [("ann@example.org", "example.org"), ("example.org", "example.com")]


def test_a_name_too_long_for_a_tenant(move):
    name = f"{'a' * 40}.{'b' * 30}.test"
    configure(move, TABLES, keys=KEYS + f"long {name}:s1:{{dir}}/rsa.pem\n", rules=f"{name} long\nexample.com k1\n")
    answer = move.run("--yes", tenant="%")
    (_, file, line, text), = notes(answer.report, "refused")
    assert (answer.returncode, file, line) == (NO, "rules", 1) and "--tenant" in text, text
    assert move.run("--yes", tenant="long").returncode == NO  # example.com is a tenant's already
    assert {d["name"]: d["tenant"] for d in move.inkan.json("domain", "list")} == {
        "example.com": "example.com", name: "long"}


# -- names of tenants -------------------------------------------------------------------------

@pytest.mark.parametrize("tenant", ["", "a b", "t" * 300])
@pytest.mark.parametrize("settings", ["", TABLES])
def test_a_tenant_that_cannot_be(settings, tenant, move):
    configure(move, settings, keys=KEYS, rules="example.com k1\n")
    before = whole_state(move.inkan)
    for options in ([], ["--yes"]):
        answer = move.run(*options, tenant=tenant)
        assert answer.returncode == INVALID and answer.stdout == ""
        assert answer.stderr.startswith("inkan: --tenant: ") and answer.stderr.count("\n") == 1
    assert whole_state(move.inkan) == before


# -- suspended --------------------------------------------------------------------------------

@pytest.mark.parametrize("what, words", [
    (["domain", "suspend", "example.com"], "but the domain is suspended here"),
    (["tenant", "suspend", "acme"], "but the tenant is suspended here")])
def test_what_is_suspended_does_not_sign(what, words, move):
    configure(move, PATTERNS, keys=KEYS, rules="*@example.com k1\nann@example.net k1\n")
    move.inkan.ok("tenant", "add", "acme")
    move.inkan.ok("domain", "add", "example.com", "--tenant", "acme", "--no-key")
    move.inkan.ok(*what)
    for options in ([], ["--yes"], ["--yes"]):
        answer = move.run(*options)
        assert answer.returncode == DONE
        assert [note[:3] for note in notes(answer.report, "changed") if words in note[3]] == [
            ("changed", "rules", 1), ("changed", "rules", 2)]
        assert not [note for note in notes(answer.report, "taken") if note[1] == "rules"]


# -- directories ------------------------------------------------------------------------------

def test_what_is_shared_and_what_is_switched_off_in_a_directory(directory, move):
    """With the filters of OpenDKIM's own README: a selector of two domains is one key for both, and
    DKIMActive is nothing that anybody asks about."""
    people = f"ou=people,{SUFFIX}"
    with open(f"{move.folder}/rsa.pem", "rb") as file:
        secret = base64.b64encode(file.read()).decode()
    entries = [f"dn: {people}\nobjectClass: organizationalUnit\nou: people\n"]
    for domain, selector, more in (("one.test", "s1", ""), ("two.test", "s1", "DKIMActive: TRUE\n"),
                                   ("off.test", "s2", "DKIMActive: FALSE\n")):
        entries.append(f"dn: DKIMSelector={selector}+DKIMDomain={domain},{people}\nobjectClass: DKIM\n"
                       f"DKIMDomain: {domain}\nDKIMSelector: {selector}\nDKIMIdentity: {domain}\n"
                       f"DKIMKey:: {secret}\n{more}")
    entries.append(f"dn: DKIMSelector=s3,{people}\nobjectClass: DKIM\nDKIMDomain: at.test\nDKIMSelector: s3\n"
                   f"DKIMIdentity: @at.test\nDKIMKey:: {secret}\n")
    directory.ldif_add("\n".join(entries))
    url = directory.url("ldap", people)
    move.start_opendkim(f"Mode s\nKeyTable {url}?DKIMDomain,DKIMSelector,DKIMKey?sub?(DKIMSelector=$d)\n"
                        f"SigningTable {url}?DKIMSelector?sub?(DKIMIdentity=$d)\n")
    report = move.take_over()
    for domain in ("one.test", "two.test", "off.test", "at.test"):
        said = [asked(Ask(f"a@{domain}")) for asked in (move.ask_opendkim, move.ask_inkand)]
        assert (said[0].action, said[0].signatures) == (said[1].action, said[1].signatures), domain
    changed = [note[3] for note in notes(report, "changed")]
    assert [text for text in changed if text.startswith("two.test: KeyTable has 2 rows called s1, and ")]
    assert not [text for text in changed if text.startswith("one.test: ")]
    told = [text for text in changed if "DKIMActive=FALSE" in text]
    assert sorted(text.partition(":")[0] for text in told) == ["off.test", "s2"]
    (_, _, _, text), = notes(report, "refused")
    assert text.startswith("@at.test: never matched anybody, because OpenDKIM asks for user@host and")
