# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd says of the units' exposure, and that the programs work with what is left to them."""

import os
import re
import subprocess

import pytest

from integrity_world import MORE, SECRETS
from steward import STEWARDD

pytestmark = pytest.mark.release_only

PACKAGING = os.path.join(os.path.dirname(os.path.dirname(STEWARDD)), "packaging")
# stewardd lowers its own priority (setpriority, ioprio_set) when it looks into seeds.
MOST = {"integrity-handler": 3.5, "stewardd": 2.1, "conductord": 2.0, "steward-tunnels": 2.0}


@pytest.mark.parametrize("name", MOST)
def test_exposure(name):
    said = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager",
                           os.path.join(PACKAGING, f"{name}.service")], text=True,
                          capture_output=True).stdout
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)
    assert found and float(found.group(1)) <= MOST[name], said


def test_handler_with_its_capabilities_alone(worlds):
    """Enabling, unlocking, resealing, zeroizing."""
    with open(os.path.join(PACKAGING, "integrity-handler.service")) as file:
        names = re.search(r"^CapabilityBoundingSet=(.*)$", file.read(), re.M).group(1).split()
    bounding = ",".join(["-all"] + ["+" + n.removeprefix("CAP_").lower() for n in names])
    prefix = ["setpriv", "--bounding-set", bounding, "--inh-caps", "-all"]
    world = worlds()
    assert world.handler(prefix=prefix).events("INTEGRITY_ENABLED")
    world.remount()
    outcome = world.handler(prefix=prefix)
    assert outcome.code == 0 and world.unlocked == {SECRETS, MORE}, outcome
    for request in ("reseal", "zeroize"):
        outcome = world.request(request, typed="router1\n", prefix=prefix)
        assert outcome.code == 0, outcome
    assert not world.exists(SECRETS)
