# SPDX-License-Identifier: GPL-3.0-or-later
"""A router's TPM (swtpm), worked by tpm2-tools: with its EK, as its maker leaves it, and what else a
router shows of one."""

import base64
import subprocess

from cryptography.hazmat.primitives import serialization

from tpm_emulator import Tpm

EK_HANDLE, DEVICE_KEY_HANDLE = "0x81010001", "0x81010020"
PCRS = "sha256:0,1,2,3,4,5,6,7"


class DeviceTpm(Tpm):
    def __init__(self, directory, banks="sha256"):
        super().__init__(directory)
        subprocess.run(["swtpm_setup", "--tpm2", "--tpmstate", self.state, "--createek",
                        "--pcr-banks", banks, "--overwrite"], check=True, capture_output=True)

    def run(self, *words):
        """There is no resource manager in front of it: what is loaded goes, sessions stay."""
        self.tool(*words)
        self.tool("flushcontext", "-t")

    @property
    def endorsement_key(self):
        """What the operator is told to print."""
        self.tool("readpublic", "-c", EK_HANDLE, "-f", "der", "-o", "ek.der", "-Q")
        return base64.b64encode(self.read("ek.der")).decode()

    # A device-ID key.

    def make_device_key(self, kind="rsa2048"):
        """For signing only; its public half."""
        self.run("createprimary", "-C", "o", "-c", "primary.ctx", "-Q")
        self.run("create", "-C", "primary.ctx", "-G", kind, "-u", "key.pub", "-r", "key.priv",
                 "-a", "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign", "-Q")
        self.run("load", "-C", "primary.ctx", "-u", "key.pub", "-r", "key.priv", "-c", "key.ctx",
                 "-Q")
        self.run("evictcontrol", "-C", "o", "-c", "key.ctx", DEVICE_KEY_HANDLE, "-Q")
        self.tool("readpublic", "-c", DEVICE_KEY_HANDLE, "-f", "pem", "-o", "key.pem", "-Q")
        return serialization.load_pem_public_key(self.read("key.pem"))

    def sign(self, data):
        self.write("data", data)
        self.tool("sign", "-c", DEVICE_KEY_HANDLE, "-g", "sha256", "-s", "rsassa", "-f", "plain",
                  "-o", "signature", "data")
        return self.read("signature")

    # An AK: files NAME, its public area, NAME.name and NAME.ctx.

    def make_ak(self, name="ak"):
        self.run("createak", "-C", EK_HANDLE, "-c", name + ".ctx", "-G", "rsa", "-g", "sha256", "-s",
                 "rsassa", "-u", name, "-n", name + ".name")

    def activate(self, credential):
        """The secret in that file, which only this TPM can open, for its AK; None: it cannot."""
        self.tool("startauthsession", "--policy-session", "-S", "session")
        self.tool("policysecret", "-S", "session", "-c", "e")
        result = self.attempt("activatecredential", "-c", "ak.ctx", "-C", EK_HANDLE, "-i", credential,
                              "-o", "opened", "-P", "session:session")
        self.tool("flushcontext", "-t")
        self.tool("flushcontext", "session")
        return self.read("opened") if result.returncode == 0 else None

    def quote(self, extra, selection=PCRS, key="ak"):
        """Into files quote, signature and pcrs."""
        self.write("extra", extra)
        self.run("quote", "-c", key + ".ctx", "-l", selection, "-q", "extra", "-m", "quote", "-s",
                 "signature")
        self.run("pcrread", PCRS, "-o", "pcrs")
