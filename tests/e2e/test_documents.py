# SPDX-License-Identifier: GPL-3.0-or-later
"""Each file that a comment, a man page, the YANG model or a document names is there, and so is each
heading that one quotes and each module that ARCHITECTURE.md names."""

import glob
import os
import re

import pytest

from steward import ROOT

pytestmark = pytest.mark.release_only

FOLDERS = ("src", "tests", "docs", "packaging", "script", "cmake", "debian", "findings")
LIBRARIES = r"base|http|config|tpm|download|onboarding|integrity|conductor|node|conductord|stewardd|stewardctl|integrity-handler"
PROSE = (".md", ".1", ".5", ".8", ".yang", ".catalog", ".txt", ".cmake", ".in", ".conf", ".socket",
         ".sysusers", ".tmpfiles")

# Headers of libraries, and what stands for any name.
OTHERS = {"cmocka.h", "X.c", "test_X.c", "fuzz_X.c", "tests/fuzz/corpus/X"}

PATH = re.compile(r"(?<![\w/.$-])(?:%s)/[\w.*/-]*[\w*]" % "|".join(FOLDERS))
IN_LIBRARY = re.compile(r"(?<![\w/.-])(?:%s)/[\w/*-]+\.[ch]\b" % LIBRARIES)
MODULE = re.compile(r"(?<![\w/.-])(?:base|http|config|tpm|integrity|onboarding|conductor|conductord)/(?:[a-z]+/)?[a-z_]{4,}\b(?![-/])")
FILE = re.compile(r"(?<![\w/.<*-])[\w-]+\.(?:md|[ch]|py|yang)\b(?![/(])")
HEADING = re.compile(r"([\w/]+\.md), \"([^\"]+)\"")
PAGE = re.compile(r"\b((?:steward|conductor|integrity)[\w.-]*)\((\d)\)")


def read(path):
    with open(path) as file:
        return file.read()


def files():
    """All that somebody reads, relative to the root."""
    found = [name for name in os.listdir(ROOT) if name.endswith((".md", ".txt"))]
    for folder in FOLDERS:
        for at, _, names in os.walk(os.path.join(ROOT, folder)):
            found += [os.path.relpath(os.path.join(at, name), ROOT) for name in names]
    return [name for name in found if "corpus" not in name and "__pycache__" not in name]


ALL = files()
NAMES = {os.path.basename(name) for name in ALL}
STEMS = {os.path.splitext(name)[0] for name in NAMES}


def prose(name):
    """The part of a file that people read, and in which a name is a promise; lines joined."""
    text = read(os.path.join(ROOT, name)) if name.endswith((".c", ".h", ".py") + PROSE) else ""
    if name.endswith((".c", ".h")):
        text = "\n".join(re.findall(r"/\*.*?\*/|//[^\n]*", text, re.S))
        return re.sub(r"\n\s*\* ?", " ", text)
    if name.endswith(".py"):
        return "\n".join(re.findall(r'"""(.*?)"""', text, re.S) + re.findall(r"#[^\n]*", text))
    return text.replace("\\-", "-").replace("\\(dq", '"')


def texts():
    for name in ALL:
        text = prose(name)
        if text:
            yield name, text


def is_there(path):
    return bool(glob.glob(os.path.join(ROOT, path))) or bool(
        glob.glob(os.path.join(ROOT, path) + ".[ch]"))


def missing(pattern, is_good):
    """Who names what, although is_good(name, of whom) says no; and how many names there are."""
    wrong, n = [], 0
    for name, text in texts():
        for found in pattern.findall(text):
            n += 1
            if found not in OTHERS and not is_good(found, name):
                wrong.append(f"{name}: {found}")
    return wrong, n


def is_there_alone(name, in_file):
    """A document is named with its folder, unless it lies at the root or beside who names it."""
    if name.endswith(".md"):
        return name in ALL or os.path.join(os.path.dirname(in_file), name) in ALL
    return name in NAMES or os.path.exists(os.path.join("/usr/include", name))


def test_each_path_is_there():
    wrong, n = missing(PATH, lambda path, _: is_there(path))
    assert n > 100
    assert wrong == []


def test_each_file_of_a_library_is_there():
    wrong, n = missing(IN_LIBRARY, lambda path, _: is_there(os.path.join("src", path)))
    assert n > 20
    assert wrong == []


def test_each_module_is_there():
    wrong, n = missing(MODULE, lambda path, _: is_there(os.path.join("src", path)))
    assert n > 20
    assert wrong == []


def test_each_file_that_is_named_alone_is_there():
    wrong, n = missing(FILE, is_there_alone)
    assert n > 100
    assert wrong == []


def test_each_heading_that_is_quoted_is_there():
    n = 0
    for name, text in texts():
        for document, heading in HEADING.findall(text):
            n += 1
            lines = read(os.path.join(ROOT, document)).splitlines()
            assert any(line.startswith("#") and line.lstrip("# ") == heading for line in lines), \
                f"{name}: {document} has no heading \"{heading}\""
    assert n > 10


def test_each_man_page_of_ours_is_there():
    pages = {page for page in NAMES if re.search(r"\.[158]$", page)}
    for name, text in texts():
        for page, section in PAGE.findall(text):
            assert f"{page}.{section}" in pages, f"{name}: {page}({section})"


def test_architecture_names_what_is_there():
    """Its modules, and each folder of src is in it."""
    text = read(os.path.join(ROOT, "ARCHITECTURE.md"))
    code = "\n".join(read(os.path.join(ROOT, name)) for name in ALL
                     if name.startswith("src") and name.endswith((".c", ".h")))
    words = set(re.findall(r"[A-Za-z_]\w*", code)) | STEMS
    named = re.findall(r"`([a-z]\w+)`", text)
    for picture in re.findall(r"```(.*?)```", text, re.S):
        named += re.findall(r"(?<![\w.])[a-z]+_[a-z_]+\b", picture)
    assert len(named) > 100
    words |= set(FOLDERS) | {"init"}  # of a calling sequence: it ends the name of a function
    assert [word for word in named if word not in words] == []
    for folder in {os.path.dirname(name) for name in ALL if name.startswith("src/")}:
        assert os.path.relpath(folder, "src") in text, folder


def test_what_an_unlock_begins_with_is_compared_as_a_whole():
    """config_ahead.c has a row for each leaf of configuration-integrity, or it is one of the two lists."""
    (container,) = re.findall(r"^    container configuration-integrity \{\n(.*?)^    \}", read(f"{ROOT}/packaging/yang/steward.yang"),
                              re.M | re.S)
    rows = re.findall(r'^\t\{"([a-z-]+)", (?:TEXT|HANDLE|BOOLEAN),', read(f"{ROOT}/src/integrity/config_ahead.c"), re.M)
    leaves = re.findall(r"^      leaf ([a-z-]+)", container, re.M)
    assert len(rows) > 10 and sorted(rows) == sorted(leaves)
    assert sorted(re.findall(r"^      leaf-list ([a-z-]+)", container, re.M)) == ["directory", "pcr"]


def test_a_configuration_leaf_is_read_in_one_file():
    """CONTRIBUTING's "Three changes, file by file": beside the model, settings.h has a member for a leaf,
    config_read.c reads it, and somebody uses it. No other file of src/config lists the members."""
    members = set(re.findall(r"^\t(?:char \*+|bool |u?int\d+_t )(\w+);", read(f"{ROOT}/src/base/settings.h"), re.M))
    assert {"secrets_directory", "s3_region", "handshakes", "enabled"} <= members
    listing = {}
    for path in glob.glob(f"{ROOT}/src/config/*.c"):
        named = members & set(re.findall(r"(?:->|\.)(\w+)", read(path)))
        listing[os.path.basename(path)] = named - {"name", "url", "text"}
    assert len(listing.pop("config_read.c")) > 50
    assert not {path: named for path, named in listing.items() if named}
