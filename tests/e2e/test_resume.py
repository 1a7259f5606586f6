# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever kills the daemon, what was verified is not lost, and nothing else is believed."""

import os
import random
import signal
import uuid

import pytest

from fault_server import Fault
from loopfs import LoopFilesystem
from repository import MIB, Repository
from steward import wait_for
from test_download import sha256


# What a kill may cost: 8 MiB and the four pieces that have begun; and the server counts what waited
# in four sockets and was never received.
LOST_MAX = (8 + 4) * MIB
IN_SOCKETS = 4 * MIB


def boot_id(path, number):
    path.write_text(str(uuid.UUID(int=number)) + "\n")
    return {"STEWARD_BOOT_ID_FILE": str(path)}


def is_right(daemon, image):
    return sha256(daemon.image_path("V1", os.path.basename(image.path))) == image.sha256


@pytest.mark.release_only
@pytest.mark.slow
def test_kill_9_at_20_random_moments(tmp_path, servers, daemons, images, key):
    image = images(64)
    repository = Repository(tmp_path / "large").add("V1", image, key)
    server = servers(root=repository.root, rate=10 * MIB)
    seed = random.randrange(1 << 32)
    print("seed", seed)
    rng = random.Random(seed)
    daemon = daemons(server, start=False)
    for round_ in range(20):
        server.requests.clear()
        daemon.start()
        daemon.request("V1", force=True)
        moment = rng.randrange(1, image.size - 2 * MIB)
        wait_for(lambda: server.image_bytes >= moment)
        daemon.kill9()
        daemon.start()
        daemon.wait_state("V1", "complete")
        assert is_right(daemon, image), f"round {round_}"
        assert server.image_bytes <= image.size * 1.02 + LOST_MAX + IN_SOCKETS, round_
        daemon.stop()


@pytest.mark.parametrize("fraction", [0.2, 0.6, 0.9])
def test_power_cut(fraction, tmp_path, servers, daemons, images, key):
    """The daemon stops dead, and what it did not sync is gone: another boot finds the disk."""
    image = images(32)
    repository = Repository(tmp_path / "r").add("V1", image, key)
    disk_directory, after_directory = tmp_path / "disk", tmp_path / "after"
    disk_directory.mkdir(), after_directory.mkdir()
    disk = LoopFilesystem(disk_directory, 256 << 20)
    after = None
    server = servers(root=repository.root, rate=4 * MIB)
    try:
        daemon = daemons(server, state=disk.path, start=False,
                         environment=boot_id(tmp_path / "boot", 1))
        daemon.start()
        daemon.request("V1")
        wait_for(lambda: server.image_bytes >= fraction * image.size)
        daemon.kill(signal.SIGSTOP)
        sent = server.image_bytes
        disk.copy_as_after_a_power_cut(str(after_directory / "disk.img"))
        daemon.kill9()
        after = LoopFilesystem(after_directory, image=str(after_directory / "disk.img"))
        second = daemons(server, state=after.path, start=False,
                         environment=boot_id(tmp_path / "boot2", 2))
        before = server.image_bytes
        second.start()
        second.wait_state("V1", "complete")
        assert "V1: checking" in second.log
        assert is_right(second, image)
        refetched = sent + (server.image_bytes - before) - image.size
        assert refetched <= LOST_MAX + IN_SOCKETS + image.size * 0.02
        second.stop()
    finally:
        disk.close()
        if after:
            after.close()


def test_no_record_is_believed_whose_data_is_not_there(tmp_path, servers, daemons, images):
    """A journal that claims pieces whose bytes are wrong: another boot finds out."""
    server = servers(rate=3 * MIB)
    daemon = daemons(server, environment=boot_id(tmp_path / "boot", 1))
    daemon.request("V1")
    wait_for(lambda: daemon.download("V1")["bytes-verified"] >= 8 * MIB)
    wait_for(lambda: os.path.getsize(daemon.state + "/downloads/V1/pieces") > 60 + 4 * 8)
    daemon.kill9()
    part = daemon.state + "/downloads/V1/image-16-1.iso.part"
    with open(part, "r+b") as file:
        file.seek(2 * MIB + 5)
        file.write(b"wrong")
    daemon.environment.update(boot_id(tmp_path / "boot", 2))
    daemon.start()
    daemon.wait_state("V1", "complete")
    assert is_right(daemon, images(16))


def zero(part):
    """At the same length, as a filesystem check or a careless copy leaves it."""
    size = os.path.getsize(part)
    os.truncate(part, 0)
    os.truncate(part, size)


def overwrite(part):
    with open(part, "r+b") as file:
        file.seek(2 * MIB + 5)
        file.write(b"wrong")


def replace(part):
    size = os.path.getsize(part)
    with open(part + ".other", "wb") as file:
        file.truncate(size)
    os.rename(part + ".other", part)


@pytest.mark.parametrize("when,damage", [("running", overwrite), ("running", replace),
                                         ("running", os.remove), ("killed", zero),
                                         ("stopped", zero)])
def test_damage_under_us_is_found(when, damage, tmp_path, servers, daemons, images):
    """Same boot: what the journal claims, and what was written just now, is read again before it is
    published."""
    server = servers(rate=6 * MIB)
    daemon = daemons(server, environment=boot_id(tmp_path / "boot", 1))
    daemon.request("V1")
    wait_for(lambda: daemon.download("V1")["bytes-verified"] >= 6 * MIB)
    wait_for(lambda: os.path.getsize(daemon.state + "/downloads/V1/pieces") > 60 + 4 * 8)
    if when == "killed":
        daemon.kill9()
    if when == "stopped":
        daemon.stop()
    damage(daemon.state + "/downloads/V1/image-16-1.iso.part")
    if when != "running":
        daemon.start()
    complete = daemon.wait_state("V1", "complete")
    assert is_right(daemon, images(16))
    assert complete["sources"][0]["failures"] == 0
    if damage is overwrite:
        assert server.image_bytes <= images(16).size + LOST_MAX + IN_SOCKETS
        assert "image-16-1.iso.part was changed or damaged after it was written: 1 of " in daemon.log


def test_clean_stop_loses_nothing(tmp_path, servers, daemons, images):
    """And another boot believes it without a check."""
    server = servers(rate=3 * MIB)
    daemon = daemons(server, environment=boot_id(tmp_path / "boot", 1))
    daemon.request("V1")
    wait_for(lambda: server.image_bytes >= 6 * MIB)
    daemon.stop()
    daemon.environment.update(boot_id(tmp_path / "boot", 2))
    daemon.start()
    daemon.wait_state("V1", "complete")
    assert is_right(daemon, images(16))
    assert "checking" not in daemon.log
    # Only what was on its way, and the beginnings of pieces.
    assert server.image_bytes <= images(16).size * 1.02 + 4 * MIB + (1 << 20)


def test_journal_of_another_manifest(tmp_path, servers, daemons, images, key):
    server = servers(rate=3 * MIB)
    daemon = daemons(server)
    daemon.request("V1")
    wait_for(lambda: server.image_bytes >= 6 * MIB)
    daemon.kill9()
    server.root = Repository(tmp_path / "new").add("V1", images(16, 2), key).root
    daemon.start()
    daemon.wait_state("V1", "complete")
    assert is_right(daemon, images(16, 2))
    line = next(l for l in daemon.log.splitlines() if "of another manifest" in l)
    assert daemon.state + "/downloads/V1/pieces" in line


@pytest.mark.parametrize("damage", ["torn", "garbage", "empty", "foreign", "gone"])
def test_damaged_journal(damage, servers, daemons, images):
    server = servers(rate=3 * MIB)
    daemon = daemons(server)
    daemon.request("V1")
    path = daemon.state + "/downloads/V1/pieces"
    wait_for(lambda: os.path.exists(path) and os.path.getsize(path) >= 60 + 4 * 8)
    daemon.kill9()
    if damage == "torn":
        os.truncate(path, os.path.getsize(path) - 3)
    elif damage == "gone":
        os.remove(path)
    else:
        with open(path, "r+b") as file:
            content = file.read()
            file.seek(0)
            file.truncate()
            file.write({"garbage": os.urandom(200), "empty": b"",
                        "foreign": content[:8] + bytes(32) + content[40:]}[damage])
    daemon.start()
    daemon.wait_state("V1", "complete")
    assert is_right(daemon, images(16))
    if damage in ("torn", "garbage", "empty", "foreign"):
        what = "torn: its last 5 bytes" if damage == "torn" else "no readable header"
        assert any(what in line and path in line for line in daemon.log.splitlines()), daemon.log


def test_complete_without_any_source(servers, daemons, images):
    """Everything was verified, and only publishing was left: no network is needed."""
    server = servers()
    daemon = daemons(server)
    daemon.fetch("V1")
    daemon.stop()
    path = daemon.state + "/downloads/V1/request.json"
    with open(path) as file:
        record = file.read()
    with open(path, "w") as file:
        file.write(record.replace('"complete"', '"finishing"'))
    server.close()
    daemon.start()
    daemon.wait_state("V1", "complete")
    assert is_right(daemon, images(16))


def test_half_published_image_is_removed(servers, daemons):
    daemon = daemons(servers())
    daemon.fetch("V1")
    daemon.stop()
    os.truncate(daemon.image_path("V1", "image-16-1.iso"), 1000)
    daemon.start()
    assert daemon.get("/v1/images").json == {"images": []}
    assert "image V1 is not complete, removed" in daemon.log
    assert not os.path.exists(daemon.state + "/images/V1")
    assert '"versions":[]' in open(daemon.state + "/images/index.json").read()


def test_attempts_and_time_survive(servers, daemons):
    """An attempt that has begun is on disk before it asks anybody."""
    server = servers(Fault("status", 404))
    daemon = daemons(server, download={"attempts": 50, "maximum-retry-delay": 5,
                                       "initial-retry-delay": 5})
    daemon.request("V1")
    wait_for(lambda: len(server.of("index")) >= 1, 30)
    before = daemon.download("V1")
    wait_for(lambda: len(server.of("index")) >= 2, 30)
    daemon.kill9()
    daemon.start()
    after = daemon.download("V1")
    assert after["attempt"] >= 2 and after["started"] == before["started"]
    assert after["deadline"] - before["deadline"] < 15


def test_a_kill_gives_no_attempt_away(servers, daemons):
    """Three attempts are three, however often the daemon is killed between them."""
    server = servers(Fault("status", 404))
    daemon = daemons(server, download={"attempts": 3, "initial-retry-delay": 60,
                                       "maximum-retry-delay": 60})
    daemon.request("V1")
    for attempt in (2, 3):
        record = daemon.state + "/downloads/V1/request.json"
        wait_for(lambda: '"state":"waiting-retry","renewing":false' in open(record).read()
                 and f'"attempt":{attempt},' in open(record).read())
        daemon.kill9()
        daemon.start()
    assert daemon.wait_state("V1", "failed")["attempt"] == 3
    assert len(server.of("index")) == 3


@pytest.mark.parametrize("order, state", [("pause", "paused"), ("cancel", "cancelled")])
def test_what_was_answered_survives_a_kill(servers, daemons, order, state):
    daemon = daemons(servers(rate=MIB))
    for _ in range(5):
        daemon.request("V1")
        daemon.wait_state("V1", "downloading")
        assert daemon.post(f"/v1/downloads/V1/{order}").json["state"] == state
        daemon.kill9()
        daemon.start()
        assert daemon.download("V1")["state"] == state
        if order == "pause":
            assert daemon.post("/v1/downloads/V1/resume").json["state"] != "paused"
            daemon.kill9()
            daemon.start()
            assert daemon.download("V1")["state"] not in ("paused", "cancelled")
            daemon.post("/v1/downloads/V1/cancel")
