# SPDX-License-Identifier: GPL-3.0-or-later
"""What names something names it whole and once, and a request is done whole or not at all: every
route of both daemons, and the command line."""

import json
import os
import shutil
import tempfile
from urllib.parse import quote

import jwt
import pytest

from conductor import Conductor
from test_authority import endorsement_key

pytestmark = pytest.mark.once

LONGEST = "r" * 63
JTI = "0" * 32
OTHER_SECRET = "xY7" * 16


@pytest.fixture(scope="module")
def conductor():
    directory = tempfile.mkdtemp(prefix="conductor")
    os.chmod(directory, 0o755)
    conductor = Conductor(directory).start()
    conductor.router(LONGEST)
    conductor.router("router1", asset_id="ASSET-2")
    yield conductor
    conductor.stop()
    shutil.rmtree(directory)


def registry(conductor):
    return [conductor.get(path).json for path in
            ("/v1/routers", f"/v1/routers/{LONGEST}/configuration", "/v1/tokens", "/v1/audit")]


# Each is the longest name there is, and one more; what was cut to 63 would be the router above.
R, N = LONGEST + "x", "n" * 64
ROUTES = [
    ("GET", f"/v1/routers/{R}"), ("PUT", f"/v1/routers/{R}"), ("DELETE", f"/v1/routers/{R}"),
    ("GET", f"/v1/routers/{R}/nodes/node0"), ("PUT", f"/v1/routers/{R}/nodes/node0"),
    ("DELETE", f"/v1/routers/{R}/nodes/node0"), ("DELETE", f"/v1/routers/{LONGEST}/nodes/{N}"),
    ("PUT", f"/v1/routers/{LONGEST}/nodes/{N}"), ("GET", f"/v1/routers/{LONGEST}/nodes/{N}"),
    ("POST", f"/v1/routers/{R}/nodes/node0/reset"),
    ("POST", f"/v1/routers/{LONGEST}/nodes/{N}/reset"),
    ("GET", f"/v1/routers/{R}/configuration"), ("PUT", f"/v1/routers/{R}/configuration"),
    ("POST", f"/v1/routers/{R}/tokens"), ("GET", f"/v1/routers/{R}/tokens"),
    ("DELETE", f"/v1/tokens/{JTI}0"), ("DELETE", f"/v1/conductors/{R}"),
    ("GET", f"/v1/routers/{R}/downloads"), ("POST", f"/v1/routers/{R}/downloads"),
    ("GET", f"/v1/routers/{LONGEST}/downloads?node={N}"),
    ("GET", f"/v1/routers/{R}/downloads/V1"), ("GET", f"/v1/routers/{R}/downloads/V1/events"),
    ("GET", f"/v1/routers/{R}/downloads/V1/history"),
    ("POST", f"/v1/routers/{R}/downloads/V1/pause"),
    ("GET", f"/v1/routers/{LONGEST}/downloads/{'v' * 129}"),
    ("GET", f"/v1/routers/{LONGEST}/downloads/{'v' * 129}/events"),
    *(("GET", f"/v1/{what}?router={R}") for what in ("tokens", "enrolments", "audit",
                                                    "onboarding")),
    ("GET", "/v1/audit?since=" + "9" * 40), ("GET", "/v1/audit?since=-1"),
    ("GET", "/v1/audit?since=+1"), ("GET", "/v1/audit?since="), ("GET", "/v1/audit?since=1e3"),
    ("PUT", f"/v1/routers/{LONGEST}/configuration?revision=" + "9" * 40),
    ("GET", f"/v1/downloads/{'v' * 129}"), ("POST", f"/v1/downloads/{'v' * 129}/cancel"),
    ("DELETE", f"/v1/images/{'v' * 129}"), ("PUT", f"/v1/images/{'v' * 129}/manifest"),
]


@pytest.mark.parametrize("method, path", ROUTES)
def test_too_long_is_refused(conductor, method, path):
    before = registry(conductor)
    reply = conductor.call(method, path, {} if method in ("PUT", "POST") else None)
    assert reply.status == 400 and reply.detail, reply.body
    assert registry(conductor) == before


@pytest.mark.parametrize("query", [
    f"router={LONGEST}&router=router1", "router=router1&router=router1", "router", "router=",
    f"router={LONGEST}%00", f"router={LONGEST}%0a", f"router=%00{LONGEST}", "since=1&since=2",
    f"router={quote('router1/../' + LONGEST, safe='')}", "router=router1%2F",
])
@pytest.mark.parametrize("what", ["tokens", "enrolments", "audit", "onboarding"])
def test_a_query_names_once_and_whole(conductor, what, query):
    assert conductor.get(f"/v1/{what}?{query}").status == 400


@pytest.mark.parametrize("name", [f"{LONGEST}%00", f"{LONGEST}%00x", "router1%00", "router1%0a",
                                  "%00", "router1%20", "router1%C0%80"])
def test_a_path_is_not_cut_at_a_zero(conductor, name):
    before = registry(conductor)
    for method, more in (("DELETE", ""), ("DELETE", "/nodes/node0"), ("PUT", "/nodes/node0"),
                         ("POST", "/nodes/node0/reset"), ("POST", "/tokens")):
        body = {"asset-id": "Z"} if method == "PUT" else {}
        reply = conductor.call(method, f"/v1/routers/{name}{more}", body)
        assert reply.status in (400, 404), (method, more, reply.body)
    assert registry(conductor) == before


@pytest.mark.parametrize("path, body", [
    ("nodes/node0", {"asset-id": "NEW", "endorsement-key": "AAAA"}),
    ("nodes/node0", {"asset-id": "NEW", "endorsement-key": "!"}),
    ("nodes/node0", {"asset-id": "NEW", "endorsement-key": 5}),
    ("nodes/node0", {"asset-id": "NEW", "endorsment-key": None}),
    ("nodes/node0", {"asset-id": "a" * 64, "endorsement-key": None}),
    ("nodes/node0", {"asset-id": "A\0B"}),
    ("nodes/node0", {"asset-id": "ASSET-2", "endorsement-key": "KEY"}),
    ("nodes/node9", {"asset-id": "NEW", "endorsement-key": "AAAA"}),
    ("", {"pre-shared-secret": OTHER_SECRET, "mode": "some"}),
    ("", {"pre-shared-secret": OTHER_SECRET, "mode": 5}),
    ("", {"pre-shared-secret": OTHER_SECRET, "mode": "psk-only" + "y" * 100}),
    ("", {"pre-shared-secret": "", "mode": "some"}),
    ("", {"mode": "disabled", "pre-shared-secret": "short"}),
    ("", {"mode": "disabled", "pre-shared-secret": OTHER_SECRET + "\0"}),
    ("", {"mode": "disabled", "nodes": [{"name": "node0"}]}),
    ("configuration", {"software-update": {"access-mode": "hybrid", "max-bandwidth": -1}}),
    ("configuration", {"software-update": {"max-bandwidth": 1000}, "name": "x"}),
])
def test_a_refused_request_changes_nothing(conductor, path, body):
    if body.get("endorsement-key") == "KEY":
        body["endorsement-key"] = endorsement_key()
    before = registry(conductor)
    token = conductor.token(LONGEST)
    tokens = conductor.get("/v1/tokens").json
    reply = conductor.call("PUT", f"/v1/routers/{LONGEST}/{path}".rstrip("/"), body)
    assert reply.status in (400, 409) and reply.detail, reply.body
    after = registry(conductor)
    assert after[:2] == before[:2] and after[2] == tokens
    # Nor is the secret another one, which no answer shows.
    assert secret_of(conductor.token(LONGEST)) == secret_of(token)


def secret_of(token):
    return jwt.decode(token, options={"verify_signature": False})["secret"]


def test_both_halves_of_a_request_are_done(conductor):
    key = endorsement_key()
    conductor.router("both", asset_id="BOTH")
    assert conductor.call("PUT", "/v1/routers/both/nodes/node0",
                          {"asset-id": "BOTH-2", "endorsement-key": key}).status == 200
    reply = conductor.call("PUT", "/v1/routers/both",
                           {"mode": "weak", "pre-shared-secret": OTHER_SECRET})
    assert reply.status == 200 and reply.json["mode"] == "weak"
    assert reply.json["nodes"][0]["asset-id"] == "BOTH-2"
    assert reply.json["nodes"][0]["endorsement-key"] == key
    conductor.ctl("delete authority router both")


def test_the_command_line_cuts_no_node(conductor):
    """63 characters of a node behind `node`: what was cut would name another one."""
    longest = "n" * 63
    conductor.ctl(f"configure authority router {LONGEST} node {longest} asset-id LONG")
    conductor.ctl(f"configure authority router {LONGEST} node {longest[:57]} asset-id SHORT")
    reply = conductor.ctl(f"--json show system software download router {LONGEST} node {longest}",
                          check=1)
    assert [n["node"] for n in json.loads(reply.stdout)["nodes"]] == [longest]
    assert "not the name of a node" in conductor.ctl(
        f"delete authority router {LONGEST} node {longest}n", check=1).stderr
    conductor.ctl(f"delete authority router {LONGEST} node {longest}")
    conductor.ctl(f"delete authority router {LONGEST} node {longest[:57]}")


def test_the_command_line_cuts_no_words(conductor):
    words = " ".join(["access-mode", "hybrid"] + ["x"] * 40)
    assert "words" in conductor.ctl(
        f"configure authority router {LONGEST} system software-update {words}", check=64).stderr
