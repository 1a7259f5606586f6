# SPDX-License-Identifier: GPL-3.0-or-later
"""A router whose TPM has its driver late, and whose disk of secrets is mounted later still."""

import json
import os
import subprocess

import pytest

import router
from image import run, write
from machine import Tpm

MOUNTED = "/srv/steward"
SECRETS = MOUNTED + "/secrets"
FILE = SECRETS + "/password"

# The nodes that programs open are away before anything asks, and come back 13 s later: when the handler
# has waited for its device in vain, which takes 10 s.
LATE_S = 13
TAKE = """#!/bin/sh
set -e
mkdir /dev/late
mv /dev/tpm0 /dev/tpmrm0 /dev/late
"""
GIVE = f"""#!/bin/sh
set -e
sleep {LATE_S}
until journalctl -b -o cat -u integrity-handler | grep -q "^waiting"; do sleep 0.2; done
mount {MOUNTED}
mv /dev/late/* /dev
"""
UNITS = {
    "take-tpm.service":
        "[Unit]\nDefaultDependencies=no\nBefore=integrity-handler.service\n"
        "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/local/bin/take-tpm\n"
        "[Install]\nRequiredBy=integrity-handler.service\n",
    "give-tpm.service":
        "[Unit]\nDefaultDependencies=no\nAfter=take-tpm.service\n"
        "[Service]\nExecStart=/usr/local/bin/give-tpm\n"
        "[Install]\nWantedBy=take-tpm.service\n",
}


@pytest.fixture
def second_disk(tmp_path):
    path = tmp_path / "second"
    with open(path, "wb") as file:
        file.truncate(32 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-O", "encrypt", path], check=True)
    return ["-drive", f"file={path},format=raw,if=virtio,cache=unsafe"]


def fstab(root, options):
    write(os.path.join(root, "etc/fstab"), f"/dev/vdb {MOUNTED} ext4 {options} 0 0\n")


def install(root):
    router.install(root)
    configuration = json.loads(json.dumps(router.CONFIGURATION))
    configuration["steward:router"]["configuration-integrity"].update(
        {"directory": [SECRETS], "record-directory": MOUNTED + "/integrity"})
    write(os.path.join(root, "etc/steward/steward.json"), json.dumps(configuration))
    os.makedirs(root + MOUNTED)
    fstab(root, "defaults")


def make_late(root):
    fstab(root, "noauto")
    for name, text in (("take-tpm", TAKE), ("give-tpm", GIVE)):
        write(os.path.join(root, "usr/local/bin", name), text, 0o755)
    for name, text in UNITS.items():
        write(os.path.join(root, "etc/systemd/system", name), text)
    run("systemctl", "--root", root, "enable", *UNITS)


def boots(machine, tpm, parts):
    machine.power_on(tpm, *parts)
    machine.wait_up()
    machine.console.login()


def test_late_tpm_and_late_disk(machine, tmp_path, second_disk):
    """Nothing is taken for new, nobody is alarmed, and the boot goes on once they are there."""
    tpm = Tpm(tmp_path / "own")
    with machine.mounted() as root:
        install(root)
    boots(machine, tpm, second_disk)
    machine.console.run(f"echo secret >{FILE}")
    sealed = machine.console.run("stewardctl show configuration-integrity")
    assert "unlocked" in sealed
    machine.shut_down()

    with machine.mounted() as root:
        make_late(root)
    boots(machine, tpm, second_disk)
    story = machine.console.run("journalctl -b -o cat -u integrity-handler -u take-tpm -u give-tpm")
    assert "waiting: not mounted" in story and "no TPM" in story, story
    assert f"{SECRETS} is unlocked" in story and "is encrypted, under a key" not in story, story
    assert machine.console.run("journalctl -b -o cat -p emerg") == ""
    assert "COMPROMISED" not in machine.console.text
    assert machine.console.run(f"cat {FILE}") == "secret\n"
    assert machine.console.run("stewardctl show configuration-integrity") == sealed
    machine.shut_down()
