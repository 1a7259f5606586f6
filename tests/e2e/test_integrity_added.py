# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory added to the configuration is taken in, or it is an event; it is never in the clear."""

import contextlib
import json
import os

import pytest

import seal_record
import test_integrity_causes as causes
from integrity_world import DISK, KEY_HANDLE, MORE, NV_INDEX, RECORD, SECRETS, TEXT
from lying_tpm import LyingTpm, with_code
from test_integrity_causes import check_event, check_message
from test_integrity_power import Operation, step_through

pytestmark = pytest.mark.once

THIRD, FOURTH = DISK + "/third", DISK + "/deep/fourth"
SECOND_PIN = NV_INDEX + 0x10


def add(world, *paths, **changes):
    world.write_config(directory=[SECRETS, MORE, *paths], **changes)


def rows(world):
    shown = json.loads(world.request("show").stdout)
    return shown["state"], {d["path"]: d["state"] for d in shown["directories"]}


def reboot(world):
    world.remount()
    world.tpm.restart()


def is_taken_in(world, *paths):
    record = json.loads(world.record)
    assert seal_record.text(record) == world.record
    assert [d["path"] for d in record["directory"]] == [SECRETS, MORE, *paths]
    assert world.unlocked == {SECRETS, MORE, *paths} and not world.exists(RECORD + ".new")
    pin = world.tpm.nv(NV_INDEX + 0x10 * record["pin"])
    assert pin[1] == seal_record.pin(record) and world.tpm.leftovers == {}
    for path in paths:
        world.write(path + "/file", TEXT)
    reboot(world)
    outcome = world.handler()
    assert outcome.code == 0 and not outcome.events("INTEGRITY_ENABLED"), outcome
    for path in (SECRETS, MORE, *paths):
        assert world.read(path + "/file").decode() == TEXT
    assert rows(world) == ("unlocked", dict.fromkeys([SECRETS, MORE, *paths], "unlocked"))


@pytest.mark.parametrize("required", [False, True])
@pytest.mark.parametrize("empty", [False, True], ids=["absent", "empty"])
@pytest.mark.parametrize("how", ["boot", "open already", "enable"])
def test_taken_in(world, required, empty, how):
    first = world.tpm.nv(NV_INDEX)
    if how != "boot":
        assert world.handler().code == 0
    add(world, THIRD, FOURTH, required=required)
    if empty:
        world.run("install", "-d", "-m", "750", "-o", "games", THIRD)
    state, of_each = rows(world)
    assert state == ("locked" if how == "boot" else "incomplete")
    assert of_each[THIRD] == ("plain" if empty else "missing") and of_each[FOURTH] == "missing"
    outcome = world.request("enable") if how == "enable" else world.handler()
    assert outcome.code == 0 and len(outcome.events("INTEGRITY_ENABLED")) == 2, outcome
    if empty:
        assert world.run("stat", "-c", "%a %U", THIRD).stdout == "750 games\n"
    is_taken_in(world, THIRD, FOURTH)
    assert world.tpm.nv(NV_INDEX) == first, "what is pinned stays as it is"
    again = world.request("enable")
    assert again.code == 1 and "already" in again.stderr


# What an addition alone asks for, and the policy that proves what it wrapped: unsealing comes before.
ASKED = {"NV_DefineSpace": 0x12a, "NV_Write": 0x137, "NV_WriteLock": 0x138, "RSA_Decrypt": 0x159}


def test_tpm_that_cannot_now(world):
    """Each of its commands is answered once so: it is asked again, and the directory is taken in."""
    added = [THIRD]
    with contextlib.closing(LyingTpm(world.tpm)) as proxy:
        add(world, *added, tcti=proxy.tcti)
        assert world.handler().code == 0
        codes = list(proxy.codes)
        for name, code in ASKED.items():
            added.append(f"{DISK}/{name}")
            add(world, *added, tcti=proxy.tcti)
            reboot(world)
            proxy.tell(len(codes) - codes[::-1].index(code), with_code(0x923))  # the last of them
            outcome = world.handler()
            assert outcome.code == 0 and proxy.lied_about == code, f"{name}: {outcome}"
            assert world.unlocked == {SECRETS, MORE, *added}
            proxy.tell_the_truth()
        is_taken_in(world, *added)


def full(world):
    world.run("mkdir", THIRD)
    world.write(THIRD + "/file", TEXT)


def encrypted_under_another_key(world):
    world.run("mkdir", THIRD)
    world.write("/run/other", os.urandom(32))
    world.run("fscrypt", "encrypt", THIRD, "--source=raw_key", "--key=/run/other", "--quiet",
              "--name=other")
    world.write(THIRD + "/file", TEXT)
    world.remount()


def symlink(world):
    world.run("mkdir", DISK + "/elsewhere")
    os.symlink("elsewhere", world.path(THIRD))


def a_file(world):
    world.write(THIRD, TEXT)


def other_filesystem(world):
    world.run("mkdir", "-p", "/mnt/plain")
    os.symlink("/mnt/plain", world.path(DISK + "/link"))


REFUSED = {full: "has files in it", encrypted_under_another_key: "under another key",
           symlink: "symbolic link", a_file: "is no directory"}


@pytest.mark.parametrize("required", [False, True])
@pytest.mark.parametrize("what", REFUSED, ids=lambda f: f.__name__)
def test_cannot_be_taken_in(world, what, required):
    """Nothing is opened, nothing is changed; and once it is gone all goes on."""
    what(world)
    add(world, THIRD, required=required)
    entry = check_event(world, "directory added", "enable")
    assert THIRD in entry["STEWARD_REASON"] and REFUSED[what] in entry["STEWARD_REASON"]
    by_hand = world.request("enable")
    assert by_hand.code == 1 and REFUSED[what] in by_hand.stderr and not by_hand.emergencies
    world.run("mv", THIRD, DISK + "/aside")
    assert world.handler().code == 0
    is_taken_in(world, THIRD)


def test_on_a_filesystem_that_does_not_encrypt(world):
    world.run("mkdir", "-p", "/mnt/plain")
    world.write_config(directory=[SECRETS, MORE, "/mnt/plain/third"])
    entry = check_event(world, "directory added", "enable")
    assert "neither ext4 nor f2fs" in entry["STEWARD_REASON"]


def test_while_open(world):
    """What was unlocked stays so, and says that it is not all."""
    assert world.handler().code == 0
    full(world)
    add(world, THIRD)
    check_message(world.handler(), "directory added", "enable")
    assert rows(world) == ("incomplete", {SECRETS: "unlocked", MORE: "unlocked", THIRD: "plain"})


def test_on_a_filesystem_that_is_not_mounted(world):
    world.write("/etc/fstab", "/dev/nothing /mnt/data ext4 nofail 0 0\n")
    world.write_config(directory=[SECRETS, MORE, "/mnt/data/third"])
    check_event(world, "not mounted", "unlock")


def test_removed_from_the_configuration(world):
    """The record has it, so it is opened as before, and shown."""
    world.write_config(directory=[SECRETS])
    assert world.handler().code == 0
    assert rows(world) == ("unlocked", {SECRETS: "unlocked", MORE: "unlocked"})
    world.write_config(directory=[SECRETS, MORE])
    assert world.handler().code == 0


def test_another_path_in_place_of_one(world):
    """Nothing is thrown away for it."""
    world.write_config(directory=[SECRETS, THIRD])
    assert world.handler().code == 0
    world.write_config(directory=[SECRETS, MORE, THIRD])
    is_taken_in(world, THIRD)


def test_record_of_before(world):
    """It is older than the newest pin: nothing is made anew over what that one pins."""
    old = world.record
    add(world, THIRD)
    assert world.handler().code == 0
    reboot(world)
    world.write(RECORD, old)
    check_event(world, "record changed or forged", "enable")


def test_as_often_as_there_are_pins(world):
    added = []
    for n in range(7):
        added.append(f"{DISK}/added{n}")
        add(world, *added)
        assert world.handler().code == 0
    assert json.loads(world.record)["pin"] == 7 and len(world.tpm.handles("nv")) == 8
    reboot(world)
    add(world, *added, THIRD)
    entry = check_event(world, "directory added", "enable")
    assert "zeroize and enable anew" in entry["STEWARD_REASON"]
    assert world.request("zeroize", typed="router1\n").code == 0
    assert world.tpm.handles("nv") == [] and not world.exists(SECRETS)
    assert world.handler().code == 0 and "pin" not in json.loads(world.record)


def test_reseal_afterwards(world):
    add(world, THIRD)
    assert world.handler().code == 0
    assert world.request("reseal").code == 0
    is_taken_in(world, THIRD)
    assert world.tpm.handles("persistent") == [0x81000001, KEY_HANDLE + 1]


def test_pins_of_both_are_causes(world):
    add(world, THIRD)
    assert world.handler().code == 0
    reboot(world)
    world.tpm.tool("nvundefine", "-C", "o", hex(SECOND_PIN))
    check_event(world, "TPM cleared", "locate")


# Power fails.

ADD = Operation(["--once"], "", f"mkdir {THIRD}.new", f"rename {THIRD}", f"rename {RECORD}.new",
                "TPM2_NV_DefineSpace", "TPM2_NV_Write", "TPM2_NV_WriteLock", f"rename {RECORD}",
                f"fsync {os.path.dirname(RECORD)}")


@pytest.mark.release_only
@pytest.mark.parametrize("step", range(len(ADD.steps)), ids=lambda i: ADD.steps[i].split("/")[-1])
def test_cut(world, step):
    """Killed before each step that matters: the next boot has it taken in, once."""
    add(world, THIRD)
    left = list(ADD.steps[:step + 1])

    def at_step(_, name):
        if name.startswith(left[0]):
            del left[0]
        return not left

    _, steps, log = step_through(world, ADD, at_step)
    assert not left, f"{steps} {log}"
    world.run("sync", "--file-system", DISK)
    reboot(world)
    outcome = world.handler()
    assert outcome.code == 0, outcome
    committed = ADD.steps[step] in ("TPM2_NV_WriteLock", f"rename {RECORD}")
    assert bool(outcome.events("INTEGRITY_RECOVERED")) == committed, outcome
    is_taken_in(world, THIRD)
    assert world.tpm.handles("nv") == [NV_INDEX, SECOND_PIN]
    for folder in ("policies", "protectors"):
        assert len(os.listdir(world.path(f"{DISK}/.fscrypt/{folder}"))) == 3
