# SPDX-License-Identifier: GPL-3.0-or-later
"""A TLS 1.3 client (RFC 8446) that can leave out, forge and reorder what proves that it holds the
key of the certificate it shows. One cipher suite, one group, and no look at what the server is."""

import os
import socket
import struct

from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

CERTIFICATE, CERTIFICATE_VERIFY, FINISHED = 11, 15, 20
ALERT, HANDSHAKE, DATA = 21, 22, 23


def digest(data):
    h = hashes.Hash(hashes.SHA256())
    h.update(data)
    return h.finalize()


def mac(key, data):
    h = hmac.HMAC(key, hashes.SHA256())
    h.update(data)
    return h.finalize()


def expand(secret, label, context=b"", size=32):
    label = b"tls13 " + label
    info = struct.pack(">HB", size, len(label)) + label + bytes([len(context)]) + context
    return HKDFExpand(hashes.SHA256(), size, info).derive(secret)


def sized(data, n):
    return len(data).to_bytes(n, "big") + data


def message(kind, body):
    return bytes([kind]) + sized(body, 3)


class Keys:
    def __init__(self, secret):
        self.secret = secret
        self.cipher = AESGCM(expand(secret, b"key", size=16))
        self.iv = expand(secret, b"iv", size=12)
        self.count = 0

    def nonce(self):
        n = int.from_bytes(self.iv, "big") ^ self.count
        self.count += 1
        return n.to_bytes(12, "big")


class Adversary:
    def __init__(self, port, alpn=b"steward-sco/1"):
        self.alpn = alpn
        self.socket = socket.create_connection(("127.0.0.1", int(port)), timeout=20)
        self.transcript = b""
        self.reading = self.writing = None
        self.greet()

    def send_record(self, kind, body):
        if self.writing:
            plain = body + bytes([kind])
            head = bytes([DATA]) + b"\x03\x03" + struct.pack(">H", len(plain) + 16)
            body = self.writing.cipher.encrypt(self.writing.nonce(), plain, head)
        else:
            head = bytes([kind]) + b"\x03\x03" + struct.pack(">H", len(body))
        self.socket.sendall(head + body)

    def receive(self, size):
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                raise ConnectionError("closed")
            data += part
        return data

    def read_record(self):
        head = self.receive(5)
        body = self.receive(struct.unpack(">H", head[3:])[0])
        if head[0] != DATA:
            return head[0], body
        plain = self.reading.cipher.decrypt(self.reading.nonce(), body, head).rstrip(b"\0")
        return plain[-1], plain[:-1]

    def say(self, kind, body):
        self.transcript += message(kind, body)
        self.send_record(HANDSHAKE, message(kind, body))

    def greet(self):
        self.private = X25519PrivateKey.generate()
        share = self.private.public_key().public_bytes(serialization.Encoding.Raw,
                                                       serialization.PublicFormat.Raw)
        extensions = b"".join(struct.pack(">H", kind) + sized(body, 2) for kind, body in [
            (43, b"\x02\x03\x04"), (10, b"\x00\x02\x00\x1d"),
            (51, sized(b"\x00\x1d" + sized(share, 2), 2)), (13, b"\x00\x04\x08\x04\x04\x01"),
            (16, sized(sized(self.alpn, 1), 2))])
        self.say(1, b"\x03\x03" + os.urandom(32) + b"\0" + b"\x00\x02\x13\x01" + b"\x01\0" +
                 sized(extensions, 2))
        kind, hello = self.read_record()
        assert kind == HANDSHAKE, hello
        self.transcript += hello
        at = hello.index(b"\x00\x33\x00\x24\x00\x1d\x00\x20") + 8
        shared = self.private.exchange(X25519PublicKey.from_public_bytes(hello[at:at + 32]))
        early = mac(bytes(32), bytes(32))
        self.handshake = mac(expand(early, b"derived", digest(b"")), shared)
        now = digest(self.transcript)
        self.reading = Keys(expand(self.handshake, b"s hs traffic", now))
        self.client_secret = expand(self.handshake, b"c hs traffic", now)
        self.read_flight()

    def read_flight(self):
        buffer = b""
        while True:
            kind, data = self.read_record()
            if kind == 20:  # change cipher spec
                continue
            assert kind == HANDSHAKE, data
            buffer += data
            while len(buffer) >= 4 and len(buffer) >= 4 + int.from_bytes(buffer[1:4], "big"):
                size = 4 + int.from_bytes(buffer[1:4], "big")
                one, buffer = buffer[:size], buffer[size:]
                self.transcript += one
                if one[0] == FINISHED:
                    master = mac(expand(self.handshake, b"derived", digest(b"")), bytes(32))
                    now = digest(self.transcript)
                    self.server_data = expand(master, b"s ap traffic", now)
                    self.client_data = expand(master, b"c ap traffic", now)
                    self.writing = Keys(self.client_secret)
                    return

    def show(self, *certificates):
        self.say(CERTIFICATE, b"\0" + sized(b"".join(sized(c, 3) + b"\0\0" for c in certificates),
                                            3))

    def prove(self, key, scheme=0x0804, context=b"TLS 1.3, client CertificateVerify"):
        text = b" " * 64 + context + b"\0" + digest(self.transcript)
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        how = pss if scheme == 0x0804 else padding.PKCS1v15()
        self.say(CERTIFICATE_VERIFY,
                 struct.pack(">H", scheme) + sized(key.sign(text, how, hashes.SHA256()), 2))

    def finish(self):
        """What the server says to that: its first data, or None."""
        self.say(FINISHED, mac(expand(self.client_secret, b"finished"), digest(self.transcript)))
        self.reading, self.writing = Keys(self.server_data), Keys(self.client_data)
        try:
            kind, data = self.read_record()
        except (ConnectionError, OSError):
            return None
        if kind != DATA:
            return None
        self.send_record(DATA, b"I am in\n")
        return data

    def close(self):
        self.socket.close()
