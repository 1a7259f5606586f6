# SPDX-License-Identifier: GPL-3.0-or-later
"""`enable migrate`: a directory that is full is moved in, whole, whenever the power fails."""

import os

import pytest

from integrity_world import DISK, MORE, RECORD, SECRETS
from power_cuts import Operation, at_every_step, copies_of

BOTH = {SECRETS, MORE}
FILES = {"file": b"secret\n", "deep/er/file": b"x" * 70000, "empty": b"", "name with\nnewline": b"y"}


def fill(world, path):
    for name, content in FILES.items():
        world.run("mkdir", "-p", os.path.dirname(f"{path}/{name}"))
        world.write(f"{path}/{name}", content)
    world.run("chmod", "751", path)
    world.run("chown", "games:mail", f"{path}/file")
    world.run("chmod", "640", f"{path}/file")
    world.run("ln", "-s", "/nowhere", f"{path}/link")
    world.run("ln", f"{path}/file", f"{path}/hard")
    world.run("setfattr", "-n", "user.colour", "-v", "red", f"{path}/file", check=False)
    world.run("touch", "-d", "2001-02-03", f"{path}/file")


def is_moved_in(world, path):
    there = world.path(path)
    assert world.policy(path)
    for name, content in FILES.items():
        assert world.read(f"{path}/{name}") == content, name
    found = os.stat(f"{there}/file")
    assert found.st_nlink == 2 and found.st_mode & 0o777 == 0o640
    assert world.run("stat", "-c", "%U:%G %y", f"{path}/file").stdout.startswith("games:mail 2001")
    assert os.stat(there).st_mode & 0o777 == 0o751
    assert os.readlink(f"{there}/link") == "/nowhere"
    left = [name for name in os.listdir(os.path.dirname(there))
            if name.startswith(os.path.basename(path) + ".")]
    assert left == [] and not world.exists(path + "/.steward-migrating")


def migrate(world, **options):
    return world.ctl("request", "configuration-integrity", "enable", "migrate", **options)


def test_full_directories(worlds):
    world = worlds()
    fill(world, SECRETS)
    fill(world, MORE)
    outcome = migrate(world)
    assert outcome.code == 0, outcome
    told = outcome.events("INTEGRITY_MIGRATED")
    assert len(told) == 2 and "may be read on the medium" in told[0]["MESSAGE"]
    for _ in range(2):
        for path in BOTH:
            is_moved_in(world, path)
        world.unmount()
        world.tpm.restart()
        world.mount()
        assert world.handler().code == 0 and world.unlocked == BOTH
    assert "already" in migrate(world).stderr


def test_one_full_one_absent(worlds):
    world = worlds()
    fill(world, MORE)
    assert migrate(world).code == 0 and world.unlocked == BOTH
    is_moved_in(world, MORE)


def test_into_a_record_that_is_there(worlds):
    world = worlds()
    world.write_config(directory=[SECRETS])
    assert world.handler().code == 0
    fill(world, MORE)
    world.write_config(directory=[SECRETS, MORE])
    assert migrate(world).code == 0 and world.unlocked == BOTH
    is_moved_in(world, MORE)


def contents(world):
    """Of the disk, but for the empty folder of the records."""
    return {path: content for path, content in world.tree.items()
            if not path.endswith("/integrity")}


def refuse(world, words):
    before = contents(world)
    outcome = migrate(world)
    assert outcome.code == 1 and words in outcome.stderr, outcome
    assert contents(world) == before and world.unlocked == set()


def test_what_cannot_be_moved(worlds):
    world = worlds()
    fill(world, SECRETS)
    world.run("mknod", SECRETS + "/deep/null", "c", "1", "3")
    refuse(world, "neither a file, a directory nor a link")
    world.run("rm", SECRETS + "/deep/null")
    world.run("mount", "-t", "tmpfs", "tmpfs", SECRETS + "/deep")
    refuse(world, "is another filesystem")
    world.run("umount", SECRETS + "/deep")
    world.run("mkdir", MORE + ".migrating")
    fill(world, MORE)
    refuse(world, "is in the way")


def test_no_room_for_a_copy(worlds):
    world = worlds()
    world.run("mkdir", SECRETS)
    world.run("fallocate", "-l", "9M", SECRETS + "/large")
    refuse(world, "no room for a second copy")


def test_not_able_after_all(worlds):
    """Then all is as it was."""
    world = worlds()
    fill(world, SECRETS)
    before = world.tree
    world.tpm.stop()
    outcome = migrate(world)
    assert outcome.code == 1, outcome
    assert {p: c for p, c in world.tree.items() if SECRETS in p} == \
        {p: c for p, c in before.items() if SECRETS in p}


@pytest.mark.parametrize("when", ["sealed", "fresh"])
def test_what_a_thief_put_beside_is_not_taken_in(machine, worlds, when):
    world = worlds(machine) if when == "sealed" else worlds()
    if when == "fresh":
        assert world.handler().code == 0
        world.remount()
    world.run("mkdir", SECRETS + ".migrating", MORE + ".migrated")
    world.write(SECRETS + ".migrating/router.json", "{}")
    outcome = world.handler()
    assert outcome.code == 0 and len(outcome.events("INTEGRITY_NOT_SETTLED")) == 1, outcome
    assert not world.exists(SECRETS + "/router.json")


MIGRATE = Operation(
    ["--request", "migrate"], "", f"rename {SECRETS}.migrating", f"fsync {DISK}",
    f"mkdir {SECRETS}.new", f"rename {SECRETS}", "TPM2_NV_WriteLock", f"rename {RECORD}",
    f"create {SECRETS}/.steward-migrating", f"syncfs {SECRETS}", f"rename {SECRETS}.migrated",
    f"fsync {DISK}", f"rename {SECRETS}/contents.mac", f"unlink {SECRETS}.migrated/file",
    f"rmdir {SECRETS}.migrated", f"unlink {SECRETS}/.steward-migrating")


@pytest.mark.slow
@pytest.mark.release_only
@at_every_step
def test_power_fails_at_every_step(worlds, copies_directory, written, part):
    """The boot after it has each file once, in the clear or moved in; and then it goes on."""
    world = worlds()
    world.write_config(directory=[SECRETS])
    fill(world, SECRETS)
    world.run("sync", "--file-system", DISK)
    for copy in copies_of(world, copies_directory, part, written, MIGRATE):
        copy.insert(world)
        outcome = world.handler()
        assert outcome.code == 0, f"{copy}: {outcome}"
        if not world.exists(SECRETS + "/file") or not world.policy(SECRETS):
            assert world.exists(SECRETS + "/file") or world.exists(SECRETS + ".migrating/file"), \
                copy
            outcome = migrate(world)
            assert outcome.code == 0, f"{copy}: {outcome}"
        is_moved_in(world, SECRETS)
