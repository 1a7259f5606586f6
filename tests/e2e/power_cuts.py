# SPDX-License-Identifier: GPL-3.0-or-later
"""Power fails at a step of what the handler does.

A stepper stops the handler, and the fscrypt it runs, before each call that changes something.
There the loop device's backing file and the TPM's state are copied: what a power cut would leave.
What was written and not synced is in the first kind of copy ("lost") not yet in the backing file;
for the second ("written") it is synced before, as the kernel may do at any moment: then the disk
is as new as the TPM. Copies that are alike need one boot only.
"""

import hashlib
import os
import shutil
import subprocess

import pytest

from integrity_world import DISK, HANDLER
from stepper import Stepper

PARTS = 2  # that run at once; each goes through all steps for its copies


class Copy:
    """Of disk and TPM, before steps that changed neither."""

    def __init__(self, disk, tpm, n=0, step="the first"):
        self.disk, self.tpm, self.n, self.steps = disk, tpm, n, [f"{n} {step}"]

    def __str__(self):
        return f"cut before {', '.join(self.steps)}"

    def insert(self, world):
        """It is all that is left, and the power comes back."""
        world.unmount()
        world.tpm.stop()
        shutil.copyfile(self.disk, world.image)
        world.tpm.put_state(self.tpm)
        world.mount()
        world.tpm.start()


class Camera:
    """Copies disk and TPM before each step of a run."""

    def __init__(self, world, directory, written):
        self.world, self.directory, self.written = world, directory, written
        self.copies = {}

    def take(self, n, step):
        if self.written:
            self.world.run("sync", "--file-system", DISK)
        name = os.path.join(self.directory, str(n))
        # What is in the page cache of the mounted filesystem is not in its backing file.
        subprocess.run(["cp", "--sparse=always", self.world.image, name + ".disk"], check=True)
        shutil.copytree(self.world.tpm.state, name + ".tpm",
                        ignore=shutil.ignore_patterns(".lock"))
        known = digest(name + ".disk") + digest(os.path.join(name + ".tpm", "tpm2-00.permall"))
        if known in self.copies:
            self.copies[known].steps.append(f"{n} {step}")
            os.unlink(name + ".disk")
            shutil.rmtree(name + ".tpm")
        else:
            self.copies[known] = Copy(name + ".disk", name + ".tpm", n, step)

    def run(self, operation):
        """To its end: the steps that it had. The last copy is the one after it."""
        status, steps, log = step_through(self.world, operation, self.take)
        assert status == 0, f"{log}\n{steps}"
        self.take(len(steps) + 1, "the end")
        return steps


class Operation:
    def __init__(self, words, typed, *steps):
        """steps: some that it has, by what they begin with, in their order."""
        self.words, self.typed, self.steps = words, typed, steps

    def assert_order(self, steps):
        left = iter(steps)
        for name in self.steps:
            assert any(step.startswith(name) for step in left), f"no {name} in its place: {steps}"


def step_through(world, operation, at_step):
    """Exit status, steps, and what it said; at_step() that returns True kills it."""
    with open(os.path.join(world.directory, "stepped"), "w+b") as log:
        stepper = Stepper(world.inside(HANDLER, "--config", world.config_path, "--foreground",
                                       *operation.words),
                          [DISK], at_step, operation.typed.encode(), log.fileno())
        status = stepper.run()
        log.seek(0)
        said = log.read().decode()
    for name in ("console", "terminal"):
        world.take(name)
    world.entries()
    return status, stepper.steps, said


def copies_of(world, directory, part, written, operation):
    """Every PARTS-th copy of one run."""
    camera = Camera(world, directory, written)
    steps = camera.run(operation)
    operation.assert_order(steps)
    return list(camera.copies.values())[part::PARTS]


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


at_every_step = pytest.mark.parametrize("written, part", [
    pytest.param(written, part, id=f"{'written' if written else 'lost'}-{part}")
    for written in (False, True) for part in range(PARTS)])
