# SPDX-License-Identifier: GPL-3.0-or-later
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from fault_server import FaultServer  # noqa: E402
from repository import Image, Key, Repository  # noqa: E402
from steward import Daemon  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: not part of script/test --quick; runs once, with the "
                            "address sanitizer, unless it is release_only")
    config.addinivalue_line("markers", "once: a table of cases that are alike; part of --quick, and "
                            "of the whole run with the address sanitizer alone")
    config.addinivalue_line("markers", "one_thread: not run with the thread sanitizer")
    config.addinivalue_line("markers", "release_only: measures, builds by itself, or is long and "
                            "shows a sanitizer nothing that a shorter test does not")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """The folder of a test that passed is removed: those of a whole run would take twenty gigabytes."""
    report = (yield).get_result()
    item.failed_before = getattr(item, "failed_before", False) or report.failed
    folder = (item.funcargs or {}).get("tmp_path") if hasattr(item, "funcargs") else None
    if call.when == "teardown" and folder and not item.failed_before:
        subprocess.run(["rm", "-rf", "--one-file-system", folder], check=False)


@pytest.fixture(scope="session")
def key(tmp_path_factory):
    return Key(tmp_path_factory.mktemp("key"))


@pytest.fixture(scope="session")
def other_key(tmp_path_factory):
    return Key(tmp_path_factory.mktemp("other"), "other")


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """images(mib, seed): made once a session."""
    directory = tmp_path_factory.mktemp("images")
    made = {}

    def image(mib, seed=1):
        if (mib, seed) not in made:
            made[mib, seed] = Image(directory / f"image-{mib}-{seed}.iso", int(mib * (1 << 20)),
                                    seed)
        return made[mib, seed]

    return image


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """Chromium, for the page's tests."""
    from cockpit_page import Browser

    with contextlib.closing(Browser(tmp_path_factory.mktemp("browser"))) as made:
        yield made


@pytest.fixture
def repository(tmp_path, images, key):
    """V1, 16 MiB in pieces of 1 MiB."""
    return Repository(tmp_path / "repository").add("V1", images(16), key)


@pytest.fixture
def servers(repository):
    made = []

    def server(*faults, root=repository.root, **options):
        made.append(FaultServer(root, faults, **options))
        return made[-1]

    yield server
    for each in made:
        each.close()


@pytest.fixture
def daemons(tmp_path, key, request):
    made = []

    def daemon(*sources, **options):
        directory = tmp_path / f"daemon{len(made)}"
        directory.mkdir()
        start = options.pop("start", True)
        made.append(Daemon(directory, options.pop("key", key), sources, **options))
        return made[-1].start() if start else made[-1]

    yield daemon
    for each in made:
        each.stop()


@pytest.fixture
def pairs(tmp_path, key):
    """pairs(sources…): two nodes, each the other's HA peer."""
    from ha_world import Pair

    with contextlib.ExitStack() as made:
        def pair(*sources, start=True, **options):
            new = made.enter_context(contextlib.closing(Pair(tmp_path, key, sources, **options)))
            return new.start() if start else new
        yield pair


@pytest.fixture
def processes():
    """processes(words…): with pipes, and killed at the end."""
    started = []

    def start(*words):
        started.append(subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def network():
    from netns import Network

    made = Network()
    yield made
    made.close()


@pytest.fixture
def worlds():
    """worlds(machine): a router that has been enabled; worlds(): one that has not."""
    from integrity_world import World

    with contextlib.ExitStack() as made:
        yield lambda machine=None, **options: made.enter_context(
            contextlib.closing(machine.world() if machine else World(**options)))


@pytest.fixture(scope="session")
def machine(tmp_path_factory):
    from integrity_world import Machine

    return Machine(tmp_path_factory.mktemp("machine"))


@pytest.fixture(scope="session")
def other_machine(tmp_path_factory):
    from integrity_world import Machine

    return Machine(tmp_path_factory.mktemp("other-machine"))


@pytest.fixture
def world(worlds, machine):
    """Enabled, files written, and booted up to where the handler starts."""
    return worlds(machine)


@pytest.fixture
def copies_directory():
    """Of power_cuts.py, in memory: dozens of disks."""
    path = tempfile.mkdtemp(prefix="copies", dir="/dev/shm")
    yield path
    shutil.rmtree(path)


@pytest.fixture
def onboarding():
    """A wire with nobody at its ends yet."""
    from onboarding_world import World

    with contextlib.closing(World()) as made:
        yield made


@pytest.fixture
def database(onboarding):
    """A PostgreSQL server."""
    from postgres import Postgres

    made = Postgres(onboarding.folder("database")).start()
    yield made
    made.stop(signal.SIGQUIT)


@pytest.fixture
def pair(onboarding, database, request):
    """Two conductors on one database; with one certificate, unless the test's parameter says
    otherwise."""
    from conductor_pair import two_conductors

    one_certificate = getattr(request, "param", "one-certificate") == "one-certificate"
    with two_conductors(onboarding, database, one_certificate) as made:
        yield made


@pytest.fixture
def conductor(onboarding):
    """It expects a router in mode psk-only."""
    made = onboarding.conductor()
    made.configure()
    return made
