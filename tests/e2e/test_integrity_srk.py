# SPDX-License-Identifier: GPL-3.0-or-later
"""The storage root key at 0x81000001 belongs to all who use the TPM: Steward takes what is there.

systemd (253 and later: systemd-cryptenroll, systemd-tpm2-setup) makes an ECC one there, by the TCG's
template with noDA.
"""

import pytest

from integrity_world import MORE, SECRETS, SRK_HANDLE, TEXT

ATTRIBUTES = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|decrypt|noda"
KINDS = {"rsa": "rsa2048:aes128cfb", "ecc": "ecc256:aes128cfb"}


def evict(world):
    world.tpm.tool("evictcontrol", "-C", "o", "-c", hex(SRK_HANDLE))


def place(world, kind):
    world.tpm.tool("createprimary", "-C", "o", "-G", KINDS[kind], "-a", ATTRIBUTES, "-c", "primary")
    world.tpm.tool("evictcontrol", "-C", "o", "-c", "primary", hex(SRK_HANDLE))
    world.tpm.flush()


def kind_of(world):
    said = world.tpm.tool("readpublic", "-c", hex(SRK_HANDLE))
    return "ecc" if "ecc" in str(said) else "rsa"


def assert_opens(world):
    world.remount()
    outcome = world.handler()
    assert outcome.code == 0 and world.unlocked == {SECRETS, MORE}, outcome
    assert world.read(SECRETS + "/file").decode() == TEXT


@pytest.mark.parametrize("kind", KINDS)
def test_of_another_program(worlds, kind):
    world = worlds()
    place(world, kind)
    name = world.tpm.tool("readpublic", "-c", hex(SRK_HANDLE))
    assert world.handler().events("INTEGRITY_ENABLED")
    world.write(SECRETS + "/file", TEXT)
    assert_opens(world)
    assert world.request("reseal").code == 0
    assert_opens(world)
    assert world.tpm.tool("readpublic", "-c", hex(SRK_HANDLE)) == name


def test_evicted_and_made_with_the_other_kind(worlds):
    """The record works on, and so does the other program with its own."""
    world = worlds()
    assert world.handler().events("INTEGRITY_ENABLED")
    world.write(SECRETS + "/file", TEXT)
    evict(world)
    assert_opens(world)
    assert kind_of(world) == "rsa"
    evict(world)
    place(world, "ecc")
    assert_opens(world)
    assert world.request("reseal").code == 0
    assert_opens(world)
    assert kind_of(world) == "ecc"
