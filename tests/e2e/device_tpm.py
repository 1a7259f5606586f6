# SPDX-License-Identifier: GPL-3.0-or-later
"""A router's TPM (swtpm), worked by tpm2-tools: with its EK, as its maker leaves it, and what else a
router shows of one."""

import base64
import os
import subprocess

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tpm_emulator import Tpm

EK_HANDLE, DEVICE_KEY_HANDLE = "0x81010001", "0x81010020"
P_256_HANDLE, P_384_HANDLE, RSA_3072_HANDLE = "0x8101000a", "0x81010016", "0x8101001c"
CHAIN_INDEX = "0x01c00100"
PCRS = "sha256:0,1,2,3,4,5,6,7"


class TpmMaker:
    """A CA that certifies EKs (swtpm_localca): a root, and one below it that signs."""

    def __init__(self, directory):
        self.directory = str(directory)
        self.configuration = self.write("setup.conf", (
            "create_certs_tool = swtpm_localca\n"
            f"create_certs_tool_config = {os.path.join(self.directory, 'ca.conf')}\n"
            f"create_certs_tool_options = {self.write('ca.options', '')}\n"))
        self.write("ca.conf", "".join(f"{name} = {os.path.join(self.directory, value)}\n" for
                                      name, value in (("statedir", "."), ("signingkey", "key.pem"),
                                                      ("issuercert", "issuer.pem"),
                                                      ("certserial", "serial"))))

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def authorities(self, root=True, issuing=True):
        """PEM, once it has certified one: what signs, and the root."""
        names = (["issuer.pem"] if issuing else []) + (
            ["swtpm-localca-rootca-cert.pem"] if root else [])
        texts = [open(os.path.join(self.directory, name)).read() for name in names]
        return self.write("authorities.pem", "".join(texts))

    def issuing_certificate(self):
        """DER, of what signs."""
        with open(os.path.join(self.directory, "issuer.pem"), "rb") as file:
            return x509.load_pem_x509_certificate(file.read()).public_bytes(
                serialization.Encoding.DER)


class DeviceTpm(Tpm):
    def __init__(self, directory, banks="sha256", ek=EK_HANDLE, maker=None):
        """ek: the handle of the EK that the router shows, which is of the kind that is made there:
        an RSA one of 2048 bits at 0x81010001, or of 3072 at 0x8101001c, and one on P-384 at
        0x81010016. maker: who certifies them; None: nobody."""
        super().__init__(directory)
        self.ek = ek
        size = "3072" if ek == RSA_3072_HANDLE else "2048"
        subprocess.run(["swtpm_setup", "--tpm2", "--tpmstate", self.state, "--createek",
                        "--rsa-keysize", size, "--pcr-banks", banks, "--overwrite",
                        *(["--create-ek-cert", "--config", maker.configuration] if maker else [])],
                       check=True, capture_output=True)

    def make_ek(self, kind, handle):
        """Another one, of a kind that tpm2_createek knows."""
        self.run("createek", "-G", kind, "-c", handle)
        self.ek = handle

    def run(self, *words):
        """There is no resource manager in front of it: what is loaded goes, sessions stay."""
        self.tool(*words)
        self.tool("flushcontext", "-t")

    def write_chain(self, content):
        """What makers leave of their certificates, where they leave it."""
        self.write("chain", content)
        self.tool("nvdefine", "-C", "o", "-s", str(len(content)), "-a", "ownerwrite|authread",
                  CHAIN_INDEX)
        self.tool("nvwrite", "-C", "o", "-i", "chain", CHAIN_INDEX)

    @property
    def endorsement_key(self):
        """What the operator is told to print."""
        self.tool("readpublic", "-c", self.ek, "-f", "der", "-o", "ek.der", "-Q")
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
        self.run("createak", "-C", self.ek, "-c", name + ".ctx", "-G", "rsa", "-g", "sha256", "-s",
                 "rsassa", "-u", name, "-n", name + ".name")

    def activate(self, credential):
        """The secret in that file, which only this TPM can open, for its AK; None: it cannot."""
        self.tool("startauthsession", "--policy-session", "-S", "session")
        self.tool("policysecret", "-S", "session", "-c", "e")
        # The low range of EKs has that policy alone; of the others the empty password is enough.
        by = ["-P", "session:session"] if self.ek in (EK_HANDLE, P_256_HANDLE) else []
        result = self.attempt("activatecredential", "-c", "ak.ctx", "-C", self.ek, "-i", credential,
                              "-o", "opened", *by)
        self.tool("flushcontext", "-t")
        self.tool("flushcontext", "session")
        return self.read("opened") if result.returncode == 0 else None

    def quote(self, extra, selection=PCRS, key="ak"):
        """Into files quote, signature and pcrs."""
        self.write("extra", extra)
        self.run("quote", "-c", key + ".ctx", "-l", selection, "-q", "extra", "-m", "quote", "-s",
                 "signature")
        self.run("pcrread", PCRS, "-o", "pcrs")
