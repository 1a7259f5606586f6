# SPDX-License-Identifier: GPL-3.0-or-later
"""The command that the warning of ports 4505 and 4506 tells: it is run as it is told."""

import re
import socket
import subprocess

import pytest

from onboarding_world import inside
from steward import wait_for
from wire_router import WireRouter

pytestmark = pytest.mark.slow
OLD_PORTS = (4505, 4506)


def listen(address, port):
    if ":" in address:
        return socket.create_server((address, port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server((address, port))


def reaches(address, port):
    try:
        socket.create_connection((address, port), 1).close()
    except TimeoutError:
        return False
    return True


def test_command_closes_the_old_ports_and_no_other(onboarding, conductor):
    network = onboarding.network
    old = [inside(network.conductor, listen, network.address, 4505),
           inside(network.conductor, listen, "::", 4506),
           inside(network.conductor, listen, network.address, 4507)]
    for port in (*OLD_PORTS, 4507):
        assert inside(network.router, reaches, network.address, port)

    warnings = conductor.get("/v1/onboarding").json["warnings"]
    assert len(warnings) == 1 and "something listens on port 4505 or 4506" in warnings[0]
    command = re.search(r"this closes them: (nft .*)$", warnings[0]).group(1)
    for _ in range(2):  # who is not sure runs it again
        done = subprocess.run(["ip", "netns", "exec", network.conductor, "sh", "-c", command],
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    for port in OLD_PORTS:
        assert not inside(network.router, reaches, network.address, port)
    assert inside(network.router, reaches, network.address, 4507)
    WireRouter(onboarding, conductor.token()).go_to(3)
    for each in old:
        each.close()


def test_command_in_the_journal_is_the_same(onboarding):
    conductor = onboarding.conductor(start=False)
    listener = inside(onboarding.network.conductor, listen, "127.0.0.1", 4506)
    conductor.start()
    conductor.configure()
    conductor.stop()
    conductor.start()
    wait_for(lambda: "this closes them: nft " in conductor.log, 20, "the warning")
    said = re.search(r"this closes them: (nft .*)$", conductor.log, re.M).group(1)
    assert conductor.get("/v1/onboarding").json["warnings"][0].endswith(said)
    listener.close()
