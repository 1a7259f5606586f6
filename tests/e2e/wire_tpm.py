# SPDX-License-Identifier: GPL-3.0-or-later
"""A router on the wire with a TPM (swtpm) behind it, worked by tpm2-tools: it opens the conductor's
credential as it should, and then can quote, or sign, whatever it likes."""

import base64
import struct

from device_tpm import PCRS
from tpm_emulator import EMPTY_PASSWORD, SESSIONS
from wire_router import WireRouter, b64, sha256

AK_HANDLE = 0x81010030  # where the AK is put for a command that tpm2-tools do not make
QUOTE, ALG_NULL = 0x158, 0x10
# tpm2-tools' magic and version, in front of TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET.
CREDENTIAL_HEADER = b"\xba\xdc\xc0\xde\0\0\0\1"


class TpmRouter(WireRouter):
    def __init__(self, world, token, tpm, **options):
        self.tpm = tpm
        self.tpm.make_ak()  # it takes seconds, and who is connected has ten
        super().__init__(world, token, **options)

    @property
    def proof(self):
        return {"type": "proof", "ek": self.tpm.endorsement_key, "ak": b64(self.tpm.read("ak"))}

    def activate(self, credential):
        """S, which only this TPM can open; else None."""
        self.tpm.write("credential", CREDENTIAL_HEADER + b"".join(
            base64.b64decode(credential[name]) for name in ("credential-blob", "secret")))
        return self.tpm.activate("credential")

    def go_to_attestation(self):
        """As it should be, up to before the router's message 5."""
        assert self.go_to(0).ask(self.hello)["identity"] == "ek"
        credential = self.ask(self.proof, "r1")
        assert credential["type"] == "credential"
        self.channel.set_tpm_secret(self.activate(credential))
        return self

    @property
    def extra(self):
        """What this quote has to be over: all that was said on this channel."""
        return sha256(b"sco ek", self.channel.hash)

    def quote_of_nothing(self, extra):
        """A list of no selections, which tpm2_quote does not ask for."""
        self.tpm.run("evictcontrol", "-C", "o", "-c", "ak.ctx", hex(AK_HANDLE))
        rc, body = self.tpm.command(
            QUOTE, struct.pack(">II", AK_HANDLE, len(EMPTY_PASSWORD)) + EMPTY_PASSWORD
            + struct.pack(">H", len(extra)) + extra + struct.pack(">HI", ALG_NULL, 0), SESSIONS)
        assert rc == 0
        size, attest = struct.unpack(">IH", body[:6])
        self.tpm.write("quote", body[6:6 + attest])
        self.tpm.write("signature", body[6 + attest:4 + size])
        self.tpm.run("pcrread", PCRS, "-o", "pcrs")

    @property
    def attestation(self):
        """Of the quote as it lies there."""
        values = self.tpm.read("pcrs")
        assert len(values) == 8 * 32
        return {"type": "attestation", "quote": b64(self.tpm.read("quote")),
                "signature": b64(self.tpm.read("signature")),
                "pcrs": [b64(values[n:n + 32]) for n in range(0, len(values), 32)]}

    def go_to_keys(self):
        self.go_to_attestation()
        self.tpm.quote(self.extra)
        assert self.ask(self.attestation, "t1", "c1")["type"] == "accept"
        return self
