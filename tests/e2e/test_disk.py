# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks that are full, read-only or not there, and keys that are missing."""

import os
import subprocess

import pytest

from fault_server import Fault
from loopfs import LoopFilesystem
from repository import MIB, Repository
from steward import STEWARDD, wait_for
from test_download import sha256


@pytest.fixture
def disks(tmp_path):
    made = []

    def disk(size, kind="ext4"):
        directory = tmp_path / f"disk{len(made)}"
        directory.mkdir()
        made.append(LoopFilesystem(directory, size, kind=kind))
        return made[-1]

    yield disk
    for each in made:
        each.close()


def fill(disk):
    path = os.path.join(disk.path, "ballast")
    with open(path, "wb") as file:
        try:
            while True:
                file.write(b"x" * 4096)
                file.flush()
        except OSError:
            pass
    return path


def is_right(daemon, images):
    return sha256(daemon.image_path("V1", "image-16-1.iso")) == images(16).sha256


def lives(daemon):
    return daemon.get("/v1/status").status == 200


def test_no_room_before(servers, daemons, disks, images):
    server = servers()
    disk = disks(12 << 20)
    daemon = daemons(server, state=disk.path)
    daemon.request("V1")
    failed = daemon.wait_state("V1", "failed")
    assert "no space" in failed["error"] and str(images(16).size) in failed["error"]
    assert disk.path in failed["error"]
    assert server.image_requests == 0
    assert lives(daemon)


def test_disk_gets_full(servers, daemons, disks, images):
    """No fallocate on ext3: room is only hoped for, and then gone."""
    server = servers(rate=2 * MIB)
    disk = disks(40 << 20, kind="ext3")
    daemon = daemons(server, state=disk.path)
    daemon.request("V1")
    wait_for(lambda: daemon.download("V1")["bytes-verified"] >= 2 * MIB)
    ballast = fill(disk)
    paused = daemon.wait_state("V1", "paused")
    assert "No space left" in paused["error"] or "no space" in paused["error"], paused["error"]
    assert disk.path in paused["error"] and lives(daemon)
    verified = paused["bytes-verified"]
    os.remove(ballast)
    server.rate = None
    assert daemon.post("/v1/downloads/V1/resume").status == 200
    daemon.wait_state("V1", "complete")
    assert is_right(daemon, images) and verified >= 2 * MIB
    assert server.image_bytes <= images(16).size + 8 * MIB


def test_room_for_all_is_taken_before_the_first_byte(servers, daemons, disks, images):
    server = servers(Fault("stall"))
    disk = disks(64 << 20)
    daemon = daemons(server, state=disk.path)
    daemon.request("V1")
    wait_for(lambda: server.image_requests > 0)
    part = os.path.join(disk.path, "downloads/V1/image-16-1.iso.part")
    assert os.stat(part).st_blocks * 512 >= images(16).size


def test_mounted_read_only_meanwhile(servers, daemons, disks, images):
    server = servers(rate=2 * MIB)
    disk = disks(64 << 20)
    daemon = daemons(server, state=disk.path)
    daemon.request("V1")
    wait_for(lambda: daemon.download("V1")["bytes-verified"] >= 2 * MIB)
    # An open file for writing forbids the gentle way; an emergency does not ask.
    subprocess.run(["mount", "-o", "remount,abort", disk.path], capture_output=True)
    paused = daemon.wait_state("V1", "paused")
    assert disk.path in paused["error"], paused["error"]
    assert lives(daemon)


def test_read_only_from_the_start(servers, daemons, disks):
    disk = disks(64 << 20)
    disk.remount("ro")
    daemon = daemons(servers(), state=disk.path)
    assert "Read-only file system" in daemon.log
    reply = daemon.post("/v1/downloads", {"version": "V1"})
    assert reply.status == 500
    assert "Read-only file system" in reply.detail and disk.path in reply.detail
    assert lives(daemon)
    disk.remount("rw")
    daemon.fetch("V1")


def test_state_directory_that_cannot_be_made(servers, daemons, tmp_path):
    (tmp_path / "file").write_text("")
    daemon = daemons(servers(), state=tmp_path / "file" / "state")
    reply = daemon.post("/v1/downloads", {"version": "V1"})
    assert reply.status == 500 and "Not a directory" in reply.detail
    assert lives(daemon)


def test_images_and_downloads_on_two_filesystems(servers, daemons, disks):
    disk = disks(16 << 20)
    daemon = daemons(servers(), start=False)
    os.makedirs(daemon.state + "/downloads")
    subprocess.run(["mount", "--bind", disk.path, daemon.state + "/downloads"], check=True)
    try:
        result = subprocess.run([STEWARDD, "--config", daemon.config_path, "--foreground"],
                                text=True, capture_output=True, timeout=60)
    finally:
        subprocess.run(["umount", daemon.state + "/downloads"], check=True)
    assert result.returncode == 78
    assert "must be on one filesystem" in result.stderr and daemon.state in result.stderr


def test_missing_key_file(servers, daemons, tmp_path, key):
    server = servers()
    path = tmp_path / "late.pem"
    daemon = daemons(server, update={"trusted-key": [str(path)]}, key=None,
                     download={"attempts": 0, "initial-retry-delay": 1})
    daemon.request("V1")
    wait_for(lambda: str(path) in (daemon.download("V1")["error"] or ""))
    assert "No such file" in daemon.download("V1")["error"] and lives(daemon)
    assert server.image_requests == 0
    with open(key.public_path) as file:
        path.write_text(file.read())
    if daemon.download("V1")["state"] == "paused":
        daemon.post("/v1/downloads/V1/resume")
    daemon.wait_state("V1", "complete")


@pytest.mark.parametrize("content", ["", "rubbish", "private"])
def test_key_file_that_is_none(content, servers, daemons, tmp_path, key):
    path = tmp_path / "key.pem"
    path.write_text(open(key.private_path).read() if content == "private" else content)
    daemon = daemons(servers(), update={"trusted-key": [str(path)]}, key=None)
    daemon.request("V1")
    download = daemon.wait_state("V1", "failed", "paused")
    assert str(path) in download["error"] and "expected a public key" in download["error"]
    assert lives(daemon)


def test_one_bad_key_of_two_is_a_warning(servers, daemons, key):
    daemon = daemons(servers(), update={"trusted-key": ["/nonexistent.pem", key.public_path]},
                     key=None)
    daemon.fetch("V1")
    assert "/nonexistent.pem" in daemon.log


def test_state_directory_is_removed_meanwhile(servers, daemons):
    import shutil

    server = servers(rate=2 * MIB)
    daemon = daemons(server)
    daemon.request("V1")
    wait_for(lambda: server.image_bytes >= MIB)
    shutil.rmtree(daemon.state)
    download = daemon.wait_state("V1", "paused", "failed")
    assert daemon.state in download["error"] and lives(daemon)


def test_no_room_for_an_import(servers, daemons, disks, images, key):
    disk = disks(12 << 20)
    daemon = daemons(servers(), state=disk.path)
    with open(images(16).path, "rb") as file:
        content = file.read()
    manifest = key.jws(images(16).payload("V1"))
    assert daemon.call("PUT", "/v1/images/V1/manifest", manifest).status == 201
    reply = daemon.call("PUT", "/v1/images/V1/file", content)
    assert reply.status == 507 and "no space" in reply.detail
    assert lives(daemon) and os.listdir(disk.path + "/downloads") == []


def test_a_repository_deep_in_a_url(servers, daemons, tmp_path, images, key):
    Repository(tmp_path / "root" / "a" / "b").add("V1", images(16), key)
    server = servers(root=tmp_path / "root")
    daemon = daemons({"name": "s", "kind": "artifactory", "url": server.url + "a/b"})
    daemon.fetch("V1")
    assert is_right(daemon, images)


def test_local_trouble_blames_no_source(servers, daemons, disks):
    server = servers(rate=2 * MIB)
    disk = disks(40 << 20, kind="ext3")
    daemon = daemons(server, servers(Fault("status", 404)), state=disk.path,
                     download={"stall-timeout": 30})
    daemon.request("V1")
    wait_for(lambda: daemon.download("V1")["bytes-verified"] >= 2 * MIB)
    fill(disk)
    daemon.wait_state("V1", "paused")
    assert daemon.source_of("V1", "s0")["failures"] == 0
