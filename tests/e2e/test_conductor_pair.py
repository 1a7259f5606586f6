# SPDX-License-Identifier: GPL-3.0-or-later
"""Two conductors on one PostgreSQL server: what is done on one counts on both."""

import signal
import time

import pytest

from conductor_pair import both_connected, host, outcomes, tunnels
from steward import wait_for


def enrolled(conductor):
    return [(e["router"], e["node"], e["pin"]) for e in conductor.enrolments]


@pytest.mark.parametrize("pair", ["one-certificate", "a-certificate-each"], indirect=True)
def test_one_handshake_enrols_with_both(onboarding, pair):
    one, two = pair
    one.configure()
    token = one.token()
    router = onboarding.router()
    # The one that it comes to first has neither configured it nor made its token.
    alone = one.config["certificate"] == two.config["certificate"]
    router.onboard(token, [host(two)] if alone else [host(two), host(one)])
    router.become_onboarded()
    wait_for(lambda: both_connected(router), 60, "both tunnels")
    assert set(tunnels(router)) == {host(one), host(two)}
    assert enrolled(one) == enrolled(two) and len(enrolled(one)) == 1
    for conductor in pair:
        assert outcomes(conductor).count("enrolled") == 1
        assert outcomes(conductor).count("initialized") == 1
        assert router.ssh_key in conductor.authorized_keys[0]
    assert router.reboots == 1
    # What ends it on one ends it on both, and the live sessions with it.
    one.delete("/v1/routers/router1")
    wait_for(lambda: not two.authorized_keys and not one.authorized_keys, 30, "the keys' end")
    wait_for(lambda: "connected" not in tunnels(router).values(), 30, "the tunnels' end")


def test_one_that_was_dead_is_reached_later(onboarding, pair):
    one, two = pair
    one.configure()
    token = two.token()
    two.kill9()
    router = onboarding.router()
    router.onboard(token, [host(two), host(one)])
    router.become_onboarded()
    wait_for(lambda: tunnels(router).get(host(one)) == "connected", 60, "the living one's tunnel")
    assert tunnels(router)[host(two)] != "connected"
    two.start()
    wait_for(lambda: both_connected(router), 90, "the tunnel of the one that came back")
    assert outcomes(one).count("enrolled") == 1 and router.reboots == 1


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["stopped", "cut-off"])
def test_the_database_restarts_in_between(onboarding, pair, database, how):
    one, two = pair
    one.configure()
    first = onboarding.router()
    first.onboard(one.token(), [host(one)]).become_onboarded()
    wait_for(lambda: both_connected(first), 60, "both tunnels")
    two.configure("router2", asset_id="A2")
    token = two.token("router2")
    before = enrolled(one)
    keys = [conductor.authorized_keys for conductor in pair]

    database.stop(how)
    second = onboarding.router("A2", "router2")
    second.onboard(token, [host(one), host(two)])
    second.wait_for_state("retrying")
    for conductor in pair:
        assert conductor.get("/v1/enrolments").status >= 500
        assert conductor.post("/v1/routers/router2/tokens", {}).status >= 500
    time.sleep(3)  # the conductors look at the registry, and find none
    assert [conductor.authorized_keys for conductor in pair] == keys
    assert second.onboarding["state"] == "retrying" and not second.onboarding["conductors"]
    assert both_connected(first)  # who was let in stays

    database.start()
    second.become_onboarded(timeout=120)
    for conductor in pair:
        assert [row for row in enrolled(conductor) if row[0] == "router1"] == before
        assert outcomes(conductor, "router2").count("enrolled") == 1
        wait_for(lambda c=conductor: len(c.authorized_keys) == 2, what="the keys")
    assert both_connected(first)
