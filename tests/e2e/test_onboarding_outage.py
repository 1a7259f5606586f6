# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is away when a router comes: its conductor for a minute, the one of the pair that has begun with
it for ever, the database since before the start."""

import os
import re
import signal
import socket
import sqlite3
import threading
import time

import pytest

from conductor_pair import both_connected, host, outcomes, tunnels
from onboarding_world import inside
from steward import SLOW, ctl, wait_for
from test_onboarding_survives import Helper, check_onboarded
from tunnels import all_processes, command_line, network_of
from wire_router import WireRouter

pytestmark = pytest.mark.slow

# Seconds between the tries, each between its half and its whole (backoff.h).
WAITS = [1, 2, 4, 8, 16, 32]
LATE = 1.5 * SLOW  # what a busy machine may add


# A conductor that is down.

def connections_begun(network):
    """By the kernel's count, in this network namespace."""
    with open("/proc/thread-self/net/snmp") as file:
        names, values = [line.split()[1:] for line in file if line.startswith("Tcp:")]
    return int(dict(zip(names, values))["ActiveOpens"])


def watch_tries(network, seconds):
    """When it tried, in seconds since the beginning."""
    begin, seen, tries = time.monotonic(), inside(network, connections_begun, network), []
    while (now := time.monotonic() - begin) < seconds:
        count = inside(network, connections_begun, network)
        tries += [now] * (count - seen)
        seen = count
        time.sleep(0.05)
    return tries


@pytest.mark.release_only
def test_conductor_that_is_down_for_a_minute(onboarding, conductor):
    token = conductor.token()
    conductor.stop()
    router = onboarding.router()
    before = inside(onboarding.network.router, connections_begun, None)
    router.onboard(token)
    router.wait_for_state("retrying")
    tried = inside(onboarding.network.router, connections_begun, None) - before
    tries = watch_tries(onboarding.network.router, 60)
    # The first ones came before the watch began; the gaps of those after it are what is due.
    waits = WAITS[tried:]
    gaps = [later - earlier for earlier, later in zip(tries, tries[1:])]
    assert 4 <= tried + len(tries) <= 7, (tried, tries)
    for gap, whole in zip(gaps, waits):
        assert whole / 2 - 0.2 <= gap <= whole + LATE, (gaps, waits)
    # A minute of failures is one event, and nothing is decided.
    assert router.onboarding["state"] == "retrying" and "connect" in router.onboarding["reason"]
    assert router.log.count("onboarding: retrying") == 1
    conductor.start()
    check_onboarded(conductor, router, 120)
    assert router.reboots == 1


def the_tunnel(router):
    return router.onboarding["conductors"][0]


def the_tunnel_if(router, is_so):
    tunnel = the_tunnel(router)
    return tunnel if is_so(tunnel) else None


def show(router):
    return ctl(router, "show", "secure-conductor-onboarding", check=0).stdout


def told(router):
    """What the journal has of tunnels that are down, in order."""
    return re.findall(r"warning (the tunnel to \S+ port 930 is (?:still )?down: .*)", router.log)


def hang_up(listener):
    """A server that takes connections, and ends them."""
    while True:
        try:
            listener.accept()[0].close()
        except OSError:
            return


@pytest.mark.release_only
def test_operator_sees_what_keeps_a_tunnel_down(onboarding, conductor):
    router = onboarding.router()
    router.onboard(conductor.token())
    check_onboarded(conductor, router)
    up = the_tunnel(router)
    assert up["problem"] is None and up["next-try"] is None and 0 <= time.time() - up["since"] < 60

    conductor.stop()
    refused = "Connection refused"
    down = wait_for(lambda: the_tunnel_if(router, lambda t: refused in (t["problem"] or "")), 60,
                    "the problem")
    assert up["since"] <= down["since"] <= time.time()
    # The same again, three times, is no news.
    before = told(router)
    assert before[-1].endswith(refused)
    tries = inside(onboarding.network.router, connections_begun, None)
    wait_for(lambda: inside(onboarding.network.router, connections_begun, None) >= tries + 3, 60,
             "more tries")
    assert told(router) == before
    waiting = wait_for(lambda: the_tunnel_if(router, lambda t: t["next-try"]), 60, "a wait")
    assert waiting["tunnel"] == "waiting" and waiting["since"] == down["since"]
    assert -1 <= waiting["next-try"] - time.time() <= 61
    shown = wait_for(lambda: "next try in" in (shown := show(router)) and shown, 60, "the wait")
    assert refused in shown and re.search(r"next try in \d+ s", shown), shown

    # Another reason is.
    listener = inside(onboarding.network.conductor, socket.create_server,
                      (onboarding.network.address, 930))
    threading.Thread(target=hang_up, args=(listener,), daemon=True).start()
    wait_for(lambda: len(told(router)) == len(before) + 1, 120, "the other reason")
    assert "is still down: " in told(router)[-1] and refused not in told(router)[-1]
    assert told(router)[-1].endswith(the_tunnel(router)["problem"])
    assert the_tunnel(router)["since"] == down["since"]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()

    ups = router.log.count("port 930 is up")
    conductor.start()
    wait_for(lambda: router.is_connected, 120, "the tunnel")
    assert router.log.count("port 930 is up") == ups + 1
    again = the_tunnel(router)
    assert again["problem"] is None and again["next-try"] is None
    assert again["since"] > down["since"]


# A conductor that has begun with a router.

def ssh_to(router, address):
    """The process that holds its tunnel."""
    network = network_of(router.process.pid)
    return next(pid for pid in all_processes() if network_of(pid) == network and
                address.encode() in command_line(pid) and command_line(pid)[0] == b"ssh")


def test_claim_of_a_conductor_that_died(onboarding, pair, database):
    one, two = pair
    sql = database.sql
    one.configure()
    router = onboarding.router()
    helpers = [Helper(conductor) for conductor in pair]
    for helper in helpers:
        helper.stop()
    router.onboard(one.token(), [host(one), host(two)])
    router.wait_for_state("enrolled")
    # It says what its keys are, and then its ssh stands still: the first one claims, and waits for an
    # answer.
    with database.locked("initializations"):
        helpers[0].go_on()
        wait_for(lambda: sql("SELECT node FROM node_keys"), 60, "the router's keys")
        ssh = ssh_to(router, host(one))
        os.kill(ssh, signal.SIGSTOP)
    claim = "SELECT conductor, finished FROM initializations"
    wait_for(lambda: sql(claim) == ["conductor1|"], 30, "the claim")
    one.kill9()
    os.kill(ssh, signal.SIGKILL)
    helpers[1].go_on()
    wait_for(lambda: tunnels(router)[host(two)] == "connected", 90, "the living one's tunnel")
    # It is another's, who may be at it: asked again every 2 s, and left alone.
    time.sleep(5)
    assert router.onboarding["state"] == "connected" and sql(claim) == ["conductor1|"]
    assert router.reboots == 0 and "could not be" not in two.log
    let_pass = "UPDATE initializations SET claimed = {}"
    sql(let_pass.format(int(time.time()) - 280))
    time.sleep(3)
    assert sql(claim) == ["conductor1|"]  # five minutes are not over
    sql(let_pass.format(int(time.time()) - 301))
    router.become_onboarded()
    wait_for(lambda: outcomes(two).count("initialized") == 1, 30, "the end of it")
    assert sql("SELECT conductor FROM initializations WHERE finished IS NOT NULL") == ["conductor2"]
    # The dead one comes back: nothing is done twice.
    one.start()
    wait_for(lambda: both_connected(router), 90, "both tunnels")
    time.sleep(2)
    assert outcomes(one).count("initialized") == 1 and router.reboots == 1


# A database that is not there.

def problem(conductor):
    return conductor.get("/v1/status").json["secure-conductor-onboarding"]["registry"]


def test_database_that_is_not_there_at_the_start(onboarding, database):
    conductor = onboarding.conductor(registry=database.uri)
    conductor.configure()
    conductor.configure("router2", asset_id="A2")
    token = conductor.token("router2")
    first = onboarding.router()
    first.onboard(conductor.token())
    check_onboarded(conductor, first)
    keys = conductor.authorized_keys
    conductor.stop()
    database.stop()

    conductor.start()
    wait_for(lambda: problem(conductor)["problem"] not in (None, "not asked yet"), 30, "the problem")
    assert not problem(conductor)["reachable"]
    assert database.folder in problem(conductor)["problem"]
    wait_for(lambda: "this conductor is not registered yet: " in conductor.log, 30, "the line of it")
    for reply in (conductor.get("/v1/routers"), conductor.get("/v1/enrolments"),
                  conductor.post("/v1/routers/router2/tokens", {}),
                  conductor.call("DELETE", "/v1/routers/router1")):
        assert reply.status == 503 and "registry" in reply.detail, reply.body
    second = onboarding.router("A2", "router2")
    second.onboard(token)
    state = second.wait_for_state("retrying")
    assert "retry-later" in state["reason"]
    # Who was let in before comes back; nobody else does.
    assert conductor.authorized_keys == keys
    wait_for(lambda: first.is_connected, 60, "the first one's tunnel")
    time.sleep(3)
    assert conductor.authorized_keys == keys and second.onboarding["state"] == "retrying"

    database.start()
    second.become_onboarded(timeout=90)
    wait_for(lambda: second.is_connected, 60, "the second one's tunnel")
    assert first.is_connected and len(conductor.authorized_keys) == 2
    wait_for(lambda: problem(conductor)["reachable"], 90, "the registry in the summary")
    assert sorted(e["router"] for e in conductor.enrolments) == ["router1", "router2"]


def test_database_that_was_never_there(onboarding, database):
    """Its tables, too, are made when it comes; the first router to come is told of this conductor."""
    database.stop()
    conductor = onboarding.conductor(registry=database.uri)
    assert conductor.post("/v1/routers/router1/tokens", {}).status == 503
    database.start()
    wait_for(lambda: conductor.get("/v1/routers").status == 200, 30, "the registry")
    conductor.configure()
    router = onboarding.router()
    router.onboard(conductor.token())
    check_onboarded(conductor, router, 90)
    assert [c["host"] for c in router.onboarding["conductors"]] == [host(conductor)]


def test_no_conductor_in_the_registry(onboarding, conductor):
    """As before the first registration: nobody is enrolled who would have nowhere to go."""
    token = conductor.token()
    registry = sqlite3.connect(os.path.join(conductor.directory, "registry"), timeout=30)
    with registry:
        assert registry.execute("DELETE FROM conductors").rowcount == 1
    registry.close()
    router = WireRouter(onboarding, token)
    assert router.ask(router.hello) == {"type": "error", "reason": "retry-later"}
    wait_for(lambda: "no conductor is registered yet" in conductor.log, 20, "the reason")
    assert conductor.enrolments == [] and conductor.authorized_keys == []
