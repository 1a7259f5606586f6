"""From a token to a tunnel, in each mode, over port 930."""

import base64
import hashlib
import os

import pytest

from cryptography.hazmat.primitives import serialization

from certificates import Authority
from onboarding_world import device_certificate, self_signed
from steward import wait_for


def public_digest(certificate):
    return hashlib.sha256(certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def check_onboarded(conductor, router, pinned_by, pin):
    state = router.wait_for_state("onboarded")
    assert state["reason"] is None
    wait_for(lambda: router.reboots == 1, what="the reboot")
    enrolments = conductor.enrolments
    assert [(e["router"], e["node"], e["pinned-by"], e["pin"]) for e in enrolments] == [
        ("router1", "node0", pinned_by, pin)]
    assert len(conductor.authorized_keys) == 1
    assert router.ssh_key in conductor.authorized_keys[0]
    outcomes = [outcome for outcome, _ in conductor.audit("router1")]
    assert outcomes.count("enrolled") == 1 and "refused" not in outcomes
    assert not os.path.exists(os.path.join(router.secrets, "onboarding-token"))
    router.reboot()
    assert router.onboarding["state"] == "onboarded"
    wait_for(lambda: router.is_connected, 30, "the tunnel")
    assert router.reboots == 1 and len(conductor.enrolments) == 1


def ssh_pin(router):
    return hashlib.sha256(base64.b64decode(router.ssh_key)).hexdigest()


def test_psk_only(onboarding):
    conductor = onboarding.conductor()
    conductor.configure(mode="psk-only")
    router = onboarding.router()
    router.onboard(conductor.token())
    router.wait_for_state("onboarded")
    check_onboarded(conductor, router, "ssh-key", ssh_pin(router))
