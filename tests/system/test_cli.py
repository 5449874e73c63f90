# SPDX-License-Identifier: Apache-2.0
"""The inkan command: bad input gets one sentence and leaves nothing half-written."""

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import dkim
import pytest

import messages
import peers
from inkan import Inkan
from milter import Milter

DONE, NO, INVALID, REFUSED, BROKEN, TEMPORARY = 0, 1, 2, 3, 70, 75


@pytest.fixture(scope="module")
def shared(module_folder):
    inkan = Inkan(f"{module_folder}/inkan").set_up("acme")
    inkan.add_domain("example.com")
    return inkan


@pytest.fixture
def inkan(new_inkan):
    installation = new_inkan().set_up("acme")
    installation.add_domain("example.com")
    return installation


def openssl(*arguments, stdin=b""):
    return subprocess.run(["openssl", *arguments], input=stdin, capture_output=True,
                          check=True).stdout


@pytest.fixture(scope="module")
def files(module_folder):
    """Files an operator might hand in by mistake."""
    def write(name, octets):
        path = f"{module_folder}/{name}"
        with open(path, "wb") as file:
            file.write(octets)
        return path

    rsa = openssl("genrsa", "2048")
    encrypted = openssl("pkey", "-aes256", "-passout", "pass:secret", stdin=rsa)
    key = write("rsa.pem", rsa)
    return {
        "rsa.pem": key,
        "short.pem": write("short.pem", openssl("genrsa", "512")),
        "public.pem": write("public.pem", openssl("pkey", "-pubout", stdin=rsa)),
        "certificate.pem": write("certificate.pem", openssl(
            "req", "-x509", "-key", key, "-subj", "/CN=example.com", "-days", "1")),
        "encrypted.pem": write("encrypted.pem", encrypted),
        "ec.pem": write("ec.pem", openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout")),
        "cut.pem": write("cut.pem", rsa[:len(rsa) // 2]),
        "empty.pem": write("empty.pem", b""),
        "binary.pem": write("binary.pem", bytes(range(256)) * 10),
        "missing.pem": f"{module_folder}/missing.pem",
        "directory.pem": module_folder,
    }


def state(inkan):
    """All that bad input must leave as it was."""
    return [inkan.ok("--json", *words) for words in (
        ("tenant", "list"), ("domain", "list"), ("key", "list"), ("audit", "list"))]


BAD = {
    "domain of an unknown tenant": ("domain add new.example --tenant nobody", {NO, INVALID, REFUSED},
                                    "nobody"),
    "domain that exists": ("domain add example.com --tenant acme", {REFUSED}, "example.com"),
    "domain that exists, in upper case": ("domain add EXAMPLE.COM --tenant acme", {REFUSED},
                                          "example.com"),
    "tenant that exists": ("tenant add acme", {REFUSED}, "acme"),
    "domain with an empty label": ("domain add example..com --tenant acme", {INVALID},
                                   "example..com"),
    "domain with a blank": ("domain add exa\\ mple.com --tenant acme", {INVALID}, "exa mple.com"),
    "domain with a label too long": (f"domain add {'a' * 64}.example --tenant acme", {INVALID},
                                     "label"),
    "domain that is an address literal": ("domain add [192.0.2.1] --tenant acme", {INVALID},
                                          "192.0.2.1"),
    "domain too long for the names of its keys": (f"domain add {'a' * 63}.{'b' * 63}.{'c' * 63}."
                                                  f"{'d' * 61} --tenant acme", {INVALID}, "253"),
    "selector too long for the domain": (f"key new example.com --selector {'.'.join(['a' * 59] * 4)}",
                                         {INVALID}, "253"),
    "key of an unknown domain": ("key new unknown.example", {INVALID}, "unknown.example"),
    "show of an unknown domain": ("domain show unknown.example", {NO}, "unknown.example"),
    "show of an unknown tenant": ("tenant show nobody", {NO}, "nobody"),
    "show of an unknown key": ("key show example.com nokey", {NO}, "nokey"),
    "activation of an unknown key": ("key activate example.com nokey", {INVALID}, "nokey"),
    "removal of an unknown domain": ("domain remove unknown.example --yes", {INVALID},
                                     "unknown.example"),
    "removal without agreement": ("domain remove example.com", {REFUSED}, "--yes"),
    "removal of a tenant with domains": ("tenant remove acme --yes", {REFUSED}, "acme"),
    "selector that is no label": ("key new example.com --selector -x", {INVALID}, "-x"),
    "selector with an underscore": ("key new example.com --selector a_b", {INVALID}, "a_b"),
    "selector that was used": ("key new example.com --selector rsa", {REFUSED}, "rsa"),
    "unknown algorithm": ("key new example.com --algorithm rsa-sha1", {INVALID}, "rsa-sha1"),
    "key of 512 bits": ("key new example.com --bits 512", {INVALID, REFUSED}, "512"),
    "bits that are no number": ("key new example.com --bits many", {INVALID}, "many"),
    "unknown option": ("key new example.com --selectr a", {INVALID}, "--selector"),
    "unknown command": ("domian list", {INVALID}, "domain"),
    "unknown verb": ("domain lst", {INVALID}, "list"),
    "missing argument": ("domain add --tenant acme", {INVALID}, "DOMAIN"),
    "missing option": ("domain add new.example", {INVALID}, "--tenant"),
    "unknown field": ("domain set example.com canonicalisation=simple", {INVALID},
                      "canonicalization"),
    "value not allowed": ("domain set example.com canonicalization=strict", {INVALID}, "strict"),
    "duration with an unknown unit": ("domain set example.com soak=2y", {INVALID}, "s, m, h, d or w"),
    "duration that is too long": ("tenant set acme max_age=3651d", {INVALID}, "315360000 seconds"),
    "field nobody may set": ("domain set example.com created=0", {INVALID, REFUSED}, "created"),
    "store that exists": ("store init", {REFUSED}, "store exists"),
    "keyring that exists": ("vault init", {REFUSED}, "keyring"),
    "control character in a note": ("tenant set acme note=a\x1bb", {INVALID}, "note"),
}


def assert_refused(inkan, arguments, codes, names):
    before = state(inkan)
    answer = inkan.run(*arguments)
    assert answer.returncode in codes, (answer.returncode, answer.stderr)
    assert names in answer.stderr, answer.stderr
    sentences = [line for line in answer.stderr.splitlines() if not line.startswith("usage:")]
    assert len(sentences) == 1, answer.stderr
    assert answer.stdout == ""
    assert state(inkan) == before


@pytest.mark.parametrize("what", BAD)
def test_bad_input_gets_one_sentence_and_changes_nothing(shared, what):
    command, codes, names = BAD[what]
    arguments = [word.replace("\0", " ") for word in command.replace("\\ ", "\0").split(" ")]
    assert_refused(shared, arguments, codes, names)


@pytest.mark.parametrize("name", ["short.pem", "public.pem", "certificate.pem", "encrypted.pem",
                                  "ec.pem", "cut.pem", "empty.pem", "binary.pem", "missing.pem",
                                  "directory.pem"])
def test_import_of_a_file_that_is_no_usable_key(shared, files, name):
    assert_refused(shared, ["key", "import", "example.com", "--selector", "imported", files[name]],
                   {INVALID, REFUSED}, os.path.basename(files[name]))


def test_imported_key_signs(inkan, files):
    inkan.ok("key", "import", "example.com", "--selector", "mine", files["rsa.pem"], "--activate")
    signed = inkan.run("sign", stdin=messages.compose(b"a@example.com")).output
    assert peers.python_dkim(signed, inkan.records()) == [("mine", True)]


def test_error_leaves_standard_output_empty_with_json_too(shared):
    answer = shared.run("--json", "domain", "show", "unknown.example")
    assert answer.returncode == NO and answer.stdout == ""
    assert "unknown.example" in answer.stderr


@pytest.mark.parametrize("mode", [0o644, 0o660])
def test_keyring_others_can_read(inkan, mode):
    before = state(inkan)
    os.chmod(inkan.keyring, mode)
    answer = inkan.run("key", "new", "example.com")
    assert answer.returncode in (INVALID, REFUSED, BROKEN), answer.stderr
    assert inkan.keyring in answer.stderr and len(answer.stderr.splitlines()) == 1
    os.chmod(inkan.keyring, 0o600)
    assert state(inkan) == before


def test_missing_keyring(inkan):
    os.remove(inkan.keyring)
    answer = inkan.run("key", "new", "example.com")
    assert answer.returncode in (INVALID, BROKEN), answer.stderr
    assert inkan.keyring in answer.stderr


def test_missing_store_is_not_made_by_accident(new_inkan):
    inkan = new_inkan()
    answer = inkan.run("tenant", "list")
    assert answer.returncode not in (DONE,), answer.stdout
    assert "inkan.db" in answer.stderr and not os.path.exists(inkan.database)


def test_store_that_is_no_data_base(new_inkan):
    inkan = new_inkan()
    with open(inkan.database, "wb") as file:
        file.write(b"this is not a data base\n" * 1000)
    answer = inkan.run("tenant", "list")
    assert answer.returncode in (INVALID, BROKEN), answer.stderr
    assert len(answer.stderr.splitlines()) == 1
    with open(inkan.database, "rb") as file:
        assert file.read(23) == b"this is not a data base"


def test_dry_run_changes_nothing(shared):
    before = state(shared)
    for command in ("tenant add other", "domain add dry.example --tenant acme",
                    "key new example.com", "domain suspend example.com",
                    "domain remove example.com --yes"):
        answer = shared.run("--dry-run", *command.split(" "))
        assert answer.returncode == DONE, (command, answer.stderr)
        assert state(shared) == before, command


def test_every_change_has_an_audit_event(inkan):
    for command in ("tenant add globex", "domain add globex.example --tenant globex",
                    "domain suspend globex.example", "domain resume globex.example",
                    "domain set globex.example subdomains=yes", "tenant suspend globex",
                    "domain remove globex.example --yes"):
        before = len(inkan.json("audit", "list"))
        inkan.ok(*command.split(" "))
        assert len(inkan.json("audit", "list")) > before, command


def test_durations_may_have_units_and_are_shown_in_seconds(inkan):
    inkan.ok("domain", "set", "example.com", "soak=2h", "expiry=1w", "overlap=1209600")
    domain = inkan.json("domain", "show", "example.com")
    assert (domain["soak"], domain["expiry"], domain["overlap"]) == (7200, 604800, 1209600)
    inkan.ok("domain", "set", "example.com", "expiry=-1")
    inkan.ok("tenant", "add", "globex", "max_age=90d")
    assert inkan.json("tenant", "show", "globex")["max_age"] == 7776000
    exported = json.loads(inkan.ok("export", "domains").splitlines()[0])
    assert (exported["soak"], exported["domain"]) == (7200, "example.com")


def test_nothing_secret_is_printed_or_stored_in_the_clear(inkan, files):
    with open(files["rsa.pem"], encoding="ascii") as file:
        secret = "".join(file.read().splitlines()[1:-1])
    inkan.ok("key", "import", "example.com", "--selector", "mine", files["rsa.pem"], "--activate")
    shown = "".join(inkan.ok(*options, *command.split(" "))
                    for command in ("key list", "key show example.com mine", "audit list",
                                    "domain show example.com", "vault status", "store status")
                    for options in ([], ["--json"]))
    assert "PRIVATE" not in shown and secret[500:540] not in shown
    # The first 290 octets are the modulus and the public exponent.
    der = openssl("rsa", "-in", files["rsa.pem"], "-outform", "DER", "-traditional")
    for name in os.listdir(inkan.folder):
        with open(f"{inkan.folder}/{name}", "rb") as file:
            octets = file.read()
        assert der[300:340] not in octets and der[-40:] not in octets, name


def test_list_in_json_has_the_names_of_the_table(shared):
    (tenant,) = shared.json("tenant", "list")
    assert tenant["name"] == "acme" and tenant["status"] == "active"
    (domain,) = shared.json("domain", "list")
    assert (domain["name"], domain["tenant"]) == ("example.com", "acme")
    (key,) = shared.json("key", "list", "example.com")
    assert (key["selector"], key["algorithm"], key["state"]) == ("rsa", "rsa-sha256", "active")
    assert key.get("sealed") in (None, "(sealed)")


def test_zone_text_is_good_for_bind_and_for_verify(inkan, folder):
    inkan.ok("key", "new", "example.com", "--algorithm", "ed25519-sha256", "--selector", "e1",
             "--activate")
    inkan.ok("domain", "add", "large.example", "--tenant", "acme", "--no-key")
    inkan.ok("key", "new", "large.example", "--bits", "4096", "--selector", "big", "--activate")
    zone = inkan.ok("dns", "records", "--all", "--format", "zone")
    path = f"{folder}/zone"
    with open(path, "w", encoding="ascii") as file:
        file.write("$TTL 3600\n@ IN SOA ns.invalid. root.invalid. 1 3600 600 86400 60\n"
                   "@ IN NS ns.invalid.\nns.invalid. IN A 192.0.2.1\n" + zone)
    checked = subprocess.run(["named-checkzone", "-i", "none", ".", path], capture_output=True,
                             text=True)
    assert checked.returncode == 0 and "ignoring" not in checked.stdout, checked.stdout
    with open(path, "w", encoding="ascii") as file:
        file.write(zone)
    for author in (b"a@example.com", b"a@large.example"):
        signed = inkan.run("sign", stdin=messages.compose(author)).output
        answer = inkan.run("verify", "--records", path, stdin=signed)
        assert answer.returncode == DONE, answer.stdout + answer.stderr
        assert all(passed for _, passed in peers.python_dkim(signed, inkan.records()))


@pytest.mark.parametrize("pair", peers.PAIRS)
def test_sign_offline_is_accepted_by_three_verifiers(inkan, pair):
    inkan.ok("domain", "set", "example.com", f"canonicalization={pair}")
    signed = inkan.run("sign", stdin=messages.zoo(b"a@example.com")["trailing spaces and tabs"])
    assert signed.returncode == DONE, signed.stderr
    records = inkan.records()
    for verify in (peers.python_dkim, peers.mail_dkim, peers.opendkim):
        assert verify(signed.output, records) == [("rsa", True)], verify


def test_sign_of_a_foreign_domain_says_no(shared):
    answer = shared.run("sign", stdin=messages.compose(b"a@unknown.example"))
    assert answer.returncode == NO and "unknown.example" in answer.stderr, answer.stderr


def test_explain_agrees_with_the_daemon(shared):
    yes = shared.run("explain", "--from", "a@example.com", "--client", "127.0.0.1")
    no = shared.run("explain", "--from", "a@example.com", "--client", "198.51.100.1")
    login = shared.run("explain", "--from", "a@example.com", "--client", "198.51.100.1",
                       "--login", "bob@acme")
    assert (yes.returncode, no.returncode, login.returncode) == (DONE, NO, DONE)
    assert "neither internal nor authenticated" in no.stdout + no.stderr


def test_probe_shows_the_message_as_the_mta_would_have_it(inkan):
    inkan.start()
    socket = inkan.settings["server.listen"]
    message = messages.compose(b"a@example.com", b"Comments:  two  spaces")
    answer = inkan.run("probe", "--socket", socket, stdin=message)
    assert answer.returncode == DONE, answer.stderr
    assert peers.python_dkim(answer.output, inkan.records()) == [("rsa", True)]
    assert answer.output.endswith(message)
    foreign = inkan.run("probe", "--socket", socket, stdin=messages.compose(b"a@unknown.example"))
    assert foreign.returncode == NO, foreign.stderr
    stranger = inkan.run("probe", "--socket", socket, "--client", "198.51.100.1", stdin=message)
    assert stranger.returncode == NO, stranger.stderr
    login = inkan.run("probe", "--socket", socket, "--client", "198.51.100.1", "--login",
                      "bob@acme", stdin=message)
    assert login.returncode == DONE, login.stderr


def test_probe_of_a_socket_nobody_listens_on_is_temporary(shared):
    answer = shared.run("probe", "--socket", shared.settings["server.listen"],
                        stdin=messages.compose(b"a@example.com"))
    assert answer.returncode == TEMPORARY and len(answer.stderr.splitlines()) == 1, answer.stderr


def test_probe_and_a_test_client_get_the_same_signature_domain(inkan):
    inkan.start()
    message = messages.compose(b"a@example.com")
    by_probe = inkan.run("probe", "--socket", inkan.settings["server.listen"], stdin=message).output
    with Milter(inkan.address) as milter:
        milter.greet()
        _, by_client = milter.message(message)
    fields = [{k: v for k, v in peers.signatures_of(m)[0].items() if k not in "tb"}
              for m in (by_probe, by_client)]
    assert fields[0] == fields[1]
    assert dkim.verify(by_probe, dnsfunc=lambda name, timeout=5: inkan.records()[
        name.decode().rstrip(".")].encode())


def test_help_is_there_on_every_level(shared):
    for words in ((), ("domain",), ("domain", "add"), ("sign",)):
        answer = shared.run(*words, "--help")
        assert answer.returncode == DONE and "inkan" in answer.stdout, words


def test_commands_at_the_same_time_do_not_lose_each_others_work(inkan):
    """Writers wait for each other instead of failing."""
    names = [f"t{number}" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda name: inkan.run("tenant", "add", name), names))
    assert [answer.returncode for answer in answers] == [DONE] * 8, [a.stderr for a in answers]
    assert {tenant["name"] for tenant in inkan.json("tenant", "list")} == {"acme", *names}


def test_keys_added_to_the_keyring_at_the_same_time_are_all_there(inkan):
    """A key-encryption key that is lost takes along what it has sealed."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: inkan.run("vault", "add"), range(16)))
    assert {answer.returncode for answer in answers} <= {DONE, REFUSED}, [a.stderr for a in answers]
    added = {answer.stdout.split()[3] for answer in answers if answer.returncode == DONE}
    assert added and added <= {kek["id"] for kek in inkan.json("vault", "status")}


def test_dry_run_of_the_keyring_answers_in_json_too(new_inkan):
    inkan = new_inkan()
    would_be = {"id": "", "present": False, "current": True, "keys": 0}
    assert inkan.json("--dry-run", "vault", "init") == would_be
    inkan.set_up()
    assert inkan.json("--dry-run", "vault", "add") == would_be


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_keyring_without_a_folder_is_refused_dry_or_not(new_inkan, options):
    inkan = new_inkan(vault__keyring="/nonexistent/keyring")
    answer = inkan.run(*options, "vault", "init")
    assert answer.returncode == INVALID and answer.stdout == "", answer.stdout
    assert "/nonexistent/keyring" in answer.stderr


def test_audit_list_names_actor_and_action(inkan):
    events = json.loads(inkan.ok("--json", "audit", "list"))
    added = [e for e in events if e["action"] == "domain.add" and e["name"] == "example.com"]
    assert len(added) == 1 and added[0]["actor"]
