# SPDX-License-Identifier: GPL-3.0-or-later
"""Power fails at every step of enablement, reseal and zeroize (power_cuts.py); the next boot makes
it whole. And the handler is killed at each step that changed something, and started again at once.
"""

import base64
import contextlib
import errno
import json
import os
import shutil
import signal
import subprocess

import pytest

from integrity_world import (DISK, KEY_HANDLE, MORE, NV_INDEX, RECORD, SECRETS, SRK_HANDLE,
                             TEXT, Machine, World)
from policies import Operator, configure, counter, measure, place
from power_cuts import PARTS, Copy, Operation, at_every_step, copies_of, step_through

pytestmark = [pytest.mark.slow, pytest.mark.release_only]

KEYS = {KEY_HANDLE, KEY_HANDLE + 1}

NEW = os.path.join(os.path.dirname(RECORD), "record.json.new")
CONTENTS = SECRETS + "/contents.mac"
ENABLE = Operation(
    ["--once"], "", "TPM2_CreatePrimary", "TPM2_EvictControl", "TPM2_Create",
    f"mkdir {SECRETS}.new", f"set-policy {SECRETS}.new", f"fsync {SECRETS}.new",
    f"rename {SECRETS}", f"fsync {DISK}", f"rename {NEW}", "syncfs", "TPM2_EvictControl",
    "TPM2_NV_DefineSpace", "TPM2_NV_Write", "TPM2_NV_WriteLock", f"rename {RECORD}",
    f"fsync {os.path.dirname(RECORD)}")
RESEAL = Operation(
    ["--request", "reseal"], "", "TPM2_RSA_Decrypt", f"fsync {CONTENTS}.new",
    f"rename {CONTENTS}", f"fsync {SECRETS}", "TPM2_Create", "TPM2_RSA_Decrypt",
    f"rename {NEW}", "TPM2_EvictControl", f"rename {RECORD}", f"fsync {os.path.dirname(RECORD)}",
    "TPM2_EvictControl")
ZEROIZE = Operation(
    ["--request", "zeroize"], "router1\n", "remove-key", "remove-key", "TPM2_EvictControl",
    f"pwrite64 {RECORD}", f"fsync {RECORD}", f"unlink {RECORD}", "TPM2_NV_UndefineSpace",
    f"rmdir {SECRETS}", f"rmdir {MORE}")

ENDING = Operation(
    ["--once"], "", "TPM2_RSA_Decrypt", "TPM2_NV_Increment", "TPM2_NV_Increment",
    f"unlink {os.path.dirname(RECORD)}/policies")

RECOVERY = os.path.join(os.path.dirname(RECORD), "recovery.json")
RECOVER = ["add-key", "add-key", "TPM2_Create", "TPM2_RSA_Decrypt", f"rename {NEW}",
           f"rename {RECOVERY}", "TPM2_EvictControl", "TPM2_NV_DefineSpace", "TPM2_NV_Write",
           f"rename {RECORD}"]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A new disk, and a TPM whose maker left its endorsement key in it."""
    directory = tmp_path_factory.mktemp("fresh")
    with contextlib.closing(World()) as world:
        world.tpm.tool("createek", "-G", "rsa", "-c", "0x81010001", "-u", "ek.pub")
        world.unmount()
        world.tpm.stop()
        return Copy(shutil.copy(world.image, directory),
                    shutil.copytree(world.tpm.state, directory / "tpm",
                                    ignore=shutil.ignore_patterns(".lock")))


def policies(world):
    return {path: world.policy(path) for path in world.integrity["directory"]
            if world.exists(path)}


def write_data(world):
    for path in world.integrity["directory"]:
        world.write(path + "/file", TEXT)
    world.run("sync", "--file-system", DISK)


def has_data(world):
    return all(world.exists(path + "/file") and world.read(path + "/file") == TEXT.encode()
               for path in world.integrity["directory"])


def is_whole(world, found, but=()):
    """Enabled, unlocked, and nothing half made is left on disk or in the TPM.

    but: what may be, since nobody reads it and the next write of its file is over it.
    """
    assert world.unlocked == set(world.integrity["directory"]), found
    left = {path for path in world.tree if path.endswith(".new")}
    assert left <= {world.path(path) for path in but}, f"{found}: {left}"
    persistent = set(world.tpm.handles("persistent"))
    assert SRK_HANDLE in persistent and len(persistent & KEYS) == 1, found
    assert not world.tpm.leftovers, found


def survives(world, found):
    """What is written from now on is there after the next boot."""
    write_data(world)
    world.remount()
    world.tpm.restart()
    outcome = world.handler()
    assert outcome.code == 0 and has_data(world), f"{found}: {outcome}"


def unlock(machine, world):
    Copy(machine.disk, machine.tpm).insert(world)
    outcome = world.handler()
    assert outcome.code == 0 and has_data(world), outcome


@at_every_step
def test_enablement(fresh, world, copies_directory, written, part):
    fresh.insert(world)
    for copy in copies_of(world, copies_directory, part, written, ENABLE):
        copy.insert(world)
        pinned, before = world.tpm.nv(NV_INDEX)[1], policies(world)
        outcome = world.handler()
        assert outcome.code == 0, f"{copy}: {outcome}"
        assert bool(outcome.events("INTEGRITY_ENABLED")) == (not pinned), f"{copy}: {outcome}"
        assert not pinned or policies(world) == before, f"{copy}: {outcome}"
        is_whole(world, copy)
        survives(world, copy)


@at_every_step
def test_reseal(machine, world, copies_directory, written, part):
    unlock(machine, world)
    for copy in copies_of(world, copies_directory, part, written, RESEAL):
        copy.insert(world)
        outcome = world.handler()
        assert outcome.code == 0 and has_data(world), f"{copy}: {outcome}"
        is_whole(world, copy, but=[CONTENTS + ".new"])
        outcome = world.request("reseal")
        assert outcome.code == 0, f"{copy}: {outcome}"
        is_whole(world, copy)
        survives(world, copy)


def boot_destroys_nothing(world, found):
    """Unlocked with its data, an integrity event, or, where nothing was left, enabled anew."""
    before = world.state
    had_something = [p for p, content in before["tree"].items() if content == errno.ENOKEY]
    outcome = world.handler()
    if outcome.code == 1:
        assert world.state == before, f"{found}: {outcome}"
        assert not world.unlocked, found
    else:
        assert outcome.code == 0, f"{found}: {outcome}"
        assert has_data(world) or not had_something, f"{found}: {outcome}"


def finish_zeroize(world, found):
    outcome = world.request("zeroize", typed="router1\n")
    assert outcome.code == 0, f"{found}: {outcome}"
    assert not [p for p in world.integrity["directory"] if world.exists(p)], found
    assert not os.listdir(world.path(world.integrity["record-directory"])), found
    assert not KEYS & set(world.tpm.handles("persistent")), found
    assert NV_INDEX not in world.tpm.handles("nv") and not world.tpm.leftovers, found


@at_every_step
def test_zeroize(machine, world, copies_directory, written, part):
    unlock(machine, world)
    for copy in copies_of(world, copies_directory, part, written, ZEROIZE):
        copy.insert(world)
        boot_destroys_nothing(world, copy)
        finish_zeroize(world, copy)
        outcome = world.handler()
        assert outcome.code == 0 and outcome.events("INTEGRITY_ENABLED"), f"{copy}: {outcome}"
        is_whole(world, copy)
        assert not has_data(world)


@at_every_step
def test_boot_that_ends_policies(fresh, world, copies_directory, written, part, tmp_path):
    """The counter goes on, the folder is swept, and the next boot opens, by the newer policy."""
    operator = Operator(tmp_path)
    configure(world, operator)
    place(world, "1", operator.sign(1))
    fresh.insert(world)
    measure(world, 1)
    assert world.handler().code == 0
    write_data(world)
    file = tmp_path / "2.json"
    for n in (1, 2):
        file.write_text(operator.sign(n, "generation", str(n)))
        assert world.ctl("request", *("configuration-integrity", "policy", "file"),
                         str(file)).code == 0
    place(world, "3", operator.sign(2, "generation", "3", "ends-older"))
    measure(world, 2)
    for copy in copies_of(world, copies_directory, part, written, ENDING):
        copy.insert(world)
        measure(world, 2)
        outcome = world.handler()
        assert outcome.code == 0 and has_data(world), f"{copy}: {outcome}"
        assert counter(world) == 3, copy
        measure(world, 1)
        assert "is ended" in world.handler().reason, copy


@at_every_step
def test_recovery(fresh, world, copies_directory, written, part, tmp_path):
    """On another TPM. What was there says until the end what it said; again, and it is whole."""
    keeper = Operator(tmp_path)
    kept = Machine(copies_directory, **{"recovery-key": keeper.public})
    world.write_config(**kept.integrity)
    start = Copy(kept.disk, fresh.tpm)
    start.insert(world)
    key = subprocess.run(
        ["openssl", "pkeyutl", "-decrypt", "-inkey", keeper.private, "-pkeyopt",
         "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256"],
        input=base64.b64decode(json.loads(world.read(RECOVERY))["wrapped-fek"]),
        capture_output=True, check=True).stdout.hex()
    for copy in copies_of(world, copies_directory, part, written,
                          Operation(["--request", "recover"], key + "\n", *RECOVER)):
        copy.insert(world)
        boot = world.handler()
        if boot.code != 0:
            assert boot.reason.split(":")[0] in ("another TPM", "wrapping key replaced"), copy
            outcome = world.request("recover", typed=key + "\n")
            assert outcome.code == 0, f"{copy}: {boot} {outcome}"
        assert has_data(world), copy
        is_whole(world, copy)
        survives(world, copy)


at_every_change = pytest.mark.parametrize("part", range(PARTS))


def killed_at_each_change(world, start, copies_directory, part, operation):
    """The handler alone is killed: what is written stays written, and keys stay in the kernel."""
    start()
    for copy in copies_of(world, copies_directory, part, True, operation):
        start()
        status, steps, log = step_through(world, operation, lambda n, _, end=copy.n: n == end)
        killed = status == -signal.SIGKILL and len(steps) == copy.n
        assert killed or (status == 0 and copy.n == len(steps) + 1), f"{copy}: {log}"
        # As the kernel's resource manager does for one who is gone.
        world.tpm.flush()
        yield f"killed before {copy.steps[0]}"


@at_every_change
def test_killed_while_enabling(fresh, world, copies_directory, part):
    for found in killed_at_each_change(world, lambda: fresh.insert(world), copies_directory, part,
                                       ENABLE):
        outcome = world.handler()
        assert outcome.code == 0, f"{found}: {outcome}"
        is_whole(world, found)
        survives(world, found)


@at_every_change
def test_killed_while_resealing(machine, world, copies_directory, part):
    for found in killed_at_each_change(world, lambda: unlock(machine, world), copies_directory,
                                       part, RESEAL):
        assert world.handler().code == 0 and has_data(world), found
        is_whole(world, found, but=[CONTENTS + ".new"])
        outcome = world.request("reseal")
        assert outcome.code == 0, f"{found}: {outcome}"
        is_whole(world, found)
        survives(world, found)


@at_every_change
def test_killed_while_zeroizing(machine, world, copies_directory, part):
    for found in killed_at_each_change(world, lambda: unlock(machine, world), copies_directory,
                                       part, ZEROIZE):
        finish_zeroize(world, found)
