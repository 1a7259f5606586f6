# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing but zeroize, asked for by a person, touches a pin that is written or a key of ours: not
where disk and TPM come late, fail for a moment, or are not named any more."""

import contextlib
import json
import os

import pytest

import test_integrity_causes as causes
from integrity_world import DISK, KEY_HANDLE, MORE, NV_INDEX, RECORD, SECRETS, TEXT
from lying_tpm import LyingTpm, nothing, with_code
from steward import SLOW
from test_integrity_causes import check_message

pytestmark = pytest.mark.once

RECORDS = os.path.dirname(RECORD)
ASIDE = DISK + "/aside"
# Retry, NV unavailable, testing, not initialized, failure mode, no memory for an object.
MOMENTARY = [with_code(code) for code in (0x922, 0x923, 0x90a, 0x100, 0x101, 0x902)] + [nothing]
COMMANDS_OF_A_LOOK = 5  # at the pin, twice what is there, its content; the list of indices


def hide(world):
    """As if what is sealed were on a filesystem that is not mounted, and nobody knew of it."""
    world.run("mkdir", ASIDE)
    for path in (SECRETS, MORE, RECORDS):
        world.run("mv", path, ASIDE)


def bring_back(world):
    for path in (SECRETS, MORE, RECORDS):
        world.run("rm", "-rf", path)
    world.run("sh", "-c", f"mv {ASIDE}/* {DISK}")


def opens_again(world):
    bring_back(world)
    outcome = world.handler()
    assert outcome.code == 0 and world.read(SECRETS + "/file").decode() == TEXT, outcome


@pytest.fixture
def lying(world):
    with contextlib.closing(LyingTpm(world.tpm)) as proxy:
        world.write_config(tcti=proxy.tcti)
        yield proxy


@pytest.mark.parametrize("n", range(1, COMMANDS_OF_A_LOOK + 1))
@pytest.mark.parametrize("burst", [False, True], ids=["once", "from then on"])
def test_tpm_fails_for_a_moment(world, lying, n, burst):
    """A pin that could not be read may be one."""
    hide(world)
    before = world.tpm.content
    for lie in MOMENTARY if SLOW == 1 else MOMENTARY[:2]:
        lying.tell(n, lie, for_ever=burst)
        outcome = world.handler()
        lying.tell_the_truth()
        assert outcome.code == 1 and len(outcome.emergencies) == 1, outcome
        assert "clean install, or RMA" not in outcome.console or "TPM error" in outcome.reason \
            or "record removed" in outcome.reason, outcome
        assert world.tpm.content == before, outcome
    opens_again(world)


def test_tpm_comes_while_it_is_enabled(world):
    """It was not there when its pins were looked for, and is when keys are to be made: the fscrypt
    that is asked for its version in between brings it."""
    hide(world)
    before = world.tpm.content
    bring = causes.script(world, f"[ -e {world.tpm.socket}.late ] && "
                                 f"mv {world.tpm.socket}.late {world.tpm.socket}\n"
                                 'PATH=${PATH#*:} exec fscrypt "$@"\n')
    os.rename(world.tpm.socket, world.tpm.socket + ".late")
    check_message(world.handler(environment=bring), "record removed", "enable")
    assert world.tpm.content == before
    opens_again(world)


def test_no_tpm_at_all(world):
    """Boot goes on, as where there never was one; back with it, everything opens."""
    hide(world)
    before = world.tpm.content
    os.rename(world.tpm.socket, world.tpm.socket + ".late")
    outcome = world.handler()
    assert outcome.code == 0 and "no TPM" in outcome.events("INTEGRITY_UNSUPPORTED")[0][
        "STEWARD_REASON"], outcome
    os.rename(world.tpm.socket + ".late", world.tpm.socket)
    assert world.tpm.content == before
    opens_again(world)


def test_key_without_pin_and_record(world):
    """No half-made one: that would be in a record.json.new."""
    hide(world)
    causes.undefined_pin(world)
    before = world.tpm.content
    check_message(world.handler(), "record removed", "enable")
    assert world.tpm.content == before and hex(KEY_HANDLE) in world.handler().reason
    assert world.request("zeroize", typed="router1\n").code == 0
    assert world.tpm.handles("persistent") == [0x81000001]


# The filesystem that it is on.


def fstab(options="defaults"):
    def write(world):
        world.write("/etc/fstab", f"# comment\n\nproc /proc proc defaults 0 0\n"
                                  f"UUID=0f {DISK} ext4 {options} 0 2\n")
    write.__name__ = "fstab " + options
    return write


def mount_unit(world):
    world.run("mkdir", "-p", "/etc/systemd/system")
    world.write("/etc/systemd/system/mnt-disk.mount",
                f"[Mount]\nWhat=/dev/nothing\nWhere={DISK}\nType=ext4\n")


PLANS = [fstab(), fstab("nofail,x-systemd.device-timeout=1s"), fstab("noauto"), mount_unit]


@pytest.mark.parametrize("plan", PLANS, ids=lambda f: f.__name__)
def test_not_mounted(world, plan):
    plan(world)
    before = world.tpm.content
    world.unmount()
    check_message(world.handler(), "not mounted", "locate")
    outcome = world.handler()
    assert f"the filesystem at {DISK}, which is not mounted" in outcome.reason
    console = " ".join(outcome.console.split())
    assert "clean install" not in console and "Nothing is lost" in console
    assert world.tpm.content == before
    assert not world.exists(RECORDS), "nothing is made below"
    world.mount()
    assert world.handler().code == 0 and world.read(SECRETS + "/file").decode() == TEXT


def test_not_mounted_but_the_record(world):
    """Only the directories are elsewhere."""
    world.run("mkdir", "/mnt/records")
    world.run("cp", RECORD, "/mnt/records")
    world.write_config(**{"record-directory": "/mnt/records"})
    fstab()(world)
    world.unmount()
    check_message(world.handler(), "not mounted", "unlock")
    world.mount()
    assert world.handler().code == 0


def test_masked_unit_is_no_plan(world):
    world.run("mkdir", "-p", "/etc/systemd/system")
    world.run("ln", "-sf", "/dev/null", "/etc/systemd/system/mnt-disk.mount")
    world.unmount()
    check_message(world.handler(), "record removed", "locate")


@pytest.mark.parametrize("required", [False, True])
def test_fresh_and_not_mounted(worlds, required):
    """Nothing was sealed: the boot goes on, and the clear files below are not what is meant."""
    world = worlds()
    fstab("nofail")(world)
    world.write_config(required=required)
    world.unmount()
    before = world.tpm.content
    outcome = world.handler()
    if required:
        check_message(outcome, "required, but not possible", "locate")
    else:
        assert outcome.code == 0, outcome
        assert "not mounted" in outcome.events("INTEGRITY_UNSUPPORTED")[0]["STEWARD_REASON"]
    assert world.tpm.content == before and not world.exists(SECRETS)
    world.mount()
    assert world.handler().events("INTEGRITY_ENABLED")


def mounts(world):
    """Says nothing wrong, but takes as long as the disk does."""
    def answer(said):
        world.mount()
        return said
    return answer


@pytest.mark.parametrize("plan", [lambda world: None, fstab("nofail")], ids=["unplanned", "fstab"])
def test_mounted_while_the_tpm_is_asked(world, lying, plan):
    """What was seen of the disk before is true no more."""
    plan(world)
    world.unmount()
    lying.tell(1, mounts(world))
    outcome = world.handler()
    assert outcome.code == 0 and not outcome.emergencies, outcome
    assert world.unlocked == {SECRETS, MORE}


def test_directories_are_mounted_while_the_tpm_is_asked(world, lying):
    world.run("mkdir", "/mnt/records")
    world.run("cp", RECORD, "/mnt/records")
    world.write_config(**{"record-directory": "/mnt/records"})
    fstab("nofail")(world)
    world.unmount()
    lying.tell(1, mounts(world))
    outcome = world.handler()
    assert outcome.code == 0 and not outcome.emergencies, outcome
    assert world.unlocked == {SECRETS, MORE}


def test_not_mounted_and_no_tpm(worlds):
    """Then nobody can tell whether something was sealed."""
    world = worlds()
    fstab()(world)
    world.unmount()
    world.tpm.stop()
    check_message(world.handler(), "not mounted", "locate")


# Pins that no configuration names.

OFF = [{"enabled": False}, {"directory": []}, {"enabled": True}]
ELSEWHERE = [{"nv-index": "0x01800999"},
             {"nv-index": "0x01800999", "record-directory": "/mnt/records"},
             {"nv-index": "0x01800999", "record-directory": "/mnt/records",
              "key-handle": "0x81010300", "directory": [DISK + "/others"]}]


@pytest.mark.parametrize("off", OFF, ids=str)
@pytest.mark.parametrize("elsewhere", ELSEWHERE, ids=lambda e: ",".join(e))
def test_configuration_names_another_index(world, off, elsewhere):
    """It is in the clear: what it says of where the pin is proves nothing."""
    if "record-directory" not in elsewhere:
        causes.record_removed(world)
    world.write_config(**{**elsewhere, **off})
    before = world.state["tpm"]
    check_message(world.handler(), "unnamed pin", "start")
    assert hex(NV_INDEX)[2:] in world.handler().reason
    assert world.state["tpm"] == before and not world.unlocked


def test_another_record_directory_alone(world):
    world.write_config(enabled=False, **{"record-directory": "/mnt/records"})
    check_message(world.handler(), "configuration", "start")


def test_a_person_says_otherwise(world):
    """Zeroize names what it is about to destroy, also where it is switched off."""
    world.write_config(enabled=False, **{"nv-index": "0x01800999",
                                         "record-directory": "/mnt/records"})
    outcome = world.request("zeroize", typed="no\n")
    assert outcome.code == 1 and "0x01800128" in outcome.stdout, outcome
    assert world.tpm.handles("nv") == [NV_INDEX]
    assert world.request("zeroize", typed="router1\n").code == 0
    assert world.tpm.handles("nv") == []
    outcome = world.handler()
    assert outcome.code == 0 and not outcome.emergencies, outcome


def test_several_pins(world):
    """One is named, the other is not: while the record opens that is no matter."""
    world.tpm.tool("nvdefine", "-C", "o", "-s", "32", "-a",
                   "ownerread|authread|ownerwrite|writedefine|no_da", "0x01800777")
    world.tpm.write("other", bytes(32))
    world.tpm.tool("nvwrite", "-C", "o", "-i", "other", "0x01800777")
    assert world.handler().code == 0
    world.remount()
    hide(world)
    check_message(world.handler(), "record removed", "locate")
    causes.undefined_pin(world)
    check_message(world.handler(), "unnamed pin", "start")


def test_pin_of_the_conductor_beside(world):
    """Both roles on one machine: what the other's configuration names is that one's."""
    world.run("mkdir", "-p", "/etc/steward")
    conductor = {"steward:conductor": {
        "name": "c1", "address": "192.0.2.1", "certificate": "/etc/steward/conductor.pem",
        "private-key": SECRETS + "/conductor.key", "ca-certificate": "/etc/steward/ca.pem",
        "configuration-integrity": {**world.integrity}}}
    world.write("/etc/steward/conductor.json", json.dumps(conductor))
    world.write_config(**ELSEWHERE[2])
    outcome = world.handler()
    assert outcome.code == 0 and outcome.events("INTEGRITY_ENABLED"), outcome
    # And it does not destroy that one's.
    assert world.request("zeroize", typed="router1\n").code == 0
    assert world.tpm.handles("nv") == [NV_INDEX]
