# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout whose conductor is killed: the other one of the registry goes on with it. With 200 routers it
is tests/bench/fleet takeover."""

import json

import pytest

from conductor_pair import both_connected, host
from steward import wait_for

pytestmark = pytest.mark.release_only


def test_the_other_conductor_takes_over(onboarding, pair, key):
    routers = {}
    for number, name in enumerate(("a", "b")):
        pair[0].configure(name, asset_id=f"A{number}")
        pair[0].put(f"/v1/routers/{name}/configuration", {"software-update": {
            "access-mode": "conductor-only", "download": {"attempts": 0}}})  # who has no source goes on
        routers[name] = onboarding.router(f"A{number}", name, key=key).onboard(
            pair[0].token(name), [host(conductor) for conductor in pair])
    for router in routers.values():
        router.become_onboarded()
        wait_for(lambda r=router: both_connected(r), 60, "both tunnels")

    def look(conductor):
        return conductor.get("/v1/rollouts/night").json

    def wait(conductor, what, reached):
        try:
            return wait_for(lambda: reached(look(conductor)), 90, what)
        except AssertionError as error:
            raise AssertionError(f"{error}: {json.dumps(look(conductor))}\n{conductor.log}") from None

    reply = pair[0].post("/v1/rollouts", {"name": "night", "version": "V1", "selector": {"all": True},
                                          "phases": ["100%"], "parallel": 1, "failures": "100%"})
    assert reply.status == 201, reply.body
    wait(pair[0], "an order", lambda now: now["counts"]["downloading"] == 1)
    driver, other = sorted(pair, key=lambda c: c.config["name"] != look(pair[0])["conductor"])
    at_work = look(other)["routers"][0]["router"]
    last = next(name for name in routers if name != at_work)
    driver.kill9()
    assert routers[last].get("/v1/downloads/V1").status == 404
    assert routers[at_work].post("/v1/downloads/V1/cancel").status == 200
    # Nobody goes on with it for half a minute; then the other one hears what came of it, and orders the last.
    now = wait(other, "an order of the other", lambda now: now["counts"]["downloading"] == 1
               and now["counts"]["failed"] == 1 and now)
    assert now["conductor"] == other.config["name"]
    assert {row["router"]: row["state"] for row in now["routers"]} == {at_work: "failed", last: "downloading"}
    assert routers[last].download("V1")["state"] != "cancelled"
    # Whoever comes back leaves it to the new one.
    driver.start()
    assert other.post("/v1/rollouts/night/cancel", {}).status == 200
    assert routers[last].post("/v1/downloads/V1/cancel").status == 200
    now = wait(driver, "its end", lambda now: now["counts"]["failed"] == 2 and now)
    assert now["state"] == "cancelled" and now["conductor"] == other.config["name"]
