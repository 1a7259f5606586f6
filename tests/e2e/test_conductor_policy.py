# SPDX-License-Identifier: GPL-3.0-or-later
"""A signed PCR policy goes from the conductor through the tunnels to a router's nodes."""

import json
import os

import pytest

from policies import Operator
from steward import ctl, wait_for

pytestmark = pytest.mark.slow
POLICY = ("configuration-integrity", "policy")


@pytest.fixture
def conductor(onboarding):
    made = onboarding.conductor()
    made.configure(node="node0", asset_id="A0")
    made.configure(node="node1", asset_id="A1")
    return made


@pytest.fixture
def router(onboarding, conductor, tmp_path):
    """Its node0 runs, and knows an operator; node1 never came."""
    operator = Operator(tmp_path)
    made = onboarding.router("A0", start=False)
    made.operator = operator
    made.beside = os.path.join(str(tmp_path), "integrity")
    made.config["configuration-integrity"] = {
        "pcr": [16], "policy-key": operator.public, "record-directory": made.beside}
    made.write_config()
    made.start().onboard(conductor.token())
    made.become_onboarded()
    wait_for(lambda: made.is_connected, 30, "the tunnel")
    return made


def bring(conductor, tmp_path, text, *words):
    file = tmp_path / "policy.json"
    file.write_text(text)
    return ctl(conductor, "request", *POLICY, "file", str(file), "router", "router1", *words)


def test_through_the_tunnel(conductor, router, tmp_path):
    policy = router.operator.sign(2)
    brought = bring(conductor, tmp_path, policy, "node", "node0")
    assert brought.returncode == 0, brought.stderr
    kept = os.listdir(router.beside + "/policies")
    assert len(kept) == 1
    with open(os.path.join(router.beside, "policies", kept[0])) as file:
        assert file.read() == policy
    # To all: who is not there is told as such, and hinders nobody.
    brought = bring(conductor, tmp_path, router.operator.sign(3))
    assert brought.returncode == 1 and "node node1: it is not connected" in brought.stderr
    assert len(os.listdir(router.beside + "/policies")) == 2


def test_not_by_the_operator(conductor, router, tmp_path):
    """A conductor that is not itself any more brings nothing that opens."""
    os.makedirs(tmp_path / "other")
    brought = bring(conductor, tmp_path, Operator(tmp_path / "other").sign(2), "node", "node0")
    assert brought.returncode == 1 and "is signed by the key" in brought.stderr, brought
    brought = bring(conductor, tmp_path, "{}", "node", "node0")
    assert brought.returncode == 1 and "signed policy: " in brought.stderr, brought
    assert not os.path.exists(router.beside + "/policies")


def test_too_many_are_not_kept(conductor, router, tmp_path):
    for generation in range(1, 33):
        reply = router.call("PUT", "/v1/integrity/policy",
                            router.operator.sign(2, "generation", str(generation)).encode())
        assert reply.status == 200, reply.body
    brought = bring(conductor, tmp_path, router.operator.sign(2, "generation", "33"), "node",
                    "node0")
    assert brought.returncode == 1 and "32 policies are kept" in brought.stderr


def test_recovery_is_kept_by_the_conductor(conductor, router):
    """It is asked for through the tunnel."""
    kept = {"version": 1, "recovery-key": "0" * 64, "wrapped-fek": "AAAA", "directory": []}
    words = ("show", "configuration-integrity", "recovery", "router", "router1", "node", "node0")
    none = ctl(conductor, *words)
    assert none.returncode == 1 and "recovery.json" in none.stderr, none
    os.makedirs(router.beside, exist_ok=True)
    with open(router.beside + "/recovery.json", "w") as file:
        json.dump(kept, file)
    shown = ctl(conductor, *words)
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout.splitlines()[-1]) == kept
