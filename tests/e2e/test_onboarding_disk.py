# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk of the router's that takes nothing for a while: the onboarding waits for it, and goes on."""

import os
import re

import pytest

from steward import wait_for

pytestmark = pytest.mark.slow


def block(directory, name):
    """Nothing can be written there atomically: a directory has the name of the new file."""
    path = os.path.join(directory, f"{name}.new")
    os.mkdir(path)
    return path


def count_refusals(conductor):
    """It tells the router which conductors there are first, if that has changed: whichever comes first."""
    return len(re.findall("could not be (?:configured|initialized): HTTP 500", conductor.log))


def test_state_of_the_initialization_is_not_kept(onboarding, conductor):
    """It does not reboot into what it was before: its conductor would believe it initialized."""
    token = conductor.token()
    conductor.stop()
    router = onboarding.router()
    router.onboard(token)
    router.wait_for_state("retrying")
    blocked = block(router.secrets, "onboarding.json")
    conductor.start()
    wait_for(lambda: count_refusals(conductor) > 0, 60, "the refusal")
    assert router.onboarding["state"] == "connected" and router.reboots == 0
    assert f"create {blocked}: " in conductor.log
    os.rmdir(blocked)
    router.become_onboarded()
    assert router.reboots == 1
    wait_for(lambda: any(outcome == "initialized" for outcome, _ in conductor.audit("router1")),
             30, "the initialization")
    # It was asked time and again meanwhile, and told of once.
    assert count_refusals(conductor) == 1


def test_host_keys_cannot_be_pinned_at_the_boot(onboarding, conductor):
    router = onboarding.router()
    router.onboard(conductor.token()).become_onboarded()
    wait_for(lambda: router.is_connected, 30, "the tunnel")
    router.stop()
    os.unlink(os.path.join(router.state, "known_hosts-1"))
    blocked = block(router.state, "known_hosts-1")
    router.start()
    down = wait_for(lambda: router.onboarding["conductors"][0]["problem"] and
                    router.onboarding["conductors"][0], 30, "the problem")
    assert down["tunnel"] == "waiting" and f"create {blocked}: " in down["problem"]
    assert down["next-try"] is not None
    os.rmdir(blocked)
    wait_for(lambda: router.is_connected, 60, "the tunnel")
