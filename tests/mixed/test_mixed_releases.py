# SPDX-License-Identifier: GPL-3.0-or-later
"""A conductor of one release of Debian, and a router of the other. What only one of them has, neither
uses; and who requires it says by name who lacks it."""

import pytest

from onboarding_world import Conductor, Router, check_refused, self_signed
from other_release import HAS_KEM, HERE, THERE, ConductorThere, RouterThere
from steward import wait_for
from test_sealed_secrets import CONFIGURATION, PASSWORD, QUERY, has, sources

HYBRID_OF_BOTH = "sntrup761x25519-sha512"
RELEASES = pytest.mark.parametrize("conductors", [HERE, THERE], ids="conductor-{}".format)


class Fleet:
    def __init__(self, world, conductors):
        self.world = world
        self.conductors, self.routers = conductors, THERE if conductors == HERE else HERE

    def conductor(self, **options):
        kind = Conductor if self.conductors == HERE else ConductorThere
        return self.world.daemon(kind, self.world.ca, **options)

    def router(self, post_quantum=None, **options):
        router = self.world.daemon(Router if self.routers == HERE else RouterThere, start=False,
                                   **options)
        if post_quantum:
            router.config["post-quantum"] = post_quantum
            router.write_config()
        return router.start()


@pytest.fixture
def fleet(world, conductors):
    return Fleet(world, conductors)


def proof(world, mode):
    """What a router of this mode has, and what the conductor knows of it."""
    if mode == "psk-only":
        return {}, {}
    tpm = world.tpm()
    if mode == "strong":
        return {"tpm": tpm}, {"endorsement-key": tpm.endorsement_key}
    certificate = world.write("device.pem", self_signed(tpm, "anything"))
    return {"tpm": tpm, "device_id": certificate}, {}


@RELEASES
@pytest.mark.parametrize("mode", ["psk-only", "weak", "strong"])
def test_each_mode(fleet, mode):
    """With secrets of the router's configuration, which are sealed to what both sides have."""
    has_proof, known = proof(fleet.world, mode)
    conductor = fleet.conductor()
    conductor.configure(mode=mode, **known)
    conductor.put(CONFIGURATION, sources())
    router = fleet.router(**has_proof)
    router.onboard(conductor.token(), **{"minimum-mode": mode}).become_onboarded()
    wait_for(lambda: router.is_connected, 30, "the tunnel")
    assert has(router, PASSWORD, QUERY)
    state = router.onboarding
    assert state["handshake-key-exchange"] == "p-256"
    assert [c["key-exchange"] for c in state["conductors"]] == [HYBRID_OF_BOTH]
    wait_for(lambda: conductor.enrolments[0]["tunnel-key-exchange"], 10, "the tunnel, there")
    enrolment = conductor.enrolments[0]
    assert (enrolment["key-exchange"], enrolment["tunnel-key-exchange"]) == ("p-256", HYBRID_OF_BOTH)


@RELEASES
@pytest.mark.parametrize("mode", ["psk-only", "weak", "strong"])
def test_required_by_the_conductor(fleet, mode):
    has_proof, known = proof(fleet.world, mode)
    conductor = fleet.conductor(**{"post-quantum": {"required": True}})
    conductor.configure(mode=mode, **known)
    router = fleet.router(**has_proof)
    reason = router.onboard(conductor.token()).wait_for_state("refused")["reason"]
    if HAS_KEM[fleet.conductors]:
        assert "the conductor requires a post-quantum key exchange; this router offers only p-256:" \
            " its libcrypto has no ML-KEM" in reason
        check_refused(conductor, "post-quantum key exchange is required, router router1 node node0"
                                 " offers only p-256: its libcrypto has no ML-KEM")
    else:
        assert "its audit says why" in reason
        check_refused(conductor, "post-quantum key exchange is required, and this conductor itself has"
                                 " only p-256")


@RELEASES
@pytest.mark.parametrize("mode", ["psk-only", "weak", "strong"])
def test_required_by_the_router(fleet, mode):
    has_proof, known = proof(fleet.world, mode)
    conductor = fleet.conductor()
    conductor.configure(mode=mode, **known)
    router = fleet.router({"required": True}, **has_proof)
    reason = router.onboard(conductor.token()).wait_for_state("refused")["reason"]
    who = "the conductor offers" if HAS_KEM[fleet.routers] else "and this router itself has"
    assert f"post-quantum key exchange is required, {who} only p-256: its libcrypto has no ML-KEM" \
        in reason, reason
    assert conductor.enrolments == [] and conductor.authorized_keys == []


@RELEASES
def test_no_key_exchange_in_common(fleet):
    """Of one that only Debian 13 has: there is no tunnel, and both say what the other has."""
    newer, older = "mlkem768x25519-sha256", HYBRID_OF_BOTH
    conductors, routers = (newer, older) if HAS_KEM[fleet.conductors] else (older, newer)
    only = {"key-exchange": [newer]}
    conductor = fleet.conductor(**({"post-quantum": only} if conductors == newer else {}))
    conductor.configure()
    router = fleet.router(only if routers == newer else None)
    router.onboard(conductor.token()).wait_for_state("enrolled")
    problem = wait_for(lambda: router.onboarding["conductors"][0]["problem"], 30, "the reason")
    assert f"no matching key exchange method found. Their offer: {conductors}," in problem, problem
    if fleet.conductors == THERE:  # where there is no journal that it would go to
        wait_for(lambda: f"no matching key exchange method found. Their offer: {routers}," in
                 conductor.log, 30, "the reason, there")
