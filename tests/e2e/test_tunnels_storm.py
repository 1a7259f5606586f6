# SPDX-License-Identifier: GPL-3.0-or-later
"""Strangers by the thousand, and routers that come back all at once: a tunnel that stands is never the
price of one that comes, and no login that makes progress that of one that has not begun."""

import contextlib
import os
import resource
import socket
import subprocess
import threading
import time

import pytest

from steward import SLOW, wait_for
from tunnels import USER, Key, World

PORT = 20100  # in the helper's network: it is free
ROUTERS = 16
ADDRESSES, OF_EACH = 400, 5  # as many of one as are let in at once
VERSION = b"SSH-2.0-x\r\n"


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    directory = tmp_path_factory.mktemp("keys")
    return [Key(directory, f"router{i}") for i in range(ROUTERS)]


@pytest.fixture
def world():
    made = World()
    yield made
    made.close()


@pytest.fixture
def descriptors():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 3 * ADDRESSES * OF_EACH
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(wanted, before[0]), max(wanted, before[1])))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def counts(conductor):
    words = conductor.ask("counts", "counts").split()
    return {name: int(value) for name, value in (word.split("=") for word in words)}


def with_places(n):
    return {"env": {**os.environ, "STEWARD_SSH_PLACES": str(n)}}


class Strangers:
    """Each with an address of its own within 127/8, as a stranger has who is let in at once."""

    def __init__(self, world, first=VERSION):
        self.port, self.first = world.port, first
        self.peers = []

    def come(self, number):
        peer = socket.socket()
        peer.setblocking(False)
        self.peers.append(peer)
        peer.bind((f"127.{16 + (number >> 16)}.{number >> 8 & 255}.{number & 255}", 0))
        with contextlib.suppress(BlockingIOError):
            peer.connect(("127.0.0.1", self.port))
        with contextlib.suppress(OSError):
            peer.send(self.first)

    def close(self):
        for peer in self.peers:
            peer.close()


class Drip(Strangers):
    """50 a second, for as long as it takes, and each says one byte more now and then."""

    def __enter__(self):
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.flood)
        self.thread.start()
        wait_for(lambda: len(self.peers) > 50, 60, "the flood")
        return self

    def flood(self):
        number = 0
        while not self.over.wait(0.02):
            self.come(number)
            number += 1
            for peer in self.peers[-400::10]:
                with contextlib.suppress(OSError):
                    peer.send(b"x")

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.close()


def is_up(world, name, port):
    return world.conductor_now.ask(f"connect {port}", "connected") == f"{name} heard hello"


def test_two_thousand_strangers_end_no_tunnel(world, keys, descriptors):
    conductor = world.conductor()
    world.authorize((keys[0], PORT), (keys[1], PORT + 1))
    standing = world.router(keys[0], PORT, "standing")
    standing.wait_line("connected")
    strangers = Strangers(world)
    try:
        for i in range(ADDRESSES * OF_EACH):
            strangers.come(i // OF_EACH)
        wait_for(lambda: counts(conductor)["ssh"] >= ADDRESSES * OF_EACH, 60 * SLOW, "all of them")
        # As many of sshd as there are places, the others wait, or were told at once.
        seen = counts(conductor)
        assert seen["in_ssh"] <= 64 and seen["waiting"] <= 1024
        # From its address a router has logged in: it comes before them.
        world.router(keys[1], PORT + 1, "coming").wait_line("connected", timeout=20 * SLOW)
        wait_for(lambda: counts(conductor)["waiting"] == 0, 60 * SLOW, "the end of the queue")
    finally:
        strangers.close()
    assert is_up(world, "standing", PORT) and is_up(world, "coming", PORT + 1)
    assert not [line for line in conductor.lines if line.startswith("lost")]
    assert not [line for line in standing.lines if line.startswith("disconnected")]


@pytest.mark.release_only  # who would wait too long is turned away, and a sanitizer makes all slow
def test_routers_that_come_all_at_once_wait(world, keys):
    """Four places for eight: each gets through with its first try, and none is shown out."""
    few = keys[:8]  # more would give up on a machine that is busy with other tests
    conductor = world.conductor(**with_places(4))
    world.authorize(*((key, PORT + i) for i, key in enumerate(few)))
    routers = [subprocess.Popen(world.ssh_words(key, USER, "-N", []), stdin=subprocess.DEVNULL)
               for key in few]

    def all_are_in():
        assert all(router.poll() is None for router in routers), conductor.lines
        return sum(line.startswith("authenticated") for line in conductor.lines) == len(few)

    try:
        wait_for(all_are_in, 60, "all of them")
        seen = counts(conductor)
        assert seen["ssh"] == len(few)
        assert seen["ssh_shown_out"] == seen["ssh_turned_away"] == seen["waiting"] == 0
    finally:
        for router in routers:
            router.kill()
            router.wait()


def test_a_router_comes_back_among_strangers(world, keys):
    """Four places, and 50 strangers a second: it was here before, so it comes before them; and one that
    never was has its turn, too."""
    conductor = world.conductor(**with_places(4))
    world.authorize((keys[0], PORT))
    router = world.router(keys[0], PORT)
    router.wait_line("connected")
    assert router.stop() == 0
    with Drip(world):
        began = time.monotonic()
        router = world.router(keys[0], PORT)
        router.wait_line("connected", timeout=10 * SLOW)
        assert time.monotonic() - began < 10 * SLOW
        assert is_up(world, "router", PORT)
    assert not [line for line in router.lines if line.startswith("disconnected")]
    wait_for(lambda: counts(conductor)["in_ssh"] == 0, 60, "the end of all strangers")
    assert is_up(world, "router", PORT)


def test_the_helper_is_killed_while_strangers_wait(world, keys):
    """What waits goes on waiting: it is no loss, and the router is back."""
    conductor = world.conductor()
    world.authorize((keys[0], PORT))
    router = world.router(keys[0], PORT)
    router.wait_line("connected")
    with Drip(world):
        helper, = world.helper()
        os.kill(helper, 9)
        router.wait_line("disconnected")
        after = len(router.lines)
        router.wait_line("connected", after, timeout=60 * SLOW)
    assert sum(line.startswith("ready") for line in conductor.lines) == 2
    assert is_up(world, "router", PORT)
