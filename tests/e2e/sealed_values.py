# SPDX-License-Identifier: GPL-3.0-or-later
"""Values sealed to a node's keys, as docs/onboarding.md has them: made here by another hand."""

import base64
import hashlib
import os

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

NONCE = bytes(12)


def keys_of(list_of_keys):
    """kind -> key."""
    keys = {}
    while list_of_keys:
        kind, size = list_of_keys[0], int.from_bytes(list_of_keys[1:3], "big")
        keys[kind] = list_of_keys[3:3 + size]
        list_of_keys = list_of_keys[3 + size:]
    return keys


def seal(public, router, path, version, value):
    """To an X25519 key alone."""
    def text(value):
        return len(value).to_bytes(2, "big") + value.encode()

    head = b"SWS1" + bytes([1, 1]) + hashlib.sha256(b"\x01" + public).digest()[:8]
    context = hashlib.sha256(b"steward-sealed 1\0" + head + text(router) + text(path) +
                             version.to_bytes(8, "big")).digest()
    once, key = X25519PrivateKey.generate(), os.urandom(32)
    encapsulated = once.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    salt = hashlib.sha256(context + public + encapsulated).digest()
    layer = HKDF(hashes.SHA256(), 32, salt, b"steward-sealed x25519").derive(
        once.exchange(X25519PublicKey.from_public_bytes(public)))
    return (head + encapsulated + AESGCM(layer).encrypt(NONCE, key, context) +
            AESGCM(key).encrypt(NONCE, value.encode(), context))


def item(path, version, sealed):
    return {"path": path, "version": version, "value": base64.b64encode(sealed).decode()}
