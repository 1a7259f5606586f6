# SPDX-License-Identifier: GPL-3.0-or-later
"""What an older Steward has sealed opens, and goes on.

sealed/REVISION.tar.xz is what the handler of that revision left of a World that it enabled, once there
was a file in each directory: the disk, and the state of its TPM (swtpm). Made so, not imitated.
"""

import json
import os
import tarfile

import pytest

import seal_record
from integrity_world import DISK, KEY_HANDLE, MORE, RECORD, SECRETS, TEXT

SEALED = os.path.join(os.path.dirname(__file__), "sealed")
THIRD = DISK + "/third"


@pytest.fixture(params=["3480afd"])
def old(worlds, request, tmp_path):
    with tarfile.open(os.path.join(SEALED, request.param + ".tar.xz")) as archive:
        archive.extractall(tmp_path)
    state = tmp_path / "state"
    state.mkdir()
    os.rename(tmp_path / "tpm2-00.permall", state / "tpm2-00.permall")
    world = worlds(disk=tmp_path / "disk", tpm=state)
    assert not any("contents" in d for d in json.loads(world.record)["directory"])
    return world


def assert_opens(world, *more):
    world.remount()
    world.tpm.restart()
    outcome = world.handler()
    assert outcome.code == 0 and not outcome.emergencies, outcome
    assert not outcome.events("INTEGRITY_ENABLED"), outcome
    assert world.unlocked == {SECRETS, MORE, *more}
    for path in (SECRETS, MORE):
        assert world.read(path + "/file").decode() == TEXT
    assert json.loads(world.request("show").stdout)["state"] == "unlocked"


def test_opens_and_stays_as_it_was(old):
    before = old.record
    for _ in range(2):
        assert_opens(old)
    assert old.record == before and old.tpm.leftovers == {}


def test_reseal_brings_it_to_what_is_now(old):
    assert_opens(old)
    before = old.record
    assert old.request("reseal").code == 0
    record = json.loads(old.record)
    assert [d["contents"] for d in record["directory"]] == ["hmac", "hmac"]
    assert seal_record.text(record) == old.record
    assert_opens(old)
    # The older one, put back, opens nothing.
    old.remount()
    old.write(RECORD, before)
    assert old.handler().code == 1 and old.unlocked == set()


def test_directory_is_taken_in(old):
    old.write_config(directory=[SECRETS, MORE, THIRD])
    outcome = old.handler()
    assert outcome.code == 0 and len(outcome.events("INTEGRITY_ENABLED")) == 1, outcome
    assert_opens(old, THIRD)


def test_zeroize(old):
    outcome = old.request("zeroize", typed="router1\n")
    assert outcome.code == 0 and not old.exists(SECRETS) and not old.exists(RECORD), outcome
    assert old.tpm.handles("nv") == [] and KEY_HANDLE not in old.tpm.handles("persistent")
