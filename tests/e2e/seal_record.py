# SPDX-License-Identifier: GPL-3.0-or-later
"""The seal record, read and written by someone who knows its format but not the programs."""

import base64
import hashlib
import json
import os

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding


def text(record):
    return (json.dumps(record, separators=(",", ":")) + "\n").encode()


def label(record):
    """base64url without padding; a TPM's labels end with a zero."""
    rest = {name: value for name, value in record.items() if name != "wrapped-fek"}
    digest = hashlib.sha256(text(rest)[:-1]).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=") + b"\0"


def pin(record):
    return hashlib.sha256(b"".join(
        d["path"].encode() + b"\0" + bytes.fromhex(d["key-identifier"])
        for d in record["directory"])).digest()


def wrap(record, fek, pem):
    """The record around this FEK, as anybody can who has the public key."""
    public = serialization.load_pem_public_key(pem)
    wrapped = public.encrypt(fek, padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(),
                                               label(record)))
    return {**record, "wrapped-fek": base64.b64encode(wrapped).decode()}


def forge(world, pem):
    """A thief's directories, under a key of the thief's, and a record that leads to it: all of it
    right but for the pin. Returns the record."""
    fek = os.urandom(32)
    world.write("/run/fek", fek)
    record = json.loads(world.record)
    for directory in record["directory"]:
        replace(world, directory["path"], fek)
        directory["key-identifier"] = world.identifier(directory["path"])
    world.remount()
    record = wrap(record, fek, pem)
    world.write("/mnt/disk/integrity/record.json", text(record))
    return record


def replace(world, path, fek):
    """An encrypted directory of the same name under another key."""
    world.write("/run/fek", fek)
    world.run("rm", "-r", path)
    world.run("mkdir", path)
    world.run("fscrypt", "encrypt", path, "--source=raw_key", "--key=/run/fek", "--quiet",
              "--name=" + os.urandom(4).hex())
    world.write(path + "/file", "the thief's\n")
