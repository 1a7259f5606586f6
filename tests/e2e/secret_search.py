# SPDX-License-Identifier: GPL-3.0-or-later
"""What is secret between a conductor and a router, and whether it is in what somebody may see."""

import base64
import json
import os
import re
import stat


def spellings(secret):
    """As bytes, in hex and in base64, at each place of three: without the ends, which depend on
    what stands beside it."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    for shift in range(3):
        coded = base64.b64encode(bytes(shift) + secret)
        for text in (coded, coded.translate(bytes.maketrans(b"+/", b"-_"))):
            yield text[4 if shift else 0:-4]


def holds(haystack, secret):
    return any(spelling in haystack for spelling in spellings(secret))


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def files_below(*directories):
    return [os.path.join(above, name) for directory in directories
            for above, _, names in os.walk(directory) for name in names
            if stat.S_ISREG(os.lstat(os.path.join(above, name)).st_mode)]


def pem_body(path):
    """The key's bytes."""
    return base64.b64decode("".join(read(path).decode().split("-----")[2].split()))


def private_part(path):
    """Of an RSA key in PKCS #8, or OpenSSH's of an ed25519 key: the part that nobody may have."""
    body = pem_body(path)
    return body[-64:] if b"ssh-ed25519" not in body else body.rsplit(b"\0\0\0\x40", 1)[1][:32]


class Secrets:
    """name -> bytes, and where it was looked for."""

    def __init__(self, conductor, router, token):
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        self.shared = base64.b64decode(claims["secret"])
        assert re.fullmatch(rb"[A-Za-z0-9]{48}", self.shared)
        self.all = {"pre-shared secret": self.shared,
                    "token": token.split(".")[2].encode(),
                    "conductor's key": private_part(conductor.private_key),
                    "router's key": private_part(os.path.join(router.secrets, "conductor-key"))}

    def found_in(self, text, *but):
        return [name for name, secret in self.all.items()
                if name not in but and holds(text, secret)]
