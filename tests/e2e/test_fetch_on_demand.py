# SPDX-License-Identifier: GPL-3.0-or-later
"""A conductor that fetches what its routers ask for (docs/download.md, "A conductor that fetches"): once,
while they take what it has; and told with its reason where that does not go well."""

import json
import os
import sqlite3
import struct
import threading
import time

import pytest

from fault_server import Fault
from repository import MIB, Repository
from steward import SLOW, ctl, wait_for
from test_conductor_repository import nodes  # noqa: F401
from test_download import sha256

SIZE = 16 * MIB
CLOSE = 1.02  # what crosses the conductor's line, of the image


@pytest.fixture
def fetchers(nodes):  # noqa: F811
    """fetchers(sources…): a conductor that fetches on demand."""
    def fetcher(*sources, download=None, **repository):
        conductor = nodes(*sources, start=False)
        update = conductor.config["software-update"]
        update["repository"] = {**update["repository"], "fetch-on-demand": True, **repository}
        update["download"] = {**update["download"], **(download or {})}
        conductor.write_config()
        return conductor.start()
    return fetcher


def of(conductor, name="conductor-1"):
    return {"name": name, "kind": "conductor", "url": conductor.url}


def listed(conductor):
    """{version: is it only available?}"""
    status, body = conductor.ask("/index.json")
    assert status == 200
    return {v["version"]: v.get("available", False) for v in json.loads(body)["versions"]}


def refusal(conductor, path):
    status, body = conductor.ask(path)
    return status, json.loads(body)["detail"]


def verified(daemon, version, share):
    def reached():
        reply = daemon.get(f"/v1/downloads/{version}")
        return reply.status == 200 and reply.json["bytes-verified"] >= share * SIZE
    wait_for(reached, 60, f"{share} of {version}")


def check_has(router, image):
    assert sha256(router.image_path("V1", image.path.name)) == image.sha256


def test_fetched_once(servers, fetchers, daemons, images):
    """Both take from it what it has, before it has all; the source is asked by nobody else."""
    server = servers(rate=8 * MIB)
    conductor = fetchers(server)
    routers = [daemons(of(conductor), server, update={"access-mode": "prefer-conductor"})
               for _ in range(2)]
    assert listed(conductor) == {"V1": True}
    versions = routers[0].get("/v1/versions").json["versions"]
    assert versions == [{"version": "V1", "sources": ["s1"], "on-demand": ["conductor-1"]}]
    assert "s1, conductor-1 (would fetch it)" in ctl(
        routers[0], "show", "system", "software", "available", check=0).stdout
    for router in routers:
        router.request("V1")
    for router in routers:
        router.wait_state("V1", "complete")
        check_has(router, images(16))
        assert router.source_of("V1", "conductor-1")["bytes"] == SIZE
    conductor.wait_state("V1", "complete")
    assert server.image_bytes <= CLOSE * SIZE
    assert conductor.log.count("begun, since a router asks for it") == 1
    assert listed(conductor) == {"V1": False} and conductor.offered == {"V1": False}
    # What is there is taken as from any conductor.
    third = daemons(of(conductor), update={"access-mode": "conductor-only"})
    third.fetch("V1")
    assert server.image_bytes <= CLOSE * SIZE


def test_not_unless_it_is_told_to(servers, nodes):  # noqa: F811
    conductor = nodes(servers())
    assert listed(conductor) == {}
    assert conductor.ask("/V1/manifest.jws")[0] == 404
    assert conductor.get("/v1/downloads").json == {"downloads": []}


def test_configuration(fetchers, servers, daemons):
    """What is refused changes nothing; a router has none of these leaves."""
    conductor = fetchers(servers())
    repository = conductor.config["software-update"]["repository"]
    for size in (1, 1048575, -1, "1e9", "", "all"):
        repository["max-size"] = size
        conductor.write_config()
        assert conductor.post("/v1/reload").status == 422, size
    for size in (1048576, "999999999999999", "unlimited"):
        repository["max-size"] = size
        conductor.write_config()
        assert conductor.post("/v1/reload").status == 200, size
    repository["fetch-on-demand"] = False
    conductor.write_config()
    assert listed(conductor) == {"V1": True}
    assert conductor.post("/v1/reload").status == 200
    assert listed(conductor) == {}
    for leaf in ({"fetch-on-demand": True}, {"max-size": 1048576}):
        router = daemons(start=False, update={"repository": leaf})
        assert router.start(wait=False).process.wait(20 * SLOW) == 78 and next(iter(leaf)) in router.log
        router.process = None


def test_what_nobody_has(servers, fetchers, daemons):
    """404 as ever, whatever the name; and nothing begins."""
    server = servers()
    conductor = fetchers(server)
    for name in ("V2", "V1x", "a" * 128, "a" * 129, "..", "%2e%2e", "V1%00", "V1%2f..", "index.json", "-",
                 "V1;rm", "%F0%9F%92%A9"):
        for file in ("manifest.jws", "pieces", "image"):
            assert conductor.ask(f"/{name}/{file}")[0] in (400, 404), (name, file)
    # Only the manifest has it begin; the other conductor of a pair, which only looks, does not.
    for path in ("/V1/pieces", "/V1/image-16-1.iso", "/V1/manifest.jws?fetch=false"):
        assert conductor.ask(path)[0] == 404
    assert conductor.get("/v1/downloads").json == {"downloads": []}
    router = daemons(of(conductor), update={"access-mode": "conductor-only"},
                     download={"attempts": 1})
    router.request("V2")
    assert "conductor-1: does not have V2" in router.wait_state("V2", "failed")["error"]


def test_reason_is_told(servers, fetchers, daemons, tmp_path, images, other_key):
    """The manifest of its source is signed by a stranger."""
    forged = Repository(tmp_path / "forged").add("V1", images(16), other_key)
    conductor = fetchers(servers(root=forged.root), download={"attempts": 1})
    router = daemons(of(conductor), update={"access-mode": "conductor-only"},
                     download={"attempts": 1})
    router.request("V1")
    error = router.wait_state("V1", "failed")["error"]
    assert "conductor-1" in error and "the conductor could not fetch V1: its download is failed" in error
    assert "unknown key" in error
    # It is not begun again for each router that asks.
    assert refusal(conductor, "/V1/manifest.jws")[0] == 502
    assert conductor.log.count("begun, since a router asks for it") == 1


def test_source_goes_away(servers, fetchers, daemons):
    """Amid the fetch; a router that has another source goes on there, and one that has none says why it
    does not."""
    server = servers(rate=MIB / 2)
    conductor = fetchers(server, download={"attempts": 1, "window": 2})
    alone = daemons(of(conductor), update={"access-mode": "conductor-only"},
                    download={"attempts": 1})
    other = daemons(of(conductor), servers())
    for router in (alone, other):
        router.request("V1")
    verified(alone, "V1", 0.2)
    verified(other, "V1", 0.2)
    server.close()
    assert "the conductor could not fetch V1: its download is failed" in \
        alone.wait_state("V1", "failed")["error"]
    other.wait_state("V1", "complete")
    assert other.source_of("V1", "conductor-1")["bytes"] > 0
    assert other.source_of("V1", "s1")["bytes"] < SIZE


def test_operator_decides(servers, fetchers, daemons):
    """Paused and cancelled at the conductor: routers are told, and do not have it begin again."""
    conductor = fetchers(servers(rate=MIB))
    router = daemons(of(conductor), update={"access-mode": "conductor-only"},
                     download={"attempts": 0})
    router.request("V1")
    verified(router, "V1", 0.1)
    assert conductor.post("/v1/downloads/V1/pause").status == 200
    wait_for(lambda: "its download is paused" in (router.download("V1")["error"] or ""))
    assert conductor.post("/v1/downloads/V1/resume").status == 200
    verified(router, "V1", 0.4)
    assert conductor.post("/v1/downloads/V1/cancel").status == 200
    wait_for(lambda: "its download is cancelled" in (router.download("V1")["error"] or ""))
    assert refusal(conductor, "/V1/manifest.jws") == (
        502, "the conductor could not fetch V1: its download is cancelled")
    conductor.request("V1")
    router.wait_state("V1", "complete")


@pytest.mark.slow
def test_conductor_is_killed(servers, fetchers, daemons, images):
    """Amid the fetch: it goes on by itself, with what was verified, and so does the router."""
    server = servers(rate=MIB / SLOW)  # of each request
    conductor = fetchers(server)
    router = daemons(of(conductor), update={"access-mode": "conductor-only"},
                     download={"attempts": 0})
    router.request("V1")
    verified(router, "V1", 0.7)
    held = router.download("V1")["bytes-verified"]
    conductor.kill9()
    before = server.image_bytes
    conductor.start()
    router.wait_state("V1", "complete")
    check_has(router, images(16))
    # docs/download.md, "On disk": a kill costs at most 7 MiB, and the beginnings of pieces.
    assert server.image_bytes - before <= SIZE - held + 8 * MIB
    assert router.source_of("V1", "conductor-1")["bytes"] <= SIZE + 4 * MIB


@pytest.mark.slow
def test_source_fails_at_first(servers, fetchers, daemons):
    """The conductor tries again by itself, and the router waits for it."""
    server = servers(Fault("status", 500, on="manifest", times=1))
    conductor = fetchers(server, download={"attempts": 5})
    router = daemons(of(conductor), update={"access-mode": "conductor-only"},
                     download={"attempts": 1})
    router.fetch("V1")
    assert conductor.log.count("begun, since a router asks for it") == 1


def enrol(conductor, router):
    """Written into the registry, as an enrolment would."""
    now = int(time.time())
    with sqlite3.connect(conductor.config["registry"][len("sqlite:"):]) as registry:
        registry.execute("INSERT INTO routers VALUES (?, 'psk-only', NULL, '{}', 0)", (router,))
        registry.execute("INSERT INTO nodes VALUES (?, 'node0', 'A0', NULL, 10000)", (router,))
        registry.execute("INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, 'A0', ?)",
                         ("0" * 32, router, now, now, now, b"s" * 32, b"c" * 32))
        registry.execute(
            "INSERT INTO enrolments VALUES (?, 'node0', 'ssh-key', ?, ?, NULL, ?, ?, '192.0.2.1')",
            (router, b"p" * 32, struct.pack(">I11sI", 11, b"ssh-ed25519", 32) + b"k" * 32, "0" * 32, now))
    registry.close()


def age(conductor, router=None, **hours):
    """So long ago each version was used. A router may be enrolled meanwhile."""
    conductor.stop()
    if router:
        enrol(conductor, router)
    for version, ago in hours.items():
        at = time.time() - 3600 * ago
        os.utime(os.path.join(conductor.state, "images", version, ".downloaded"), (at, at))
    conductor.start()
    # The registry answers in order: it has been asked by now what rollouts name.
    assert conductor.get("/v1/rollouts").status == 200


@pytest.mark.slow
def test_room(servers, fetchers, daemons, tmp_path, images, key):
    """The image that was used longest ago goes for one that a router asks for; never one that was
    imported, that a rollout names, or that is being served."""
    world = Repository(tmp_path / "world")
    for number in range(1, 6):
        world.add(f"V{number}", images(1, number), key, piece_size=64 << 10)
    server = servers(root=world.root)
    conductor = fetchers(server, **{"max-size": 3 * MIB + MIB // 2}, download={"attempts": 1})
    router = daemons(of(conductor), update={"access-mode": "conductor-only"}, download={"attempts": 1})

    def have():
        return {i["version"] for i in conductor.get("/v1/images").json["images"]}

    conductor.import_image(world, "V1", images(1, 1))
    assert conductor.get("/v1/rollouts").status == 200
    conductor.fetch("V2")
    conductor.fetch("V3")
    # Both came just now, as if routers were taking them.
    router.request("V4")
    error = router.wait_state("V4", "failed")["error"]
    assert "no room" in error and "repository/max-size" in error
    assert have() == {"V1", "V2", "V3"}
    age(conductor, V2=2, V3=5)
    router.fetch("V5")
    assert have() == {"V1", "V2", "V5"} and listed(conductor)["V3"] is True
    assert not os.path.exists(os.path.join(conductor.state, "images", "V3"))
    assert "image V3 is deleted: V5 needs its room" in conductor.log
    # V2 is being taken: of the three nothing may go.
    router.fetch("V2")
    conductor.request("V3")
    assert "no room" in conductor.wait_state("V3", "failed")["error"]
    assert have() == {"V1", "V2", "V5"}
    # V2 was used longest ago, and is what a rollout brings.
    age(conductor, "router9", V2=7, V5=6)
    conductor.ctl("request software rollout create named version V2 all")
    wait_for(lambda: 'rollout="named"' in conductor.get("/metrics").body.decode())
    conductor.fetch("V4")
    assert have() == {"V1", "V2", "V4"}


@pytest.mark.release_only
@pytest.mark.slow
def test_fifty_at_once(servers, fetchers, daemons, images):
    """It crosses the conductor's line once, and nobody waits for more than that and its own line."""
    line, own = 3 * MIB, 4 * MIB  # bytes a second: the conductor's, and each router's
    server = servers()
    conductor = fetchers(server)
    conductor.config["software-update"]["max-bandwidth"] = line * 8
    conductor.write_config()
    assert conductor.post("/v1/reload").status == 200
    routers = [daemons(of(conductor), start=False,
                       update={"access-mode": "conductor-only", "max-bandwidth": own * 8})
               for _ in range(50)]
    for router in routers:
        router.start(wait=False)
    for router in routers:
        wait_for(router.is_up)
    asked = time.monotonic()
    for thread in [threading.Thread(target=r.request, args=("V1",)) for r in routers]:
        thread.start()
    ended = {}

    def all_ended():
        for number, router in enumerate(routers):
            if number not in ended and router.download("V1").get("state") == "complete":
                ended[number] = time.monotonic() - asked
        return len(ended) == len(routers)

    conductors = None
    while not all_ended():
        if not conductors and conductor.get("/v1/downloads/V1").json.get("state") == "complete":
            conductors = time.monotonic() - asked
        assert time.monotonic() - asked < 120
        time.sleep(0.1)
    assert server.image_bytes <= CLOSE * SIZE
    for router in routers:
        check_has(router, images(16))
    print(f"conductor {conductors:.1f} s, first {min(ended.values()):.1f} s, "
          f"last {max(ended.values()):.1f} s, line {server.image_bytes / SIZE:.4f}")
    assert max(ended.values()) <= 1.1 * (conductors + SIZE / own)
    for router in routers:
        router.kill9()  # to stop fifty in good order takes longer than all of this
