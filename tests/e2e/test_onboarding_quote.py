# SPDX-License-Identifier: GPL-3.0-or-later
"""Strong, by EK, with a TPM that is the right one and a router that is not: what it shows is true
and signed, but not of this handshake, not of these PCRs, or no longer what is asked for."""

import os

import pytest

from device_tpm import PCRS
from onboarding_world import check_refused
from steward import wait_for
from test_onboarding_refused import ask_for_more, change_secret, delete, disable, revoke, \
    take_asset_id
from wire_router import b64, sha256
from wire_tpm import TpmRouter

pytestmark = pytest.mark.slow


@pytest.fixture
def tpm(onboarding):
    return onboarding.tpm()


@pytest.fixture
def strong(onboarding, tpm):
    conductor = onboarding.conductor()
    conductor.configure(**{"mode": "strong", "endorsement-key": tpm.endorsement_key})
    return conductor


def test_the_wire_is_as_it_is_written(onboarding, strong, tpm):
    """What the other tests change is good as it stands."""
    router = TpmRouter(onboarding, strong.token(), tpm).go_to_keys()
    assert router.ask(router.keys, "r2", "c2") == {"type": "done"}
    assert [e["pinned-by"] for e in strong.enrolments] == ["endorsement-key"]


# A quote over other data.

def over_nothing(router):
    router.tpm.quote(b"")


def over_another_nonce(router):
    router.tpm.quote(os.urandom(32))


def over_the_bare_transcript(router):
    router.tpm.quote(router.channel.hash)


def over_another_point_of_the_transcript(router):
    router.tpm.quote(sha256(b"sco ek", sha256(router.channel.hash)))


@pytest.mark.parametrize("make", [
    over_nothing, over_another_nonce, over_the_bare_transcript,
    over_another_point_of_the_transcript])
def test_quote_over_other_data(onboarding, strong, tpm, make):
    router = TpmRouter(onboarding, strong.token(), tpm).go_to_attestation()
    make(router)
    router.tell(router.attestation, "t1")
    assert router.is_refused()
    check_refused(strong, "quote: over other data than this handshake")


def test_quote_of_another_handshake(onboarding, strong, tpm):
    """Good on the channel that it was made for, where it was not even used; the same token, AK and
    PCRs are on the next."""
    token = strong.token()
    first = TpmRouter(onboarding, token, tpm).go_to_attestation()
    first.tpm.quote(first.extra)
    recorded = first.attestation
    first.cut()
    before = len(wait_for(strong.refusals, what="the end of the first"))
    second = TpmRouter(onboarding, token, tpm).go_to_attestation()
    second.tell(recorded, "t1")
    assert second.is_refused()
    check_refused(strong, "quote: over other data than this handshake", before)


def test_time_instead_of_a_quote(onboarding, strong, tpm):
    """Signed by the AK, over this handshake, and by its form an attestation."""
    router = TpmRouter(onboarding, strong.token(), tpm).go_to_attestation()
    router.tpm.quote(router.extra)
    router.tpm.run("gettime", "-c", "ak.ctx", "-q", router.extra.hex(), "-o", "signature",
                   "--attestation", "quote")
    router.tell(router.attestation, "t1")
    assert router.is_refused()
    check_refused(strong, "quote: attests type 0x8019, expected a quote (0x8018)")


# A quote of other PCRs.

@pytest.mark.parametrize("selection", [
    "sha256:none", "sha256:0", "sha256:0,1,2,3,4,5,6", "sha256:0,1,2,3,4,5,6,7,8", "sha256:8"])
def test_quote_of_other_pcrs(onboarding, strong, tpm, selection):
    router = TpmRouter(onboarding, strong.token(), tpm).go_to_attestation()
    router.tpm.quote(router.extra, selection)
    router.tell(router.attestation, "t1")
    assert router.is_refused()
    check_refused(strong, "quote: another PCR selection than sha256 0 to 7")


@pytest.mark.parametrize("selection, n", [(None, 0), ("sha256:0+sha384:0", 2)])
def test_quote_of_no_selection_or_two(onboarding, strong, tpm, selection, n):
    router = TpmRouter(onboarding, strong.token(), tpm).go_to_attestation()
    if selection:
        router.tpm.quote(router.extra, selection)
    else:
        router.quote_of_nothing(router.extra)
    router.tell(router.attestation, "t1")
    assert router.is_refused()
    check_refused(strong, f"quote: {n} PCR selections, expected 1")


def test_other_values_than_quoted(onboarding, strong, tpm):
    router = TpmRouter(onboarding, strong.token(), tpm).go_to_attestation()
    router.tpm.quote(router.extra)
    shown = router.attestation
    shown["pcrs"][7] = b64(os.urandom(32))
    router.tell(shown, "t1")
    assert router.is_refused()
    check_refused(strong, "quote: over other PCR values than shown")


def test_pcr_extended_after_the_quote(onboarding, strong, tpm):
    """The values are of now, the quote is of before."""
    router = TpmRouter(onboarding, strong.token(), tpm).go_to_attestation()
    router.tpm.quote(router.extra)
    router.tpm.run("pcrextend", "7:sha256=" + "cd" * 32)
    router.tpm.run("pcrread", PCRS, "-o", "pcrs")
    router.tell(router.attestation, "t1")
    assert router.is_refused()
    check_refused(strong, "quote: over other PCR values than shown")


# A quote by another key.

def test_quote_by_another_key_of_the_same_tpm(onboarding, strong, tpm):
    router = TpmRouter(onboarding, strong.token(), tpm).go_to_attestation()
    router.tpm.make_ak("other")
    router.tpm.quote(router.extra, key="other")
    router.tell(router.attestation, "t1")
    assert router.is_refused()
    check_refused(strong, "quote: not signed by the AK")


def test_ek_of_the_right_tpm_and_a_credential_for_another(onboarding, strong, tpm):
    """It shows the configured EK and an AK of its own TPM: what comes back opens in neither."""
    other = onboarding.tpm()
    router = TpmRouter(onboarding, strong.token(), other).go_to(1)
    shown = {**router.proof, "ek": tpm.endorsement_key}
    credential = router.ask(shown, "r1")
    assert credential["type"] == "credential"
    assert router.activate(credential) is None
    router.channel.set_tpm_secret(bytes(32))
    router.tpm.quote(router.extra)
    router.tell(router.attestation, "t1")
    assert router.is_refused()
    check_refused(strong, "wrong MAC t1")


def test_swapped_ek_of_a_true_tpm(onboarding, strong):
    """All it shows is true, of another TPM."""
    router = TpmRouter(onboarding, strong.token(), onboarding.tpm()).go_to(1)
    router.tell(router.proof, "r1")
    assert router.is_refused()
    check_refused(strong, "EK: not the endorsement-key that is configured for node node0")


# What changes between the first message and the commit.

def exchange_ek(conductor, token, onboarding):
    conductor.put("/v1/routers/router1/nodes/node0",
                  {"asset-id": "A0", "endorsement-key": onboarding.tpm().endorsement_key})


def remove_ek(conductor, token, onboarding):
    conductor.put("/v1/routers/router1/nodes/node0", {"asset-id": "A0", "endorsement-key": ""})


def ask_for_less(conductor, token):
    conductor.put("/v1/routers/router1", {"mode": "psk-only"})


CHANGED = "changed during the handshake: "
CHANGES = [
    (exchange_ek, CHANGED + "the configured endorsement key is another"),
    (remove_ek, CHANGED + "certificate is asked for, endorsement-key was shown"),
    (change_secret, CHANGED + "the pre-shared secret is another"),
    (take_asset_id, CHANGED + "asset-id A0 is no node's"),
    (revoke, "was revoked"),
    (disable, CHANGED + "mode disabled is asked for, strong was shown"),
    (ask_for_more, CHANGED + "mode weak is asked for, strong was shown"),
    (ask_for_less, CHANGED + "mode psk-only is asked for, strong was shown"),
    (delete, CHANGED + "asset-id A0 is no node's"),
]


@pytest.mark.parametrize("change, reason", CHANGES)
def test_changed_before_the_commit(onboarding, strong, tpm, change, reason):
    token = strong.token()
    router = TpmRouter(onboarding, token, tpm).go_to_keys()
    change(strong, token, *([onboarding] if change in (exchange_ek, remove_ek) else []))
    router.tell(router.keys, "r2")
    assert router.is_refused()
    check_refused(strong, reason)


@pytest.mark.parametrize("change, reason", CHANGES[:2])
def test_ek_changed_right_after_the_first_message(onboarding, strong, tpm, change, reason):
    """What it goes on with is the one that was configured then; what counts is the last look."""
    router = TpmRouter(onboarding, strong.token(), tpm)
    assert router.ask(router.hello)["identity"] == "ek"
    change(strong, None, onboarding)
    credential = router.ask(router.proof, "r1")
    router.channel.set_tpm_secret(router.activate(credential))
    router.tpm.quote(router.extra)
    assert router.ask(router.attestation, "t1", "c1")["type"] == "accept"
    router.tell(router.keys, "r2")
    assert router.is_refused()
    check_refused(strong, reason)
