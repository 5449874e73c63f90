# SPDX-License-Identifier: Apache-2.0
"""A move from OpenDKIM: `inkan import opendkim` into a store of its own, and both daemons on what
each of them has, asked with the same messages."""

import json
import os
import re
from types import SimpleNamespace

import pytest

from inkan import Inkan
from ldap import CONFIG, Slapd
from milter import ACCEPT, ALL_STEPS, CONTINUE, Milter
from peers import OpenDkim
from process import free_port
from test_ldap_mapped import OPENDKIM_SCHEMA, as_config
from test_opendkim_model import SKIP_THE_BODY, action_done, do

# What every configuration here begins with; rows have room for keys of 1,024 bits only.
COMMON = "AlwaysAddARHeader yes\nMinimumKeyBits 1024\n"


def line_of(path, beginning):
    """The number of the last line that begins so."""
    with open(path, encoding="utf-8") as file:
        numbers = [number for number, line in enumerate(file, 1) if line.startswith(beginning)]
    return numbers[-1]


class Move:
    """One configuration for OpenDKIM and, with another port, for the import."""

    def __init__(self, folder, **settings):
        self.folder = folder
        self.conf = f"{folder}/import.conf"
        self.written = f"{folder}/written.conf"
        self.port = free_port()
        self.inkan = Inkan(f"{folder}/inkan", **settings).set_up()
        self.opendkim = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.opendkim is not None:
            self.opendkim.stop()
        self.inkan.stop()

    def configure(self, settings):
        """Writes the configuration without starting anything."""
        with open(self.conf, "w", encoding="utf-8") as file:
            file.write(f"Socket inet:{self.port}@127.0.0.1\nSyslog no\nRequireSafeKeys no\n{settings}")
        return self

    def start_opendkim(self, settings):
        self.opendkim = OpenDkim(self.folder, COMMON + settings)
        with open(f"{self.folder}/opendkim.conf", encoding="utf-8") as file:
            text = file.read()
        with open(self.conf, "w", encoding="utf-8") as file:
            file.write(re.sub(r"^Socket .*$", f"Socket inet:{self.port}@127.0.0.1", text, flags=re.M))
        return self

    def run(self, *options, tenant="acme", config=True):
        """The finished process, with what it tells in `report`."""
        config = ["--config", self.conf] if config else []
        answer = self.inkan.run("--json", "import", "opendkim", "--tenant", tenant, *config, *options)
        answer.report = json.loads(answer.stdout) if answer.stdout else None
        return answer

    def take_over(self, *options):
        """Imports everything and starts inkand with the settings that this writes."""
        answer = self.run("--yes", "--write-conf", self.written, *options)
        assert answer.report is not None, answer.stderr
        assert answer.returncode == (1 if answer.report["refused"] else 0), answer.stderr
        self.inkan.conf = self.written
        self.inkan.settings["server.listen"] = f"inet:{self.port}@127.0.0.1"
        self.inkan.start()
        return answer.report

    # -- what both make of a message --------------------------------------------------------

    def ask_opendkim(self, ask):
        return Said(*action_done(do(self.opendkim, ask)))

    def ask_inkand(self, ask):
        daemon = SimpleNamespace(address=self.inkan.address, process=self.inkan.daemon)
        return Said(*action_done(do(daemon, ask)))

    def sign(self, message):
        """The message as each of them passes it on."""
        return [pass_through(address, message) for address in (self.opendkim.address,
                                                               self.inkan.address)]


class Said:
    """What a daemon did, and its signatures as a set of (d, s, i); the first two are names in DNS."""

    def __init__(self, action, signatures):
        self.action = action
        self.signatures = {(d.lower(), s.lower(), i) for d, s, i, _ in signatures}

    def __repr__(self):
        return f"{self.action} {sorted(self.signatures)}"


def pass_through(address, message):
    with Milter(address, steps=ALL_STEPS & ~SKIP_THE_BODY) as milter:
        milter.greet()
        verdict, changed = milter.message(message)
        assert verdict in (ACCEPT, CONTINUE), verdict
        return changed


def notes(report, *grades):
    """(grade, name of the file, line, text) of each."""
    return [(note["grade"], os.path.basename(note["file"]), note["line"], note["text"])
            for note in report["notes"] if not grades or note["grade"] in grades]


# -- fixtures, for the place of test_opendkim_model ------------------------------------------

@pytest.fixture
def move(place):
    with Move(place["dir"]) as made:
        made.place = place
        yield made


@pytest.fixture(scope="module")
def directory(module_folder):
    """With the entries of OpenDKIM's own schema."""
    slapd = Slapd.single(module_folder)
    slapd.ldif_add(as_config("opendkim", OPENDKIM_SCHEMA), CONFIG)
    yield slapd
    slapd.stop()
