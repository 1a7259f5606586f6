# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's servers and proxies as the only source: the image comes once, in few requests, and
nothing is blamed. Caches, which are empty at first, are in test_caches.py."""

import os

import pytest

from nginx import Nginx
from real_servers import PROXIES, SERVERS, RealServer
from test_download import sha256

pytestmark = pytest.mark.release_only


@pytest.fixture
def start(tmp_path):
    made = []

    def start(kind, behind):
        made.append(RealServer(kind, tmp_path / "real", behind))
        return made[-1]

    yield start
    for each in made:
        each.close()


@pytest.fixture
def origin(tmp_path, repository):
    made = Nginx(tmp_path / "origin", repository.root)
    yield made
    made.close()


def fetch(daemon, image):
    assert daemon.fetch("V1")["attempt"] == 1
    assert sha256(daemon.image_path("V1", os.path.basename(image.path))) == image.sha256
    source = daemon.source_of("V1", "s0")
    assert source["failures"] == 0 and source["state"] in ("active", "available"), source
    daemon.stop()
    return source


def check(replies, image):
    pieces = image.size >> 20
    assert len(replies) <= pieces + 10
    assert image.size <= sum(replies) <= 1.02 * image.size


@pytest.mark.parametrize("kind", SERVERS)
def test_server(kind, start, repository, daemons, images):
    server = start(kind, repository.root)
    fetch(daemons(server), images(16))
    server.close()  # and its log is whole
    check(server.image_replies(), images(16))


@pytest.mark.parametrize("kind", PROXIES)
def test_proxy(kind, start, origin, daemons, images):
    proxy = start(kind, origin.port)
    fetch(daemons(proxy), images(16))
    proxy.close()
    check([n for path, _, n in origin.replies if path.endswith(".iso")], images(16))


def test_one_worker(start, repository, daemons, images):
    """Who comes meanwhile waits in its backlog. Its log counts what it wrote to those that had
    left by then, and of which nothing came."""
    image = images(16)
    server = start("apache one-worker", repository.root)
    source = fetch(daemons(server), image)
    assert image.size <= source["bytes"] <= 1.02 * image.size
    server.close()
    assert len(server.image_replies()) <= (image.size >> 20) + 10
