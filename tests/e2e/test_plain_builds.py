# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds without a preset, as somebody who packages Steward makes them: what is configured, and that it
compiles without a warning. Of each only a part is compiled."""

import json
import os
import re
import shutil
import subprocess

import pytest

from steward import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.release_only]


def configure(folder, *words, **environment):
    environment = {**os.environ, **environment}
    environment.pop("CFLAGS", None)
    return subprocess.run(["cmake", "-S", ROOT, "-B", folder, "-G", "Ninja",
                           "-D", "CMAKE_EXPORT_COMPILE_COMMANDS=ON", *words], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)


def commands(folder):
    with open(os.path.join(folder, "compile_commands.json")) as file:
        return [each["command"] for each in json.load(file)]


@pytest.mark.parametrize("words, optimised", [
    ([], "-O2"),
    (["-D", "CMAKE_BUILD_TYPE=Release"], "-O3"),
    (["-D", "CMAKE_BUILD_TYPE=MinSizeRel"], "-Os"),
    (["-D", "CMAKE_C_COMPILER=clang"], "-O2"),
], ids=["plain", "Release", "MinSizeRel", "clang"])
def test_build(words, optimised, tmp_path):
    folder = tmp_path / "a path with blanks"
    result = configure(folder, *words)
    assert result.returncode == 0, result.stdout
    for command in commands(folder):
        assert re.search(rf" {optimised}\b", command), command
        # Assertions stay, and a warning of another compiler ends nothing.
        assert "-DNDEBUG" not in command and "-Werror" not in command, command
    parts = [f"src/CMakeFiles/base.dir/base/{name}.c.o" for name in ("secret", "work", "crowd")]
    built = subprocess.run(["cmake", "--build", folder, "--target", *parts], text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert built.returncode == 0 and "warning:" not in built.stdout, built.stdout[-4000:]


def test_programs_are_bound_at_start():
    program = os.path.join(ROOT, os.environ.get("STEWARD_BUILD", "build/dev"), "src", "stewardd")
    shown = subprocess.run(["readelf", "--dynamic", "--wide", program], text=True,
                           capture_output=True, check=True).stdout
    assert re.search(r"FLAGS_1.*\bNOW\b", shown), shown


def test_missing_libraries_are_named_with_their_packages(tmp_path):
    result = configure(tmp_path / "build", PKG_CONFIG_LIBDIR=str(tmp_path))
    assert result.returncode != 0
    for library, package in (("libuv", "libuv1-dev"), ("libyang>=2", "libyang-dev"),
                             ("wolfssl", "libwolfssl-dev"), ("cmocka", "libcmocka-dev")):
        assert re.search(rf"^ *{re.escape(library)}: Debian's package {package}", result.stdout,
                         re.M), result.stdout
    assert "script/setup" in result.stdout


def test_one_that_is_missing_is_named_alone(tmp_path):
    found = subprocess.run(["pkg-config", "--variable", "pc_path", "pkg-config"], text=True,
                           capture_output=True, check=True).stdout.strip().split(":")
    some = tmp_path / "some"
    some.mkdir()
    for folder in found:
        if os.path.isdir(folder):
            for name in os.listdir(folder):
                if name.endswith(".pc") and name != "libpq.pc":
                    shutil.copy(os.path.join(folder, name), some)
    result = configure(tmp_path / "build", PKG_CONFIG_LIBDIR=str(some))
    assert result.returncode != 0
    assert re.findall(r"Debian's package (\S+)", result.stdout) == ["libpq-dev"]


def test_without_tests_no_library_of_theirs_is_needed(tmp_path):
    result = configure(tmp_path / "build", "-D", "STEWARD_TESTS=OFF")
    assert result.returncode == 0, result.stdout
    assert not [c for c in commands(tmp_path / "build") if "/tests/" in c]


def test_warnings_are_errors_for_developers_alone():
    with open(os.path.join(ROOT, "CMakePresets.json")) as file:
        presets = {p["name"]: p for p in json.load(file)["configurePresets"]}
    strict = {name for name, preset in presets.items() if preset.get("inherits") == "developers"}
    assert presets["developers"]["cacheVariables"]["STEWARD_WERROR"] == "ON"
    assert strict == {"dev", "asan", "tsan", "fuzz", "coverage"}
