# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout to real routers through their tunnels: phases, a conductor that is killed, failures
that halt it, and what an operator wants."""

import json
import subprocess

import pytest

from steward import STEWARDCTL, ctl as call_ctl, wait_for

pytestmark = pytest.mark.slow
NAMES = ("a", "b", "c")


class World:
    """A conductor with an image, and three routers."""

    def __init__(self, onboarding, key, image):
        self.conductor = onboarding.conductor(
            **{"software-update": {"trusted-key": [key.public_path]}})
        self.key, self.image = key, image
        self.bring("V1")
        self.routers = {}
        for number, name in enumerate(NAMES):
            self.conductor.configure(router=name, asset_id=f"A{number}")
            self.conductor.call("PUT", f"/v1/routers/{name}/labels/site",
                                {"value": "emea" if name != "c" else "apac"})
            self.conductor.put(f"/v1/routers/{name}/configuration", {"software-update": {
                "access-mode": "conductor-only",
                "download": {"attempts": 4, "initial-retry-delay": 1}}})
            router = onboarding.router(f"A{number}", name=name, key=key, start=False)
            router.start().onboard(self.conductor.token(name))
            self.routers[name] = router
        for router in self.routers.values():
            router.become_onboarded()
        for router in self.routers.values():
            wait_for(lambda r=router: r.is_connected, 30, "the tunnel")

    def bring(self, version):
        """The conductor has this version."""
        with open(self.image.path, "rb") as file:
            for path, body in (("manifest", self.key.jws(self.image.payload(version))), ("file", file.read())):
                assert self.conductor.call("PUT", f"/v1/images/{version}/{path}", body).status == 201

    def get(self, name):
        return self.conductor.get(f"/v1/rollouts/{name}").json

    def wait(self, name, state, **counts):
        def reached():
            now = self.get(name)
            return now["state"] == state and all(now["counts"][k] == n for k, n in counts.items())
        try:
            wait_for(reached, 60, f"{name} {state} {counts}")
        except AssertionError as error:
            raise AssertionError(f"{error}: {json.dumps(self.get(name))}\n{self.conductor.log}") from None
        return self.get(name)

    def has(self, router, version="V1"):
        return version in [image["version"] for image in
                           self.routers[router].get("/v1/images").json["images"]]


@pytest.fixture
def world(onboarding, key, images):
    return World(onboarding, key, images(8))


def test_a_rollout(world):
    def ctl(line, check=0):
        return call_ctl(world.conductor, *line.split(), check=check)

    told = ctl("request software rollout create first version V1 label site emea phases 1 approve yes").stdout
    assert "label site emea" in told and "running" in told
    now = world.wait("first", "approval", done=1, waiting=1)
    assert now["members"] == 2 and now["phases"] == [1, 2] and now["phase"] == 1
    assert sum(world.has(name) for name in NAMES) == 1
    # A conductor that dies forgets nothing: neither its own rollouts nor the approval.
    ctl("request software rollout approve first")
    world.conductor.kill()
    world.conductor.start()
    world.wait("first", "done", done=2)
    assert [world.has(name) for name in NAMES] == [True, True, False]
    assert "first" in ctl("show software rollout").stdout
    assert "done" in ctl("show software rollout first watch").stdout
    # Who has the image already is done at once.
    ctl("request software rollout create second version V1 all phases 100%")
    world.wait("second", "done", done=3)
    # A version that nobody has: it halts, goes on only where an operator says so, and ends.
    ctl("request software rollout create third version V7 router a b c phases 1 failures 0")
    watching = subprocess.Popen([STEWARDCTL, "--socket", world.conductor.socket, "show", "software", "rollout",
                                 "third", "watch"], stdout=subprocess.PIPE, text=True)
    begins = [watching.stdout.readline() for _ in range(2)]  # it is told what happens from now on
    now = world.wait("third", "halted", failed=1, waiting=2)
    wait_for(lambda: {'steward_rollouts{state="halted"} 1', 'steward_rollouts{state="done"} 2',
                      'steward_rollout_members{rollout="third",version="V7",state="failed"} 1'}
             <= set(world.conductor.get("/metrics").body.decode().splitlines()), 20, "the metrics")
    assert len(now["routers"]) == 1 and now["routers"][0]["reason"], now
    assert "halted" in ctl("request software rollout pause third", check=1).stderr
    ctl("request software rollout resume third")
    world.wait("third", "done", failed=3)
    shown, _ = watching.communicate(timeout=60)
    states = [line.split()[2] for line in begins + shown.splitlines()]
    assert states[0] == "STATE" and "halted" in states and states[-1] == "done", shown
    told = [reason for _, reason in world.conductor.audit() if reason.startswith("rollout third")]
    assert told == ["rollout third: created", "rollout third: resumed in spite of its failures"]
    assert "rollout third of V7 halted" in world.conductor.log
    # That it failed once does not matter to the next one.
    world.bring("V7")
    ctl("request software rollout create again version V7 all phases 100% failures 0")
    world.wait("again", "done", done=3)
    # Nobody is ordered outside of the window, nor after the end.
    ctl("request software rollout create fourth version V9 all parallel 1 window mon-sun 00:00-00:01 UTC"
        " window mon-sun 00:02-00:03")
    assert world.get("fourth")["zone"] == "UTC"
    ctl("request software rollout cancel fourth")
    assert world.wait("fourth", "cancelled", waiting=0)["counts"]["skipped"] >= 2
