# SPDX-License-Identifier: GPL-3.0-or-later
"""The open port: what does not speak our TLS is sent away, and who floods it keeps nobody out."""

import contextlib
import resource
import socket
import ssl
import threading
import time

import pytest

from onboarding_world import inside, run
from steward import SLOW, wait_for
from tunnels import cpu_seconds, is_closed

PORT = 930
SILENT, PER_SECOND = 2000, 200
ONBOARDED_S = 5
DEFAULT_LIMITS = {}
NO_RATE = {"connection-rate": 1000, "connection-burst": 1000}
# A sanitizer keeps what was freed for a while, so that it finds who still uses it.
MEMORY_KIB = 8 << 10 if SLOW == 1 else 320 << 10


def connect(world, first=b"", source=None):
    def dial():
        peer = socket.create_connection((world.network.address, PORT), 30,
                                        source_address=(source, 0) if source else None)
        if first:
            peer.sendall(first)
        return peer
    return inside(world.network.router, dial)


def greet(world, version):
    """A TLS client of that version, and no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["steward-sco/1"])
    with connect(world) as peer, context.wrap_socket(peer) as tls:
        return tls.version(), tls.selected_alpn_protocol()


def peers(world):
    """Connections that the conductor still has; other descriptors come as they are needed."""
    return run("ip", "netns", "exec", world.network.conductor, "ss", "-Htn", f"sport = :{PORT}")


def test_only_tls_1_3_is_spoken(onboarding):
    conductor = onboarding.conductor()
    assert greet(onboarding, ssl.TLSVersion.TLSv1_3) == ("TLSv1.3", "steward-sco/1")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        greet(onboarding, ssl.TLSVersion.TLSv1_2)
    wait_for(lambda: conductor.strangers() == 2, 30, "the count of strangers")
    assert not conductor.enrolments


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\n\r\n", b"\x00", b"\x15\x03\x03\x00\x02\x02\x28",
                                   b"s", b"\x80" * 4000],
                         ids=["http", "zero", "alert", "letter", "noise"])
def test_garbage_is_closed_at_once(onboarding, first):
    onboarding.conductor(limits={"first-byte-timeout": 600})
    with connect(onboarding, first) as peer:
        assert is_closed(peer, 5 * SLOW)
    wait_for(lambda: not peers(onboarding), what="the end of the connections")


def test_garbage_within_tls_is_closed(onboarding):
    """A first byte of TLS, and then none."""
    onboarding.conductor(limits={"handshake-timeout": 600})
    with connect(onboarding, b"\x16" + b"\xff" * 600) as peer:
        assert is_closed(peer, 10 * SLOW)


def test_silence_is_closed(onboarding):
    onboarding.conductor()
    began = time.monotonic()
    with connect(onboarding) as silent, connect(onboarding, b"\x16") as stuck:
        assert is_closed(silent, 10 * SLOW)
        assert time.monotonic() - began > 4
        assert is_closed(stuck, 20 * SLOW)
        assert time.monotonic() - began > 9
    wait_for(lambda: not peers(onboarding), what="the end of the connections")


@pytest.mark.parametrize("first", [b"", b"\x16", b"\x16\x03"])
def test_a_peer_of_a_byte_costs_no_spinning(onboarding, first):
    conductor = onboarding.conductor(limits={"first-byte-timeout": 600, "handshake-timeout": 600})
    with connect(onboarding, first) as peer:
        assert not is_closed(peer, 1)
        before = cpu_seconds(conductor.process.pid)
        assert not is_closed(peer, 3)
        assert cpu_seconds(conductor.process.pid) - before < 0.3 * SLOW


def client_hello():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["steward-sco/1"])
    sent = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), sent).do_handshake()
    return sent.read()


def test_a_conductor_stops_amid_handshakes(onboarding):
    """Workers have some of them, and bring them back when the port is closed already."""
    conductor = onboarding.conductor(environment={"UV_THREADPOOL_SIZE": "1"})
    hello = client_hello()
    for _ in range(3):
        with contextlib.ExitStack() as peers:
            for _ in range(150):
                peers.enter_context(connect(onboarding, hello))
            conductor.stop()
        conductor.start()


class Attackers:
    """At four addresses of their own, beside the router: 2,000 that hold their tongue, and each
    second 200 new ones that send the first byte of TLS."""

    sources = [f"10.95.0.{n}" for n in (1, 2, 3, 4)]

    def __init__(self, world):
        self.world = world
        self.peers = []
        self.sent = 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=inside, args=(world.network.router, self.flood))

    def begin(self, n):
        peer = socket.socket()
        peer.setblocking(False)
        peer.bind((self.sources[n % len(self.sources)], 0))
        with contextlib.suppress(BlockingIOError):
            peer.connect((self.world.network.address, PORT))
        self.peers.append(peer)
        return peer

    def flood(self):
        for n in range(SILENT):
            self.begin(n)
        began = time.monotonic()
        while not self.over.is_set():
            peer = self.begin(self.sent)
            peer.setblocking(True)
            peer.settimeout(5)
            with contextlib.suppress(OSError):
                peer.sendall(b"\x16")
            self.sent += 1
            self.over.wait(max(0, began + self.sent / PER_SECOND - time.monotonic()))
            if len(self.peers) > 2 * SILENT:
                self.peers.pop(SILENT).close()

    def __enter__(self):
        self.thread.start()
        wait_for(lambda: self.sent > PER_SECOND // 2, 60, "the flood")
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        for peer in self.peers:
            peer.close()


@pytest.fixture
def four_addresses(onboarding):
    for source in Attackers.sources:
        address = source + "/32"
        run("ip", "-n", onboarding.network.router, "addr", "add", address, "dev", "wire")
        run("ip", "-n", onboarding.network.conductor, "route", "add", address, "dev", "wire")


@pytest.fixture
def descriptors():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * SILENT
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(wanted, before[0]), max(wanted, before[1])))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def resident_kib(daemon):
    return int(daemon.status_field("VmRSS").split()[0])


@pytest.mark.parametrize("limits", [DEFAULT_LIMITS, NO_RATE], ids=["as-shipped", "without-rate"])
def test_a_flood_keeps_no_router_out(onboarding, descriptors, four_addresses, limits):
    conductor = onboarding.conductor(limits=limits)
    memory = []
    for number in (1, 2):
        name = f"router{number}"
        conductor.configure(name, asset_id=f"A{number}")
        router = onboarding.router(f"A{number}", name)
        token = conductor.token(name)
        with Attackers(onboarding) as attackers:
            sent = attackers.sent
            router.onboard(token).wait_for_state(
                "initializing", timeout=ONBOARDED_S)
            wait_for(lambda: attackers.sent > sent, what="the flood, still")
        router.stop()
        wait_for(lambda: not peers(onboarding), 30, "the end of the connections")
        memory.append(resident_kib(conductor))
    assert memory[1] - memory[0] < MEMORY_KIB
