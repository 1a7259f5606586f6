# SPDX-License-Identifier: GPL-3.0-or-later
"""Several URLs of one source: what one fails costs that one, and the source goes on at once."""

import os
import time

import pytest

from fault_server import Fault
from repository import MIB
from steward import wait_for
from test_download import sha256


def mirrored(first, *others, **members):
    return {"name": "vendor", "kind": "artifactory", "url": first.url,
            "mirror": [server.url for server in others], **members}


def is_right(daemon, image):
    return sha256(daemon.image_path("V1", os.path.basename(image.path))) == image.sha256


def test_the_first_serves_all(servers, daemons, images):
    first, second, other = servers(), servers(), servers()
    daemon = daemons(mirrored(first, second), other)
    download = daemon.fetch("V1")
    assert is_right(daemon, images(16))
    assert download["active-source"] == "vendor"
    assert [s["name"] for s in download["sources"]] == ["vendor", "vendor/2", "s1"]
    assert second.image_requests == other.image_requests == 0


FAULTS = {"404": Fault("status", 404), "garbage": Fault("garbage"), "html": Fault("html"),
          "no-index": Fault("status", 500, on="index"),
          "no-manifest": Fault("status", 404, on="manifest")}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_one_fails_costs_that_one(fault, servers, daemons, images):
    first, second, other = servers(FAULTS[fault]), servers(), servers()
    daemon = daemons(mirrored(first, second), other, download={"attempts": 1})
    download = daemon.fetch("V1")
    assert is_right(daemon, images(16))
    assert download["active-source"] == "vendor/2" and download["attempt"] == 1
    assert other.image_requests == 0 and second.image_bytes <= 1.02 * 16 * MIB
    states = {s["name"]: s["state"] for s in download["sources"]}
    assert states["vendor"] == "unavailable" and states["vendor/2"] == "active"


def test_one_that_dies_within_a_download(servers, daemons, images):
    first, second, other = servers(rate=2 * MIB), servers(), servers()
    daemon = daemons(mirrored(first, second), other, download={"attempts": 1})
    daemon.request("V1")
    wait_for(lambda: first.image_bytes > 2 * MIB)
    first.close()
    began = time.monotonic()
    assert daemon.wait_state("V1", "complete")["attempt"] == 1
    assert time.monotonic() - began < 10 and is_right(daemon, images(16))
    assert second.image_bytes > 0 and other.image_requests == 0


def test_wrong_bytes_exclude_the_mirror_alone(servers, daemons, images):
    first = servers(Fault("corrupt", (MIB, (3, 9))), rate=4 * MIB)
    second, other = servers(), servers()
    daemon = daemons(mirrored(first, second), other, download={"attempts": 1, "concurrency": 1})
    daemon.fetch("V1")
    assert is_right(daemon, images(16)) and other.image_requests == 0
    assert daemon.source_of("V1", "vendor")["state"] == "excluded"
    assert daemon.source_of("V1", "vendor/2")["state"] == "active"


def test_all_of_them_fail(servers, daemons, images):
    """Then the next source has its turn; and alone, each is named."""
    bad = [servers(Fault("status", 404)) for _ in range(3)]
    other = servers()
    daemon = daemons(mirrored(*bad), other, download={"attempts": 1})
    assert daemon.fetch("V1")["active-source"] == "s1" and is_right(daemon, images(16))
    alone = daemons(mirrored(*bad), download={"attempts": 1})
    alone.request("V1")
    error = alone.wait_state("V1", "failed")["error"]
    for name in ("vendor: ", "vendor/2: ", "vendor/3: "):
        assert name in error, error


def test_credentials_queries_and_limits_are_of_each(servers, daemons, tmp_path, images):
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    first = servers(Fault("status", 404), user="router:s3cret")
    second = servers(user="router:s3cret", rate=4 * MIB)
    daemon = daemons(mirrored(first, second, username="router", concurrency=1,
                              **{"password-file": str(secret)}))
    daemon.fetch("V1")
    assert is_right(daemon, images(16)) and second.in_flight_max == 1


def test_a_restart_remembers_each(servers, daemons, images):
    first, second = servers(Fault("status", 404)), servers(rate=4 * MIB)
    daemon = daemons(mirrored(first, second))
    daemon.request("V1")
    wait_for(lambda: second.image_bytes > 4 * MIB)
    daemon.kill9()
    daemon.start()
    daemon.wait_state("V1", "complete")
    assert is_right(daemon, images(16))
    assert daemon.source_of("V1", "vendor/2")["bytes"] >= 12 * MIB
