# SPDX-License-Identifier: GPL-3.0-or-later
"""The conductor's judgement of TPMs, which it makes without one, against a TPM (swtpm) and the
tools of others."""

import base64
import os
import subprocess

import pytest

from device_tpm import P_256_HANDLE, P_384_HANDLE, PCRS, RSA_3072_HANDLE, DeviceTpm
from steward import BUILD

pytestmark = pytest.mark.once

TOOL = os.path.join(BUILD, "tests", "tools", "credential_tool")
SECRET = bytes(range(32))


@pytest.fixture(scope="module")
def tpms(tmp_path_factory):
    made = [DeviceTpm(tmp_path_factory.mktemp("tpm"), "sha1,sha256") for _ in range(2)]
    for tpm in made:
        tpm.start()
        tpm.write("ek", base64.b64decode(tpm.endorsement_key))
        tpm.make_ak()
    yield made
    for tpm in made:
        tpm.stop()


@pytest.fixture
def tpm(tpms):
    return tpms[0]


def tool(tpm, *arguments):
    return subprocess.run([TOOL, *arguments], cwd=tpm.directory, text=True, capture_output=True)


def check_quote(tpm):
    """Ours and tpm2_checkquote's verdict."""
    ours = tool(tpm, "quote", "ak", "quote", "signature", "pcrs", "extra")
    theirs = tpm.attempt("checkquote", "-u", "ak", "-m", "quote", "-s", "signature", "-q", "extra")
    return ours.returncode == 0, theirs.returncode == 0, ours.stderr


def test_name(tpm):
    assert tool(tpm, "name", "ak").stdout.strip() == tpm.read("ak.name").hex()


def test_credential_is_opened_by_the_tpm(tpm):
    tpm.write("secret", SECRET)
    result = tool(tpm, "make", "ek", "ak", "secret", "ours")
    assert result.returncode == 0, result.stderr
    assert tpm.activate("ours") == SECRET


def test_credential_agrees_with_tpm2_makecredential(tpm):
    """Another maker's, of the same form, opens the same way; both are new each time."""
    tpm.write("secret", SECRET)
    tpm.write("ek.pem", subprocess.run(
        ["openssl", "pkey", "-pubin", "-inform", "DER", "-in", tpm.path("ek")], check=True,
        capture_output=True).stdout)
    tpm.run("makecredential", "-T", "none", "-u", "ek.pem", "-G", "rsa", "-s", "secret", "-n",
            tpm.read("ak.name").hex(), "-o", "theirs")
    assert tool(tpm, "make", "ek", "ak", "secret", "ours").returncode == 0
    ours, theirs = tpm.read("ours"), tpm.read("theirs")
    assert len(ours) == len(theirs) and ours != theirs
    assert ours[:12] == theirs[:12] and ours[78:80] == theirs[78:80]  # magic and sizes
    assert tpm.activate("theirs") == SECRET == tpm.activate("ours")


@pytest.mark.once
@pytest.mark.parametrize("kind, handle", [("ecc256", P_256_HANDLE), ("ecc384", P_384_HANDLE),
                                          ("ecc521", "0x81010018"), ("rsa3072", RSA_3072_HANDLE)])
def test_credential_for_another_kind_of_ek(tmp_path, kind, handle):
    """The hash and the cipher are those of the EK's own public area; without it they are not."""
    tpm = DeviceTpm(tmp_path).start()
    try:
        if not tpm.key(int(handle, 16)):
            tpm.make_ek(kind, handle)
        tpm.ek = handle
        tpm.write("ek", base64.b64decode(tpm.endorsement_key))
        tpm.tool("readpublic", "-c", handle, "-o", "ek.public", "-Q")
        tpm.run("createprimary", "-C", "e", "-c", "ak.ctx", "-G", "rsa2048:rsassa-sha256:null", "-a",
                "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign")
        tpm.run("readpublic", "-c", "ak.ctx", "-o", "ak", "-n", "ak.name")
        tpm.write("secret", SECRET)
        result = tool(tpm, "make", "ek", "ak", "secret", "ours", "ek.public")
        assert result.returncode == 0, result.stderr
        assert tpm.activate("ours") == SECRET
        assert tool(tpm, "make", "ek", "ak", "secret", "ours").returncode == 0
        usual = handle == P_256_HANDLE  # SHA-256 and AES-128, as most
        assert tpm.activate("ours") == (SECRET if usual else None)
    finally:
        tpm.stop()


def test_credential_is_for_one_key_in_one_tpm(tpms):
    tpm, other = tpms
    tpm.write("secret", SECRET)
    other.write("secret", SECRET)
    tpm.write("other-ak", other.read("ak"))
    tpm.write("other-ek", other.read("ek"))
    assert tool(tpm, "make", "ek", "other-ak", "secret", "ours").returncode == 0
    assert tpm.activate("ours") is None
    assert tool(tpm, "make", "other-ek", "ak", "secret", "ours").returncode == 0
    assert tpm.activate("ours") is None
    assert tool(tpm, "make", "ek", "ak", "secret", "ours").returncode == 0
    other.write("foreign", tpm.read("ours"))
    assert other.activate("foreign") is None


def test_quote(tpm):
    tpm.run("pcrextend", "4:sha256=" + "ab" * 32)
    tpm.quote(bytes(range(32)))
    assert check_quote(tpm) == (True, True, "")


@pytest.mark.parametrize("change, reason", [
    ("extra", "quote: over other data than this handshake"),
    ("signature", "quote: not signed by the AK"),
    ("key", "quote: not signed by the AK"),
])
def test_quote_that_neither_takes(tpms, change, reason):
    tpm, other = tpms
    tpm.quote(bytes(range(32)))
    if change == "extra":
        tpm.write("extra", bytes(32))
    elif change == "signature":
        tpm.write("signature", tpm.read("signature")[:-1] + b"\0")
    elif change == "key":
        other.quote(bytes(range(32)))
        tpm.write("signature", other.read("signature"))
    ours, theirs, why = check_quote(tpm)
    assert not ours and not theirs
    assert reason in why


@pytest.mark.parametrize("selection", ["sha256:0", "sha1:0,1,2,3,4,5,6,7",
                                       "sha256:0,1,2,3,4,5,6,7,8",
                                       "sha1:0+sha256:0,1,2,3,4,5,6,7"])
def test_quote_of_other_pcrs(tpm, selection):
    """A true quote, but not of what the conductor wants to know."""
    tpm.quote(bytes(range(32)), selection)
    ours, theirs, why = check_quote(tpm)
    assert not ours and theirs
    assert "PCR selection" in why


def test_quote_after_the_pcrs_changed(tpm):
    tpm.quote(bytes(range(32)))
    tpm.run("pcrextend", "7:sha256=" + "cd" * 32)
    tpm.run("pcrread", PCRS, "-o", "pcrs")
    ours, _, why = check_quote(tpm)
    assert not ours
    assert "quote: over other PCR values than shown" in why


@pytest.mark.parametrize("algorithm, attributes, reason", [
    ("rsa2048:rsassa-sha256:null", "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign",
     "AK: is not restricted"),
    ("rsa2048:rsassa-sha256:null", "sensitivedataorigin|userwithauth|restricted|sign",
     "AK: is not fixedTPM"),
    ("rsa2048:null:aes128cfb",
     "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|decrypt",
     "AK: has a symmetric algorithm"),
    ("rsa2048:rsapss-sha256:null",
     "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign", "AK: scheme 0x0016"),
    ("ecc256:ecdsa-sha256:null",
     "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign",
     "AK: type 0x0023, expected RSA"),
    ("rsa1024:rsassa-sha256:null",
     "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign",
     "AK: 1024 bits, expected 2048"),
])
def test_keys_of_the_tpm_that_may_not_attest(tpm, algorithm, attributes, reason):
    tpm.run("createprimary", "-C", "o", "-c", "parent.ctx")
    tpm.run("create", "-C", "parent.ctx", "-G", algorithm, "-g", "sha256", "-a", attributes, "-u",
            "bad", "-r", "bad.private")
    result = tool(tpm, "name", "bad")
    assert result.returncode == 1
    assert reason in result.stderr
