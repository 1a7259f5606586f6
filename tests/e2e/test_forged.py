# SPDX-License-Identifier: GPL-3.0-or-later
"""Forged things are refused with a clear reason, and nothing is written."""

import os

import pytest

from fault_server import Fault
from repository import MIB, b64
from steward import wait_for

pytestmark = pytest.mark.once


BIG = 1 << 64

PAYLOADS = {
    "another version": ({"version": "V2"}, "of version V2, expected V1"),
    "version with a slash": ({"version": "../V1"}, "not a name that is allowed"),
    "file climbs": ({"file": "../../etc/passwd"}, "not a name that is allowed"),
    "file with a slash": ({"file": "a/b"}, "not a name that is allowed"),
    "file is a dot": ({"file": ".."}, "not a name that is allowed"),
    "file is reserved": ({"file": "manifest.jws"}, "not a name that is allowed"),
    "file is reserved too": ({"file": "pieces"}, "not a name that is allowed"),
    "file is too long": ({"file": "a" * 129}, "expected 1 to 128 characters"),
    "too few pieces": ({"size": 17 * MIB}, "expected 17 digests"),
    "too many pieces": ({"size": 15 * MIB}, "expected 15 digests"),
    "half a digest": ({"pieces": b64(b"x" * 500)}, "expected 16 digests"),
    "not base64url": ({"pieces": "++//"}, "not base64url"),
    "size 0": ({"size": 0}, "an image of no bytes"),
    "size -1": ({"size": -1}, "expected a whole number"),
    "size 1.5": ({"size": 1.5}, "expected a whole number"),
    "size 2^53": ({"size": 1 << 53}, "expected a whole number"),
    "size 2^63": ({"size": 1 << 63}, "expected a whole number"),
    "size 2^64 - 1": ({"size": BIG - 1}, "expected a whole number"),
    "size 2^64 + 16 MiB": ({"size": BIG + 16 * MIB}, "expected a whole number"),
    "size is text": ({"size": "16777216"}, "expected a whole number"),
    "piece-size 3": ({"piece-size": 3}, "power of two"),
    "piece-size 32 KiB": ({"piece-size": 32768}, "power of two"),
    "piece-size 32 MiB": ({"piece-size": 32 * MIB}, "power of two"),
    "piece-size 0": ({"piece-size": 0}, "power of two"),
    "sha256 of other digits": ({"sha256": "x" * 64}, "64 lower-case hex"),
    "sha256 too short": ({"sha256": "00"}, "64 lower-case hex"),
    "no sha256": ({"sha256": None}, "sha256"),
    "no created": ({"created": None}, "created"),
}


def refuse(daemons, servers, repository, jws, word):
    with open(os.path.join(repository.root, "V1", "manifest.jws"), "w") as file:
        file.write(jws)
    server = servers()
    daemon = daemons(server, download={"attempts": 1})
    daemon.request("V1")
    failed = daemon.wait_state("V1", "failed")
    assert word in failed["error"] and word in failed["sources"][0]["reason"], failed["error"]
    assert word in daemon.log
    assert server.image_requests == 0
    assert os.listdir(daemon.state + "/images") == ["index.json"]
    wait_for(lambda: sorted(os.listdir(daemon.state + "/downloads/V1")) in
             (["request.json"], ["history.json", "request.json"]))


@pytest.mark.parametrize("row", PAYLOADS)
def test_payload(row, daemons, servers, repository, images, key):
    members, word = PAYLOADS[row]
    jws = key.jws(images(16).payload("V1", MIB, members))
    refuse(daemons, servers, repository, jws, word)


SIGNATURES = {
    "another key": (lambda ours, other, p: other.jws(p), "signature by an unknown key"),
    "a lying kid": (lambda ours, other, p: other.jws(p, kid=ours.kid), "wrong signature"),
    "alg none": (lambda ours, other, p: ours.jws(p, alg="none"), '"alg" is "none"'),
    "alg HS256": (lambda ours, other, p: ours.jws(p, alg="HS256"), '"alg" is "HS256"'),
    "wrong typ": (lambda ours, other, p: ours.jws(p, typ="JWT"), '"typ" is "JWT"'),
    "a token's typ": (lambda ours, other, p: ours.jws(p, typ="steward-sco+jwt"), '"typ" is'),
    "no typ": (lambda ours, other, p: ours.jws(p, typ=None), "typ"),
    "no kid": (lambda ours, other, p: ours.jws(p, kid=None), "kid"),
    "crit": (lambda ours, other, p: ours.jws(p, crit=["b64"], b64=False), "unknown member"),
    "jwk": (lambda ours, other, p: ours.jws(p, jwk={}), "unknown member"),
    "one bit of the signature": (lambda ours, other, p: flip(ours.jws(p)), "wrong signature"),
    "two parts": (lambda ours, other, p: ours.jws(p).rpartition(".")[0], "three parts"),
    "nothing": (lambda ours, other, p: "", "three parts"),
    "not JSON": (lambda ours, other, p: ours.jws(b"\xff\xfe"), "not JSON"),
    "an array": (lambda ours, other, p: ours.jws([1]), "expected a JSON object"),
    "deep JSON": (lambda ours, other, p: ours.jws(b'{"a":' + b"[" * 90000), "nested deeper"),
    "a member twice": (lambda ours, other, p: ours.jws(b'{"file":"a","file":"b"}'),
                       "stands twice"),
}


def flip(jws):
    head, _, signature = jws.rpartition(".")
    return head + "." + ("A" if signature[9] != "A" else "B").join((signature[:9],
                                                                      signature[10:]))


@pytest.mark.parametrize("row", SIGNATURES)
def test_signature(row, daemons, servers, repository, images, key, other_key):
    make, word = SIGNATURES[row]
    refuse(daemons, servers, repository, make(key, other_key, images(16).payload("V1")), word)


def test_versions_asked_for(daemons, servers):
    daemon = daemons(servers())
    for version in ("../V1", "a/b", ".", "..", "-x", "", "v1", "metrics", "index.json",
                    "manifest.jws", "pieces", "a" * 129, "a b", "a\u0000b", "ä"):
        reply = daemon.post("/v1/downloads", {"version": version})
        assert reply.status == 400, version
    assert os.listdir(daemon.state + "/downloads") == []


def test_a_source_that_forges_is_left_and_another_delivers(daemons, servers, repository, images,
                                                           other_key, tmp_path):
    with open(os.path.join(repository.root, "V1", "manifest.jws")) as file:
        good = file.read()
    forger = servers(Fault("body", other_key.jws(images(16).payload("V1")).encode(),
                           on="manifest"))
    daemon = daemons(forger, servers())
    assert daemon.fetch("V1")["active-source"] == "s1"
    assert forger.image_requests == 0
    assert "unknown key" in daemon.source_of("V1", "s0")["reason"]
    assert good


def test_different_manifest_is_left_out(daemons, servers, images, key):
    other = servers(Fault("body", key.jws(images(16, 2).payload("V1")).encode(), on="manifest"))
    daemon = daemons(servers(), other)
    daemon.fetch("V1")
    source = daemon.source_of("V1", "s1")
    assert source["state"] == "excluded" and source["reason"] == "different manifest"
    assert other.image_requests == 0
