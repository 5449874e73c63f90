# SPDX-License-Identifier: Apache-2.0
"""A directory as a store: what is missing, forbidden, limited or there twice is said in words that
help, nothing is half-written, and whole stores go in and out."""

import json
import threading

import pytest

import messages
from inkan import Inkan
from ldap import ADMIN, BASE, CONFIG, ROOT, SCHEMA, SIGNER, SUFFIX, Slapd
from milter import REPLY_CODE, Milter
from test_copy import add_domains, content, counts

DONE, INVALID, REFUSED, BROKEN, TEMPORARY = 0, 2, 3, 70, 75
DATA_BASE = "olcDatabase={1}mdb,cn=config"
ED25519 = ("--algorithm", "ed25519-sha256")


@pytest.fixture(scope="module")
def slapd(module_folder):
    server = Slapd.single(module_folder, log_level="none")
    yield server
    server.kill()


@pytest.fixture
def inkan(slapd, new_inkan):
    """The store, empty but for a tenant."""
    slapd.delete(BASE)
    slapd.ldif_add(f"dn: {BASE}\nobjectClass: organizationalUnit\nou: inkan\n")
    return new_inkan(**slapd.settings()).set_up("acme")


def writer(slapd):
    """What the entry that writers agree by has."""
    entry, = slapd.search("(objectClass=inkanWriter)")
    return {name: values for name, values in entry.items() if name != "dn"}


# -- what is not there ---------------------------------------------------------------------


class Bare(Slapd):
    """A server that nobody has prepared for inkan."""

    def _prepare_for_inkan(self):
        pass


def test_server_without_the_schema(new_inkan, folder):
    bare = Bare(folder, log_level="none")
    try:
        bare.ldif_add(f"dn: {SUFFIX}\nobjectClass: organization\nobjectClass: dcObject\no: x\n"
                      "dc: example\n\n"
                      f"dn: {BASE}\nobjectClass: organizationalUnit\nou: inkan\n")
        inkan = new_inkan(**bare.settings(ROOT))
        answer = inkan.run("store", "init")
        assert answer.returncode == BROKEN
        assert SCHEMA.endswith("/migrations/ldap/inkan.ldif")
        assert "migrations/ldap/inkan.ldif" in answer.stderr
        with open(SCHEMA, encoding="ascii") as file:
            bare.ldif_add(file.read(), CONFIG)
        inkan.ok("store", "init")
    finally:
        bare.kill()


def test_base_that_does_not_exist(slapd, new_inkan):
    inkan = new_inkan(**{**slapd.settings(), "store__url": slapd.url(base=f"ou=no,{SUFFIX}")})
    answer = inkan.run("store", "init")
    assert answer.returncode == INVALID
    assert f"the entry ou=no,{SUFFIX} does not exist" in answer.stderr
    answer = inkan.run("tenant", "list")
    assert answer.returncode == BROKEN and "inkan store init" in answer.stderr


# -- what is forbidden ---------------------------------------------------------------------


def test_account_that_may_not_write(slapd, inkan, new_inkan):
    before = slapd.ldif(BASE)
    reader = new_inkan("reader", vault__keyring=inkan.keyring, **slapd.settings(SIGNER))
    for command in (("domain", "add", "a.example", "--tenant", "acme", *ED25519),
                    ("tenant", "set", "acme", "note=x"), ("tenant", "add", "other")):
        answer = reader.run(*command)
        assert answer.returncode == REFUSED
        assert "Insufficient access" in answer.stderr
    assert slapd.ldif(BASE) == before


@pytest.fixture
def forbid(slapd):
    """Takes inkan-admin's right to write a place away, until permit() or the end of the test."""
    rules = []

    def take(place):
        rules.append(place)
        slapd.modify(f"dn: {DATA_BASE}\nchangetype: modify\nadd: olcAccess\n"
                     f'olcAccess: {{0}}to dn.subtree="cn={place},{BASE}"'
                     f' by dn.exact="{ADMIN[0]}" read by * break\n', CONFIG)

    def permit():
        while rules:
            rules.pop()
            slapd.modify(f"dn: {DATA_BASE}\nchangetype: modify\ndelete: olcAccess\n"
                         "olcAccess: {0}\n", CONFIG)

    yield take, permit
    permit()


def test_change_whose_first_write_is_refused_has_not_happened(slapd, inkan, forbid):
    take, permit = forbid
    before = slapd.ldif(BASE)
    revision = writer(slapd)["inkanRevision"]
    take("tenants")
    answer = inkan.run("tenant", "add", "other")
    assert answer.returncode == REFUSED and "Insufficient access" in answer.stderr
    assert "inkanJournal" not in writer(slapd)
    assert writer(slapd)["inkanRevision"] != revision
    permit()
    assert [tenant["name"] for tenant in inkan.json("tenant", "list")] == ["acme"]
    assert len(slapd.ldif(BASE).split("\n\n")) == len(before.split("\n\n"))


def test_change_of_which_a_later_write_is_refused_is_made_but_for_that(slapd, inkan, forbid):
    """Whoever gave the account too little is told, and later changes are not held up."""
    take, permit = forbid
    take("events")
    answer = inkan.run("tenant", "add", "other")
    assert answer.returncode == BROKEN
    assert "the change was made, but for: ldap: Insufficient access" in answer.stderr
    assert f"(entry inkanEventId=2,cn=events,{BASE})" in answer.stderr
    assert "inkanJournal" not in writer(slapd)
    permit()
    inkan.ok("tenant", "set", "other", "note=x")
    assert [tenant["name"] for tenant in inkan.json("tenant", "list")] == ["acme", "other"]
    assert [(event["action"], event["name"]) for event in inkan.json("audit", "list")] == [
        ("tenant.add", "acme"), ("tenant.set", "other")]
    assert inkan.run("audit", "verify").returncode == DONE


# -- what is there twice, or elsewhere -----------------------------------------------------


def test_two_entries_of_one_domain_sign_nothing(slapd, inkan):
    """Which of two tenants is it? Nobody can say, so nobody signs."""
    inkan.ok("tenant", "add", "globex")
    inkan.add_domain("twin.example", algorithms=("ed25519-sha256",))
    inkan.add_domain("single.example", algorithms=("ed25519-sha256",))
    entry = slapd.ldif(f"inkanDomainName=twin.example,inkanTenantName=acme,cn=tenants,{BASE}")
    slapd.ldif_add(entry.partition("\n\n")[0].replace("acme", "globex"))
    answer = inkan.run("domain", "show", "twin.example")
    assert answer.returncode == BROKEN
    assert "a second entry of the same domain" in answer.stderr
    inkan.start()
    with Milter(inkan.address) as milter:
        milter.greet()
        verdict, _ = milter.message(messages.compose(b"a@twin.example"), queue_id="TWIN")
        assert verdict == REPLY_CODE and milter.reply.startswith(b"451")
        assert "domain twin.example has a second entry" in inkan.reason("TWIN")
        milter.message(messages.compose(b"a@single.example"), queue_id="SINGLE")
        assert "DKIM-Signature field added" in inkan.reason("SINGLE")


@pytest.mark.parametrize("what", ["domain", "tenant"])
def test_an_unreadable_entry_is_the_misfortune_of_its_own_domain(slapd, inkan, what):
    """What another program wrote wrongly; a domain of another tenant below it is looked up with it."""
    inkan.ok("tenant", "add", "globex")
    inkan.add_domain("parent.example", algorithms=("ed25519-sha256",))
    inkan.add_domain("sub.parent.example", tenant="globex", algorithms=("ed25519-sha256",))
    tenant = f"inkanTenantName=acme,cn=tenants,{BASE}"
    dn, attribute = {"domain": (f"inkanDomainName=parent.example,{tenant}", "inkanDomainStatus"),
                     "tenant": (tenant, "inkanTenantStatus")}[what]
    slapd.modify(f"dn: {dn}\nchangetype: modify\nreplace: {attribute}\n{attribute}: disabled\n")
    inkan.start()
    with Milter(inkan.address) as milter:
        milter.greet()
        for turn in ("A1", "A2"):  # once cold, once with what was cached by then
            milter.message(messages.compose(b"a@sub.parent.example"), queue_id=f"B{turn}")
            assert "DKIM-Signature field added" in inkan.reason(f"B{turn}")
            verdict, _ = milter.message(messages.compose(b"a@parent.example"), queue_id=f"C{turn}")
            assert verdict == REPLY_CODE and milter.reply.startswith(b"451")
            assert attribute in inkan.reason(f"C{turn}")
    slapd.modify(f"dn: {dn}\nchangetype: modify\nreplace: {attribute}\n{attribute}: active\n")
    with Milter(inkan.address) as milter:
        milter.greet()
        milter.message(messages.compose(b"a@parent.example"), queue_id="MENDED")
        assert "DKIM-Signature field added" in inkan.reason("MENDED")


def test_references_to_other_servers_are_passed_over(slapd, inkan):
    inkan.add_domain("here.example", algorithms=("ed25519-sha256",))
    done = slapd._tool("ldapadd", ROOT, "-M", text=(
        f"dn: cn=there,cn=tenants,{BASE}\nobjectClass: referral\nobjectClass: extensibleObject\n"
        f"cn: there\nref: ldap://127.0.0.1:1/cn=tenants,{BASE}\n"))
    assert done.returncode == 0, done.stderr
    try:
        assert [domain["name"] for domain in inkan.json("domain", "list")] == ["here.example"]
        assert inkan.run("store", "check").returncode == DONE
        inkan.ok("domain", "set", "here.example", "note=x")
        signed = inkan.run("sign", stdin=messages.compose(b"a@here.example"))
        assert signed.returncode == DONE and b"d=here.example" in signed.output
    finally:
        slapd._tool("ldapdelete", ROOT, "-M", f"cn=there,cn=tenants,{BASE}")


# -- many ----------------------------------------------------------------------------------


def test_import_of_a_thousand_rows_and_a_limit_of_entries(slapd, inkan):
    """A list that was cut short is not given out as if it were whole."""
    rows = "".join(json.dumps({"domain": f"d{i}.example", "tenant": "acme", "activate": True,
                               "algorithm": "ed25519-sha256"}) + "\n" for i in range(1000))
    report = json.loads(inkan.ok("--json", "import", "domains", "-", stdin=rows.encode()))
    assert (report["added"], report["failed"]) == (1000, 0)
    assert len(inkan.json("domain", "list")) == 1000
    entry, = slapd.search("(olcLimits=*)", "olcLimits", account=CONFIG, base=DATA_BASE)
    limits = "\n".join(f"olcLimits: {limit.decode()}" for limit in entry["olcLimits"])
    slapd.modify(f"dn: {DATA_BASE}\nchangetype: modify\ndelete: olcLimits\n", CONFIG)
    try:
        answer = inkan.run("domain", "list")
        assert (answer.returncode, answer.stdout) == (BROKEN, "")
        assert "raise its size limit (olcLimits)" in answer.stderr
        inkan.ok("domain", "show", "d999.example")
    finally:
        slapd.modify(f"dn: {DATA_BASE}\nchangetype: modify\nadd: olcLimits\n{limits}\n", CONFIG)
    assert len(inkan.json("domain", "list")) == 1000


def test_import_beside_a_program_that_keeps_writing(slapd, inkan):
    """The other is always faster than two hundred rows: each of its changes makes what was begun
    before come too late."""
    rows = "".join(json.dumps({"domain": f"d{i}.example", "tenant": "acme", "activate": True,
                               "algorithm": "ed25519-sha256"}) + "\n" for i in range(600))
    inkan.ok("tenant", "add", "busy")
    ended, changes = threading.Event(), []

    def keep_writing():
        while not ended.is_set():
            changes.append(inkan.run("tenant", "set", "busy", f"note={len(changes)}").returncode)

    busy = threading.Thread(target=keep_writing)
    busy.start()
    try:
        answer = inkan.run("--json", "import", "domains", "-", stdin=rows.encode())
    finally:
        ended.set()
        busy.join()
    assert answer.returncode == DONE, answer.stderr
    assert json.loads(answer.stdout)["added"] == 600
    assert changes.count(DONE) > 5 and set(changes) <= {DONE, TEMPORARY}


def test_store_copied_into_a_directory_and_back(slapd, inkan, new_inkan):
    """The keyring is one; what comes back is what went in."""
    way = {name: value for name, value in slapd.settings().items() if name != "store__url"}
    slapd.delete(BASE)
    slapd.ldif_add(f"dn: {BASE}\nobjectClass: organizationalUnit\nou: inkan\n")
    inkan.ok("store", "init")
    source = new_inkan("source", vault__keyring=inkan.keyring, **way)
    back = new_inkan("back", vault__keyring=inkan.keyring)
    for store in (source, back):
        store.ok("store", "init")
    for tenant in ("acme", "globex"):
        source.ok("tenant", "add", tenant)
    source.add_domain("example.com", algorithms=("rsa-sha256", "ed25519-sha256"), expiry=60)
    source.ok("key", "retire", "example.com", "ed25519")
    source.ok("tenant", "suspend", "globex")
    add_domains(source, 250)
    url = slapd.url()
    assert counts(source.run("--json", "store", "copy", "--to", url))["domain"] == (251, 0)
    assert counts(source.run("--json", "store", "copy", "--to", url))["event"][0] == 0
    assert inkan.run("store", "check").returncode == DONE
    answer = inkan.run("--json", "store", "copy", "--to", back.settings["store.url"])
    assert counts(answer)["key"] == (252, 0)
    assert content(back) == content(source)
