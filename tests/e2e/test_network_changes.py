# SPDX-License-Identifier: GPL-3.0-or-later
"""The router's network changes under it: that is a reason to look at once, not to wait for silence.
And a network that is odd is told of."""

import subprocess
import time

import pytest

from steward import SLOW, wait_for

pytestmark = pytest.mark.once
SOON = 10  # seconds until it is back, as is promised


def ip(namespace, *words):
    subprocess.run(["ip", "-n", namespace, *words], check=True, capture_output=True)


@pytest.fixture
def connected(onboarding, conductor):
    router = onboarding.router()
    router.onboard(conductor.token())
    router.become_onboarded()
    wait_for(lambda: router.is_connected, 30, "the tunnel")
    return router


def its_tunnel(router):
    return router.onboarding["conductors"][0]


def told_down(router):
    return [line for line in router.log.splitlines() if "port 930 is down" in line]


def became(router, what, begun):
    """Seconds until it was so."""
    wait_for(lambda: its_tunnel(router)["tunnel"] == what, 90, what)
    return time.monotonic() - begun


def test_another_address(onboarding, conductor, connected):
    router, network = connected, onboarding.network
    ip(network.conductor, "addr", "add", "10.97.1.1/24", "dev", "wire")
    ip(network.router, "addr", "add", "10.97.1.2/24", "dev", "wire")
    begun = time.monotonic()
    ip(network.router, "addr", "del", network.router_address + "/30", "dev", "wire")
    ip(network.router, "route", "add", network.address, "via", "10.97.1.1")
    wait_for(lambda: told_down(router), 30, "the end of the old one")
    assert became(router, "connected", begun) < SOON * SLOW
    assert "lost the address that it connected from" in told_down(router)[0]
    wait_for(lambda: conductor.get("/v1/routers/router1/downloads").json["nodes"][0]["connected"],
             30, "the way back")


def test_a_route_that_leads_nowhere_and_back(onboarding, connected):
    router, network = connected, onboarding.network
    ip(network.router, "link", "add", "hole", "type", "veth", "peer", "nobody")
    for end in ("hole", "nobody"):
        ip(network.router, "link", "set", end, "up")
    begun = time.monotonic()
    ip(network.router, "route", "add", network.address + "/32", "dev", "hole",
       "src", network.router_address)
    wait_for(lambda: told_down(router), 60, "its end")
    assert time.monotonic() - begun < SOON * SLOW
    assert "the network has changed, and nothing comes through any more" in told_down(router)[0]
    # It tries in vain, less and less often, and then needs not wait.
    time.sleep(3)
    begun = time.monotonic()
    ip(network.router, "route", "del", network.address + "/32")
    assert became(router, "connected", begun) < SOON * SLOW


def test_what_does_not_touch_its_way_is_nothing(onboarding, connected):
    router, network = connected, onboarding.network
    before = its_tunnel(router)
    # Another route comes and goes, and the wire is away for less than a second.
    ip(network.router, "route", "add", "10.98.0.0/16", "via", network.address)
    ip(network.router, "route", "del", "10.98.0.0/16")
    ip(network.router, "link", "set", "wire", "down")
    ip(network.router, "link", "set", "wire", "up")
    time.sleep(8)
    assert its_tunnel(router) == before and not told_down(router)


def test_a_token_waits_for_an_address(onboarding, conductor):
    network = onboarding.network
    ip(network.router, "addr", "flush", "dev", "wire")
    router = onboarding.router()
    router.onboard(conductor.token())
    router.wait_for_state("retrying")
    time.sleep(8)  # the next try is 4 to 8 s away, or more
    begun = time.monotonic()
    ip(network.router, "addr", "add", network.router_address + "/30", "dev", "wire")
    router.wait_for_state("initializing", "connected", "onboarded")
    assert time.monotonic() - begun < 4 * SLOW


def drop_large(network, size):
    """What is larger is dropped in both directions, and nobody is told."""
    rules = ("table inet f { chain i { type filter hook input priority 0; "
             f"meta length > {size} drop; }}; }}" if size else "flush ruleset")
    for namespace in (network.conductor, network.router):
        subprocess.run(["ip", "netns", "exec", namespace, "nft", "-f", "-"], input=rules.encode(),
                       check=True, capture_output=True)


@pytest.mark.slow
def test_large_packets_that_vanish_are_told_of(onboarding, conductor):
    router = onboarding.router()
    drop_large(onboarding.network, 1280)
    router.onboard(conductor.token())
    router.wait_for_state("retrying", timeout=60)
    assert "full-size packets are lost on the way" in router.onboarding["reason"]
    drop_large(onboarding.network, None)
    router.wait_for_state("initializing", "connected", "onboarded", timeout=45)
    # The same with the tunnel, which is ssh's.
    drop_large(onboarding.network, 1280)
    conductor.stop()
    wait_for(lambda: told_down(router), 30, "its end")
    conductor.start()
    wait_for(lambda: "the MTU of the way" in (its_tunnel(router)["problem"] or ""), 90, "the words")
    drop_large(onboarding.network, None)
    wait_for(lambda: router.is_connected, 90, "the tunnel")
