# SPDX-License-Identifier: GPL-3.0-or-later
"""A reseal that is cut short: the next boot leaves one key, and what is older than it opens nothing."""

import contextlib
import json
import os

import pytest

import test_integrity_causes as causes
from integrity_world import KEY_HANDLE, RECORD, SECRETS, TEXT, Machine
from lying_tpm import LyingTpm
from test_integrity_causes import check_message, measure
from test_integrity_power import RESEAL, step_through

SRK, EVICT_CONTROL = 0x81000001, 0x120
pytestmark = pytest.mark.release_only  # the stepper's filter knows no sanitizer


@pytest.fixture(scope="module")
def measured_machine(tmp_path_factory):
    """Two directories, sealed under the value of PCR 16."""
    return Machine(tmp_path_factory.mktemp("measured"), before=measure, pcr=[16])


@pytest.fixture
def measured(worlds, measured_machine):
    world = worlds(measured_machine)
    measure(world)
    assert world.handler().code == 0
    return world


def reseal_until(world, *names):
    """Killed before the last of these steps, which come one after another."""
    left = list(names)

    def at_step(_, step):
        if step.startswith(left[0]):
            del left[0]
        return not left

    _, steps, log = step_through(world, RESEAL, at_step)
    assert not left, f"{steps} {log}"


def reboot(world):
    world.remount()
    world.tpm.flush()


CUTS = {
    "while its record is written": (f"fsync {RECORD}.new.new",),
    "before the new key": ("TPM2_EvictControl",),
    "before the record": ("TPM2_EvictControl", f"rename {RECORD}"),
    "before the old key goes": ("TPM2_EvictControl", f"rename {RECORD}", "TPM2_EvictControl"),
}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("open_already", [False, True], ids=["boot", "started again"])
def test_cut(measured, cut, open_already):
    world, old = measured, measured.record
    reseal_until(world, *CUTS[cut])
    reboot(world) if not open_already else world.tpm.flush()
    outcome = world.handler()
    assert outcome.code == 0 and world.read(SECRETS + "/file").decode() == TEXT, outcome
    assert bool(outcome.events("INTEGRITY_RECOVERED")) == ("before the" in cut and "new key" not in cut), outcome
    assert os.listdir(world.path(os.path.dirname(RECORD))) == ["record.json"]
    handle = int(json.loads(world.record)["key-handle"], 16)
    assert sorted(world.tpm.handles("persistent")) == [SRK, handle]
    # Once is enough, and the next one works.
    assert not world.handler().events("INTEGRITY_RECOVERED")
    assert world.request("reseal").code == 0
    reboot(world)
    world.write(RECORD, old)
    assert world.handler().reason.startswith("wrapping key replaced")


def test_older_record_wanted_no_pcrs(measured):
    """What was cut took the stronger one: the weaker opens nothing from the next boot on."""
    world = measured
    world.write_config(pcr=[])
    assert world.request("reseal").code == 0
    weak = world.record
    world.write_config(pcr=[16])
    reseal_until(world, *CUTS["before the old key goes"])
    reboot(world)
    assert world.handler().code == 0
    reboot(world)
    world.write(RECORD, weak)
    check_message(world.handler(), "wrapping key replaced", "unseal")


def test_old_key_stays_until_the_new_one_has_opened(measured):
    """The PCRs are others at the boot after the cut: nothing is thrown away."""
    world = measured
    reseal_until(world, *CUTS["before the old key goes"])
    reboot(world)
    measure(world)
    before = world.tpm.content
    check_message(world.handler(), "PCR mismatch", "unseal")
    assert world.tpm.content == before and len(before["keys"]) == 3


def test_tpm_does_not_evict(measured):
    """No event: it is tried again at the next boot, and until then the key has its name."""
    world = measured
    reseal_until(world, *CUTS["before the record"])
    reboot(world)
    with contextlib.closing(LyingTpm(world.tpm)) as proxy:
        world.write_config(tcti=proxy.tcti)
        proxy.refused = EVICT_CONTROL
        assert world.handler().code == 0 and len(world.tpm.handles("persistent")) == 3
        assert world.exists(RECORD + ".new")
    world.write_config(tcti=world.tpm.tcti)
    reboot(world)
    assert world.handler().code == 0
    assert len(world.tpm.handles("persistent")) == 2 and not world.exists(RECORD + ".new")


def test_key_of_another_record_is_no_leftover(world):
    """At the handle that the new one is to have, made by the same template and policy."""
    assert world.handler().code == 0
    world.tpm.tool("startauthsession", "-S", "session.ctx")
    world.tpm.tool("policycommandcode", "-S", "session.ctx", "-L", "policy", "TPM2_CC_RSA_Decrypt")
    world.tpm.flush()
    world.tpm.tool("create", *causes.WRAPPING_KEY, "-L", "policy")
    world.tpm.tool("load", "-C", "0x81000001", "-u", "key.pub", "-r", "key.priv", "-c", "key.ctx")
    world.tpm.tool("evictcontrol", "-C", "o", "-c", "key.ctx", hex(KEY_HANDLE + 1))
    world.tpm.flush()
    before = world.state
    outcome = world.request("reseal")
    assert outcome.code == 1 and hex(KEY_HANDLE + 1) in outcome.stderr, outcome
    assert world.state == before
