# SPDX-License-Identifier: GPL-3.0-or-later
"""The handshake as its document describes it, on Python's libraries: a router, or what poses as
one, that can be made to say anything."""

import base64
import hashlib
import hmac
import json
import os
import socket
import struct

from OpenSSL import SSL, crypto

from onboarding_world import inside
from steward import SLOW

ALPN = b"steward-sco/1"
TIMEOUT_S = 30 * SLOW


def b64(data):
    return base64.b64encode(data).decode()


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def mac(key, text):
    return hmac.digest(key, text, "sha256")


def expand(key, label):
    return mac(key, label + b"\1")


def read_token(token):
    """What stands in it; nothing is verified."""
    header, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return header, claims, signature


def new_context(certificate=None, key=None):
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    if certificate:
        context.use_certificate_chain_file(certificate)
        context.use_privatekey_file(key)
    return context


class Channel:
    """TLS, messages with their MACs, and the transcript of both directions."""

    def __init__(self, sock, context, is_server=False):
        sock.settimeout(None)
        # A timeout of Python's would make it non-blocking, which OpenSSL then says.
        limit = struct.pack("ll", int(TIMEOUT_S), 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        self.sock = sock
        self.tls = SSL.Connection(context, sock)
        if is_server:
            self.tls.set_accept_state()
        else:
            self.tls.set_connect_state()
        self.tls.do_handshake()
        self.exporter = self.tls.export_keying_material(b"EXPORTER-Channel-Binding", 32)
        self.keys = {}
        self.received = b""

    def begin(self, server_leaf, client_leaf=b""):
        self.hash = sha256(ALPN, self.exporter, sha256(server_leaf), sha256(client_leaf))

    def set_secret(self, secret):
        key = mac(self.exporter, secret)
        self.keys = {"r": expand(key, b"router"), "c": expand(key, b"conductor")}

    def set_tpm_secret(self, secret):
        self.keys["t"] = expand(mac(self.exporter, secret), b"tpm")

    def frame(self, message, label=None):
        """Bytes of a message that comes next, with the MAC of that label."""
        text = message if isinstance(message, bytes) else \
            json.dumps(message, separators=(",", ":")).encode()
        length = struct.pack(">I", len(text))
        self.hash = sha256(self.hash, length, text)
        tail = mac(self.keys[label[0]], label.encode() + self.hash) if label else b""
        return length + text + tail

    def send(self, data):
        self.tls.sendall(data)

    def read(self, size):
        while len(self.received) < size:
            self.received += self.tls.recv(65536)
        data, self.received = self.received[:size], self.received[size:]
        return data

    def receive(self, label=None):
        """A message, its MAC checked; an error has none."""
        length = self.read(4)
        text = self.read(struct.unpack(">I", length)[0])
        message = json.loads(text)
        self.hash = sha256(self.hash, length, text)
        if label and message["type"] != "error":
            assert self.read(32) == mac(self.keys[label[0]], label.encode() + self.hash), \
                f"wrong MAC {label}"
        return message

    def close(self):
        self.sock.close()


class WireRouter:
    """psk-only; or with a certificate."""

    def __init__(self, world, token, asset_id="A0", certificate=None, key=None, address=None,
                 ssh_key=None):
        self.header, self.claims, self.signature = read_token(token)
        self.asset_id = asset_id
        self.blob = ssh_key or struct.pack(">I11sI", 11, b"ssh-ed25519", 32) + os.urandom(32)
        context = new_context(certificate, key)
        context.set_alpn_protos([ALPN])
        sock = inside(world.network.router, socket.create_connection,
                      (address or world.network.address, 930), TIMEOUT_S)
        self.channel = Channel(sock, context)
        leaf = b""
        if certificate:
            with open(certificate, "rb") as file:
                leaf = crypto.dump_certificate(
                    crypto.FILETYPE_ASN1, crypto.load_certificate(crypto.FILETYPE_PEM, file.read()))
        self.channel.begin(base64.b64decode(self.claims["conductor-public-cert"]), leaf)
        self.channel.set_secret(base64.b64decode(self.claims["secret"]))

    @property
    def hello(self):
        return {"type": "hello", "version": 1, "router": self.claims["router"],
                "asset-id": self.asset_id, "nonce": b64(os.urandom(32)), "header": self.header,
                "jti": self.claims["jti"], "iat": self.claims["iat"], "exp": self.claims["exp"],
                "signature": self.signature}

    @property
    def keys(self):
        return {"type": "keys", "ssh-key": b64(self.blob)}

    def tell(self, message, label=None):
        self.channel.send(self.channel.frame(message, label))

    def ask(self, message, label=None, answer=None):
        self.tell(message, label)
        return self.channel.receive(answer)

    def go_to(self, step):
        """As it should be, up to before the router's message of that number: 0, 1, 2; 3 = all."""
        if step > 0:
            assert self.ask(self.hello)["type"] == "challenge"
        if step > 1:
            assert self.ask({"type": "proof"}, "r1", "c1")["type"] == "accept"
        if step > 2:
            assert self.ask(self.keys, "r2", "c2")["type"] == "done"
        return self

    def frames(self, step):
        """The bytes of the message of that number."""
        message, label = ((self.hello, None), ({"type": "proof"}, "r1"), (self.keys, "r2"))[step]
        return self.channel.frame(message, label)

    def is_refused(self):
        answer = self.channel.receive()
        assert answer == {"type": "error", "reason": "refused"}, answer
        return self.is_ended()

    def is_ended(self):
        try:
            while self.channel.tls.recv(4096):
                pass
        except SSL.ZeroReturnError:
            return True
        except (SSL.SysCallError, SSL.Error):
            return True
        return False

    def cut(self):
        """Without a word of TLS."""
        self.channel.sock.shutdown(socket.SHUT_RDWR)
        self.channel.close()
