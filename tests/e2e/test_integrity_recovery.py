# SPDX-License-Identifier: GPL-3.0-or-later
"""The recovery key: the directories' key wrapped to it at enabling, and a disk that is opened with it
on another TPM."""

import base64
import json
import os
import stat
import subprocess

import pytest

from integrity_world import Machine, MORE, NV_INDEX, RECORD, SECRETS, TEXT
from policies import Operator, configure, measure, place

pytestmark = [pytest.mark.once, pytest.mark.release_only]

BOTH = {SECRETS, MORE}
RECOVERY = os.path.dirname(RECORD) + "/recovery.json"


@pytest.fixture(scope="module")
def keeper(tmp_path_factory):
    return Operator(tmp_path_factory.mktemp("keeper"), "keeper", 3072)


@pytest.fixture(scope="module")
def kept(tmp_path_factory, keeper):
    return Machine(tmp_path_factory.mktemp("kept"), **{"recovery-key": keeper.public})


@pytest.fixture
def stolen(kept, worlds):
    """The disk, with another TPM."""
    world = worlds(disk=kept.disk)
    world.write_config(**kept.integrity)
    return world


def unwrap(keeper, recovery):
    """As the manual says."""
    return subprocess.run(
        ["openssl", "pkeyutl", "-decrypt", "-inkey", keeper.private, "-pkeyopt",
         "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256"],
        input=base64.b64decode(json.loads(recovery)["wrapped-fek"]), capture_output=True,
        check=True).stdout


def recover(world, key):
    return world.request("recover", typed=key if isinstance(key, str) else key.hex() + "\n")


def boots(world):
    world.unmount()
    world.tpm.restart()
    world.mount()
    outcome = world.handler()
    assert outcome.code == 0 and world.unlocked == BOTH, outcome
    assert world.read(SECRETS + "/file").decode() == TEXT
    assert world.tpm.leftovers == {}


def is_shut(world):
    outcome = world.handler()
    assert outcome.code == 1 and world.unlocked == set(), outcome
    return outcome.reason


def test_file(kept, worlds, keeper):
    world = kept.world()
    try:
        recovery = json.loads(world.read(RECOVERY))
        assert list(recovery) == ["version", "recovery-key", "wrapped-fek", "directory"]
        # That its contents are authenticated is the record's to say.
        assert recovery["directory"] == [
            {name: value for name, value in directory.items() if name != "contents"}
            for directory in json.loads(world.record)["directory"]]
        assert stat.S_IMODE(os.stat(world.path(RECOVERY)).st_mode) == 0o600
        assert len(unwrap(keeper, world.read(RECOVERY))) == 32
    finally:
        world.close()


def test_on_another_tpm(stolen, keeper):
    assert is_shut(stolen).startswith("another TPM")
    outcome = recover(stolen, unwrap(keeper, stolen.read(RECOVERY)))
    assert outcome.code == 0 and stolen.unlocked == BOTH, outcome
    assert len(outcome.events("INTEGRITY_SEALED_ANEW")) == 2 and not outcome.emergencies
    boots(stolen)
    # It stays good for the next time.
    assert len(unwrap(keeper, stolen.read(RECOVERY))) == 32
    again = recover(stolen, unwrap(keeper, stolen.read(RECOVERY)))
    assert again.code == 1 and "nothing to recover" in again.stderr


def test_record_is_gone_too(stolen, keeper):
    """Then recovery.json says which directories there are."""
    os.unlink(stolen.path(RECORD))
    outcome = recover(stolen, unwrap(keeper, stolen.read(RECOVERY)))
    assert outcome.code == 0 and stolen.unlocked == BOTH, outcome
    boots(stolen)


def test_tpm_was_cleared(kept, worlds, keeper):
    world = worlds(disk=kept.disk, tpm=kept.tpm)
    world.write_config(**kept.integrity)
    world.tpm.tool("clear", "-c", "p")
    assert is_shut(world).startswith("TPM cleared")
    assert recover(world, unwrap(keeper, world.read(RECOVERY))).code == 0
    boots(world)


def test_pcrs_changed(worlds, keeper):
    """The same TPM: its pin stays, its key is another one."""
    world = worlds()
    world.write_config(pcr=[16], **{"recovery-key": keeper.public})
    measure(world, 1)
    assert world.handler().code == 0
    world.write(SECRETS + "/file", TEXT)
    pin = world.tpm.nv(NV_INDEX)
    measure(world, 2)
    assert is_shut(world).startswith("PCR mismatch")
    assert recover(world, unwrap(keeper, world.read(RECOVERY))).code == 0
    assert world.tpm.nv(NV_INDEX) == pin
    assert len([h for h in world.tpm.handles("persistent") if h >> 8 == 0x810101]) == 1
    measure(world, 2)
    assert world.handler().code == 0 and world.unlocked == BOTH


@pytest.mark.parametrize("with_record", [True, False])
def test_directory_that_was_added(worlds, keeper, with_record):
    """It is in recovery.json too, and the pin over all of them is found."""
    world = worlds()
    world.write_config(directory=[SECRETS], **{"recovery-key": keeper.public})
    assert world.handler().code == 0
    world.write(SECRETS + "/file", TEXT)
    world.write_config(directory=[SECRETS, MORE])
    world.remount()
    assert world.handler().code == 0 and world.unlocked == BOTH
    if not with_record:
        os.unlink(world.path(RECORD))
    world.tpm.tool("evictcontrol", "-C", "o", "-c", "0x81010128")
    world.remount()
    is_shut(world)
    pins = {h: world.tpm.nv(h) for h in world.tpm.handles("nv")}
    assert recover(world, unwrap(keeper, world.read(RECOVERY))).code == 0
    assert {h: world.tpm.nv(h) for h in world.tpm.handles("nv")} == pins
    boots(world)


def test_without_the_private_half(stolen, kept):
    """Who has the disk and the conductor's copy has nothing: neither is the key, nor makes one."""
    copies = [stolen.read(RECOVERY), stolen.record]
    wrapped = base64.b64decode(json.loads(copies[0])["wrapped-fek"])
    before = stolen.state
    for key in (wrapped[:32], wrapped[-32:], bytes(32)):
        outcome = recover(stolen, key)
        assert outcome.code == 1 and "not opened by this key" in outcome.stderr, outcome
        assert stolen.unlocked == set()
    after = stolen.state
    assert after["tpm"] == before["tpm"] and after["unlocked"] == before["unlocked"]
    assert after["tree"] == before["tree"]


@pytest.mark.parametrize("typed", ["", "\n", "00" * 31 + "\n", "00" * 33 + "\n", "g" * 64,
                                   "00" * 32 + "x\n", "AB" * 32])
def test_what_is_no_key(stolen, typed):
    before = stolen.state
    outcome = recover(stolen, typed)
    assert outcome.code == 1 and "64 lower-case hex digits" in outcome.stderr, outcome
    assert stolen.state == before


def test_wrong_key_where_all_is_open(kept, worlds):
    """Nothing is locked, and nothing is sealed to it."""
    world = worlds(disk=kept.disk, tpm=kept.tpm)
    world.write_config(**kept.integrity)
    assert world.handler().code == 0
    before = world.state
    outcome = recover(world, bytes(32))
    assert outcome.code == 1 and "nothing to recover" in outcome.stderr, outcome
    assert world.state == before


def test_key_from_a_file(stolen, keeper, tmp_path):
    file = tmp_path / "key"
    file.write_bytes(unwrap(keeper, stolen.read(RECOVERY)))
    words = ("request", "configuration-integrity", "recover", "file", str(file))
    file.chmod(0o644)
    refused = stolen.ctl(*words)
    assert refused.code == 1 and "nobody else may read" in refused.stderr, refused
    file.chmod(0o600)
    link = tmp_path / "link"
    link.symlink_to(file)
    assert stolen.ctl(*words[:-1], str(link)).code == 1
    outcome = stolen.ctl(*words)
    assert outcome.code == 0 and stolen.unlocked == BOTH, outcome


def test_pin_of_another_machine(stolen, keeper, worlds):
    """A used part from the shelf: it says what to do first."""
    other = worlds()
    assert other.handler().code == 0
    other.tpm.stop()
    stolen.tpm.stop()
    stolen.tpm.put_state(other.tpm.state)
    stolen.tpm.start()
    before = stolen.tpm.content
    outcome = recover(stolen, unwrap(keeper, stolen.read(RECOVERY)))
    assert outcome.code == 1 and "of other directories than these" in outcome.stderr, outcome
    assert stolen.tpm.content == before


def test_reseal_takes_the_key_in_and_out(world, keeper):
    assert world.handler().code == 0 and not world.exists(RECOVERY)
    world.write_config(**{"recovery-key": keeper.public})
    assert world.request("reseal").code == 0
    first = world.read(RECOVERY)
    assert world.request("reseal").code == 0 and world.read(RECOVERY) != first
    assert unwrap(keeper, world.read(RECOVERY)) == unwrap(keeper, first)
    del world.integrity["recovery-key"]
    world.write_config()
    assert world.request("reseal").code == 0 and not world.exists(RECOVERY)


def test_zeroize_takes_it(kept, worlds, keeper):
    world = worlds(disk=kept.disk, tpm=kept.tpm)
    world.write_config(**kept.integrity)
    assert world.handler().code == 0
    assert world.request("zeroize", typed="router1\n").code == 0
    assert os.listdir(world.path(os.path.dirname(RECORD))) == []


@pytest.mark.parametrize("text", [None, "", "no key"])
def test_key_that_is_none(worlds, text):
    """Not enabled: an operator who wants a way back has none."""
    world = worlds()
    if text is not None:
        world.write("/run/recovery.pem", text)
    world.write_config(**{"recovery-key": "/run/recovery.pem"})
    outcome = world.handler()
    assert outcome.code == 0 and world.unlocked == set(), outcome
    assert "recovery-key" in outcome.events("INTEGRITY_UNSUPPORTED")[0]["STEWARD_REASON"]


def test_under_a_signed_policy(worlds, keeper, tmp_path):
    operator = Operator(tmp_path)
    world = worlds()
    configure(world, operator, **{"recovery-key": keeper.public})
    measure(world, 1)
    place(world, "1", operator.sign(1))
    assert world.handler().code == 0
    world.write(SECRETS + "/file", TEXT)
    measure(world, 3)
    assert "no signed policy fits" in is_shut(world)
    refused = recover(world, unwrap(keeper, world.read(RECOVERY)))
    assert refused.code == 1 and "opened, but not sealed" in refused.stderr
    assert "no signed policy fits" in refused.stderr
    place(world, "3", operator.sign(3))
    world.remount()
    assert world.handler().code == 0 and world.unlocked == BOTH


def test_shown_by_the_daemon(kept, worlds):
    world = worlds(disk=kept.disk, tpm=kept.tpm)
    world.write_config(**kept.integrity)
    daemon = world.daemon()
    assert daemon.poll() is None, world.daemon_log
    shown = world.ctl("show", "configuration-integrity", "recovery", config=False)
    assert shown.code == 0 and shown.stdout.encode() == world.read(RECOVERY), shown
    os.unlink(world.path(RECOVERY))
    shown = world.ctl("show", "configuration-integrity", "recovery", config=False)
    assert shown.code == 1 and "recovery.json" in shown.stderr
