# SPDX-License-Identifier: GPL-3.0-or-later
"""Caches between the router and the origin, empty at first: the image crosses the origin's line about
once, and that takes hardly longer than one plain request through the same cache would."""

import os
import shutil
import subprocess
import time

import pytest

from nginx import Nginx
from real_servers import CACHES, RealServer
from repository import MIB, Repository
from test_download import sha256

RATE = 17_000_000 // 8  # bytes a second of a reply of the origin
QUICK = ("nginx cache", "nginx cache-lock")


@pytest.fixture
def image(images):
    return images(8)


@pytest.fixture
def origin(tmp_path, image, key):
    repository = Repository(tmp_path / "behind").add("V1", image, key)
    made = Nginx(tmp_path / "origin", repository.root, server=f"limit_rate {RATE};")
    made.repository = repository
    yield made
    made.close()


@pytest.fixture
def cache(tmp_path, origin):
    made = []

    def start(kind):
        made.append(RealServer(kind, tmp_path / "cache", origin.port))
        return made[-1]

    yield start
    for each in made:
        each.close()


def check(origin, daemon, image):
    began = time.monotonic()
    daemon.fetch("V1", timeout=60)
    # Two seconds for a machine under load, and for what goes before.
    assert time.monotonic() - began <= 1.1 * image.size / RATE + 2
    assert sha256(daemon.image_path("V1", os.path.basename(image.path))) == image.sha256
    assert origin.image_bytes() <= image.size * 1.1
    source = daemon.source_of("V1", "s0")
    assert source["failures"] == 0 and source["state"] in ("active", "available"), source


@pytest.mark.parametrize("kind", QUICK)
def test_cache(kind, cache, origin, daemons, image):
    through = cache(kind)
    check(origin, daemons(through), image)


@pytest.mark.slow
@pytest.mark.release_only
@pytest.mark.parametrize("kind", [kind for kind in CACHES if kind not in QUICK])
def test_other_cache(kind, cache, origin, daemons, image):
    through = cache(kind)
    check(origin, daemons(through), image)


@pytest.mark.slow
@pytest.mark.release_only
@pytest.mark.parametrize("kind", ["nginx cache", "squid cache", "varnish cache"])
def test_cache_is_not_left_for_another(kind, cache, origin, daemons, image, servers):
    through, other = cache(kind), servers(rate=MIB, root=origin.repository.root)
    check(origin, daemons(through, other), image)
    assert other.image_bytes == 0


def fill(cache, kind, origin, before, image):
    """The cache has what the file was before it was exchanged, and does not know. Returns it."""
    kept = os.path.join(origin.repository.root, "V1", os.path.basename(image.path))
    os.remove(kept)
    if before:
        shutil.copyfile(before.path, kept)
        os.utime(kept, (0, 0))  # old files are taken for such as do not change
    through = cache(kind)
    request = through.url + "V1/" + os.path.basename(kept)
    subprocess.run(["curl", "-s", "-o", "/dev/null", request], check=True)
    if before:
        os.remove(kept)
    os.link(image.path, kept)
    return through


BEFORE = {"of the same size": (8, "does not match"), "longer": (9, "the source 9437184"),
          "shorter": (2, "the source 2097152"), "missing": (None, "HTTP 404")}


@pytest.mark.parametrize("size, words", BEFORE.values(), ids=BEFORE)
def test_image_of_before_in_a_cache(size, words, cache, origin, daemons, images, image):
    """Asked past the cache, the source brings the right one."""
    before = images(size, 2) if size else None
    kind = "squid cache" if size else "squid cache-of-errors"
    daemon = daemons(fill(cache, kind, origin, before, image), download={"attempts": 1})
    daemon.fetch("V1", timeout=60)
    source = daemon.source_of("V1", "s0")
    assert source["failures"] == 0 and source["state"] in ("active", "available"), source
    assert words in daemon.log and "asked again past caches" in daemon.log
    assert sha256(daemon.image_path("V1", os.path.basename(image.path))) == image.sha256


@pytest.mark.parametrize("size", [8, 2])
def test_cache_that_cannot_be_asked_past(size, cache, origin, daemons, images, image):
    """nginx's ignores no-cache. The source is left, and the operator is told what to look for."""
    through = fill(cache, "nginx cache", origin, images(size, 2), image)
    daemon = daemons(through, download={"attempts": 1})
    daemon.request("V1")
    error = daemon.wait_state("V1", "failed")["error"]
    assert "a cache on the way has, and ignores no-cache: empty that one" in error
    assert daemon.source_of("V1", "s0")["requests"] <= 12
