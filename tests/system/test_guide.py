# SPDX-License-Identifier: Apache-2.0
"""The example of docs/from-opendkim.md, done again from its beginning to its end: what the guide
prints is what the programs print."""

import os
import re
import subprocess
import tempfile

from inkan import BUILD, SANITIZER_ENV

GUIDE = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "from-opendkim.md")
PLACES = ("/etc/", "/var/lib/inkan/")
# What is another each time, and what /tmp has and the guide's folders have not.
CHANGING = [(r".*RequireSafeKeys: /tmp: can be written by others\n", ""),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
            (r"\b\d{8}-[0-9a-f]{6}\b", "KEY")]


def steps_of(text):
    """(command, what it prints) of each indented block that begins with a `$`."""
    steps = []
    for block in re.findall(r"(?:^    .*\n|^\n(?=    ))+", text, re.M):
        lines = [line[4:] for line in block.strip("\n").splitlines()]
        if not lines[0].startswith("$ "):
            continue
        for line in lines:
            if line.startswith("$ "):
                steps.append([line[2:], ""])
            elif steps[-1][0].endswith("\\") and steps[-1][1] == "":
                steps[-1][0] += f"\n{line}"
            else:
                steps[-1][1] += f"{line}\n"
    return [(command, text.rstrip("\n") + "\n" if text.strip() else "") for command, text in steps]


class Example:
    """A folder in the place of / with what the guide has made so far."""

    def __init__(self, folder):
        self.folder = folder
        self.env = {**os.environ, **SANITIZER_ENV, "PATH": f"{BUILD}:{os.environ['PATH']}",
                    "INKAN_CONF": f"{folder}/etc/inkan/inkan.conf", "COLUMNS": "1000"}
        for name in ("etc/opendkim/keys", "etc/inkan", "var/lib/inkan"):
            os.makedirs(f"{folder}/{name}")

    def here(self, text):
        for place in PLACES:
            text = text.replace(place, f"{self.folder}{place}")
        return text

    def there(self, text):
        for pattern, word in CHANGING:
            text = re.sub(pattern, word, text)
        return text.replace(self.folder, "")

    def is_shown(self, command, text):
        """A file that is shown before anything has made it is one of the example's own."""
        name = re.fullmatch(r"cat (\S+)", command)
        path = name and os.path.join(self.folder, self.here(name.group(1)))
        if path is None or os.path.exists(path):
            return False
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.here(text))
        return True

    def shows(self, text, output):
        """A line of `...` stands for any number of lines."""
        parts = re.split(r"^\.\.\.\n", self.there(text), flags=re.M)
        return re.fullmatch("(?:.*\n)*?".join(map(re.escape, parts)), output) is not None

    def run(self, command):
        variable = re.fullmatch(r"export (\w+)=(\S+)", command)
        if variable is not None:
            self.env[variable.group(1)] = self.here(variable.group(2))
            return ""
        answer = subprocess.run(["bash", "-c", self.here(command)], cwd=self.folder, env=self.env, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=60)
        return self.there(answer.stdout)


def test_the_guide_shows_what_happens():
    with open(GUIDE, encoding="utf-8") as file:
        steps = steps_of(file.read())
    assert len(steps) > 20
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        example = Example(folder)
        for command, text in steps:
            if not example.is_shown(command, text):
                output = example.run(command)
                assert example.shows(text, output), f"$ {command}\n{output}"
