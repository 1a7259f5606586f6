# SPDX-License-Identifier: GPL-3.0-or-later
"""The causes are one list: of the code, the documents, the journal's catalog, and the tests."""

import glob
import os
import re

import test_integrity_causes as causes
import test_integrity_hostile as hostile
from steward import ROOT

# In whatever test of integrity they are produced, the first of which has a table.
PRODUCED = re.compile(r'(?:check_(?:message|event)\([^"]*?|startswith\(|^[A-Z]+ = )"([^":]+?)(?:: )?"',
                      re.MULTILINE)


def read(*path):
    with open(os.path.join(ROOT, *path)) as file:
        return file.read()


def words_of(text):
    """C's adjacent strings are one."""
    return re.sub(r'"\s*"', "", text)


def in_the_code():
    """Name and advice of each, in the order of failure.c."""
    text = read("src/integrity/failure.c")
    macros = {name: words_of(body.replace("\\\n", "")).strip().strip('"') for name, body in re.findall(
        r'#define (\w+)\s+((?:\\\n|\s*"[^\n]*"\s*(?:\\\n)?)+)', text)}
    table = text.split("} causes[N_CAUSES] = {")[1].split("\n};")[0]
    for name, body in macros.items():
        table = re.sub(rf"\b{name}\b", f'"{body}"', table)
    rows = re.findall(r'\[CAUSE_\w+\] =\s*\{"([^"]*)",\s*"([^"]*)"\}', words_of(table))
    return {name: advice for name, advice in rows if name != "none"}


def test_documents():
    assert list(in_the_code().items()) == list(causes.documented_causes().items()), \
        "docs/integrity.md, Causes: one row for each of failure.c, in its order and with its words"


def test_catalog():
    entry = read("packaging/steward.catalog").split("-- 954d6b62edb54dfe830d957c4e547060")[1]
    named = set(re.findall(r'"([^"]+)"', " ".join(entry.split("\n-- ")[0].split())))
    assert named >= set(in_the_code()), set(in_the_code()) - named


def test_enumeration():
    enumeration = read("src/integrity/failure.h").split("enum integrity_cause {")[1].split("}")[0]
    assert len(re.findall(r"\bCAUSE_\w+,", re.sub(r"/\*.*?\*/", "", enumeration))) == \
        len(in_the_code()) + 1


def test_tests():
    """Each is produced for real by one."""
    produced = {cause for cause, _ in causes.CAUSES.values()} | {causes.CHANGED}
    produced |= set(hostile.DEVICES.values())
    for path in glob.glob(os.path.join(os.path.dirname(__file__), "test_integrity*.py")):
        produced |= set(PRODUCED.findall(read(path)))
    assert produced >= set(in_the_code()), set(in_the_code()) - produced
