# SPDX-License-Identifier: Apache-2.0
"""Settings files: every error at once, with its place, what is wrong and what is allowed."""

import os
import re
import subprocess

import pytest

from inkan import BUILD, SANITIZER_ENV

BROKEN = """\
[server]
listen = inet:99999@127.0.0.1
wrokers = 2
workers = none

[sign]
canonicalization = strict/relaxed
expiry = soon

[trust]
internal_hosts = 10.0.0.7/8

[lgo]
level = info

[store]
timeout = 1ms
timeout 5s
"""

# line -> what its error must name
ERRORS = {
    2: "99999", 3: "workers", 4: "none", 7: "strict/relaxed", 8: "soon", 11: "10.0.0.7/8",
    13: "log", 17: "1ms", 18: "key = value",
}


@pytest.fixture
def broken(folder):
    path = f"{folder}/broken.conf"
    with open(path, "w", encoding="ascii") as file:
        file.write(BROKEN)
    return path


def run(program, *arguments):
    return subprocess.run([f"{BUILD}/{program}", *arguments], capture_output=True, text=True,
                          env={"PATH": "/usr/bin:/bin", **SANITIZER_ENV}, timeout=60)


@pytest.mark.parametrize("command", [("inkand", "--check"), ("inkan", "conf", "check")])
def test_every_error_is_reported_at_once(broken, command):
    program, *words = command
    answer = run(program, "-c", broken, *words)
    assert answer.returncode == 2
    said = {}
    for line in answer.stderr.splitlines():
        match = re.match(rf"(?:inkan: )?{re.escape(broken)}:(\d+): (.*)$", line)
        if match:
            said.setdefault(int(match.group(1)), []).append(match.group(2))
    assert set(said) >= set(ERRORS), answer.stderr
    for line, names in ERRORS.items():
        assert any(names in sentence for sentence in said[line]), (line, said[line])


def test_form_of_an_error(broken):
    answer = run("inkand", "-c", broken, "--check")
    assert re.search(rf'^{re.escape(broken)}:7: \[sign\] canonicalization: "strict/relaxed": .+ '
                     r"\(.*relaxed/relaxed.*\)$", answer.stderr, re.M), answer.stderr


def test_inkand_does_not_start_with_broken_settings(broken):
    answer = run("inkand", "-c", broken)
    assert answer.returncode == 2 and f"{broken}:4:" in answer.stderr


@pytest.mark.parametrize("program, words", [("inkand", ["--check"]), ("inkan", ["conf", "check"])])
def test_missing_file_is_said(folder, program, words):
    path = f"{folder}/nowhere.conf"
    answer = run(program, "-c", path, *words)
    assert answer.returncode == 2 and path in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


@pytest.mark.parametrize("octets", [b"\x00\x01\xff" * 100, b"[", b"]\n[sign\n", b"= x\n", b"key\n",
                                    b"[sign]\n" + b"x" * 100000, b"\xef\xbb\xbf[sign]\n= \n"])
def test_garbage_is_refused(folder, octets):
    path = f"{folder}/garbage.conf"
    with open(path, "wb") as file:
        file.write(octets)
    answer = run("inkand", "-c", path, "--check")
    assert answer.returncode == 2 and answer.stderr.startswith(f"{path}:"), answer.stderr


def test_conf_show_tells_value_and_origin_of_every_key(new_inkan):
    inkan = new_inkan(sign__expiry="14d")
    shown = {f"{row['section']}.{row['key']}": row for row in inkan.json("conf", "show")}
    assert len(shown) > 40
    assert shown["sign.expiry"]["value"] in ("14d", "2w")
    assert shown["sign.author"]["value"] == "from"
    assert shown["sign.expiry"]["source"].startswith("line ")
    assert shown["sign.author"]["source"] == "default"
    line = next(line for line in inkan.ok("conf", "show").splitlines() if "expiry" in line)
    assert re.search(r"\bsign\b.*\bexpiry\b.*\bline \d+\b.*\b(14d|2w)\b", line), line


def test_store_without_a_driver_is_said_with_its_line(folder):
    path = f"{folder}/store.conf"
    with open(path, "w", encoding="ascii") as file:
        file.write("[store]\nurl = mystery://host/data\n")
    answer = run("inkan", "-c", path, "conf", "check")
    assert answer.returncode == 2
    assert re.match(rf'inkan: {re.escape(path)}:2: .*"mystery:" \(allowed: sqlite:.*\)$',
                    answer.stderr.strip()), answer.stderr


def test_example_file_is_good():
    example = os.path.join(os.path.dirname(__file__), "..", "..", "deploy", "inkan.conf.example")
    answer = run("inkand", "-c", example, "--check")
    assert answer.returncode == 0, answer.stderr
