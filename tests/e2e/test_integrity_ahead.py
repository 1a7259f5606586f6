# SPDX-License-Identifier: GPL-3.0-or-later
"""What the TPM is asked by before the configuration is checked: it opens nothing, and it is no
truth of its own."""

import json
import os
import signal
import time

import pytest

from integrity_world import KEY_HANDLE, MORE, SECRETS, SRK_HANDLE, TEXT
from steward import SLOW

CONFIG_REFUSED = 78


def change(world, **members):
    """Of the router's configuration; None takes one out."""
    with open(world.config_path) as file:
        router = json.load(file)["steward:router"]
    for name, value in members.items():
        name = name.replace("_", "-")
        router.pop(name, None)
        if value is not None:
            router[name] = value
    with open(world.config_path, "w") as file:
        json.dump({"steward:router": router}, file)


REFUSED = {
    "another-part": ({"software_update": {"download": {"concurrency": 99}}}, "concurrency"),
    "rule-of-two": ({"state_directory": SECRETS + "/state"}, "state-directory"),
    "unknown": ({"nonsense": 1}, "nonsense"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(world, what):
    changes, word = REFUSED[what]
    change(world, **changes)
    before = world.state
    outcome = world.handler()
    assert outcome.code == CONFIG_REFUSED and not outcome.emergencies, outcome
    (event,) = outcome.events("CONFIGURATION_REFUSED")
    assert word in event["MESSAGE"], event
    assert world.state == before and world.unlocked == set() and world.tpm.leftovers == {}


@pytest.mark.parametrize("value, word", [("0x01c00000", "0x01c00000"), ("1", "'1'")])
def test_refused_in_its_own_part(world, value, word):
    world.write_config(**{"nv-index": value})
    outcome = world.handler()
    assert outcome.code == CONFIG_REFUSED, outcome
    (event,) = outcome.events("CONFIGURATION_REFUSED")
    assert "nv-index" in event["MESSAGE"] and word.strip("'") in event["MESSAGE"], event
    assert world.unlocked == set() and world.tpm.leftovers == {}


def test_refused_makes_no_key(world):
    """An SRK that was evicted is made again, but not on behalf of what is refused."""
    world.tpm.tool("evictcontrol", "-C", "o", "-c", hex(SRK_HANDLE))
    change(world, nonsense=1)
    before = world.state
    assert world.handler().code == CONFIG_REFUSED
    assert world.state == before and world.tpm.leftovers == {}
    change(world, nonsense=None)
    assert world.handler().code == 0 and world.tpm.key(SRK_HANDLE)


def test_refused_while_the_tpm_is_silent(world):
    """Nobody waits for a TPM to say what the file alone says."""
    change(world, nonsense=1)
    os.kill(world.tpm.process.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        outcome = world.handler()
        assert outcome.code == CONFIG_REFUSED, outcome
        assert time.monotonic() - began < 20 * SLOW
    finally:
        os.kill(world.tpm.process.pid, signal.SIGCONT)


def test_what_the_model_says_counts(worlds):
    """RFC 7951 allows a leaf its module's name: what is read ahead does not know that, and asks
    the TPM by the default."""
    world = worlds()
    world.write_config(**{"nv-index": "0x01800200", "key-handle": "0x81010200"})
    assert world.handler().code == 0
    world.write(SECRETS + "/file", TEXT)
    world.remount()
    for name in ("nv-index", "key-handle"):
        world.integrity["steward:" + name] = world.integrity.pop(name)
    world.write_config()
    outcome = world.handler()
    assert outcome.code == 0 and not outcome.emergencies, outcome
    assert len(outcome.events("INTEGRITY_UNLOCKED")) == 2 and world.unlocked == {SECRETS, MORE}
    assert world.read(SECRETS + "/file").decode() == TEXT
    assert world.tpm.key(KEY_HANDLE) is None
