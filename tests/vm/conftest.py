# SPDX-License-Identifier: GPL-3.0-or-later
import os
import sys

import pytest

HERE = os.path.dirname(__file__)
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "e2e")]

import image as debian  # noqa: E402
from machine import Machine, Tpm, copy_disk  # noqa: E402


@pytest.fixture(scope="session")
def image():
    return debian.image()


@pytest.fixture(scope="module")
def machine(tmp_path_factory, image):
    """Switched off, with a disk of its own."""
    directory = tmp_path_factory.mktemp("machine")
    disk = str(directory / "disk")
    copy_disk(os.path.join(image, "disk"), disk)
    made = Machine(directory, image, disk)
    yield made
    made.pull_the_plug()
    os.unlink(disk)


@pytest.fixture
def tpm(tmp_path):
    return Tpm(tmp_path / "tpm")
