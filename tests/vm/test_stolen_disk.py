# SPDX-License-Identifier: GPL-3.0-or-later
"""A router's life: it enables itself, boots, is robbed of its disk, and gets it back.

Each test leaves the machine, its disk and its TPM as the router knows them."""

import contextlib
import os

import pytest

import router
import thief
from machine import Tpm

COMPROMISED = r"\*\*\* SYSTEM INTEGRITY COMPROMISED \*\*\*"
MARKER = "the conductor's password is 4f1c6d0e"
UNITS = ["integrity-handler.service", "systemd-networkd.service", "ssh.service", "stewardd.service"]
FILE = router.SECRETS[0] + "/password"


@pytest.fixture(scope="module")
def own_tpm(tmp_path_factory):
    return Tpm(tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def enabled(machine, own_tpm):
    """Has booted for the first time, which enabled it, and has got a secret; still running."""
    with machine.mounted() as root:
        router.install(root)
    boots(machine, own_tpm)
    story = machine.console.run("journalctl -b -o cat -u integrity-handler")
    for directory in router.SECRETS:
        assert "Unlocked: Yes" in machine.console.run(f"fscrypt status {directory}"), story
    machine.console.run(f'echo "{MARKER}" >{FILE}')
    return machine


def boots(machine, tpm):
    machine.power_on(tpm)
    machine.wait_up()
    machine.console.login()


def is_locked(machine, cause, tpm, *parts):
    """Boots, and says why it goes no further: on the console, again and again, and nowhere else."""
    machine.power_on(tpm, *parts)
    try:
        says_why(machine, cause)
        lets_in_at_the_console_only(machine)
    finally:
        machine.pull_the_plug()


def says_why(machine, cause):
    machine.console.wait(COMPROMISED + r"\s+.*: " + cause.replace(" ", r"\s+"))
    assert machine.banner(10) is None
    machine.console.wait(COMPROMISED)


def lets_in_at_the_console_only(machine):
    machine.console.login()
    assert machine.links_not_down() == ["lo"]
    assert machine.console.run(f"stat -c %F {router.SECRETS[0]}") == "directory\n"
    assert MARKER not in machine.console.run(f"cat {router.SECRETS[0]}/*")
    states = machine.console.run("systemctl is-active " + " ".join(UNITS))
    assert states.split() == ["activating", "inactive", "inactive", "inactive"]


def moment(machine, unit, event):
    """In microseconds since the machine was switched on."""
    return int(machine.console.run(f"systemctl show --value -p {event}TimestampMonotonic {unit}"))


def contains(path, text):
    with open(path, "rb") as file:
        before = b""
        while part := file.read(16 << 20):
            if text.encode() in before + part:
                return True
            before = part[-len(text):]
    return False


def test_reboot_unlocks_before_networking(enabled):
    enabled.reboot()
    enabled.wait_up()
    enabled.console.login()
    assert enabled.console.run(f"cat {FILE}") == MARKER + "\n"
    unlocked = moment(enabled, "integrity-handler.service", "ActiveEnter")
    assert 0 < unlocked
    for unit in UNITS[1:]:
        assert unlocked <= moment(enabled, unit, "ExecMainStart"), unit
    assert enabled.console.run("systemctl is-active " + " ".join(UNITS)) == "active\n" * len(UNITS)
    assert enabled.console.run("systemctl --failed --no-legend") == ""


def test_disk_alone_is_noise(enabled):
    enabled.shut_down()
    with enabled.mounted() as root:
        names = os.listdir(root + router.SECRETS[0])
        assert len(names) == 1 and names != [os.path.basename(FILE)]
    assert not contains(enabled.disk, MARKER)


def test_another_tpm(enabled, tpm):
    enabled.shut_down()
    is_locked(enabled, "another TPM", tpm)


def test_another_board(enabled, own_tpm):
    enabled.shut_down()
    is_locked(enabled, "PCR mismatch", own_tpm, "-smbios", "type=1,product=another")


@contextlib.contextmanager
def tampered(machine, tamper, mend):
    """The disk, worked on by somebody else until the router has it back. Both get its root."""
    machine.shut_down()
    with machine.mounted() as root:
        record = thief.read_record(root)
        tamper(root)
    try:
        yield
    finally:
        with machine.mounted() as root:
            mend(root, record)


def test_record_forged(enabled, own_tpm, tmp_path):
    enabled.shut_down()
    pem = thief.read_public_key(own_tpm, "0x81010128", str(tmp_path))
    with tampered(enabled, lambda root: thief.forge(root, pem), thief.put_back):
        is_locked(enabled, "record changed or forged", own_tpm)


def test_back_at_home(enabled, own_tpm):
    enabled.shut_down()
    boots(enabled, own_tpm)
    assert enabled.console.run(f"cat {FILE}") == MARKER + "\n"
    enabled.shut_down()
