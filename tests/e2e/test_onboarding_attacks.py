# SPDX-License-Identifier: GPL-3.0-or-later
"""Port 930 under attack: each with an adversary of its own, who knows all but the one thing."""

import contextlib
import socket
import ssl
import struct
import threading

import pytest
from OpenSSL import SSL

from certificates import Authority, pem_key, self_signed
from onboarding_world import check_refused, inside
from steward import wait_for
from wire_router import ALPN, TIMEOUT_S, Channel, WireRouter, new_context

pytestmark = pytest.mark.slow


# Between the two.

class Relay:
    """Ends TLS towards the router, opens its own towards the conductor, and carries messages."""

    def __init__(self, world, certificate, key):
        self.world = world
        self.context = new_context(certificate, key)
        self.context.set_alpn_select_callback(lambda connection, offered: ALPN)
        self.carried = []
        self.listener = inside(world.network.router, socket.create_server, ("127.0.0.1", 930))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            try:
                self.carry(Channel(peer, self.context, is_server=True))
            except (SSL.Error, OSError):
                peer.close()

    def carry(self, router):
        out = new_context()
        out.set_alpn_protos([ALPN])
        conductor = Channel(inside(self.world.network.router, socket.create_connection,
                                   (self.world.network.address, 930), TIMEOUT_S), out)
        ends = [(router, conductor), (conductor, router)]
        while True:
            source, target = ends[0]
            data = source.tls.recv(65536)
            self.carried.append(data)
            target.send(data)
            ends.reverse()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def relays(onboarding):
    made = []

    def relay(certificate, key):
        made.append(Relay(onboarding, certificate, key))
        return made[-1]

    yield relay
    for each in made:
        each.close()


def test_relay_with_a_certificate_of_the_same_authority(onboarding, conductor, relays):
    relay = relays(*onboarding.ca.issue("relay"))
    router = onboarding.router()
    router.onboard(conductor.token(), hosts=["127.0.0.1"])
    state = router.wait_for_state("refused", "retrying")
    assert "certificate" in state["reason"]
    assert relay.carried == []  # it is not even told of the token
    check_refused(conductor, None)


def test_relay_with_the_conductors_own_key(onboarding, conductor, relays):
    """Only the binding to the channel is left to stop it."""
    relay = relays(conductor.certificate, conductor.private_key)
    router = onboarding.router()
    router.onboard(conductor.token(), hosts=["127.0.0.1"])
    router.wait_for_state("refused", "retrying")
    assert any(b'"type":"proof"' in data for data in relay.carried)
    check_refused(conductor, "wrong MAC r1")


class Refuser:
    """Shows a certificate of its own, too large for wolfSSL to keep, and the conductor's after it;
    and refuses whatever comes."""

    def __init__(self, world, certificate):
        own = Authority(world.directory, "refuser")
        leaf = ssl.DER_cert_to_PEM_cert(self_signed(own.key, "refuser", 3000))
        with open(certificate) as file:
            chain = own.write("chain", (leaf + file.read()).encode())
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(chain, own.write("key", pem_key(own.key)))
        self.context.set_alpn_protocols([ALPN.decode()])
        self.heard = b""
        self.listener = inside(world.network.router, socket.create_server, ("127.0.0.1", 930))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            try:
                with self.context.wrap_socket(peer, server_side=True) as tls:
                    self.heard += tls.recv(65536)
                    text = b'{"type":"error","reason":"refused"}'
                    tls.sendall(struct.pack(">I", len(text)) + text)
            except OSError:
                pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def test_refused_by_who_has_not_the_conductors_key(onboarding, conductor):
    """It costs no token: the router goes on, and the conductor itself takes it."""
    refuser = Refuser(onboarding, conductor.certificate)
    router = onboarding.router()
    try:
        router.onboard(conductor.token(), hosts=["127.0.0.1", onboarding.network.address])
        router.become_onboarded()
    finally:
        refuser.close()
    assert "number 1 of the chain: 3000 bytes, at most 2047" in router.log
    assert refuser.heard == b""  # it is not even told of the token


def test_replayed_messages(onboarding, conductor):
    token = conductor.token()
    router = WireRouter(onboarding, token).go_to(1)
    recorded = router.frames(1)
    router.cut()
    before = len(wait_for(conductor.refusals, what="the audit"))
    thief = WireRouter(onboarding, token).go_to(1)
    thief.channel.send(recorded)
    assert thief.is_refused()
    check_refused(conductor, "wrong MAC r1", before)


class Recorder:
    """A wire that keeps what the router sends."""

    def __init__(self, world):
        self.world, self.said = world, b""
        self.listener = inside(world.network.router, socket.create_server, ("127.0.0.1", 930))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        peer, _ = self.listener.accept()
        conductor = inside(self.world.network.router, socket.create_connection,
                           (self.world.network.address, 930), TIMEOUT_S)
        back = threading.Thread(target=self.copy, args=(conductor, peer), daemon=True)
        back.start()
        while data := peer.recv(65536):
            self.said += data
            conductor.sendall(data)
        conductor.shutdown(socket.SHUT_WR)
        back.join()

    @staticmethod
    def copy(source, target):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def test_replayed_bytes_of_the_wire(onboarding, conductor):
    recorder = Recorder(onboarding)
    WireRouter(onboarding, conductor.token(), address="127.0.0.1").go_to(3).is_ended()
    audit = conductor.audit("router1")
    again = inside(onboarding.network.router, socket.create_connection,
                   (onboarding.network.address, 930), TIMEOUT_S)
    again.sendall(recorder.said)
    with contextlib.suppress(ConnectionResetError):  # closed with what nobody reads any more
        while again.recv(65536):
            pass
    wait_for(lambda: conductor.strangers() == 1, 30, "the count")
    assert conductor.audit("router1") == audit and len(conductor.enrolments) == 1


# Messages.

def test_reflected_mac(onboarding, conductor):
    router = WireRouter(onboarding, conductor.token()).go_to(2)
    router.channel.keys["r"] = router.channel.keys["c"]
    router.tell(router.keys, "r2")
    assert router.is_refused()
    check_refused(conductor, "wrong MAC r2")


def test_mac_of_an_earlier_message(onboarding, conductor):
    router = WireRouter(onboarding, conductor.token()).go_to(2)
    router.tell(router.keys, "r1")
    assert router.is_refused()
    check_refused(conductor, "wrong MAC r2")


@pytest.mark.parametrize("step, message, label, reason", [
    (1, "hello", None, "hello out of turn, expected proof"),
    (1, "keys", "r2", "keys out of turn, expected proof"),
    (2, "proof", "r1", "proof out of turn, expected keys"),
    (2, "hello", None, "hello out of turn, expected keys"),
    (2, "done", "c2", "done out of turn, expected keys"),
    (1, "error", None, "the router gave up: retry-later"),
])
def test_out_of_order(onboarding, conductor, step, message, label, reason):
    router = WireRouter(onboarding, conductor.token()).go_to(step)
    router.tell({"hello": router.hello, "keys": router.keys, "error":
                 {"type": "error", "reason": "retry-later"}}.get(message, {"type": message}), label)
    assert router.is_refused()
    check_refused(conductor, reason)


@pytest.mark.parametrize("size", [16385, 1 << 24, (1 << 32) - 1])
def test_oversized_message(onboarding, conductor, size):
    router = WireRouter(onboarding, conductor.token()).go_to(1)
    router.channel.send(struct.pack(">I", size) + b"x" * 100)
    assert router.is_refused()
    check_refused(conductor, f"message of {size} bytes, expected at most 16384")


@pytest.mark.parametrize("blob, reason", [
    (struct.pack(">I7sI", 7, b"ssh-rsa", 36) + bytes(36), "not an ssh-ed25519 key blob"),
    (struct.pack(">I11sI", 11, b"ssh-ed25519", 32) + bytes(31) + b"\n\n", "\"ssh-key\": expected"),
    (struct.pack(">I11sI", 11, b"ssh-ed25519", 31) + bytes(32), "not an ssh-ed25519 key blob"),
    (b"ssh-ed25519 AAAA\nssh-ed25519 AAAA".ljust(51), "not an ssh-ed25519 key blob"),
])
def test_key_that_is_none(onboarding, conductor, blob, reason):
    router = WireRouter(onboarding, conductor.token(), ssh_key=blob).go_to(2)
    router.tell(router.keys, "r2")
    assert router.is_refused()
    check_refused(conductor, reason)


# One byte before each message's end, at it, and one after it; so at its beginning.
CUTS = [(step, where) for step in range(3) for where in ("0", "1", "-1")]


@pytest.mark.parametrize("step, where", CUTS)
def test_cut(onboarding, conductor, step, where):
    token = conductor.token()
    router = WireRouter(onboarding, token).go_to(step)
    frame = router.frames(step)
    part = frame[:int(where)]
    if part:
        router.channel.send(part)
    router.cut()
    if step == 0:
        wait_for(lambda: conductor.strangers() == 1, 30, "the count")
        check_refused(conductor, None)
    else:
        check_refused(conductor, "ended the connection")
    assert len(conductor.audit("router1")) >= 1
    WireRouter(onboarding, token).go_to(3)
    assert len(conductor.enrolments) == len(conductor.authorized_keys) == 1


@pytest.mark.parametrize("step", range(3))
def test_one_byte_more(onboarding, conductor, step):
    router = WireRouter(onboarding, conductor.token()).go_to(step)
    router.channel.send(router.frames(step) + b"\0")
    assert router.is_refused()
    check_refused(conductor, "1 bytes after the message" if step else None)


def test_lost_done(onboarding, conductor):
    token = conductor.token()
    router = WireRouter(onboarding, token).go_to(2)
    router.tell(router.keys, "r2")
    router.cut()
    wait_for(lambda: conductor.enrolments, what="the enrolment")
    wait_for(lambda: len(conductor.authorized_keys) == 1, what="the key")
    WireRouter(onboarding, token, ssh_key=router.blob).go_to(3)
    assert len(conductor.enrolments) == len(conductor.authorized_keys) == 1
    assert conductor.audit("router1")[-1] == ("enrolled", "once more, with the same keys")


def test_no_other_tls(onboarding, conductor):
    def connect(context):
        sock = inside(onboarding.network.router, socket.create_connection,
                      (onboarding.network.address, 930), TIMEOUT_S)
        with sock, context.wrap_socket(sock) as tls:
            return tls.recv(1)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["steward-sco/1"])
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(OSError):
        connect(context)
    context.maximum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["h2"])
    try:
        assert connect(context) == b""
    except OSError:
        pass
    wait_for(lambda: conductor.strangers() == 2, 30, "the count")
