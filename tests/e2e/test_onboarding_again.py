# SPDX-License-Identifier: GPL-3.0-or-later
"""A new token starts over, and cuts nobody off: what holds stays until a conductor has enrolled the
router by the new one."""

import contextlib
import http.client
import itertools
import json
import os
import shutil
import time

import pytest

from certificates import Authority
from onboarding_world import Conductor, SecondNetwork
from steward import SLOW, ctl, wait_for
from test_disk_faults import Injection
from tunnels import all_processes, command_line, network_of
from wire_router import read_token

pytestmark = pytest.mark.slow
SCO = "secure-conductor-onboarding"


def jti(token):
    return read_token(token)[1]["jti"]


def become_again(router):
    """The newer token is through, and the router onboarded by it."""
    wait_for(lambda: router.onboarding["next"] is None and
             router.onboarding["state"] != "onboarded", 60, "the new enrolment")
    state = router.become_onboarded()
    wait_for(lambda: router.is_connected, 30, "the tunnel")
    return state


@pytest.fixture
def onboarded(onboarding, conductor):
    """The router, and the token it is onboarded with."""
    router = onboarding.router()
    token = conductor.token()
    router.onboard(token).become_onboarded()
    wait_for(lambda: router.is_connected, 30, "the tunnel")
    return router, token


def reset(conductor):
    assert conductor.post("/v1/routers/router1/nodes/node0/reset").status == 200


def delete_node(conductor):
    conductor.delete("/v1/routers/router1/nodes/node0")
    conductor.configure()


def delete_router(conductor):
    conductor.delete("/v1/routers/router1")
    conductor.configure()


def check_one_enrolment(conductor, router, token):
    enrolments = conductor.enrolments
    assert [(e["router"], e["node"]) for e in enrolments] == [("router1", "node0")]
    assert [router.ssh_key in line for line in conductor.authorized_keys] == [True]
    assert router.onboarding["jti"] == jti(token) and router.onboarding["reason"] is None
    assert router.holds(token) == []


@pytest.mark.parametrize("end", [reset, delete_node, delete_router])
@pytest.mark.parametrize("way", ["socket", "file"])
def test_new_token_starts_over(conductor, onboarded, end, way):
    router, _ = onboarded
    end(conductor)
    wait_for(lambda: not router.is_connected, 30, "the end of the tunnel")
    token = conductor.token()
    if way == "socket":
        router.onboard(token)
    else:
        path = router.place(router.document(token))
        router.reboot()
        assert not os.path.exists(path)
    become_again(router)
    check_one_enrolment(conductor, router, token)
    assert router.reboots == 2


def test_new_token_where_nothing_has_changed(conductor, onboarded):
    """The node is known by its key: it is enrolled again, and has one enrolment still."""
    router, old = onboarded
    token = conductor.token()
    router.onboard(token)
    become_again(router)
    check_one_enrolment(conductor, router, token)
    assert router.holds(old) == []


def test_same_token_changes_nothing(conductor, onboarded):
    router, token = onboarded
    reply = router.post("/v1/onboarding", router.document(token))
    assert reply.status == 409
    assert f"onboarded by this very token already ({jti(token)})" in reply.detail
    assert "a new one" in reply.detail
    assert router.onboarding["state"] == "onboarded" and router.is_connected
    assert router.reboots == 1


def its_ssh(router):
    """The command line of each ssh that it runs."""
    network = network_of(router.process.pid)
    running = [command_line(pid) for pid in all_processes() if network_of(pid) == network]
    return [words for words in running if words and words[0] == b"ssh"]


def test_moved_to_another_conductor(onboarding, conductor, onboarded):
    router, _ = onboarded
    with contextlib.closing(SecondNetwork(onboarding.network)) as network, \
            contextlib.ExitStack() as stack:
        other = Conductor(onboarding.folder("other"), network,
                          Authority(onboarding.folder("other-ca"), "authority"), name="conductor2")
        stack.callback(other.stop)
        other.start()
        other.configure()
        token = other.token()
        before = router.onboarding["conductors"][0]["host"]
        router.onboard(token, [network.address])
        become_again(router)
        check_one_enrolment(other, router, token)
        hosts = [c["host"] for c in router.onboarding["conductors"]]
        assert hosts == [network.address] and hosts != [before]
        # Of the tunnel to the old one there is nothing left, on either side.
        assert [network.address.encode() in words for words in its_ssh(router)] == [True]
        assert router.holds(before) == [router.log_path]
        wait_for(lambda: conductor.get("/v1/routers/router1/downloads").json["nodes"][0]["error"]
                 == "it is not connected", 30, "the end of the old one's session")
        router.stop()


# A mistaken file.

def refused_next(router):
    return wait_for(lambda: (router.onboarding["next"] or {}).get("state") == "refused" and
                    router.onboarding["next"], 60, "the refusal")


def test_refused_token_cuts_nobody_off(conductor, onboarded):
    router, token = onboarded
    wrong = conductor.token()
    conductor.delete("/v1/tokens/" + jti(wrong))
    router.onboard(wrong)
    told = refused_next(router)
    assert told["jti"] == jti(wrong) and "refused" in told["reason"]
    assert router.onboarding["state"] == "onboarded" and router.is_connected
    shown = ctl(router, "show", SCO, check=0).stdout
    assert shown.startswith("State      onboarded\n")
    assert "Newer token  refused" in shown and jti(wrong) in shown
    assert router.holds(wrong) == []
    # So it is after a boot, and until what holds is taken back, or a better one comes.
    router.reboot()
    wait_for(lambda: router.is_connected, 30, "the tunnel")
    assert router.onboarding["next"]["state"] == "refused" and router.reboots == 1
    assert router.onboard(token).onboarding["next"] is None
    assert router.onboarding["state"] == "onboarded" and router.is_connected
    better = conductor.token()
    router.onboard(better)
    become_again(router)
    check_one_enrolment(conductor, router, better)


def test_conductor_that_is_not_there_cuts_nobody_off(conductor, onboarded):
    router, token = onboarded
    newer = conductor.token()
    router.onboard(newer, ["127.0.0.1"])
    wait_for(lambda: router.onboarding["next"]["state"] == "retrying", 30, "the failure")
    assert router.onboarding["state"] == "onboarded" and router.is_connected
    # What its conductor sends arrives meanwhile.
    conductor.put("/v1/routers/router1/configuration",
                  {"software-update": {"max-bandwidth": "123456"}})
    path = os.path.join(router.secrets, "router.json")
    wait_for(lambda: "123456" in open(path).read(), what="the configuration")
    router.reboot()
    wait_for(lambda: router.is_connected, 30, "the tunnel")
    assert router.onboarding["next"]["state"] == "retrying"
    # The same token with a better address: it was a mistake in the file.
    router.onboard(newer)
    become_again(router)
    check_one_enrolment(conductor, router, newer)


def test_file_that_is_no_configuration_cuts_nobody_off(conductor, onboarded):
    router, _ = onboarded
    path = router.place({"mode": "conductor-managed"})
    router.reboot()
    wait_for(lambda: router.is_connected, 30, "the tunnel")
    assert router.onboarding["state"] == "onboarded" and router.onboarding["next"] is None
    assert path in router.log and os.path.exists(path)
    assert router.post("/v1/onboarding", {"mode": "other"}).status == 400
    assert router.onboarding["state"] == "onboarded" and router.is_connected


# One that waits.

def test_waiting_router_takes_a_new_token(onboarding, conductor):
    router = onboarding.router()
    router.onboard(conductor.token(), ["127.0.0.1"]).wait_for_state("retrying")
    token = conductor.token()
    router.onboard(token).become_onboarded()
    wait_for(lambda: router.is_connected, 30, "the tunnel")
    check_one_enrolment(conductor, router, token)


def test_waiting_router_takes_a_better_address(onboarding, conductor):
    router = onboarding.router()
    token = conductor.token()
    router.onboard(token, ["127.0.0.1"]).wait_for_state("retrying")
    router.onboard(token).become_onboarded()
    wait_for(lambda: router.is_connected, 30, "the tunnel")
    check_one_enrolment(conductor, router, token)


# What lies on the disk at a start.

@pytest.mark.parametrize("state", ["retrying", "onboarded"])
def test_file_that_power_left_is_removed(onboarding, conductor, state):
    """Its token was taken, and power was cut before the file went: it stays no longer in the clear,
    and starts nothing."""
    router = onboarding.router()
    token = conductor.token()
    router.onboard(token, ["127.0.0.1"] if state == "retrying" else None)
    router.wait_for_state("retrying") if state == "retrying" else router.become_onboarded()
    reboots = router.reboots
    path = router.place(router.document(token))
    router.reboot()
    assert not os.path.exists(path)
    assert router.onboarding["state"] == state and router.onboarding["next"] is None
    assert router.holds(token) == ([os.path.join(router.secrets, "onboarding.json")]
                                   if state == "retrying" else [])
    assert router.reboots == reboots


def is_killed_or_due(router):
    """Killed, or as far as it comes without a boot."""
    try:
        return router.process.poll() is not None or (
            router.onboarding["state"] == "initializing" and router.reboots > router.boots_seen)
    except (OSError, http.client.HTTPException):
        return False  # in between


@pytest.mark.release_only
@pytest.mark.parametrize("call", ["rename", "unlink", "fsync"])
def test_killed_at_each_step_on_the_disk(conductor, onboarded, tmp_path, call):
    """From the order to the boot: it is onboarded by the old token or goes on with the new one,
    never by neither."""
    router, old = onboarded
    for n in itertools.count(1):
        token = conductor.token()
        injection = Injection(router, call, "signal=KILL", n, tmp_path / f"trace{n}")
        with contextlib.suppress(OSError, http.client.HTTPException):
            router.onboard(token)
        wait_for(lambda: is_killed_or_due(router), 60, "the end of it")
        injection.end()
        wait_for(lambda: router.process.poll() is not None or router.is_up(), 10, "its end, or none")
        if router.process.poll() is not None:
            router.start()
        state = router.onboarding
        is_new = jti(token) in (state["jti"], (state["next"] or {}).get("jti"))
        assert is_new or (state["jti"] == jti(old) and state["state"] == "onboarded"
                          and state["next"] is None), state
        if is_new:
            wait_for(lambda r=router, t=token: r.onboarding["jti"] == jti(t), 60, "the enrolment")
            router.become_onboarded()
            old = token
        router.boots_seen = router.reboots
        wait_for(lambda r=router: r.is_connected, 60, "the tunnel")
        assert len(conductor.enrolments) == 1
        assert router.onboarding["next"] is None and router.holds(token) == []
        if not injection.had_effect:
            break
    assert n > 1


def test_newer_file_that_power_left_is_removed(conductor, onboarded):
    """What holds was written by its token, and power was cut before it went."""
    router, _ = onboarded
    kept = os.path.join(router.secrets, "onboarding.json")
    with open(kept) as file:
        record = json.load(file)
    router.stop()
    left = os.path.join(router.secrets, "onboarding-next.json")
    with open(left, "w") as file:
        json.dump({**record, "state": "handshaking", "token": "x", "conductors": []}, file)
    router.start()
    assert not os.path.exists(left)
    assert router.onboarding["next"] is None and router.onboarding["state"] == "onboarded"


def test_newer_file_that_cannot_be_read(conductor, onboarded):
    router, _ = onboarded
    router.stop()
    with open(os.path.join(router.secrets, "onboarding-next.json"), "w") as file:
        file.write("{")
    router.start()
    wait_for(lambda: router.is_connected, 30, "the tunnel")
    assert router.onboarding["state"] == "onboarded"
    assert "the newer token is not tried" in router.log


# The reboot.

def test_reboot_that_fails_is_told(onboarding, conductor):
    router = onboarding.router(onboarding={
        "reboot-command": ["sh", "-c", "echo 'no dbus' >&2; exit 3"]})
    router.onboard(conductor.token())
    state = wait_for(lambda: router.onboarding["reason"] and router.onboarding, 60, "the reason")
    assert state["state"] == "initializing"
    assert "could not be rebooted" in state["reason"] and "no dbus" in state["reason"]
    wait_for(lambda: router.is_connected, 30, "the tunnel")
    # Somebody mends it, and restarts: the same boot, so the reboot is due still.
    router.stop()
    router.config[SCO]["reboot-command"] = ["sh", "-c", f"echo reboot >>{router.rebooted}"]
    router.write_config()
    router.start()
    assert router.onboarding["state"] == "initializing"
    router.become_onboarded()
    assert router.reboots == 1


def test_reboot_that_takes_its_time_holds_up_nobody(onboarding, conductor):
    marker = os.path.join(onboarding.directory, "commanded")
    router = onboarding.router(onboarding={
        "reboot-command": ["sh", "-c", f"touch {marker}; exec sleep 1000"]})
    router.onboard(conductor.token())
    wait_for(lambda: os.path.exists(marker), 60, "the command")
    begin = time.monotonic()
    assert router.onboarding["state"] == "initializing"
    router.stop()
    assert time.monotonic() - begin < 10 * SLOW
    assert router.start().onboarding["state"] == "onboarded"


def test_a_copied_machine_is_told_of_once(onboarding, conductor, onboarded):
    router, _ = onboarded
    copy = onboarding.router(start=False)
    router.stop()
    for folder in ("secrets", "state"):
        shutil.copytree(os.path.join(router.directory, folder), os.path.join(copy.directory, folder),
                        dirs_exist_ok=True)
    said = "router router1, node node0: 6 tunnels with its key"
    for machine in (router, copy):
        machine.start()
    wait_for(lambda: said in conductor.log, 60, "the words")
    time.sleep(3)
    assert conductor.log.count(said) == 1 and "was the machine copied?" in conductor.log
