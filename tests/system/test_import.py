# SPDX-License-Identifier: Apache-2.0
"""Bulk import and export: bad rows do not take others down, and a killed import goes on."""

import csv
import io
import json
import os
import pty
import signal
import subprocess

import pytest

from inkan import BUILD, SANITIZER_ENV
from postgres import Postgres
from process import wait_for

DONE, NO, INVALID, REFUSED = 0, 1, 2, 3
ED25519 = "ed25519-sha256"


def openssl(*arguments):
    return subprocess.run(["openssl", *arguments], capture_output=True, check=True).stdout.decode()


@pytest.fixture(scope="module")
def pem():
    return {"rsa": openssl("genrsa", "1024"), "ed25519": openssl("genpkey", "-algorithm",
                                                                 "ed25519")}


@pytest.fixture
def inkan(new_inkan):
    return new_inkan().set_up("acme", "globex")


def json_lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def csv_text(rows):
    """Values as text, keys of the first row as header; line ends as RFC 4180 has them."""
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0].keys(), lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: str(v).lower() if isinstance(v, bool) else v for k, v in row.items()})
    return out.getvalue()


def write(inkan, name, text):
    path = os.path.join(inkan.folder, name)
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    return path


def import_rows(inkan, path, *options, stdin=b""):
    """Exit code, summary, standard error."""
    answer = inkan.run("--json", "import", "domains", path, *options, stdin=stdin)
    return answer.returncode, json.loads(answer.stdout), answer.stderr


def state(inkan):
    """All that an import could change, but for times."""
    keys = [{k: key[k] for k in ("domain", "selector", "algorithm", "bits", "state", "public_key")}
            for key in inkan.json("key", "list")]
    domains = [{k: v for k, v in domain.items() if k not in ("created", "updated", "version")}
               for domain in inkan.json("domain", "list")]
    return domains, keys


def plain_rows(count, **more):
    return [{"domain": f"d{i}.example", "tenant": "acme", "algorithm": ED25519, **more}
            for i in range(count)]


# -- what a row may say -----------------------------------------------------------------------

def full_row(pem):
    return {"domain": "B\u00fccher.Example", "tenant": "acme", "algorithm": "rsa-sha256",
            "selector": "s1", "private_key": pem["rsa"], "activate": True, "delegate": False,
            "subdomains": True, "canonicalization": "relaxed/simple", "expiry": "1h", "soak": 90,
            "note": "said \"yes\", twice"}


@pytest.mark.parametrize("name, form", [
    ("rows.jsonl", json_lines), ("rows.csv", csv_text), ("rows", json_lines), ("rows", csv_text),
], ids=["JSON lines", "CSV", "JSON lines without an ending", "CSV without an ending"])
def test_every_field_arrives(inkan, pem, name, form):
    path = write(inkan, name, form([full_row(pem)]))
    assert import_rows(inkan, path)[:2] == (DONE, {"rows": 1, "added": 1, "existed": 0,
                                                   "failed": 0, "errors": []})
    domain = inkan.json("domain", "show", "xn--bcher-kva.example")
    assert (domain["tenant"], domain["subdomains"], domain["canonicalization"], domain["expiry"],
            domain["soak"], domain["note"]) == ("acme", True, "relaxed/simple", 3600, 90,
                                                "said \"yes\", twice")
    key, = inkan.json("key", "list", "xn--bcher-kva.example")
    assert (key["selector"], key["state"], key["bits"]) == ("s1", "active", 1024)
    assert inkan.run("store", "check").returncode == DONE


def test_rows_come_from_standard_input(inkan):
    rows = plain_rows(1, bits=None) + [{"domain": "r.example", "tenant": "globex", "bits": 1024,
                                        "algorithm": f"rsa-sha256,{ED25519}"}]
    code, report, _ = import_rows(inkan, "-", stdin=b"\xef\xbb\xbf" + json_lines(rows).encode())
    assert (code, report["added"]) == (DONE, 2)
    assert sorted((k["algorithm"], k["bits"], k["state"]) for k in
                  inkan.json("key", "list", "r.example")) == [
                      (ED25519, 256, "staged"), ("rsa-sha256", 1024, "staged")]


def test_a_domain_may_have_no_key_and_be_suspended(inkan):
    rows = [{"domain": "d.example", "tenant": "acme", "algorithm": "none", "status": "suspended"}]
    assert import_rows(inkan, "-", stdin=json_lines(rows).encode())[0] == DONE
    assert inkan.json("domain", "show", "d.example")["status"] == "suspended"
    assert inkan.json("key", "list") == []


def made(inkan, domain):
    return sorted((key["algorithm"], key["bits"]) for key in inkan.json("key", "list", domain))


def test_what_keys_are_made_the_domain_says_and_then_the_tenant(inkan):
    """As with `domain add` and `key new`."""
    both = f"rsa-sha256:1024,{ED25519}"
    inkan.ok("tenant", "set", "acme", f"algorithms={ED25519}")
    rows = [{"domain": "tenant.example", "tenant": "acme"},
            {"domain": "own.example", "tenant": "acme", "algorithms": both},
            {"domain": "row.example", "tenant": "acme", "algorithms": both,
             "algorithm": "rsa-sha256:1536"},
            {"domain": "none.example", "tenant": "acme", "algorithms": both, "algorithm": "none"},
            {"domain": "settings.example", "tenant": "globex"},
            {"domain": "bits.example", "tenant": "acme", "algorithms": both, "bits": 1280}]
    code, report, errors = import_rows(inkan, "-", stdin=json_lines(rows).encode())
    assert (code, report["added"]) == (DONE, 6), errors
    assert made(inkan, "tenant.example") == [(ED25519, 256)]
    assert made(inkan, "own.example") == [(ED25519, 256), ("rsa-sha256", 1024)]
    assert made(inkan, "row.example") == [("rsa-sha256", 1536)]
    assert made(inkan, "none.example") == []
    assert made(inkan, "settings.example") == [("rsa-sha256", 2048)]
    assert made(inkan, "bits.example") == [(ED25519, 256), ("rsa-sha256", 1280)]


def test_further_keys_are_what_the_domain_that_is_there_says(inkan):
    """In the store, or in a row before."""
    inkan.ok("tenant", "set", "acme", f"algorithms=rsa-sha256:1024,{ED25519}")
    inkan.ok("domain", "add", "old.example", "--tenant", "acme", "--no-key")
    inkan.ok("domain", "set", "old.example", f"algorithms={ED25519}")
    rows = [{"domain": "old.example", "tenant": "acme", "selector": "a"},
            {"domain": "new.example", "tenant": "acme", "algorithms": ED25519},
            {"domain": "new.example", "tenant": "acme", "selector": "b"}]
    code, report, errors = import_rows(inkan, "-", stdin=json_lines(rows).encode())
    assert (code, report["added"]) == (DONE, 3), errors
    assert made(inkan, "old.example") == [(ED25519, 256)]
    assert made(inkan, "new.example") == [(ED25519, 256)] * 2


def test_what_does_not_go_with_the_policy_of_the_tenant_is_reported(inkan):
    inkan.ok("tenant", "set", "acme", f"algorithms=rsa-sha256:1024,{ED25519}")
    inkan.ok("tenant", "set", "globex", f"algorithms={ED25519}")
    rows = [{"domain": "a.example", "tenant": "acme", "selector": "s"},
            {"domain": "b.example", "tenant": "globex", "bits": 2048},
            {"domain": "c.example", "tenant": "globex", "selector": "s"}]
    code, report, _ = import_rows(inkan, "-", stdin=json_lines(rows).encode())
    assert (code, report["added"], report["failed"]) == (NO, 1, 2)
    assert [error["text"] for error in report["errors"]] == [
        "selector: names one key, the row has 2",
        "algorithm: bits: only keys of rsa-sha256 have a choice of sizes"]


def test_an_empty_file_has_no_rows(inkan):
    for name in ("empty.csv", "empty.jsonl", "empty"):
        path = write(inkan, name, "\n\n")
        assert import_rows(inkan, path)[:2] == (DONE, {"rows": 0, "added": 0, "existed": 0,
                                                       "failed": 0, "errors": []})


def test_a_further_row_adds_a_key(inkan, pem):
    first = {"domain": "d.example", "tenant": "acme", "selector": "s1", "algorithm": ED25519,
             "activate": True}
    rows = [first, {**first, "selector": "s2", "activate": False}, first,
            {"domain": "d.example", "tenant": "acme", "private_key": pem["rsa"]},
            {"domain": "d.example", "tenant": "acme", "private_key": pem["rsa"]}]
    code, report, _ = import_rows(inkan, "-", stdin=json_lines(rows).encode())
    assert (code, report["added"], report["existed"]) == (DONE, 3, 2)
    states = [(k["algorithm"], k["state"]) for k in inkan.json("key", "list", "d.example")]
    assert sorted(states) == [(ED25519, "active"), (ED25519, "staged"), ("rsa-sha256", "staged")]
    before = state(inkan)
    code, report, _ = import_rows(inkan, "-", stdin=json_lines(rows).encode())
    assert (code, report["existed"]) == (DONE, 5)
    assert state(inkan) == before


# -- bad rows ---------------------------------------------------------------------------------

BAD_ROWS = {
    "no domain": ({"domain": ""}, "domain: missing"),
    "no tenant": ({"tenant": None}, "tenant: missing"),
    "bad domain": ({"domain": "a..example"}, "domain a..example"),
    "unknown tenant": ({"tenant": "nobody"}, "tenant nobody: not found"),
    "domain of another tenant": ({"domain": "taken.example"}, "belongs to tenant globex"),
    "unknown field": ({"algoritm": ED25519}, "algoritm: unknown field (nearest: algorithm)"),
    "unknown algorithm": ({"algorithm": "rsa-sha1"}, "rsa-sha1"),
    "algorithm twice": ({"algorithm": f"{ED25519},{ED25519}"}, "given twice"),
    "bits too small": ({"algorithm": "rsa-sha256", "bits": 512}, "from 1024 to 4096"),
    "bits of Ed25519": ({"bits": 2048}, "bits: only keys of rsa-sha256"),
    "bits of no key": ({"algorithm": "none", "bits": 2048}, "bits: the row has no key"),
    "bits of a private key": ({"private_key": "x", "bits": 2048}, "bits: the private key has"),
    "bad selector": ({"selector": "-x"}, "selector -x"),
    "one selector for two keys": ({"algorithm": f"rsa-sha256,{ED25519}", "selector": "s"},
                                  "names one key, the row has 2"),
    "no PEM": ({"private_key": "secret"}, "private_key"),
    "activate without a key": ({"algorithm": "none", "activate": True}, "the row has no key"),
    "activate neither yes nor no": ({"activate": "perhaps"}, "activate: neither yes nor no"),
    "delegate": ({"delegate": True}, "delegate: [dns] delegation_zone is not set"),
    "bad expiry": ({"expiry": "soon"}, "expiry: not a duration"),
    "bad canonicalization": ({"canonicalization": "odd"}, "canonicalization"),
    "bad status": ({"status": "asleep"}, "status: not one of active, suspended"),
    "control character": ({"note": "a\u0007b"}, "control character"),
    "a list for a value": ({"note": ["a"]}, "note: neither a text"),
}


def test_a_bad_row_is_reported_with_its_line_and_the_others_go_in(inkan):
    inkan.ok("domain", "add", "taken.example", "--tenant", "globex", "--no-key")
    lines, wanted = [], {}
    for number, (change, text) in enumerate(BAD_ROWS.values()):
        lines.append(json.dumps(plain_rows(1)[0] | {"domain": f"good{number}.example"}))
        lines.append(json.dumps({**plain_rows(1)[0], "domain": "bad.example", **change}))
        wanted[len(lines)] = text
    for line, text in (("{", "not JSON"), ("[1]", "not a JSON object"),
                       ('{"domain": "x.example", "domain": "y.example"}', "twice"),
                       (json.dumps(plain_rows(1, note="x" * 70000)[0]), "longer than 65536")):
        lines.append(line)
        wanted[len(lines)] = text
    path = write(inkan, "rows.jsonl", "\n".join(lines))
    code, report, stderr = import_rows(inkan, path)
    assert (code, report["rows"], report["added"], report["failed"]) == (
        NO, len(lines), len(BAD_ROWS), len(wanted))
    assert {error["line"] for error in report["errors"]} == set(wanted)
    for error in report["errors"]:
        assert wanted[error["line"]] in error["text"]
        assert f"{path}:{error['line']}: {error['text']}\n" in stderr
    assert "secret" not in stderr
    names = {domain["name"] for domain in inkan.json("domain", "list")}
    assert names == {f"good{i}.example" for i in range(len(BAD_ROWS))} | {"taken.example"}


def test_a_bad_csv_record_is_reported_with_its_line(inkan):
    text = ("domain,tenant,algorithm,note\n"
            f"a.example,acme,{ED25519},\"two\nlines\"\n"  # a note may not have two lines
            f"b.example,acme,{ED25519}\n"
            f"c.example,acme,{ED25519},a\"b\n"
            f"d.example,acme,{ED25519},\"fine, this\"\n")
    code, report, _ = import_rows(inkan, write(inkan, "rows.csv", text))
    assert (code, report["added"]) == (NO, 1)
    assert [(e["line"], e["text"]) for e in report["errors"]] == [
        (2, "domain: note: control character 0x0a"),
        (4, "3 cells, and the header line has 4"),
        (5, "cell 4: a quote inside a cell that is not quoted")]


@pytest.mark.parametrize("text, sentence", [
    ("domian,tenant\nx.example,acme\n", ":1: the header line: domian: unknown field"),
    ("domain,tenant,domain\nx.example,acme,y\n", ":1: the header line: domain: stands there twice"),
    ("domain,\"tenant\nx.example,acme\n", ":1: the header line: cell 2: the quote is not closed"),
])
def test_a_header_that_is_not_understood_ends_it(inkan, text, sentence):
    answer = inkan.run("import", "domains", write(inkan, "rows.csv", text))
    assert answer.returncode == INVALID
    assert sentence in answer.stderr
    assert inkan.json("domain", "list") == []


def test_no_error_shows_a_private_key(inkan, pem):
    secret = pem["ed25519"].split("\n")[1]
    row = {"domain": "d.example", "tenant": "acme", "private_key": pem["ed25519"]}
    text = json.dumps(row)
    answer = inkan.run("import", "domains", "-", stdin="\n".join(
        [text[:-3], text[:-1], text.replace('"private', '"Private'), text.replace("MC4", "MC5"),
         json.dumps({**row, "algorithm": "rsa-sha256"})]).encode())
    assert answer.returncode == NO
    assert "5 of 5 rows failed" in answer.stderr
    for field in ("domain", "tenant", "algorithm", "selector", "activate", "note", "status"):
        moved = {**row, "private_key": None, field: pem["ed25519"]}
        code, report, stderr = import_rows(inkan, "-", stdin=json_lines([moved]).encode())
        assert code == NO and secret[8:40] not in stderr
        assert report["errors"][0]["text"].startswith(f"{field}: holds PEM")
    assert secret[8:40] not in answer.stderr + answer.stdout


def test_a_key_of_the_same_name_is_not_replaced(inkan, pem):
    row = {"domain": "d.example", "tenant": "acme", "selector": "s1", "private_key": pem["rsa"]}
    rows = [row, {**row, "private_key": pem["ed25519"]}]
    code, report, _ = import_rows(inkan, "-", stdin=json_lines(rows).encode())
    assert (code, report["added"], report["failed"]) == (NO, 1, 1)
    assert report["errors"][0]["text"] == "key d.example s1: exists already, with another value"


def test_an_active_row_wants_a_key_that_signs(inkan, pem):
    given = {"domain": "d.example", "tenant": "acme", "selector": "s1", "private_key": pem["rsa"]}
    made = {"domain": "e.example", "tenant": "acme", "selector": "s1", "algorithm": ED25519}
    assert import_rows(inkan, "-", stdin=json_lines([given, made]).encode())[0] == DONE
    active = [{**row, "activate": True} for row in (given, made)]
    code, report, _ = import_rows(inkan, "-", stdin=json_lines(active).encode())
    assert (code, report["existed"], report["failed"]) == (NO, 0, 2)
    assert [error["text"] for error in report["errors"]] == [
        f"key {name} s1: is there already, but not active yet: `inkan key activate`"
        for name in ("d.example", "e.example")]
    for row in active:
        inkan.ok("key", "activate", row["domain"], "s1")
    code, report, _ = import_rows(inkan, "-", stdin=json_lines(active).encode())
    assert (code, report["existed"], report["failed"]) == (DONE, 2, 0)
    code, report, _ = import_rows(inkan, "-", stdin=json_lines([{**active[0], "reserved": True}]).encode())
    assert (code, report["failed"]) == (NO, 1) and "not reserved for rules" in report["errors"][0]["text"]


def test_keys_that_follow_one_another_are_started_again(inkan, pem):
    """The first of them retires when the second comes."""
    row = {"domain": "d.example", "tenant": "acme", "activate": True}
    rows = [{**row, "selector": "s1", "private_key": pem["rsa"]},
            {**row, "selector": "s2", "algorithm": "rsa-sha256"}]
    code, report, _ = import_rows(inkan, "-", stdin=json_lines(rows).encode())
    assert (code, report["added"]) == (DONE, 2)
    before = state(inkan)
    code, report, _ = import_rows(inkan, "-", stdin=json_lines(rows).encode())
    assert (code, report["existed"]) == (DONE, 2)
    assert state(inkan) == before


def test_stop_on_error_takes_the_rows_before_and_none_behind(inkan):
    inkan.ok("domain", "add", "taken.example", "--tenant", "globex", "--no-key")
    rows = plain_rows(6)
    rows[3]["domain"] = "taken.example"
    code, report, _ = import_rows(inkan, "-", "--stop-on-error", stdin=json_lines(rows).encode())
    assert (code, report["rows"], report["added"], report["failed"]) == (REFUSED, 4, 3, 1)
    rows[3]["domain"] = "a..b"
    code, report, _ = import_rows(inkan, "-", "--stop-on-error", stdin=json_lines(rows).encode())
    assert (code, report["rows"], report["existed"], report["failed"]) == (INVALID, 4, 3, 1)
    assert len(inkan.json("domain", "list")) == 4


def test_a_dry_run_checks_everything_and_writes_nothing(inkan, pem):
    rows = plain_rows(300) + [full_row(pem), {"domain": "x.example", "tenant": "nobody"},
                              {"domain": "y.example", "tenant": "acme", "private_key": "none"}]
    before = [state(inkan), inkan.json("audit", "list")]
    code, report, _ = import_rows(inkan, "-", "--dry-run", stdin=json_lines(rows).encode())
    assert (code, report["added"], report["failed"]) == (NO, 301, 2)
    assert [state(inkan), inkan.json("audit", "list")] == before


# -- many -------------------------------------------------------------------------------------

def test_two_thousand_rows_and_one_spoilt_by_the_store(inkan):
    """Two rows of one batch want to sign with one selector: only the store can tell."""
    rows = plain_rows(2000)
    rows[1234] = {**rows[1233], "tenant": "globex"}
    path = write(inkan, "rows.jsonl", json_lines(rows))
    code, report, _ = import_rows(inkan, path)
    assert (code, report["added"], report["failed"]) == (NO, 1999, 1)
    assert report["errors"] == [{"line": 1235, "text": "domain d1233.example: belongs to tenant "
                                 "acme"}]
    status = inkan.json("store", "status")
    assert (status["domains"], status["keys"]) == (1999, 1999)
    assert inkan.run("store", "check").returncode == DONE


@pytest.fixture
def in_postgresql(new_inkan, folder):
    server = Postgres.primary(folder)
    yield new_inkan(store__url=server.url()).set_up("acme", "globex")
    server.stop()


def test_a_row_that_postgresql_refuses_takes_no_other_down(in_postgresql, pem):
    """Both of what is known when the row is read, and of what shows when all are written."""
    inkan = in_postgresql
    rows = [{"domain": f"d{n}.example", "tenant": "acme", "selector": "s1", "private_key": pem["ed25519"],
             "activate": True} for n in range(300)]
    inkan.ok("domain", "add", "d150.example", "--tenant", "acme", "--no-key")
    inkan.ok("key", "new", "d150.example", "--selector", "s1", "--algorithm", "ed25519-sha256")
    rows[250]["tenant"] = "nobody"
    code, report, stderr = import_rows(inkan, write(inkan, "rows.jsonl", json_lines(rows)))
    assert (code, report["added"], report["failed"]) == (NO, 298, 2), stderr
    assert [error["line"] for error in report["errors"]] == [151, 251]
    assert "key d150.example s1: exists already, with another value" in report["errors"][0]["text"]
    assert inkan.run("audit", "verify").returncode == DONE
    code, report, _ = import_rows(inkan, f"{inkan.folder}/rows.jsonl")
    assert (report["added"], report["existed"], report["failed"]) == (0, 298, 2)


def count_domains(inkan):
    return inkan.json("store", "status")["domains"]


def test_killed_in_the_middle_it_goes_on_when_started_again(inkan):
    path = write(inkan, "rows.jsonl", json_lines(plain_rows(6000)))
    process = subprocess.Popen([f"{BUILD}/inkan", "-c", inkan.conf, "import", "domains", path],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for("the first rows", lambda: count_domains(inkan) > 0, 20)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = count_domains(inkan)
    assert 0 < before < 6000
    assert inkan.json("store", "status")["keys"] == before
    code, report, _ = import_rows(inkan, path)
    assert (code, report["rows"], report["existed"], report["added"]) == (
        DONE, 6000, before, 6000 - before)
    status = inkan.json("store", "status")
    assert (status["domains"], status["keys"]) == (6000, 6000)


def test_a_bar_is_drawn_on_a_terminal_and_nowhere_else(inkan):
    path = write(inkan, "rows.jsonl", json_lines(plain_rows(1000)))
    assert inkan.run("import", "domains", path, "--dry-run").stderr == ""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([f"{BUILD}/inkan", "-c", inkan.conf, "import", "domains", path],
                               stdout=subprocess.DEVNULL, stderr=theirs,
                               env={**os.environ, **SANITIZER_ENV})
    os.close(theirs)
    drawn = b""
    try:
        while True:
            drawn += os.read(ours, 4096)
    except OSError:  # the other side is closed
        os.close(ours)
    assert process.wait() == DONE
    assert b"octets [" in drawn
    assert drawn.endswith(b"\r\033[K")


# -- there and back ---------------------------------------------------------------------------

@pytest.fixture
def filled(inkan, pem):
    rows = [full_row(pem),
            {"domain": "two.example", "tenant": "globex", "algorithm": f"rsa-sha256,{ED25519}",
             "bits": 1024, "activate": True},
            {"domain": "two.example", "tenant": "globex", "algorithm": ED25519, "selector": "next"},
            {"domain": "none.example", "tenant": "acme", "algorithm": "none", "note": "=1+1",
             "status": "suspended", "expiry": 0}]
    assert import_rows(inkan, "-", stdin=json_lines(rows).encode())[1]["added"] == 4
    return inkan


def another(new_inkan, rows, expected):
    other = new_inkan("other").set_up("acme", "globex")
    code, report, _ = import_rows(other, "-", stdin=rows.encode())
    assert (code, report["added"]) == (DONE, expected)
    return other


def test_an_export_with_keys_is_read_back(filled, new_inkan):
    text = filled.ok("export", "domains", "--with-keys")
    other = another(new_inkan, text, 5)
    assert state(other) == state(filled)
    assert other.ok("export", "domains", "--with-keys") == text
    assert other.run("store", "check").returncode == DONE


def test_reserved_keys_come_back_beside_the_others(inkan, new_inkan):
    inkan.add_domain("reserved.example")
    for selector in ("one", "two"):
        inkan.ok("key", "new", "reserved.example", "--selector", selector, "--reserved",
                 "--activate")
    other = another(new_inkan, inkan.ok("export", "domains", "--with-keys"), 3)
    assert state(other) == state(inkan)
    keys = {key["selector"]: (key["reserved"], key["state"])
            for key in other.json("key", "list", "reserved.example")}
    assert keys == {"rsa": (False, "active"), "one": (True, "active"), "two": (True, "active")}


def test_an_export_without_keys_gives_domains_with_keys_of_their_own(filled, new_inkan):
    text = filled.ok("export", "domains")
    assert "PRIVATE" not in text and "activate" not in text
    other = another(new_inkan, text, 3)
    assert other.ok("export", "domains") == text
    assert state(other)[0] == state(filled)[0]
    assert {key["state"] for key in state(other)[1]} == {"staged"}


def test_a_private_key_on_a_terminal_comes_with_a_warning(filled):
    assert filled.run("export", "domains", "--with-keys").stderr == ""
    ours, theirs = pty.openpty()
    answer = subprocess.run([f"{BUILD}/inkan", "-c", filled.conf, "export", "domains",
                             "--with-keys"], stdout=theirs, stderr=subprocess.PIPE, check=True)
    os.close(theirs)
    os.close(ours)
    assert b"warning: what follows are private keys" in answer.stderr
