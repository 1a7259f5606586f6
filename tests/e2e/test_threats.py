# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/threats.md names a test for each threat, and each of them is there."""

import os
import re

import pytest

from steward import ROOT

pytestmark = pytest.mark.release_only

PATH = os.path.join(ROOT, "docs", "threats.md")
PLACES = {**dict.fromkeys(("e2e", "vm", "mixed"), r"^(?:async )?def ({name})\("),
          "unit": r"^static void ({name})\("}


def read(path):
    with open(path) as file:
        return file.read()


def rows():
    """Of all tables, without their heads."""
    lines = [line for line in read(PATH).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines
            if line != "| tries | what stops it | test |"]


def test_each_threat_has_its_test():
    assert len(rows()) > 40
    for row in rows():
        assert len(row) == 3 and re.findall(r"`\w+/\w+\.\w+::\w+`", row[2]), row


def test_each_test_is_there():
    named = re.findall(r"`(\w+)/(\w+\.\w+)::(\w+)`", read(PATH))
    assert len(named) > 80
    for place, file, name in named:
        pattern = PLACES[place].replace("{name}", name)
        text = read(os.path.join(ROOT, "tests", place, file))
        assert re.search(pattern, text, re.M), f"{place}/{file} has no {name}"
        if place == "unit":  # and it is run
            assert len(re.findall(rf"\b{name}\b", text)) > 1, name


def test_each_fuzz_target_is_there():
    for target in re.findall(r"`(fuzz/\w+\.c)`", read(PATH)):
        assert os.path.exists(os.path.join(ROOT, "tests", target)), target
