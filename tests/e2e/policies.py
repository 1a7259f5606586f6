# SPDX-License-Identifier: GPL-3.0-or-later
"""An operator's key, and PCR policies signed by it; the TPM as another release measures it."""

import hashlib
import json
import os
import subprocess

from steward import STEWARDCTL

PCR = 16
COUNTER = 0x01800129
MEASURED = [hashlib.sha256(b"release %d" % n).hexdigest() for n in range(8)]


def value_of(release):
    """Of a PCR that was zero before."""
    return hashlib.sha256(bytes(32) + bytes.fromhex(MEASURED[release])).hexdigest()


class Operator:
    def __init__(self, directory, name="operator", bits=2048):
        self.private = os.path.join(str(directory), name + ".pem")
        self.public = os.path.join(str(directory), name + ".pub.pem")
        subprocess.run(["openssl", "genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt",
                        f"rsa_keygen_bits:{bits}", "-out", self.private], check=True,
                       stderr=subprocess.DEVNULL)
        subprocess.run(["openssl", "pkey", "-in", self.private, "-pubout", "-out", self.public],
                       check=True)

    def attempt(self, *words):
        return subprocess.run([STEWARDCTL, "create", "configuration-integrity", "policy", *words],
                              text=True, capture_output=True)

    def sign(self, release, *words):
        """The text of a policy for what a release measures."""
        made = self.attempt("pcr", f"{PCR}={value_of(release)}", "key", self.private, *words)
        assert made.returncode == 0, made.stderr
        return made.stdout


def measure(world, release):
    """As a boot of that release: the power was off."""
    world.unmount()
    world.tpm.restart()
    world.mount()
    world.tpm.tool("pcrextend", f"{PCR}:sha256={MEASURED[release]}")


def place(world, name, text):
    """With the image of the release."""
    folder = world.integrity["policy-directory"]
    world.run("mkdir", "-p", folder)
    world.write(f"{folder}/{name}.json", text)


def configure(world, operator, **more):
    world.write_config(**{"pcr": [PCR], "policy-key": operator.public,
                          "policy-directory": "/run/image/policies", **more})


def counter(world):
    """Where it stands."""
    return int.from_bytes(bytes.fromhex(
        world.tpm.tool("nvread", hex(COUNTER), "-C", "o").encode("latin-1").hex()), "big")


def opened(world):
    return json.loads(world.request("show").stdout).get("policy")
