# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is not let in, and what is said of it: one word on the wire, a precise line in the audit."""

import base64
import hmac
import os
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from onboarding_world import check_refused
from steward import SLOW, another_time, wait_for
from wire_router import WireRouter, b64, read_token

pytestmark = pytest.mark.once


def test_the_wire_is_as_it_is_written(onboarding, conductor):
    """What the other tests change is good as it stands."""
    router = WireRouter(onboarding, conductor.token()).go_to(3)
    assert [e["pinned-by"] for e in conductor.enrolments] == ["ssh-key"]
    assert b64(router.blob) in conductor.authorized_keys[0]


def change_secret(conductor, token):
    conductor.put("/v1/routers/router1", {"pre-shared-secret": ""})


def change_asset_ids(conductor, token):
    conductor.put("/v1/routers/router1/nodes/node1", {"asset-id": "A1"})


def take_asset_id(conductor, token):
    conductor.put("/v1/routers/router1/nodes/node0", {"asset-id": "A9"})


def revoke(conductor, token):
    conductor.delete("/v1/tokens/" + read_token(token)[1]["jti"])


def disable(conductor, token):
    conductor.put("/v1/routers/router1", {"mode": "disabled"})


def delete(conductor, token):
    conductor.delete("/v1/routers/router1")


@pytest.mark.parametrize("change, reason", [
    (change_secret, "the pre-shared secret was changed since it was issued"),
    (change_asset_ids, "asset-ids were changed since it was issued: then A0"),
    (take_asset_id, "asset-id A0 is not known"),
    (revoke, "is revoked"),
    (disable, "mode of router router1 is disabled"),
    (delete, None),
])
def test_token_dies_with_what_it_contains(onboarding, conductor, change, reason):
    token = conductor.token()
    change(conductor, token)
    router = WireRouter(onboarding, token)
    router.tell(router.hello)
    assert router.is_refused()
    check_refused(conductor, reason)
    if reason:
        wait_for(lambda: reason in conductor.log, what="the line in the journal")


def test_changed_certificate(onboarding, conductor):
    token = conductor.token()
    conductor.stop()
    conductor.config["certificate"], conductor.config["private-key"] = onboarding.ca.issue("next")
    conductor.write_config()
    conductor.start()
    router = WireRouter(onboarding, token)
    router.tell(router.hello)
    assert router.is_refused()
    check_refused(conductor, "the conductor's certificate was changed since it was issued")
    # And the router sees by itself that it is not the one of its token.
    real = onboarding.router()
    real.onboard(token)
    state = real.wait_for_state("refused", "retrying")
    assert "certificate" in state["reason"]
    assert conductor.enrolments == []


def at(conductor, offset):
    """Restart it with its clock so far from ours."""
    conductor.stop()
    conductor.environment = another_time(offset) if offset else {}
    conductor.start()


@pytest.mark.release_only
def test_expired_token(onboarding, conductor):
    token = conductor.token(**{"expiration-timeout": "1h"})
    at(conductor, "+2h")
    router = WireRouter(onboarding, token)
    router.tell(router.hello)
    assert router.is_refused()
    check_refused(conductor, "has expired 36")


@pytest.mark.release_only
def test_clock_set_back(onboarding, conductor):
    token = conductor.token()
    at(conductor, "+6m")
    conductor.token()
    at(conductor, None)
    router = WireRouter(onboarding, token)
    router.tell(router.hello)
    assert router.is_refused()
    check_refused(conductor, "this conductor's clock was set back")
    reply = conductor.post("/v1/routers/router1/tokens")
    assert reply.status == 409 and "clock" in reply.detail
    assert conductor.post("/v1/clock/reset").status in (200, 204)
    assert any(reason.startswith("the clock is right") for _, reason in conductor.audit())
    WireRouter(onboarding, token).go_to(3)


@pytest.mark.release_only
def test_clock_a_little_back(onboarding, conductor):
    at(conductor, "+4m")
    token = conductor.token()
    at(conductor, None)
    WireRouter(onboarding, token).go_to(3)


# What changes between the first message and the commit.

def ask_for_more(conductor, token):
    conductor.put("/v1/routers/router1", {"mode": "weak"})


@pytest.mark.parametrize("change, reason", [
    (change_secret, "changed during the handshake: the pre-shared secret is another"),
    (take_asset_id, "changed during the handshake: asset-id A0 is no node's"),
    (revoke, "was revoked"),
    (disable, "changed during the handshake: mode disabled is asked for, psk-only was shown"),
    (ask_for_more, "changed during the handshake: mode weak is asked for, psk-only was shown"),
    (delete, "changed during the handshake: asset-id A0 is no node's"),
])
@pytest.mark.parametrize("step", [1, 2])
def test_changed_before_the_commit(onboarding, conductor, change, reason, step):
    token = conductor.token()
    router = WireRouter(onboarding, token).go_to(step)
    change(conductor, token)
    if step == 1:
        assert router.ask({"type": "proof"}, "r1", "c1")["type"] == "accept"
    router.tell(router.keys, "r2")
    assert router.is_refused()
    check_refused(conductor, reason)


# Tokens that nobody issued.

def b64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def none(conductor, payload):
    return b64url(b'{"alg":"none","typ":"steward-sco+jwt"}'), b64url(bytes(32))


def hs256(conductor, payload):
    with open(conductor.certificate, "rb") as file:
        public = x509.load_pem_x509_certificate(file.read()).public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    header = b64url(b'{"alg":"HS256","typ":"steward-sco+jwt"}')
    return header, b64url(hmac.digest(public, f"{header}.{payload}".encode(), "sha256"))


def sign(conductor, header, payload):
    with open(conductor.private_key, "rb") as file:
        key = serialization.load_pem_private_key(file.read(), None)
    header = b64url(header)
    return header, b64url(key.sign(f"{header}.{payload}".encode(), padding.PKCS1v15(),
                                   hashes.SHA256()))


def other_type(conductor, payload):
    return sign(conductor, b'{"alg":"RS256","typ":"JWT"}', payload)


def other_order(conductor, payload):
    return sign(conductor, b'{"typ":"steward-sco+jwt","alg":"RS256"}', payload)


def manifest(conductor, payload):
    return sign(conductor, b'{"alg":"RS256","typ":"steward-manifest+jws"}', b64url(b'{"file":"x"}'))


def foreign_signature(conductor, payload):
    header = b64url(b'{"alg":"RS256","typ":"steward-sco+jwt"}')
    return header, b64url(os.urandom(256))


@pytest.mark.parametrize("forge, reason", [
    (none, "header is"), (hs256, "header is"), (other_type, "header is"), (other_order, "header is"),
    (manifest, "header is"), (foreign_signature, "it is forged, or what it contains changed")])
def test_forged_token(onboarding, conductor, forge, reason):
    """Under the number of one that was issued: the most that a forger can know."""
    token = conductor.token()
    router = WireRouter(onboarding, token)
    router.header, router.signature = forge(conductor, token.split(".")[1])
    router.tell(router.hello)
    assert router.is_refused()
    check_refused(conductor, reason)


@pytest.mark.parametrize("member", ["iat", "exp"])
def test_token_with_another_time(onboarding, conductor, member):
    router = WireRouter(onboarding, conductor.token())
    router.claims[member] += 1
    router.tell(router.hello)
    assert router.is_refused()
    check_refused(conductor, "it is forged, or what it contains changed")


def test_token_of_another_number_is_a_stranger(onboarding, conductor):
    router = WireRouter(onboarding, conductor.token())
    router.claims["jti"] = "0123456789abcdef" * 2
    router.tell(router.hello)
    assert router.is_refused()
    wait_for(lambda: conductor.strangers() == 1, 30, "the count")
    assert conductor.refusals() == [] and conductor.enrolments == []


def test_router_takes_no_manifest_for_a_token(onboarding, conductor, key):
    router = onboarding.router()
    for token in (key.jws({"version": "V1"}), key.jws({"router": "router1"}, alg="none"), "x.y.z"):
        reply = router.post("/v1/onboarding", router.document(token))
        assert reply.status == 400 and "secure-conductor-onboarding-token" in reply.detail
    assert router.onboarding["state"] == "unconfigured"
    assert os.listdir(router.secrets) == []


# What ends a router that is onboarded.

def reset(conductor):
    assert conductor.post("/v1/routers/router1/nodes/node0/reset").status == 200


def delete_node(conductor):
    conductor.delete("/v1/routers/router1/nodes/node0")


@pytest.mark.parametrize("end", [
    reset, delete_node, lambda conductor: disable(conductor, None),
    lambda conductor: delete(conductor, None), lambda conductor: ask_for_more(conductor, None)],
    ids=["reset", "delete-node", "disable", "delete", "higher-mode"])
def test_end_of_a_live_session(onboarding, conductor, end):
    router = onboarding.router(environment={"STEWARD_DEBUG": "1"})
    token = conductor.token()
    router.onboard(token).become_onboarded()
    wait_for(lambda: router.is_connected, 30, "the tunnel")
    assert len(conductor.authorized_keys) == 1
    begin = time.monotonic()
    end(conductor)
    wait_for(lambda: not router.is_connected, 5, "the end of the session")
    assert time.monotonic() - begin < 2 * SLOW
    check_refused(conductor, None)
    # And it does not come back, by its key or by its token.
    wait_for(lambda: "Permission denied" in router.log, 30, "the refusal by sshd")
    wire = WireRouter(onboarding, token)
    if end is reset:
        wire.tell(wire.hello)
        assert wire.is_refused() and "is revoked" in conductor.refusals()[-1]
    assert conductor.enrolments == []


def test_other_device_until_reset(onboarding, conductor):
    WireRouter(onboarding, conductor.token()).go_to(3)
    keys = conductor.authorized_keys
    thief = WireRouter(onboarding, conductor.token()).go_to(2)
    thief.tell(thief.keys, "r2")
    assert thief.is_refused()
    reasons = wait_for(lambda: [reason for outcome, reason in conductor.audit("router1")
                                if outcome == "other-device"], what="the audit")
    assert len(reasons) == 1 and "another device under a known asset-id" in reasons[0]
    wait_for(lambda: "another device" in conductor.log, what="the line in the journal")
    assert conductor.authorized_keys == keys and len(conductor.enrolments) == 1
    reset(conductor)
    wait_for(lambda: conductor.authorized_keys == [], 5, "the end of the key")
    WireRouter(onboarding, conductor.token()).go_to(3)


def test_key_of_another_router(onboarding, conductor):
    first = WireRouter(onboarding, conductor.token()).go_to(3)
    conductor.configure("router2", asset_id="A2")
    thief = WireRouter(onboarding, conductor.token("router2"), "A2", ssh_key=first.blob).go_to(2)
    thief.tell(thief.keys, "r2")
    assert thief.is_refused()
    wait_for(lambda: "its SSH key is already node0's of router1" in str(conductor.refusals()),
             what="the audit")
    assert [e["router"] for e in conductor.enrolments] == ["router1"]
