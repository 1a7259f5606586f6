# SPDX-License-Identifier: GPL-3.0-or-later
"""What is deleted takes all it has given with it: made again just as it was, nothing of the old
opens a door, neither a token nor a handshake that is half through, nor a key that was enrolled."""

import pytest

from steward import wait_for
from wire_router import WireRouter, b64, read_token

SECRET = "aB3" * 16


def configure(conductor, node="node0"):
    conductor.configure(node=node)
    conductor.put("/v1/routers/router1", {"pre-shared-secret": SECRET})


def node(conductor):
    conductor.delete("/v1/routers/router1/nodes/node0")
    configure(conductor)


def router(conductor):
    conductor.delete("/v1/routers/router1")
    configure(conductor)


def renamed(conductor):
    conductor.delete("/v1/routers/router1/nodes/node0")
    configure(conductor, "node9")


def asset_id(conductor):
    conductor.put("/v1/routers/router1/nodes/node0", {"asset-id": None})
    configure(conductor)


def swapped(conductor):
    conductor.put("/v1/routers/router1/nodes/node0", {"asset-id": "A1"})
    conductor.put("/v1/routers/router1/nodes/node9", {"asset-id": "A0"})
    conductor.delete("/v1/routers/router1/nodes/node0")


def second_node(conductor):
    conductor.put("/v1/routers/router1/nodes/node9", {"asset-id": "A9"})
    conductor.delete("/v1/routers/router1/nodes/node9")


def secret(conductor):
    conductor.put("/v1/routers/router1", {"pre-shared-secret": ""})
    configure(conductor)


WAYS = [node, router, renamed, asset_id, swapped, second_node, secret]


@pytest.mark.parametrize("made_again", WAYS)
def test_its_token_is_dead(onboarding, conductor, made_again):
    configure(conductor)
    token = conductor.token()
    made_again(conductor)
    stranger = WireRouter(onboarding, token)
    stranger.tell(stranger.hello)
    assert stranger.is_refused()
    jti = read_token(token)[1]["jti"]
    wait_for(lambda: any(jti in reason for reason in conductor.refusals()) or
             conductor.strangers() == 1, 30, "the refusal")
    assert conductor.enrolments == []
    # A new one lets in.
    WireRouter(onboarding, conductor.token()).go_to(3)


@pytest.mark.parametrize("made_again", [node, router, asset_id, swapped, secret])
def test_a_handshake_under_way_is_refused(onboarding, conductor, made_again):
    configure(conductor)
    half = WireRouter(onboarding, conductor.token()).go_to(2)
    made_again(conductor)
    half.tell(half.keys, "r2")
    assert half.is_refused()
    assert conductor.enrolments == [] and conductor.authorized_keys == []


@pytest.mark.parametrize("made_again", [node, router, asset_id, swapped])
def test_its_key_is_no_longer_known(onboarding, conductor, made_again):
    configure(conductor)
    enrolled = WireRouter(onboarding, conductor.token()).go_to(3)
    assert b64(enrolled.blob) in conductor.authorized_keys[0]
    made_again(conductor)
    wait_for(lambda: conductor.authorized_keys == [], 20, "the key to go")
    assert conductor.enrolments == []
