# SPDX-License-Identifier: GPL-3.0-or-later
"""The walls between the rooms of src/: an include that ARCHITECTURE.md does not allow does not
compile. Each is tried with the very command that builds the room."""

import json
import os
import re
import shlex
import subprocess

import pytest

from steward import BUILD, ROOT

pytestmark = pytest.mark.release_only

SRC = os.path.join(ROOT, "src")
# The table of ARCHITECTURE.md: what each room may include, beside itself and what these may.
ROOMS = {
    "base": [],
    "http": ["base"],
    "config": ["base"],
    "tpm": ["base"],
    "integrity": ["tpm", "config"],
    "download/engine": ["base"],
    "download/image": ["base"],
    "download": ["download/engine", "download/image", "http"],
    "onboarding": ["base"],
    "onboarding/router": ["onboarding", "tpm"],
    "conductor/rollout": ["base"],
    "conductor/registry": ["onboarding", "conductor/rollout"],
    "conductor/enrolment": ["conductor/registry"],
    "conductor/tunnels": ["conductor/registry"],
    "node": ["download", "integrity", "config"],
    "stewardd": ["node", "onboarding/router"],
    "conductord": ["node", "conductor/enrolment", "conductor/tunnels"],
    "integrity-handler": ["integrity", "config"],
    "stewardctl": ["download", "integrity", "config"],
}
PURE = "download/engine"
SHARE_MAX = 0.2  # of all lines, in one room


def reach(room):
    seen = {room}
    for below in ROOMS[room]:
        seen |= reach(below)
    return seen


def files(room, ending):
    folder = os.path.join(SRC, room)
    return sorted(f for f in os.listdir(folder) if f.endswith(ending))


def header(room, private=False):
    return next((f"{room}/{f}" for f in files(room, ".h") if f.endswith("_private.h") == private),
                None)


@pytest.fixture(scope="module")
def commands():
    """Of one file of each room: the words of its compilation, but for the file itself."""
    with open(os.path.join(BUILD, "compile_commands.json")) as file:
        entries = json.load(file)
    made = {}
    for entry in entries:
        room = os.path.relpath(os.path.dirname(entry["file"]), SRC)
        if room in ROOMS and not entry["file"].endswith("/main.c"):
            words = shlex.split(entry["command"])
            made[room] = (entry["directory"], words[:words.index("-o")])
    return made


def compiles(commands, room, include):
    directory, words = commands[room]
    done = subprocess.run([*words, "-fsyntax-only", "-x", "c", "-"], cwd=directory, text=True,
                          input=f"#include {include}\nextern int x;\n", capture_output=True)
    if done.returncode:
        assert re.search(r"No such file|not found|is not for it", done.stderr), done.stderr
    return done.returncode == 0


def test_each_folder_is_a_room():
    folders = {os.path.relpath(folder, SRC) for folder, _, names in os.walk(SRC)
               if any(name.endswith((".c", ".h")) for name in names)}
    assert folders == set(ROOMS)


@pytest.mark.release_only
@pytest.mark.parametrize("room", ROOMS)
def test_what_a_room_may_include(commands, room):
    for other in ROOMS:
        public, private = header(other), header(other, private=True)
        if public:
            assert compiles(commands, room, f'"{public}"') == (other in reach(room)), public
        if private:
            assert compiles(commands, room, f'"{private}"') == (other == room), private


@pytest.mark.release_only
@pytest.mark.parametrize("name", ["uv.h", "curl/curl.h", "microhttpd.h", "fcntl.h", "unistd.h",
                                  "sys/socket.h", "time.h"])
def test_the_engine_does_no_io(commands, name):
    assert not compiles(commands, PURE, f"<{name}>")
    assert compiles(commands, "download", f"<{name}>")


def lines(room):
    total = 0
    for name in files(room, (".c", ".h")):
        with open(os.path.join(SRC, room, name)) as file:
            total += sum(1 for _ in file)
    return total


def test_no_room_is_too_large():
    counted = {room: lines(room) for room in ROOMS}
    assert {room: n for room, n in counted.items()
            if n > SHARE_MAX * sum(counted.values())} == {}


def includes():
    """Each file of src/ without .c and .h, and which others it includes."""
    graph = {}
    for folder, _, names in os.walk(SRC):
        for name in names:
            stem, ending = os.path.splitext(os.path.relpath(os.path.join(folder, name), SRC))
            if ending in (".c", ".h"):
                with open(os.path.join(folder, name)) as file:
                    found = re.findall(r'^#include "([^"]+)\.h"', file.read(), re.M)
                graph.setdefault(stem, set()).update(set(found) - {stem})
    return graph


def circles(graph):
    """The sets of files that reach each other."""
    reached = {}
    for stem in graph:
        reached[stem] = set()
        ahead = [stem]
        while ahead:
            for other in graph.get(ahead.pop(), ()):
                if other not in reached[stem]:
                    reached[stem].add(other)
                    ahead.append(other)
    return {frozenset(o for o in reached[stem] if stem in reached.get(o, ()))
            for stem in graph if stem in reached[stem]}


def test_circles_are_seen():
    graph = {"a": {"b"}, "b": {"c", "e"}, "c": {"a"}, "d": {"a", "e"}, "e": set()}
    assert circles(graph) == {frozenset("abc")}
    assert circles({"a": {"b"}, "b": {"c"}, "c": set()}) == set()


def test_files_include_each_other_only_where_they_share_a_struct():
    with open(os.path.join(ROOT, "ARCHITECTURE.md")) as file:
        section = file.read().split("\n## Files that share one struct\n")[1].split("\n## ")[0]
    named = {frozenset(re.findall(r"`([^`]+)`", row.split("|")[1]))
             for row in section.splitlines() if row.startswith("| `")}
    graph = includes()
    assert len(graph) > 300
    assert all(files <= set(graph) for files in named)
    found = circles(graph)
    assert not found - named, "cut it, or name it in ARCHITECTURE.md"
    assert not named - found, "ARCHITECTURE.md names a circle that is none any more"
