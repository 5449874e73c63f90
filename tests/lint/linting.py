# SPDX-License-Identifier: Apache-2.0
"""What the lints share: which files there are, C without comments, how faults are printed.

A lint is a script with one generator `check(tree)` of faults (path, line, sentence). It is
started as `LINT [ROOT [BUILD]]`, prints `path:line: sentence` for each fault, and exits 1 if
there was one.
"""

import os
import re
import sys

FOLDERS = ("base", "dkim", "storage", "sql", "ldap", "dns", "opendkim", "server", "admin")
HERE = os.path.dirname(os.path.abspath(__file__))


class Tree:
    """The source tree that is looked at, and the build directory made of it."""

    def __init__(self, root, build):
        self.root = root
        self.build = build

    def files(self, *suffixes, folders=("",)):
        """Paths below the root, sorted; not what was built and not the bad samples."""
        found = []
        for folder in folders:
            for where, names, files in os.walk(os.path.join(self.root, folder)):
                names[:] = [n for n in names if not self._is_left_out(where, n)]
                found += [os.path.relpath(os.path.join(where, f), self.root)
                          for f in files if f.endswith(suffixes)]
        return sorted(found)

    def _is_left_out(self, where, name):
        return (name.startswith(("build", ".git", "__pycache__", ".cache"))
                or (name == "bad" and os.path.samefile(where, HERE)))

    def read(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as file:
            return file.read()

    def lines(self, path):
        return enumerate(self.read(path).split("\n"), 1)

    def code_lines(self, path):
        """The lines of a C file without comments and without the contents of strings."""
        return enumerate(blank_c(self.read(path)).split("\n"), 1)


_C_TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def blank_c(text):
    """C source with comments and quoted contents made blank; include lines stay as they are."""
    def blank(match):
        token = match.group(0)
        line_start = text.rfind("\n", 0, match.start()) + 1
        if text[line_start:match.start()].lstrip().startswith("#include"):
            return token
        if token[0] in "\"'":
            return token[0] + " " * (len(token) - 2) + token[0]
        return re.sub(r"[^\n]", " ", token)
    return _C_TOKEN.sub(blank, text)


def run(check):
    arguments = sys.argv[1:]
    root = os.path.abspath(arguments[0] if arguments else os.path.join(HERE, "..", ".."))
    build = os.path.abspath(arguments[1] if len(arguments) > 1 else os.path.join(root, "build"))
    faults = sorted(check(Tree(root, build)))
    for path, line, sentence in faults:
        print(f"{path}:{line}: {sentence}")
    sys.exit(1 if faults else 0)
