# SPDX-License-Identifier: GPL-3.0-or-later
"""Each step on the disk fails once, or is the last before a kill: enumerated, not sampled.

strace makes the n-th call of one kind fail in the running daemon, or kill it there. One thread
does all of the disk's work, so that the n-th call is the same one each time.
"""

import os
import subprocess
import time

import pytest

from repository import MIB, Repository
from steward import wait_for
from test_download import sha256

pytestmark = [pytest.mark.slow, pytest.mark.release_only]

ONE_THREAD = {"UV_THREADPOOL_SIZE": "1"}
FILE = "image-2-1.iso"
WRITTEN = ["downloads/V1/request.json.new", "downloads/V1/manifest.jws.new",
           "downloads/V1/pieces", "downloads/V1/pieces.new", "images/index.json.new",
           "images/V1/manifest.jws.new"]


class Injection:
    """what ("error=EIO", "signal=KILL") at the n-th call of each thread; had_effect after it."""

    def __init__(self, daemon, call, what, n, output):
        self.output = output
        # libuv wakes its loop with a write, which never fails: only those to our files do.
        paths = [x for name in WRITTEN for x in ("-P", f"{daemon.state}/{name}")]
        self.process = subprocess.Popen(
            ["strace", "-f", "-p", str(daemon.process.pid), "-o", str(output), "-e",
             f"trace={call}", "-e", f"inject={call}:{what}:when={n}"]
            + (paths if call == "write" else []), stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        assert "attached" in line, line

    def end(self):
        self.process.terminate()
        self.process.communicate()

    @property
    def had_effect(self):
        text = self.output.read_text()
        return "INJECTED" in text or "killed by SIGKILL" in text


@pytest.fixture
def source(tmp_path, images, key, servers):
    repository = Repository(tmp_path / "small").add("V1", images(2), key, piece_size=256 << 10)
    return servers(root=repository.root)


def is_right(daemon, images):
    return sha256(daemon.image_path("V1", FILE)) == images(2).sha256


def ask_until_complete(daemon):
    """As an operator would who reads the error, and has mended the disk."""
    errors = []
    for _ in range(5):
        reply = daemon.get("/v1/downloads/V1")
        state = reply.json.get("state") if reply.status == 200 else None
        if state == "paused":
            errors.append(reply.json["error"])
            assert daemon.post("/v1/downloads/V1/resume").status == 200
        elif state in (None, "failed", "cancelled"):
            errors.append(reply.json.get("error") or reply.json["detail"])
            reply = daemon.post("/v1/downloads", {"version": "V1", "force": True})
            if reply.status != 201:
                assert reply.status >= 500 and reply.detail, reply.body
                continue
        state = wait_for(lambda: (d := daemon.download("V1"))["state"] in
                         ("complete", "paused", "failed") and d["state"])
        if state == "complete":
            return errors
    raise AssertionError(f"not complete after five tries: {errors}\n{daemon.log}")


@pytest.mark.parametrize("call, most", [
    ("fsync", 40), ("fdatasync", 20), ("pwrite64", 20), ("fallocate", 5), ("rename", 20),
    ("ftruncate", 5), ("unlink", 10), ("mkdir", 5), ("openat", 60), ("write", 40)])
def test_each_call_fails_once(call, most, tmp_path, source, daemons, images):
    daemon = daemons(source, environment=ONE_THREAD)
    daemon.fetch("V1")
    seen = 0
    for n in range(1, most + 1):
        injection = Injection(daemon, call, "error=EIO", n, tmp_path / f"trace{n}")
        reply = daemon.post("/v1/downloads", {"version": "V1", "force": True})
        assert reply.status == 201 or (reply.status >= 500 and reply.detail), reply.body
        errors = ask_until_complete(daemon)
        injection.end()
        assert is_right(daemon, images), f"{call} {n}: {errors}"
        assert all("Input/output error" in e or "is there already" in e for e in errors), errors
        if not injection.had_effect:
            break
        seen += 1
    assert seen > 0 and daemon.process.poll() is None
    daemon.stop()
    assert not [line for line in daemon.log.splitlines() if "assert" in line.lower()]


def test_a_disk_that_is_slow_to_sync(tmp_path, images, key, servers, daemons):
    """However long that takes, no more is received than a kill may lose: 8 MiB, and the four
    pieces that have begun."""
    repository = Repository(tmp_path / "64").add("V1", images(64), key)
    server = servers(root=repository.root)
    daemon = daemons(server, start=False)
    daemon.start()
    slow = Injection(daemon, "fdatasync", "delay_enter=60000000", "1+", tmp_path / "trace")
    daemon.request("V1")
    journal = daemon.state + "/downloads/V1/pieces"
    try:
        fetched = 0
        while True:  # until nothing comes any more
            before, fetched = fetched, daemon.download("V1")["bytes-fetched"]
            if fetched and fetched == before:
                break
            time.sleep(1)
        recorded = (os.path.getsize(journal) - 60) // 8 * MIB
        daemon.kill()
    finally:
        slow.process.kill()  # it would see the delay through first
        slow.end()
    daemon.process.wait()
    assert 6 * MIB <= fetched - recorded <= (8 + 4) * MIB
    daemon.start()
    daemon.wait_state("V1", "complete")
    assert sha256(daemon.image_path("V1", "image-64-1.iso")) == images(64).sha256


@pytest.mark.parametrize("call, most", [
    ("fsync", 40), ("fdatasync", 20), ("pwrite64", 20), ("fallocate", 5), ("rename", 20),
    ("ftruncate", 5), ("unlink", 10), ("write", 40)])
def test_killed_at_each_call(call, most, tmp_path, source, daemons, images):
    daemon = daemons(source, environment=ONE_THREAD)
    daemon.fetch("V1")
    seen = 0
    for n in range(1, most + 1):
        source.requests.clear()
        injection = Injection(daemon, call, "signal=KILL", n, tmp_path / f"trace{n}")
        try:
            daemon.post("/v1/downloads", {"version": "V1", "force": True})
            wait_for(lambda: daemon.process.poll() is not None
                     or daemon.download("V1")["state"] == "complete")
        except OSError:
            daemon.process.wait(10)
        injection.end()
        if daemon.process.poll() is None:
            assert not injection.had_effect
            break
        seen += 1
        daemon.start()
        reply = daemon.get("/v1/downloads/V1")
        if reply.status == 404:
            daemon.request("V1", force=True)
        daemon.wait_state("V1", "complete")
        assert is_right(daemon, images), f"{call} {n}"
        assert source.image_bytes <= 2 * images(2).size + MIB
    assert seen > 0
