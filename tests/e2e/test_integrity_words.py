# SPDX-License-Identifier: GPL-3.0-or-later
"""The right word for each cause, and "clean install, or RMA" only where it is true."""

import contextlib
import json
import os
import subprocess
import time

import pytest

import test_integrity_causes as causes
from integrity_world import DISK, MORE, NV_INDEX, RECORD, SECRETS, TEXT, Machine
from lying_tpm import LyingTpm, with_code
from steward import SLOW
from test_integrity_boot import owner_authorization
from test_integrity_causes import check_event, check_message, measure

pytestmark = pytest.mark.once


def test_lost_is_said_only_where_it_is():
    """Of the table that is shown on the console."""
    lost = {name for name, advice in causes.ADVICE.items() if "clean install, or RMA" in advice}
    kept = {name for name, advice in causes.ADVICE.items() if "Nothing is lost" in advice}
    assert not lost & kept
    assert {"another TPM", "TPM cleared", "record and pin lost", "wrapping key replaced"} <= lost
    assert {"no TPM", "not mounted", "PCR mismatch", "configuration", "fscrypt not set up",
            "TPM in use", "filesystem full", "filesystem read-only"} <= kept


def test_volatile_etc(world):
    os.unlink(world.path("/etc/fscrypt.conf"))
    check_event(world, "fscrypt not set up", "pass")


@pytest.mark.parametrize("index", ["0x01800129", "0x01800999"])
def test_mistyped_index(world, index):
    world.write_config(**{"nv-index": index})
    entry = check_event(world, "configuration", "locate")
    assert hex(NV_INDEX)[2:] in entry["STEWARD_REASON"] and index in entry["STEWARD_REASON"]


@pytest.fixture(scope="module")
def measured_machine(tmp_path_factory):
    return Machine(tmp_path_factory.mktemp("measured"), before=measure, pcr=[16])


def test_bank_gone(worlds, measured_machine):
    world = worlds(measured_machine)
    world.tpm.tool("pcrallocate", "sha256:none+sha384:all")
    world.tpm.restart()
    entry = check_event(world, "PCR bank gone", "unseal")
    assert "bank sha256" in entry["STEWARD_REASON"]


def test_zero_pcr_is_named(worlds):
    """One of those chosen: the others say something."""
    world = worlds()
    measure(world)
    world.write_config(pcr=[16, 23])
    outcome = world.handler()
    assert outcome.code == 0, outcome
    assert "PCR 23 (sha256) is zero" in str([e["MESSAGE"] for e in outcome.events(
        "INTEGRITY_FINDING")]) and "PCR 16" not in outcome.stderr


def test_endorsement_authorization(world):
    """It is asked for where the EK has to be made again to tell whether this is the same TPM."""
    causes.undefined_pin(world)
    world.tpm.tool("changeauth", "-c", "e", "secret")
    check_event(world, "TPM authorization set", "locate")


def test_endorsement_authorization_at_enabling(worlds):
    world = worlds()
    world.tpm.tool("changeauth", "-c", "e", "secret")
    outcome = world.handler()
    reason = outcome.events("INTEGRITY_UNSUPPORTED")[0]["STEWARD_REASON"]
    assert outcome.code == 0 and reason.startswith("TPM authorization set: "), outcome


def test_owner_authorization_by_hand(world):
    owner_authorization(world)
    assert world.handler().code == 0, "unlocking asks for none"
    for request in ("reseal", "zeroize"):
        outcome = world.request(request, typed="router1\n")
        assert outcome.code == 1 and "authorization" in outcome.stderr, outcome
    assert world.exists(RECORD)


def test_device_is_held(world):
    """By another program: the kernel says EBUSY. A file that is being executed cannot be opened for
    writing likewise; what is answered there is not this cause."""
    with contextlib.closing(LyingTpm(world.tpm)):
        pass
    library = os.path.join(world.directory, "busy.so")
    source = ("#define _GNU_SOURCE\n#include <errno.h>\n#include <dlfcn.h>\n#include <fcntl.h>\n"
              "#include <stdarg.h>\n#include <string.h>\n"
              "static int held(const char *p) { return strcmp(p, \"/mnt/tpm0\") == 0; }\n"
              "#define OPEN(name) int name(const char *p, int flags, ...) { va_list a; int mode; \\\n"
              "  if (held(p)) { errno = EBUSY; return -1; } va_start(a, flags); \\\n"
              "  mode = flags & O_CREAT ? va_arg(a, int) : 0; va_end(a); \\\n"
              "  return ((int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name))(p, flags, mode); }\n"
              "OPEN(open)\nOPEN(open64)\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", library], input=source.encode(),
                   check=True)
    world.write("/mnt/tpm0", b"")
    world.write_config(tcti="device:/mnt/tpm0")
    if SLOW == 1:
        check_event(world, "TPM in use", "locate", environment={"LD_PRELOAD": library})


def test_no_memory_to_lock(world):
    """What holds a key is never swapped out."""
    poor = ["prlimit", "--memlock=0", "setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock"]
    entry = check_event(world, "system error", "locate", prefix=poor)
    assert "lock" in entry["STEWARD_REASON"]


# Filesystems that cannot.


def read_only(world):
    world.run("mount", "-o", "remount,ro", DISK)


def read_only_with_a_record_directory(world):
    world.run("mkdir", os.path.dirname(RECORD))
    read_only(world)


def read_only_tmpfs(world):
    world.unmount()
    world.run("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", DISK)


def squashfs(world):
    """A router's firmware, where a filesystem that can be written to was expected."""
    world.unmount()
    image = os.path.join(world.directory, "squashfs")
    world.run("mkdir", "/mnt/empty")
    world.run("mksquashfs", "/mnt/empty", image, "-no-progress")
    world.run("mount", "-o", "loop", image, DISK)


def out_of_inodes(world):
    world.run("sh", "-c", f"i=0; while touch {DISK}/i$i 2>/dev/null; do i=$((i+1)); done")


def full(world):
    world.run("sh", "-c", f"head -c 64M /dev/zero >{DISK}/fill; "
                          f"while echo >>{DISK}/fill2; do :; done 2>/dev/null", check=False)


CANNOT = {read_only: "read-only", read_only_with_a_record_directory: "ead-only",
          read_only_tmpfs: "ead-only", squashfs: "ead-only", out_of_inodes: "filesystem full"}


@pytest.mark.parametrize("cannot", CANNOT, ids=lambda f: f.__name__)
def test_fresh_filesystem_that_cannot(worlds, cannot):
    """Logged, and the boot goes on; required, it is an event."""
    world = worlds()
    cannot(world)
    before = world.tpm.handles("nv")
    outcome = world.handler()
    said = outcome.events("INTEGRITY_UNSUPPORTED")
    assert outcome.code == 0 and len(said) == 1 and not outcome.emergencies, outcome
    assert CANNOT[cannot] in said[0]["STEWARD_REASON"], outcome
    world.write_config(required=True)
    outcome = world.handler()
    assert outcome.code == 1 and outcome.reason.startswith("required, but not possible"), outcome
    assert world.tpm.handles("nv") == before == []


def test_read_only_once_enabled(world):
    """Nothing has to be written to unlock. A reseal has to, and says why not."""
    read_only(world)
    assert world.handler().code == 0 and world.read(SECRETS + "/file").decode() == TEXT
    outcome = world.request("reseal")
    assert outcome.code == 1 and "filesystem read-only: " in outcome.stderr
    world.run("mount", "-o", "remount,rw", DISK)
    assert world.request("reseal").code == 0


def test_directory_to_be_added_on_a_read_only_filesystem(world):
    world.write_config(directory=[SECRETS, MORE, DISK + "/third"])
    read_only(world)
    check_event(world, "filesystem read-only", "enable")


def test_directory_to_be_added_on_a_full_filesystem(world):
    world.write_config(directory=[SECRETS, MORE, DISK + "/third"])
    out_of_inodes(world)
    check_message(world.handler(), "filesystem full", "enable")
    assert not world.unlocked


def test_bind_mount(worlds):
    """fscrypt wants the filesystem's own mount, not a part of it."""
    world = worlds()
    world.run("mkdir", "-p", DISK + "/data", "/mnt/part")
    world.run("mount", "--bind", DISK + "/data", "/mnt/part")
    world.write_config(directory=["/mnt/part/secrets"], **{"record-directory": "/mnt/part/integrity"})
    outcome = world.handler()
    assert outcome.code == 0 and outcome.events("INTEGRITY_ENABLED"), outcome
    world.write("/mnt/part/secrets/file", TEXT)
    assert world.exists(DISK + "/.fscrypt") and not world.exists("/mnt/part/.fscrypt")
    world.run("umount", "/mnt/part")
    world.remount()
    world.run("mount", "--bind", DISK + "/data", "/mnt/part")
    assert world.handler().code == 0 and world.read("/mnt/part/secrets/file").decode() == TEXT


def test_fscrypt_is_told_whole(world):
    causes.left_to_the_tool(world)
    environment = causes.script(world, "printf 'first\\n\\nsecond\\n  goes on\\n' >&2; exit 3\n")
    entry = check_event(world, "fscrypt refused", "pass", environment=environment)
    assert "exit status 3: first second goes on" in entry["STEWARD_REASON"]


def test_clean_install(worlds, machine):
    """It finds the pin of the old one, says what to do, and does it."""
    world = worlds(machine)
    world.unmount()
    world.make_disk(None, "encrypt")
    world.mount()
    outcome = world.handler()
    assert outcome.code == 1 and "zeroize" in " ".join(outcome.console.split())
    assert world.request("zeroize", typed="router1\n").code == 0
    assert world.handler().events("INTEGRITY_ENABLED")


def test_debug_lines_reach_the_journal(world):
    outcome = world.handler(environment={"STEWARD_DEBUG": "1"})
    assert outcome.code == 0
    assert [e for e in outcome.entries if e["PRIORITY"] == "7" and "step locate" in e["MESSAGE"]]
    world.remount()
    assert not [e for e in world.handler().entries if e["PRIORITY"] == "7"]


def test_nobody_waits_for_a_tpm_that_never_comes(worlds):
    """Nothing to protect, and the firmware has none: not a second."""
    if os.path.exists("/sys/firmware/acpi/tables/TPM2") or os.path.exists("/sys/class/tpm/tpm0"):
        return
    world = worlds()
    world.write_config(tcti="device:/dev/no-tpm")
    began = time.monotonic()
    assert world.handler().events("INTEGRITY_UNSUPPORTED")
    assert time.monotonic() - began < 5 * SLOW


def test_tpm_that_cannot_now(world):
    """NV memory unavailable, for longer than it is asked again."""
    with contextlib.closing(LyingTpm(world.tpm)) as proxy:
        proxy.tell(2, with_code(0x923), for_ever=True)
        world.write_config(tcti=proxy.tcti)
        entry = check_message(world.handler(), "TPM not ready", "locate")
    assert "0x00000923" in entry["STEWARD_REASON"] and json.loads(world.record)
