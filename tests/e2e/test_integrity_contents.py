# SPDX-License-Identifier: GPL-3.0-or-later
"""What Steward keeps in an encrypted directory is read as it was written, under its own name: fscrypt
lets who has the disk exchange and remove names without any key."""

import json
import os

import pytest

from integrity_world import MORE, SECRETS, STEWARDD

KEPT = "/run/steward-integrity"
ROUTER = json.dumps({"steward:router": {"asset-id": "A-1"}})
ONBOARDING = json.dumps({"state": "unconfigured"})


def check(world):
    result = world.run(STEWARDD, "--config", world.config_path, "--check", check=False)
    return result.returncode, result.stdout + result.stderr


def reboot(world):
    """The key of the last boot is not there any more."""
    world.unmount()
    world.run("rm", "-rf", KEPT)
    world.tpm.restart()
    world.mount()
    outcome = world.handler()
    assert outcome.code == 0 and not outcome.emergencies, outcome


@pytest.fixture
def kept(world):
    """Two files that are Steward's, taken in by who asks for it."""
    assert world.handler().code == 0
    world.write(SECRETS + "/router.json", ROUTER)
    world.write(SECRETS + "/onboarding.json", ONBOARDING)
    code, said = check(world)
    assert code == 78 and "router.json is not what Steward wrote there" in said, said
    assert world.request("reseal").code == 0
    reboot(world)
    assert check(world)[0] == 0, check(world)
    return world


def test_an_operators_router_json_is_read_until_steward_keeps_something(world):
    assert world.handler().code == 0
    world.write(SECRETS + "/router.json", ROUTER)
    reboot(world)
    assert check(world)[0] == 0, check(world)
    world.write(SECRETS + "/onboarding.json", ONBOARDING)
    code, said = check(world)
    assert code == 78 and "router.json is not what Steward wrote there" in said, said


def test_exchanged(kept):
    kept.run("sh", "-c", f"cd {SECRETS} && mv router.json x && mv onboarding.json router.json "
                         "&& mv x onboarding.json")
    reboot(kept)  # the directories open: mending needs them
    code, said = check(kept)
    assert code == 78, said
    assert "router.json is not what Steward wrote there: it was changed, or exchanged with " \
           "another, while the directory was closed" in said
    assert "stewardctl request configuration-integrity reseal" in said
    daemon = kept.daemon()
    assert daemon.wait(20) == 78 and not os.path.exists(kept.socket)
    assert "exchanged with another" in kept.daemon_log


def test_removed_and_restored(kept):
    kept.run("sh", "-c", f"mv {SECRETS}/router.json {MORE}/router.json")
    reboot(kept)
    code, said = check(kept)
    assert code == 78 and "router.json was removed while the directory was closed" in said, said
    kept.run("sh", "-c", f"mv {MORE}/router.json {SECRETS}/router.json")
    assert check(kept)[0] == 0
    kept.run("sh", "-c", f"rm {SECRETS}/contents.mac")
    reboot(kept)
    code, said = check(kept)
    assert code == 78 and "is not what Steward wrote there" in said, said
    assert kept.request("reseal").code == 0 and check(kept)[0] == 0


def test_key_is_roots_and_of_this_boot(kept):
    files = os.listdir(kept.path(KEPT))
    assert len(files) == 2, "one for each directory"
    for name in files:
        st = os.stat(kept.path(f"{KEPT}/{name}"))
        assert st.st_size == 32 and st.st_mode & 0o7777 == 0o600 and st.st_uid == 0
    assert os.stat(kept.path(KEPT)).st_mode & 0o7777 == 0o700
    before = [kept.read(f"{KEPT}/{name}") for name in files]
    # Somebody has removed it: it is unsealed again, though the directories are open.
    kept.run("rm", "-r", KEPT)
    assert kept.handler().code == 0
    assert [kept.read(f"{KEPT}/{name}") for name in files] == before
    assert kept.request("zeroize", typed="router1\n").code == 0
    assert os.listdir(kept.path(KEPT)) == []
