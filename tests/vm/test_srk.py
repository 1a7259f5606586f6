# SPDX-License-Identifier: GPL-3.0-or-later
"""A router on whose TPM systemd's tools live too: the storage root key is theirs, an ECC one.

systemd 253 and later keep it at 0x81000001 (systemd-tpm2-setup), which the image's does not do yet: it
is placed before. Its systemd-cryptenroll binds a disk of its own to the same TPM.
"""

import os
import subprocess

import pytest

import router
from image import run
from machine import Tpm

SRK = "0x81000001"
FILE = router.SECRETS[0] + "/password"
DISK = "/dev/vdb"
PASSPHRASE = "of the other disk"
ATTRIBUTES = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|decrypt|noda"
ATTACH = f"/usr/lib/systemd/systemd-cryptsetup attach other {DISK} - tpm2-device=auto,headless=true"


@pytest.fixture
def luks(tmp_path):
    path = tmp_path / "luks"
    with open(path, "wb") as file:
        file.truncate(32 << 20)
    subprocess.run(["cryptsetup", "luksFormat", "--batch-mode", "--type", "luks2", "--pbkdf", "pbkdf2",
                    "--pbkdf-force-iterations", "1000", "--key-file", "-", path],
                   input=PASSPHRASE.encode(), check=True)
    return ["-drive", f"file={path},format=raw,if=virtio,cache=unsafe"]


def place_srk(tpm, scratch):
    """By the TCG's template, as systemd-tpm2-setup does."""
    path, context = os.path.join(scratch, "bench.sock"), os.path.join(scratch, "primary")
    with tpm.on_the_bench(path):
        tool = lambda name, *words: run(f"tpm2_{name}", "-T", f"swtpm:path={path}", *words)
        tool("createprimary", "-C", "o", "-G", "ecc256:aes128cfb", "-a", ATTRIBUTES, "-c", context)
        tool("evictcontrol", "-C", "o", "-c", context, SRK)
        return tool("readpublic", "-c", SRK)


def read_srk(tpm, scratch):
    path = os.path.join(scratch, "bench.sock")
    with tpm.on_the_bench(path):
        return run("tpm2_readpublic", "-T", f"swtpm:path={path}", "-c", SRK)


def boots(machine, tpm, parts):
    machine.power_on(tpm, *parts)
    machine.wait_up()
    machine.console.login()


def test_one_tpm_for_steward_and_systemd(machine, tmp_path, luks):
    tpm = Tpm(tmp_path / "own")
    srk = place_srk(tpm, str(tmp_path))
    assert "ecc" in srk
    with machine.mounted() as root:
        router.install(root)

    boots(machine, tpm, luks)
    machine.console.run(f"echo secret >{FILE}")
    said = machine.console.run(f"PASSWORD='{PASSPHRASE}' systemd-cryptenroll --tpm2-device=auto "
                               f"--tpm2-pcrs=7 {DISK}; modprobe dm_crypt; {ATTACH}; "
                               "echo theirs >/dev/mapper/other; sync")
    assert "New TPM2 token enrolled" in said, said
    machine.console.run("stewardctl request configuration-integrity reseal")
    machine.shut_down()

    boots(machine, tpm, luks)
    assert machine.console.run(f"cat {FILE}") == "secret\n"
    said = machine.console.run(f"modprobe dm_crypt; {ATTACH}; head -c 6 /dev/mapper/other")
    assert said.endswith("theirs\n"), said
    machine.shut_down()
    assert read_srk(tpm, str(tmp_path)) == srk
