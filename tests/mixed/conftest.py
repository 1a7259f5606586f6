# SPDX-License-Identifier: GPL-3.0-or-later
import contextlib
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "e2e")]

import other_release  # noqa: E402
from onboarding_world import World  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: as in tests/e2e, of which tests here import parts")


@pytest.fixture(scope="session", autouse=True)
def built():
    other_release.build()


@pytest.fixture
def world():
    with contextlib.closing(World()) as made:
        yield made
