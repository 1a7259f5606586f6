# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing is waited for without end, and not without a word."""

import contextlib
import os
import threading

import pytest

from integrity_world import MORE, RECORD, SECRETS
from lying_tpm import LyingTpm
from steward import SLOW, wait_for
from test_integrity_boot import manager, start_unit  # noqa: F401, a fixture
from test_integrity_causes import check_message

pytestmark = pytest.mark.once


def fifo(path):
    os.mkfifo(path)


def directory(path):
    os.mkdir(path)


def endless_device(path):
    os.mknod(path, 0o20600, os.makedev(1, 5))  # /dev/zero


def link_to_a_device(path):
    os.symlink("/dev/zero", path)


OTHERS = {fifo: "a FIFO", directory: "a directory", endless_device: "a device",
          link_to_a_device: "a symbolic link"}


@pytest.mark.parametrize("make", OTHERS, ids=lambda f: f.__name__)
def test_record_is_no_file(world, make):
    os.unlink(world.path(RECORD))
    make(world.path(RECORD))
    outcome = world.handler()
    check_message(outcome, "record changed or forged", "locate")
    assert f"is {OTHERS[make]}, expected a regular file" in outcome.reason
    assert world.request("show").code == 0
    outcome = world.request("reseal")
    assert outcome.code == 1 and OTHERS[make] in outcome.stderr
    assert world.request("zeroize", typed="router1\n").code == 0 and not world.exists(RECORD)


@pytest.mark.parametrize("make", OTHERS, ids=lambda f: f.__name__)
def test_new_record_is_no_file(world, make):
    """Beside a record that is one it is no matter."""
    make(world.path(RECORD + ".new"))
    assert world.handler().code == 0


def test_directory_is_a_fifo(world):
    world.run("mv", SECRETS, "/mnt/disk/aside")
    os.mkfifo(world.path(SECRETS))
    check_message(world.handler(), "directory missing", "unlock")
    assert MORE not in world.unlocked


class Silent:
    """A lie that is never told to its end."""

    def __init__(self):
        self.over = threading.Event()

    def __call__(self, answer):
        self.over.wait()
        return b""


@pytest.mark.slow
@pytest.mark.release_only
def test_tpm_never_answers(world, manager):  # noqa: F811
    """A line on the console soon, an event after a minute; and once it answers it goes on."""
    silent = Silent()
    with contextlib.closing(LyingTpm(world.tpm)) as proxy:
        world.write_config(tcti=proxy.tcti)
        proxy.tell(3, silent)
        process = start_unit(world, manager)
        wait_for(lambda: os.path.getsize(world.directory + "/console") > 50, 30 * SLOW)
        assert "has not answered for 1" in world.take("console")
        wait_for(lambda: os.path.getsize(world.directory + "/console") > 300, 90 * SLOW)
        said = world.take("console")
        assert "TPM silent: it took a command" in said and "Nothing is lost" in " ".join(said.split())
        proxy.tell_the_truth()
        silent.over.set()
        assert process.wait(60 * SLOW) == 0 and SECRETS in world.unlocked


@pytest.mark.slow
@pytest.mark.release_only
def test_tpm_never_answers_by_hand(world):
    silent = Silent()
    with contextlib.closing(LyingTpm(world.tpm)) as proxy:
        world.write_config(tcti=proxy.tcti)
        proxy.tell(1, silent)
        outcome = world.handler()
        silent.over.set()
        waits, event = outcome.console.split("***", 1)
        assert "Steward waits for the encrypted directories: the TPM has not answered" in waits
        outcome.console = outcome.terminal = "***" + event
        check_message(outcome, "TPM silent", "locate")
