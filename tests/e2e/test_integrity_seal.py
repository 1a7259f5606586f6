# SPDX-License-Identifier: GPL-3.0-or-later
"""seal-after-boot: once everything is open nobody gets the key out of the TPM before it starts again,
also not who is root and owns it."""

import contextlib
import json
import os

import pytest

from integrity_world import Machine, MORE, SECRETS, TEXT
from lying_tpm import LyingTpm, with_code
from policies import Operator, configure, measure, place

BOTH = {SECRETS, MORE}
LOCK = 0x0180012a
SEALED = "sealed until the next boot"
COUNTER_WORDS = ("-C", "o", "-s", "8", "-a",
                 "ownerwrite|ownerread|authread|read_stclear|no_da|nt=counter")


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return Machine(tmp_path_factory.mktemp("kept"), **{"seal-after-boot": True})


@pytest.fixture
def running(kept, worlds):
    """Everything is open."""
    world = worlds(kept)
    outcome = world.handler()
    assert outcome.code == 0 and world.unlocked == BOTH, outcome
    return world


def is_sealed(world):
    """Its directories are shut, as by fscrypt lock, and it is tried again."""
    world.remount()
    outcome = world.handler()
    assert outcome.code == 1 and outcome.reason.startswith(SEALED), outcome
    assert world.unlocked == set()


def boots(world):
    world.unmount()
    world.tpm.restart()
    world.mount()
    outcome = world.handler()
    assert outcome.code == 0 and world.unlocked == BOTH, outcome
    assert world.read(SECRETS + "/file").decode() == TEXT and world.tpm.leftovers == {}


def test_counter_that_is_not_there_for_a_moment(running):
    """Only what is told twice is believed: else a system would be reprovisioned for it."""
    with contextlib.closing(LyingTpm(running.tpm)) as proxy:
        running.write_config(tcti=proxy.tcti)
        boots(running)
        reads = [n for n, code in enumerate(proxy.codes, 1) if code == 0x169]  # NV_ReadPublic
        for n in reads:
            proxy.tell(n, with_code(0x18b))
            boots(running)
            assert proxy.lied_about == 0x169
        assert len(reads) >= 4
        proxy.tell_the_truth()


def unwraps(world):
    """Root asks the TPM itself, by the policy that the manual describes."""
    tpm, record = world.tpm, json.loads(world.record)
    value = record["seal-count"].to_bytes(8, "big")
    tpm.write("value", value)
    tpm.tool("startauthsession", "-S", "s", "--policy-session")
    try:
        tpm.tool("policycommandcode", "-S", "s", "TPM2_CC_RSA_Decrypt")
        asked = tpm.attempt("policynv", "-S", "s", "-C", hex(LOCK), "-i", "value", hex(LOCK), "eq")
        if asked.returncode:
            return False
        tpm.write("cipher", os.urandom(256))
        used = tpm.attempt("rsadecrypt", "-c", record["key-handle"], "-p", "session:s", "-o", "out",
                           "cipher")
        # What was encrypted is noise; the policy is not what is complained of.
        return "policy" not in used.stderr.lower()
    finally:
        tpm.attempt("flushcontext", "s")
        tpm.flush()


def test_once_a_boot(running):
    is_sealed(running)
    boots(running)
    is_sealed(running)


def test_enablement_seals_too(worlds):
    world = worlds()
    world.write_config(**{"seal-after-boot": True})
    assert world.handler().code == 0
    record = json.loads(world.record)
    assert record["version"] == 2 and record["seal-nv-index"] == hex(LOCK).replace("0x", "0x0")
    world.write(SECRETS + "/file", TEXT)
    is_sealed(world)
    boots(world)


def test_root_asks_the_tpm(running):
    """By tpm2-tools: before everything was open it would have got through."""
    assert not unwraps(running)
    running.unmount()
    running.tpm.restart()
    running.mount()
    assert unwraps(running)


def test_counter_made_anew_opens_nothing(running):
    """Root owns the TPM, and may remove the counter; the key is lost by that, not won."""
    running.tpm.tool("nvundefine", hex(LOCK))
    running.tpm.tool("nvdefine", hex(LOCK), *COUNTER_WORDS)
    running.tpm.tool("nvincrement", hex(LOCK), "-C", "o")
    assert not unwraps(running)
    running.remount()
    outcome = running.handler()
    assert outcome.code == 1 and "gone or another one" in outcome.reason, outcome


def test_shutdown_and_startup_without_a_reset(running):
    """TPM2_Startup is refused by a TPM that runs."""
    for words in (("shutdown", "-c"), ("startup", "-c"), ("startup",)):
        running.tpm.attempt(*words)
    is_sealed(running)


def test_second_program_of_the_boot(running):
    """stewardd looks again, as everything is open already."""
    before = running.state
    assert running.handler().code == 0
    assert running.state == before
    daemon = running.daemon()
    assert daemon.poll() is None, running.daemon_log


def test_reseal_waits(running):
    before = running.state
    outcome = running.request("reseal")
    assert outcome.code == 1 and SEALED in outcome.stderr, outcome
    assert running.state == before
    running.write_config(**{"seal-after-boot": False})
    running.unmount()
    running.tpm.restart()
    running.mount()
    assert running.handler().code == 0
    assert running.request("reseal").code == 0
    assert json.loads(running.record)["version"] == 1
    running.remount()
    assert running.handler().code == 0 and running.unlocked == BOTH
    running.write_config(**{"seal-after-boot": True})
    outcome = running.handler()
    assert outcome.code == 0
    told = outcome.events("INTEGRITY_NOT_SETTLED")
    assert len(told) == 1 and "reseal" in told[0]["MESSAGE"], outcome
    assert running.request("reseal").code == 0
    is_sealed(running)
    boots(running)


def test_under_a_signed_policy(worlds, tmp_path):
    operator = Operator(tmp_path)
    world = worlds()
    configure(world, operator, **{"seal-after-boot": True})
    measure(world, 1)
    place(world, "1", operator.sign(1))
    place(world, "2", operator.sign(2, "generation", "2", "ends-older"))
    assert world.handler().code == 0
    is_sealed(world)
    measure(world, 2)
    assert world.handler().code == 0 and world.unlocked == BOTH
    is_sealed(world)


def test_zeroize_takes_the_counter(running):
    assert running.request("zeroize", typed="router1\n").code == 0
    assert running.tpm.handles("nv") == []


def test_foreign_index(worlds):
    """What somebody else has there stays."""
    world = worlds()
    world.tpm.tool("nvdefine", hex(LOCK), "-C", "o", "-s", "8")
    before = world.tpm.handles("nv")
    world.write_config(**{"seal-after-boot": True})
    outcome = world.handler()
    assert outcome.code == 0 and world.unlocked == set(), outcome
    assert "0x0180012a is not ours" in outcome.events("INTEGRITY_UNSUPPORTED")[0]["STEWARD_REASON"]
    assert world.tpm.handles("nv") == before
