# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration Integrity: enabled on a fresh system, and unlocked at each boot."""

import base64
import json
import os

import pytest

import seal_record
from integrity_world import (DISK, KEY_HANDLE, MORE, NV_INDEX, RECORD, SECRETS, SRK_HANDLE, TEXT)

# TCG TPM v2.0 Provisioning Guidance, 7.5.1: unique is 256 zeros.
SRK_TEMPLATE = ["-C", "o", "-G", "rsa2048:aes128cfb", "-u", "unique", "-a",
                "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt"]


def make_srk(world):
    """As the operating system's own tools would: the handle of the loaded one."""
    with open(os.path.join(os.path.dirname(world.tpm.socket), "unique"), "wb") as file:
        file.write(b"\x00\x01" + bytes(256))  # size in the machine's order, as the tool wants it
    world.tpm.tool("createprimary", *SRK_TEMPLATE, "-c", "srk.ctx")


def enable(world):
    outcome = world.handler()
    assert outcome.code == 0, outcome
    assert len(outcome.events("INTEGRITY_ENABLED")) == 2 and not outcome.emergencies, outcome
    return outcome


def test_enable_write_reboot_unlock(worlds):
    world = worlds()
    outcome = enable(world)
    assert world.unlocked == {SECRETS, MORE} and world.tpm.leftovers == {}
    assert outcome.console == ""
    assert len(outcome.events("INTEGRITY_FINDING")) > 3, "what was looked at"
    world.write(SECRETS + "/file", TEXT)
    world.remount()
    assert world.unlocked == set() and not world.exists(SECRETS + "/file")
    outcome = world.handler()
    assert outcome.code == 0, outcome
    assert len(outcome.events("INTEGRITY_UNLOCKED")) == 2
    assert {e["PRIORITY"] for e in outcome.events("INTEGRITY_UNLOCKED")} == {"5"}
    assert world.read(SECRETS + "/file").decode() == TEXT
    assert world.tpm.leftovers == {}


def test_policy_as_the_tool_shows_it(worlds):
    world = worlds()
    enable(world)
    for path in (SECRETS, MORE):
        status = world.run("fscrypt", "status", path).stdout
        for what in ("policy_version:2", "contents:AES_256_XTS", "filenames:AES_256_CTS",
                     "Unlocked: Yes", "raw key protector"):
            assert what in status
        # Version 2, AES-256-XTS, AES-256-CTS (linux/fscrypt.h).
        assert tuple(world.policy(path)[:3]) == (2, 1, 4)
    world.run("fscrypt", "lock", SECRETS)
    assert world.unlocked == {MORE}
    assert world.handler().code == 0 and world.unlocked == {SECRETS, MORE}


def test_second_run_changes_nothing(world):
    assert world.handler().code == 0
    before = world.state
    for words in (("--once",), ()):
        outcome = world.handler(*words)
        assert outcome.code == 0 and not outcome.events("INTEGRITY_UNLOCKED"), outcome
        assert world.state == before


def test_files_of_every_boot_are_there(world):
    for boot in range(3):
        assert world.handler().code == 0
        world.write(f"{SECRETS}/boot{boot}", str(boot))
        world.unmount()
        world.tpm.restart()
        world.mount()
    assert world.handler().code == 0
    assert sorted(os.listdir(world.path(SECRETS))) == ["boot0", "boot1", "boot2", "file"]
    assert world.read(MORE + "/file").decode() == TEXT


def test_record(world):
    record = json.loads(world.record)
    assert seal_record.text(record) == world.record
    assert list(record) == ["version", "wrapped-fek", "key-handle", "key-name", "ek-name", "srk",
                            "pcr-bank", "pcr", "directory"]
    assert len(base64.b64decode(record["wrapped-fek"])) == 256
    assert record["key-handle"] == hex(KEY_HANDLE) and record["pcr"] == []
    assert record["directory"] == [{"path": path, "key-identifier": world.identifier(path),
                                    "contents": "hmac"}
                                   for path in (SECRETS, MORE)]
    assert world.tpm.nv(NV_INDEX)[1] == seal_record.pin(record)
    assert os.stat(world.path(RECORD)).st_mode & 0o777 == 0o600
    assert not world.exists(RECORD + ".new")
    name = bytes.fromhex(record["key-name"])
    assert name in world.tpm.key(KEY_HANDLE)
    world.tpm.tool("createek", "-c", "0x81010001", "-G", "rsa", "-u", "ek.pub")
    assert bytes.fromhex(record["ek-name"]) in world.tpm.key(0x81010001)


def test_key_and_pin_in_the_tpm(world):
    key = world.tpm.tool("readpublic", "-c", hex(KEY_HANDLE))
    assert "value: fixedtpm|fixedparent|sensitivedataorigin|adminwithpolicy|noda|decrypt" in key
    assert "value: oaep" in key and "value: sha256" in key and "bits: 2048" in key
    index = world.tpm.tool("nvreadpublic", hex(NV_INDEX))
    for attribute in ("writedefine", "written", "writelocked"):
        assert attribute in index.replace("|", " ").split() or attribute in index
    # Written once: neither the handler nor anybody else changes it.
    world.tpm.attempt("nvwrite", hex(NV_INDEX), "-C", "o", "-i", "/etc/passwd")
    assert world.tpm.nv(NV_INDEX)[1] == seal_record.pin(json.loads(world.record))


def test_srk_that_is_there_is_used(worlds):
    world = worlds()
    make_srk(world)
    world.tpm.tool("evictcontrol", "-C", "o", "-c", "srk.ctx", hex(SRK_HANDLE))
    world.tpm.flush()
    before = world.tpm.key(SRK_HANDLE)
    enable(world)
    assert world.tpm.key(SRK_HANDLE) == before
    assert sorted(world.tpm.handles("persistent")) == [SRK_HANDLE, KEY_HANDLE]
    world.remount()
    assert world.handler().code == 0


def test_srk_is_made_by_the_template(world):
    """The same that the operating system's own tools make."""
    make_srk(world)
    assert world.tpm.key(0x80000000) == world.tpm.key(SRK_HANDLE)
    world.tpm.flush()


def test_what_is_there_of_the_directories_is_kept(worlds):
    """An empty one is replaced by one of the same owner and mode."""
    world = worlds()
    world.run("install", "-d", "-m", "750", "-o", "games", "-g", "mail", SECRETS)
    enable(world)
    found = world.run("stat", "-c", "%a %U %G", SECRETS, MORE).stdout.split("\n")
    assert found[0] == "750 games mail" and found[1] == "700 root root"


@pytest.mark.slow
@pytest.mark.parametrize("left", [None, "", '{"source": "custom_pass'])
def test_fscrypt_is_set_up_where_it_never_was(worlds, left):
    """Or where a power cut left half of its configuration."""
    world = worlds()
    os.unlink(world.path("/etc/fscrypt.conf"))
    if left is not None:
        world.write("/etc/fscrypt.conf", left)
    assert not world.exists(DISK + "/.fscrypt")
    enable(world)
    assert b"AES_256_XTS" in world.read("/etc/fscrypt.conf")
    world.remount()
    assert world.handler().code == 0


def test_enable_by_request(worlds):
    world = worlds()
    outcome = world.request("enable")
    assert outcome.code == 0 and world.unlocked == {SECRETS, MORE}, outcome
    before = world.state
    again = world.request("enable")
    assert again.code == 1 and "already" in again.stderr and not again.emergencies
    assert world.state == before
