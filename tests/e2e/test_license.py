# SPDX-License-Identifier: GPL-3.0-or-later
"""Each source file says under which license it is, and so do COPYING and the packages."""

import os

from steward import ROOT

LICENSE = "GPL-3.0-or-later"
LINE = "SPDX-License-Identifier: " + LICENSE
ENDINGS = (".c", ".h", ".py", ".sh", ".cmake", ".yang", ".js", ".mjs", ".css",
           ".bash-completion", "CMakeLists.txt")
FOLDERS = ("src", "tests", "packaging", "script", "cmake", "debian", "findings")
# What a build of packages leaves there, and bytes that are no program's text.
NOT_OURS = ("/corpus/", "/__pycache__/", "debian/steward", "debian/cockpit-steward", "debian/.debhelper")


def is_source(path):
    if any(part in path for part in NOT_OURS) and not path.endswith(("inst", "rm")):
        return False
    if path.endswith(ENDINGS):
        return True
    with open(os.path.join(ROOT, path), "rb") as file:
        return file.read(2) == b"#!"


def sources():
    found = ["CMakeLists.txt"]
    for folder in FOLDERS:
        for at, _, names in os.walk(os.path.join(ROOT, folder)):
            found += [os.path.relpath(os.path.join(at, name), ROOT) for name in names]
    return [path for path in found if is_source(path)]


def test_each_source_file_names_the_license():
    lacking = []
    for path in sources():
        with open(os.path.join(ROOT, path)) as file:
            first = file.readline() + file.readline()
        if LINE not in first:
            lacking.append(path)
    assert len(sources()) > 500
    assert lacking == []


def test_it_is_the_same_in_copying_and_the_packages():
    for path in ("COPYING", "README.md", "debian/copyright"):
        with open(os.path.join(ROOT, path)) as file:
            assert LICENSE in file.read(), path
    with open(os.path.join(ROOT, "COPYING")) as file:
        text = file.read()
    assert "https://www.gnu.org/licenses/gpl-3.0.txt" in text
    assert "/usr/share/common-licenses/GPL-3" in text
