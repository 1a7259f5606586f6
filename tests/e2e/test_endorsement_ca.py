# SPDX-License-Identifier: GPL-3.0-or-later
"""A TPM that is known by the certificate of its maker, and not by a key that somebody has copied."""

import base64
import hashlib

import pytest

from device_tpm import EK_HANDLE, P_384_HANDLE, RSA_3072_HANDLE, TpmMaker
from onboarding_world import check_refused

pytestmark = pytest.mark.once


@pytest.fixture
def maker(onboarding):
    return TpmMaker(onboarding.folder("maker"))


def strong(onboarding, authorities, **more):
    conductor = onboarding.conductor(**{"endorsement-ca": authorities, **more})
    conductor.configure(mode="strong")
    return conductor


def check_enrolled(conductor, router, tpm):
    router.become_onboarded()
    pin = hashlib.sha256(base64.b64decode(tpm.endorsement_key)).hexdigest()
    assert [(e["node"], e["pinned-by"], e["pin"]) for e in conductor.enrolments] == [
        ("node0", "endorsement-key", pin)]


@pytest.mark.parametrize("handle", [EK_HANDLE, P_384_HANDLE, RSA_3072_HANDLE])
def test_onboarded_by_its_certificate(onboarding, maker, handle):
    tpm = onboarding.tpm(maker=maker, ek=handle)
    conductor = strong(onboarding, maker.authorities())
    router = onboarding.router(tpm=tpm)
    router.onboard(conductor.token(), **{"minimum-mode": "strong"})
    check_enrolled(conductor, router, tpm)
    assert not tpm.leftovers


def test_what_is_below_the_root_is_enough(onboarding, maker):
    tpm = onboarding.tpm(maker=maker)
    conductor = strong(onboarding, maker.authorities(root=False))
    check_enrolled(conductor, onboarding.router(tpm=tpm).onboard(conductor.token()), tpm)


@pytest.mark.parametrize("handle", [EK_HANDLE, P_384_HANDLE])
def test_the_root_is_enough_where_the_tpm_has_the_rest(onboarding, maker, handle):
    tpm = onboarding.tpm(maker=maker, ek=handle)
    conductor = strong(onboarding, maker.authorities(issuing=False))
    token = conductor.token()
    onboarding.router(tpm=tpm).onboard(token).wait_for_state("refused")
    check_refused(conductor, "EK certificate: unable to get local issuer certificate")
    tpm.write_chain(maker.issuing_certificate() + 100 * b"\xff")
    check_enrolled(conductor, onboarding.router(tpm=tpm).onboard(token), tpm)
    assert not tpm.leftovers


def test_the_chain_is_of_another_maker(onboarding, maker):
    """What a TPM shows only helps to find a way: nobody is believed for it."""
    other = TpmMaker(onboarding.folder("other"))
    onboarding.tpm(maker=maker)
    tpm = onboarding.tpm(maker=other)
    tpm.write_chain(other.issuing_certificate())
    conductor = strong(onboarding, maker.authorities(issuing=False))
    onboarding.router(tpm=tpm).onboard(conductor.token()).wait_for_state("refused")
    check_refused(conductor, "EK certificate: ")


def test_what_is_there_is_no_chain(onboarding, maker):
    tpm = onboarding.tpm(maker=maker)
    tpm.write_chain(maker.issuing_certificate()[:-1])
    conductor = strong(onboarding, maker.authorities())
    state = onboarding.router(tpm=tpm).onboard(conductor.token()).wait_for_state("retrying")
    assert "NV index 0x01c00100: ends in the middle of a certificate" in state["reason"]
    assert conductor.enrolments == []


def test_of_another_maker(onboarding, maker):
    other = TpmMaker(onboarding.folder("other"))
    onboarding.tpm(maker=maker)  # now it has its CA
    tpm = onboarding.tpm(maker=other)
    conductor = strong(onboarding, maker.authorities())
    onboarding.router(tpm=tpm).onboard(conductor.token()).wait_for_state("refused")
    check_refused(conductor, "EK certificate: ")


def test_without_a_certificate(onboarding, maker):
    """It says what is missing, and what can be done."""
    onboarding.tpm(maker=maker)
    tpm = onboarding.tpm()
    conductor = strong(onboarding, maker.authorities())
    state = onboarding.router(tpm=tpm).onboard(conductor.token()).wait_for_state("retrying")
    assert "the TPM has none at NV index 0x01c00002" in state["reason"]
    assert "endorsement-key" in state["reason"]
    assert conductor.enrolments == []


def test_another_genuine_tpm_comes_second(onboarding, maker):
    """First come is first served: a second device of the same maker is not let in, until a reset."""
    first, second = onboarding.tpm(maker=maker), onboarding.tpm(maker=maker)
    conductor = strong(onboarding, maker.authorities())
    token = conductor.token()
    check_enrolled(conductor, onboarding.router(tpm=first).onboard(token), first)
    onboarding.router(tpm=second).onboard(token).wait_for_state("refused")
    assert any("another device" in line for line in conductor.refusals())
    assert len(conductor.enrolments) == 1


def test_a_tpm_that_is_another_nodes(onboarding, maker):
    """It is configured for one node, and comes with the token of another."""
    tpm = onboarding.tpm(maker=maker)
    conductor = strong(onboarding, maker.authorities())
    conductor.configure("router2", asset_id="A2", **{
        "mode": "strong", "endorsement-key": tpm.endorsement_key})
    onboarding.router(tpm=tpm).onboard(conductor.token()).wait_for_state("refused")
    check_refused(conductor, "its endorsement key is configured for node0 of router2")


def test_an_endorsement_key_comes_before_the_certificate(onboarding, maker):
    """What an operator has configured for the node alone counts."""
    first, second = onboarding.tpm(maker=maker), onboarding.tpm(maker=maker)
    conductor = strong(onboarding, maker.authorities())
    conductor.configure(**{"mode": "strong", "endorsement-key": first.endorsement_key})
    onboarding.router(tpm=second).onboard(conductor.token()).wait_for_state("refused")
    check_refused(conductor, "EK: not the endorsement-key that is configured for node node0")
