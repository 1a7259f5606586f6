# SPDX-License-Identifier: GPL-3.0-or-later
"""A PKCS #11 token (SoftHSM), in a directory of its own. Who uses it needs its configuration in the
environment, as SOFTHSM2_CONF."""

import os
import subprocess

from cryptography.hazmat.primitives import serialization


class Token:
    """put(): a key into it, by the name of its kind."""

    PIN = "24680"

    def __init__(self, directory):
        self.directory = str(directory)
        self.configuration = os.path.join(self.directory, "softhsm.conf")
        with open(self.configuration, "w") as file:
            file.write(f"directories.tokendir = {self.directory}\n")
        self.run("--init-token", "--free", "--label", "steward", "--so-pin", "13579")

    def run(self, *words):
        subprocess.run(["softhsm2-util", *words, "--pin", self.PIN], check=True, capture_output=True,
                       env={**os.environ, "SOFTHSM2_CONF": self.configuration})

    def put(self, kind, key):
        path = os.path.join(self.directory, "key.pem")
        with open(path, "wb") as file:
            file.write(key.private_bytes(serialization.Encoding.PEM,
                                         serialization.PrivateFormat.PKCS8,
                                         serialization.NoEncryption()))
        self.run("--import", path, "--token", "steward", "--label", kind, "--id", "01")
        os.unlink(path)
        return f"pkcs11:token=steward;object={kind};type=private"
