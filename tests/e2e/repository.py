# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys, images and signed manifests, made without any of our C code."""

import base64
import hashlib
import hmac
import json
import os
import random
import subprocess

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

TYP = "steward-manifest+jws"
MIB = 1 << 20


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Key:
    def __init__(self, directory, name="key"):
        self.private_path = os.path.join(directory, name + ".pem")
        self.public_path = os.path.join(directory, name + ".pub.pem")
        subprocess.run(["openssl", "genrsa", "-out", self.private_path, "2048"],
                       check=True, capture_output=True)
        subprocess.run(["openssl", "rsa", "-in", self.private_path, "-pubout",
                        "-out", self.public_path], check=True, capture_output=True)
        with open(self.private_path, "rb") as file:
            self.private = serialization.load_pem_private_key(file.read(), None)
        spki = self.private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.kid = hashlib.sha256(spki).hexdigest()

    def sign(self, text):
        return self.private.sign(text, padding.PKCS1v15(), hashes.SHA256())

    def jws(self, payload, **header):
        """header overrides what stands there otherwise; None leaves a member out."""
        head = {"alg": "RS256", "typ": TYP, "kid": self.kid, **header}
        head = {k: v for k, v in head.items() if v is not None}
        if not isinstance(payload, (bytes, str)):
            payload = json.dumps(payload)
        if isinstance(payload, str):
            payload = payload.encode()
        text = b64(json.dumps(head).encode()) + "." + b64(payload)
        if head.get("alg") == "none":
            return text + "."
        if head.get("alg") == "HS256":
            with open(self.public_path, "rb") as file:
                return text + "." + b64(hmac.digest(file.read(), text.encode(), "sha256"))
        return text + "." + b64(self.sign(text.encode()))


class Image:
    """Bytes of a size, the same for the same seed."""

    def __init__(self, path, size, seed=1):
        self.path = path
        self.size = size
        rng = random.Random(seed)
        with open(path, "wb") as file:
            left = size
            while left > 0:
                n = min(left, MIB)
                file.write(rng.randbytes(n))
                left -= n

    def payload(self, version, piece_size=MIB, override=None):
        whole = hashlib.sha256()
        pieces = b""
        with open(self.path, "rb") as file:
            while block := file.read(piece_size):
                whole.update(block)
                pieces += hashlib.sha256(block).digest()
        payload = {"version": version, "file": os.path.basename(self.path), "size": self.size,
                   "sha256": whole.hexdigest(), "piece-size": piece_size, "pieces": b64(pieces),
                   "created": 1767225600, **(override or {})}
        return {k: v for k, v in payload.items() if v is not None}

    @property
    def sha256(self):
        with open(self.path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


class Repository:
    """A folder as docs/download.md describes it."""

    def __init__(self, root):
        self.root = str(root)
        self.versions = []
        self.downloaded = set()  # as a conductor says of them: not imported
        os.makedirs(self.root, exist_ok=True)
        self.write_index()

    def write_index(self):
        index = {"versions": [{"version": v, "manifest": f"{v}/manifest.jws",
                               **({"imported": False} if v in self.downloaded else {})}
                              for v in self.versions]}
        with open(os.path.join(self.root, "index.json"), "w") as file:
            json.dump(index, file)

    def add(self, version, image, key, jws=None, piece_size=MIB, downloaded=False):
        if downloaded:
            self.downloaded.add(version)
        folder = os.path.join(self.root, version)
        os.makedirs(folder, exist_ok=True)
        target = os.path.join(folder, os.path.basename(image.path))
        if not os.path.exists(target):
            os.link(image.path, target)
        with open(os.path.join(folder, "manifest.jws"), "w") as file:
            file.write(jws or key.jws(image.payload(version, piece_size)))
        self.versions.append(version)
        self.write_index()
        return self
