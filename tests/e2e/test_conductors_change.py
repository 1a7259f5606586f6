# SPDX-License-Identifier: GPL-3.0-or-later
"""Conductors come and go: enrolled routers hear of it through their tunnels, need no token for it,
and are never without a way."""

import contextlib
import os
import shutil

import pytest

from conductor_pair import host, tunnels
from onboarding_world import Conductor, SecondNetwork, run
from steward import ctl, wait_for

pytestmark = [pytest.mark.once, pytest.mark.release_only]


@pytest.fixture
def second(onboarding):
    with contextlib.closing(SecondNetwork(onboarding.network)) as network:
        yield network


@pytest.fixture
def first(onboarding, database):
    made = onboarding.conductor(registry=database.uri)
    made.configure()
    return made


@pytest.fixture
def another(onboarding, database, second):
    """Makes the second conductor, which nobody knows of yet."""
    made = Conductor(onboarding.folder("second"), second, onboarding.ca, name="conductor2",
                     registry=database.uri)
    yield made
    made.stop()


def onboard(onboarding, conductor, **options):
    router = onboarding.router(**options)
    router.onboard(conductor.token(router.config["name"])).become_onboarded()
    wait_for(lambda: router.is_connected, 30, "the tunnel")
    return router


def names(router):
    return {c.get("name") for c in router.onboarding["conductors"] if not c.get("leaving")}


def leaving(router):
    return {c.get("name") for c in router.onboarding["conductors"] if c.get("leaving")}


def one_is_up(router, *hosts):
    found = tunnels(router)
    return any(found.get(each) == "connected" for each in hosts)


def set_wire(network, state):
    run("ip", "-n", network.router, "link", "set", "wire2", state)


def remove(conductor, name, rc=0):
    made = ctl(conductor, "delete", "authority", "conductor", name, check=rc)
    return made.stderr


def test_moved_to_another_conductor(onboarding, first, another, second):
    """Two routers; the new conductor cannot be reached yet when the old one is removed."""
    for i in (2, 3):
        first.configure(f"router{i}", asset_id=f"A{i}")
    routers = [onboard(onboarding, first, name=f"router{i}", asset_id=f"A{i}") for i in (2, 3)]
    set_wire(second, "down")
    another.start()
    for router in routers:
        wait_for(lambda r=router: names(r) == {"conductor1", "conductor2"}, 20, "the second")
        assert router.onboarding["conductors-version"] > 0
    assert "conductor1 itself" in remove(first, "conductor1", rc=1)
    assert "no conductor nobody" in remove(another, "nobody", rc=1)
    remove(another, "conductor1")
    for router in routers:
        wait_for(lambda r=router: names(r) == {"conductor2"}, 20, "the removal")
        assert leaving(router) == {"conductor1"} and one_is_up(router, host(first))
    # Killed here, each side comes back by what it knew.
    routers[0].kill9()
    routers[0].start()
    another.kill9()
    another.start()
    wait_for(lambda: one_is_up(routers[0], host(first)), 30, "the old way")
    assert names(routers[0]) == {"conductor2"} and leaving(routers[0]) == {"conductor1"}
    assert "kept until a listed one is reached" in ctl(
        routers[0], "show", "secure-conductor-onboarding", check=0).stdout
    set_wire(second, "up")
    for router in routers:
        wait_for(lambda r=router: tunnels(r) == {host(another): "connected"}, 60, "the new way")
        assert not leaving(router) and router.reboots == 1
    wait_for(lambda: "removed from the registry" in ctl(
        first, "show", "secure-conductor-onboarding", check=0).stdout, 5, "the warning")
    # What it is configured by now comes from there.
    reply = another.call("GET", "/v1/routers/router2/downloads", timeout=40)
    assert reply.json["nodes"][0]["connected"]
    shown = ctl(another, "show", "authority", "conductors", check=0).stdout.splitlines()
    assert len(shown) == 2 and shown[1].split()[:2] == ["conductor2", host(another)]


def test_one_that_lost_its_host_key_is_told_of_by_another(onboarding, first, another):
    another.start()
    router = onboard(onboarding, first)
    another.stop()
    shutil.rmtree(os.path.join(another.state, "tunnels"))
    another.start()
    wait_for(lambda: router.is_connected, 60, "both tunnels")
    assert names(router) == {"conductor1", "conductor2"}
    assert "conductor2" in router.log and "has another" not in ctl(
        another, "show", "secure-conductor-onboarding", check=0).stdout


def test_the_only_one_that_lost_its_host_key_needs_a_token(onboarding, conductor):
    """Nobody whom the router trusts can tell it: both sides say what to do."""
    router = onboard(onboarding, conductor)
    conductor.stop()
    shutil.rmtree(os.path.join(conductor.state, "tunnels"))
    conductor.start()
    wait_for(lambda: "needs a new token" in ctl(
        router, "show", "secure-conductor-onboarding", check=0).stdout, 60, "the router's word")
    shown = ctl(conductor, "show", "secure-conductor-onboarding", check=0).stdout
    assert "1 of 1 enrolled nodes have no tunnel to it" in shown and "needs a new token" in shown
    router.onboard(conductor.token())
    wait_for(lambda: router.is_connected, 60, "the tunnel")
    assert "a new token" not in ctl(
        conductor, "show", "secure-conductor-onboarding", check=0).stdout


def test_renumbered(onboarding, conductor):
    """The old address works until each router has reached the new one."""
    network = onboarding.network
    for space, end in ((network.conductor, 1), (network.router, 2)):
        run("ip", "-n", space, "addr", "add", f"10.78.3.{end}/24", "dev", "wire")
    router = onboard(onboarding, conductor)
    conductor.stop()
    conductor.config["address"] = "10.78.3.1"
    conductor.write_config()
    conductor.start()
    wait_for(lambda: tunnels(router) == {"10.78.3.1": "connected"}, 60, "the new address")
    assert names(router) == {"conductor1"} and router.reboots == 1
    run("ip", "-n", network.conductor, "addr", "del", network.address + "/30", "dev", "wire")
    assert conductor.call("GET", "/v1/routers/router1/downloads",
                          timeout=40).json["nodes"][0]["connected"]


def test_two_of_one_name_are_told_of(onboarding, first, another):
    another.config["name"] = "conductor1"
    another.write_config()
    another.start()
    for conductor, whose in ((first, "the other"), (another, "this one")):
        wait_for(lambda c=conductor, w=whose: f"routers are told of {w} alone" in ctl(
            c, "show", "secure-conductor-onboarding", check=0).stdout, 10, "the warning")
    for conductor in (first, another):
        wait_for(lambda c=conductor: "two machines are conductor conductor1" in c.log, 70,
                 "the event")


def test_only_conductors_tell_of_conductors(onboarding, conductor):
    """On the control socket, where an operator is, there is no such route."""
    router = onboarding.router()
    body = {"conductors-version": 1, "conductors": []}
    assert router.call("PUT", "/v1/conductors", body).status == 404


def issue(onboarding, conductor, name):
    for leaf, path in zip(("certificate", "private-key"), onboarding.ca.issue(name)):
        shutil.copy(path, conductor.config[leaf])


def test_certificate_renewed_by_a_reload(onboarding, conductor):
    """As an ACME client does it. What does not fit is refused by the reload, and nothing changes."""
    router = onboard(onboarding, conductor)
    conductor.configure("router2", asset_id="A2")
    before = conductor.token("router2")
    good = open(conductor.config["private-key"]).read()
    with open(conductor.config["private-key"], "w") as file:
        file.write("no key\n")
    refused = ctl(conductor, "request", "system", "reload")
    assert refused.returncode and "private-key" in refused.stderr, refused
    with open(conductor.config["private-key"], "w") as file:
        file.write(good)
    assert conductor.token("router2")  # the one of before is in force
    issue(onboarding, conductor, "conductor1b")
    early = conductor.post("/v1/routers/router2/tokens", {})
    assert early.status == 409 and "request system reload" in early.json["detail"]
    ctl(conductor, "request", "system", "reload", check=0)
    assert "shows another certificate from now on" in conductor.log
    newcomer = onboarding.router("A2", "router2")
    newcomer.onboard(before)
    assert "not the one in the token" in newcomer.wait_for_state("retrying")["reason"]
    newcomer.onboard(conductor.token("router2")).become_onboarded()
    assert router.is_connected and router.onboarding["conductors"][0]["problem"] is None


def shown_key(conductor):
    keys = [c["ssh-host-keys"] for c in conductor.get("/v1/conductors").json["conductors"]]
    return keys[0]


def test_next_host_key(onboarding, conductor):
    """It is announced while the old one still works; who was told needs no token."""
    router = onboard(onboarding, conductor)
    before = shown_key(conductor)
    key = os.path.join(conductor.state, "tunnels", "ssh_host_ed25519_key")
    conductor.stop()
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key + ".next")
    stat = os.stat(key)
    for path in (key + ".next", key + ".next.pub"):
        os.chown(path, stat.st_uid, stat.st_gid)
    conductor.start()
    wait_for(lambda: len(router.onboarding["conductors"][0]["ssh-host-keys"]) == 2, 60,
             "the next one")
    assert shown_key(conductor)[:1] == before
    conductor.stop()
    for ending in (".pub", ""):
        os.rename(key + ".next" + ending, key + ending)
    conductor.start()
    wait_for(lambda: len(router.onboarding["conductors"][0]["ssh-host-keys"]) == 1, 60,
             "the new one alone")
    assert router.is_connected and router.onboarding["conductors"][0]["ssh-host-keys"] != before
    assert "needs a new token" not in ctl(conductor, "show", "secure-conductor-onboarding",
                                          check=0).stdout


def test_since_when_one_is_unreachable_outlasts_a_restart(onboarding, conductor):
    router = onboard(onboarding, conductor)
    conductor.stop()
    down = wait_for(lambda: [c for c in router.onboarding["conductors"] if c["problem"]], 30,
                    "the tunnel's end")[0]["since"]
    router.stop()
    router.start()
    again = wait_for(lambda: [c for c in router.onboarding["conductors"] if c["problem"]], 30,
                     "a try")[0]
    assert again["since"] == down and again["next-try"]
    conductor.start()
    wait_for(lambda: router.is_connected, 60, "the tunnel")
    assert router.onboarding["conductors"][0]["since"] > down
