# SPDX-License-Identifier: GPL-3.0-or-later
"""The FEK of a world, as one with root's rights and the right TPM gets it with tpm2-tools."""

import base64
import hashlib
import json
import os


def label_of(record):
    """Base64url SHA-256 of the record's text without the wrapped FEK."""
    text = json.dumps({k: v for k, v in record.items() if k != "wrapped-fek"},
                      separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def write_wrapped(world):
    """For tpm2_rsadecrypt, whose directory is the TPM's: handle and label, in a file "wrapped"."""
    record = json.loads(world.record)
    with open(os.path.join(os.path.dirname(world.tpm.socket), "wrapped"), "wb") as file:
        file.write(base64.b64decode(record["wrapped-fek"]))
    return record["key-handle"], label_of(record)


def fek_of(world):
    """In a session that does not encrypt what it carries."""
    handle, label = write_wrapped(world)
    tool = world.tpm.tool
    tool("startauthsession", "--policy-session", "-S", "session")
    tool("policycommandcode", "-S", "session", "TPM2_CC_RSA_Decrypt")
    tool("rsadecrypt", "-c", handle, "-p", "session:session", "-s", "null", "-l", label,
         "-o", "fek", "wrapped")
    tool("flushcontext", "session")
    path = os.path.join(os.path.dirname(world.tpm.socket), "fek")
    with open(path, "rb") as file:
        fek = file.read()
    os.unlink(path)
    assert len(fek) == 32
    return fek
