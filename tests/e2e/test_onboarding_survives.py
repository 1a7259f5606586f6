# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever ends, whenever: the router ends onboarded, with one enrolment and one key."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import threading
import time

import pytest

from onboarding_world import inside
from steward import SLOW, UnixConnection, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.release_only]
HOST = ["127.0.0.1"]


class Proxy:
    """At the router's 127.0.0.1, port 930: carries so many records of TLS, then what it is told."""

    def __init__(self, world, limit=None, then="cut"):
        self.world, self.limit, self.then = world, limit, then
        self.carried = 0
        self.reached = threading.Event()
        self.lock = threading.Lock()
        self.peers = []
        self.listener = inside(world.network.router, socket.create_server, ("127.0.0.1", 930))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            try:
                conductor = inside(self.world.network.router, socket.create_connection,
                                   (self.world.network.address, 930), 10)
            except OSError:
                peer.close()
                continue
            self.peers += [peer, conductor]
            for source, target in ((peer, conductor), (conductor, peer)):
                threading.Thread(target=self.carry, args=(source, target), daemon=True).start()

    def carry(self, source, target):
        stream = source.makefile("rb")
        try:
            while header := stream.read(5):
                if not self.may_pass():
                    return
                target.sendall(header + stream.read(int.from_bytes(header[3:], "big")))
        except (OSError, ValueError):
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def may_pass(self):
        """The one record too many: cut, or held back for ever."""
        with self.lock:
            if self.limit is None or self.carried < self.limit:
                self.carried += 1
                return True
            self.reached.set()
            if self.then == "cut":
                self.limit = None
                raise OSError("cut")
            return False

    def close(self):
        for end in (self.listener, *self.peers):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()


@pytest.fixture
def proxies(onboarding):
    made = []

    def proxy(*arguments, **options):
        made.append(Proxy(onboarding, *arguments, **options))
        return made[-1]

    yield proxy
    for each in made:
        each.close()


def kill_while_held(victim, proxy, proxies):
    """Then nothing is held back any more."""
    assert proxy.reached.wait(20 * SLOW)
    victim.kill9()
    proxy.close()
    proxies()


def check_onboarded(conductor, router, timeout=60):
    router.become_onboarded(timeout)
    wait_for(lambda: router.is_connected, timeout, "the tunnel")
    assert len(conductor.enrolments) == 1
    assert [router.ssh_key in line for line in conductor.authorized_keys] == [True]
    wait_for(lambda: any(outcome == "initialized" for outcome, _ in conductor.audit("router1")),
             timeout, "the initialization")
    # Of the token nothing is left.
    assert '"token"' not in open(os.path.join(router.secrets, "onboarding.json")).read()


@pytest.mark.parametrize("n", range(16))
def test_connection_cut_at_each_record(onboarding, conductor, proxies, n):
    """TLS hides the messages: any of its 16 records may be the one that does not come."""
    proxy = proxies(n)
    router = onboarding.router()
    router.onboard(conductor.token(), hosts=HOST)
    check_onboarded(conductor, router)
    assert proxy.reached.is_set()


@pytest.mark.parametrize("who", ["conductor", "router"])
@pytest.mark.parametrize("n", range(8, 16, 2))
def test_killed_during_the_handshake(onboarding, conductor, proxies, who, n):
    proxy = proxies(n, "hold")
    router = onboarding.router()
    router.onboard(conductor.token(), hosts=HOST)
    victim = conductor if who == "conductor" else router
    kill_while_held(victim, proxy, proxies)
    victim.start()
    check_onboarded(conductor, router)


@pytest.mark.parametrize("who", ["conductor", "router"])
@pytest.mark.parametrize("n", range(8, 18, 2))
def test_killed_during_the_handshake_of_a_tpm(onboarding, proxies, who, n):
    conductor = onboarding.conductor()
    tpm = onboarding.tpm()
    conductor.configure(**{"mode": "strong", "endorsement-key": tpm.endorsement_key})
    proxy = proxies(n, "hold")
    router = onboarding.router(tpm=tpm)
    router.onboard(conductor.token(), hosts=HOST)
    victim = conductor if who == "conductor" else router
    kill_while_held(victim, proxy, proxies)
    if victim is router:
        tpm.flush()  # as the kernel's resource manager does for one that died
    victim.start()
    check_onboarded(conductor, router)
    assert not tpm.leftovers


@pytest.mark.parametrize("who", ["conductor", "router"])
@pytest.mark.parametrize("n", range(9, 16, 3))
def test_killed_while_a_new_token_is_tried(onboarding, conductor, proxies, who, n):
    """It was reset: what holds is of no use any more, and stays until the new token is through."""
    router = onboarding.router()
    router.onboard(conductor.token())
    check_onboarded(conductor, router)
    assert conductor.post("/v1/routers/router1/nodes/node0/reset").status == 200
    proxy = proxies(n, "hold")
    router.onboard(conductor.token(), hosts=HOST)
    victim = conductor if who == "conductor" else router
    kill_while_held(victim, proxy, proxies)
    victim.start()
    wait_for(lambda: router.onboarding["next"] is None, 60, "the enrolment")
    check_onboarded(conductor, router)
    assert os.listdir(router.secrets).count("onboarding-next.json") == 0


# Held in a state, by what the router waits for there.

class Helper:
    """The conductor's: while it is stopped nobody gets a tunnel."""

    def __init__(self, conductor):
        parent = str(conductor.process.pid)
        with open(f"/proc/{parent}/task/{parent}/children") as file:
            self.pid = int(file.read().split()[0])

    def stop(self):
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self):
        os.kill(self.pid, signal.SIGCONT)


@contextlib.contextmanager
def locked_registry(conductor):
    """Nobody can write it: a router that is connected is not initialized."""
    database = sqlite3.connect(os.path.join(conductor.directory, "registry"),
                               isolation_level=None, timeout=30)
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        database.execute("ROLLBACK")
        database.close()


def bring_to(state, conductor, router, token):
    """Returns what lets it go on."""
    with contextlib.ExitStack() as held:
        helper = Helper(conductor)
        if state in ("enrolled", "connected"):
            helper.stop()
            held.callback(helper.go_on)
        router.onboard(token)
        if state in ("enrolled", "connected"):
            router.wait_for_state("enrolled")
        if state == "connected":
            held.enter_context(locked_registry(conductor))
            helper.go_on()
        if state == "onboarded":
            router.become_onboarded()
        else:
            router.wait_for_state(state)
        return held.pop_all()


STATES = ["enrolled", "connected", "initializing", "onboarded"]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("who", ["conductor", "router", "both"])
def test_killed_in_a_state(onboarding, conductor, state, who):
    router = onboarding.router()
    held = bring_to(state, conductor, router, conductor.token())
    victims = [conductor] if who == "conductor" else [router] if who == "router" \
        else [conductor, router]
    for victim in victims:
        victim.kill9()
    with contextlib.suppress(ProcessLookupError):
        held.close()
    for victim in victims:
        victim.start()
    check_onboarded(conductor, router, 120)


@pytest.mark.parametrize("state", STATES)
def test_reboot_in_a_state(onboarding, conductor, state):
    router = onboarding.router()
    held = bring_to(state, conductor, router, conductor.token())
    router.stop()
    held.close()
    router.start()
    check_onboarded(conductor, router, 120)


def test_registry_away_for_a_while(onboarding, conductor):
    """Longer than a write waits: nothing is decided, and nothing is given up."""
    router = onboarding.router()
    with bring_to("connected", conductor, router, conductor.token()):
        wait_for(lambda: "could not be" in conductor.log, 60, "the problem in the log")
        assert router.onboarding["state"] == "connected"
    check_onboarded(conductor, router)
    assert conductor.log.count("could not be") == 1


def test_registry_away_during_the_handshake(onboarding, conductor):
    router = onboarding.router()
    token = conductor.token()
    with locked_registry(conductor):
        router.onboard(token)
        state = router.wait_for_state("retrying", timeout=60)
        assert "retry-later" in state["reason"]
        assert conductor.enrolments == [] and conductor.authorized_keys == []
    check_onboarded(conductor, router)


@pytest.mark.parametrize("reboots", [False, True])
def test_conductor_that_comes_later(onboarding, reboots):
    conductor = onboarding.conductor()
    conductor.configure()
    token = conductor.token()
    conductor.stop()
    router = onboarding.router()
    router.onboard(token)
    state = router.wait_for_state("retrying")
    assert "connect to conductor" in state["reason"]
    if reboots:
        router.reboot()
        assert router.onboarding["state"] == "retrying"
    conductor.start()
    check_onboarded(conductor, router)


def test_second_conductor_of_the_list(onboarding, conductor):
    router = onboarding.router()
    router.onboard(conductor.token(), hosts=["127.0.0.1", "nowhere.invalid", router.host])
    check_onboarded(conductor, router)


def test_onboarded_router_and_a_conductor_that_restarts(onboarding, conductor):
    router = onboarding.router()
    router.onboard(conductor.token())
    check_onboarded(conductor, router)
    for end in (conductor.stop, conductor.kill9):
        end()
        wait_for(lambda: not router.is_connected, 60, "the end of the tunnel")
        conductor.start()
        check_onboarded(conductor, router)


def test_helper_of_the_tunnels_dies(onboarding, conductor):
    router = onboarding.router()
    router.onboard(conductor.token())
    check_onboarded(conductor, router)
    os.kill(Helper(conductor).pid, signal.SIGKILL)
    wait_for(lambda: not router.is_connected, 30, "the end of the tunnel")
    check_onboarded(conductor, router)
    conductor.put("/v1/routers/router1/configuration",
                  {"software-update": {"max-bandwidth": "123456"}})
    path = os.path.join(router.secrets, "router.json")
    wait_for(lambda: "123456" in open(path).read(), what="the configuration")


def test_initialized_again(onboarding, conductor):
    """By a conductor that never heard the answer to the first time: what it says holds at once."""
    router = onboarding.router()
    router.onboard(conductor.token())
    check_onboarded(conductor, router)
    loaded = router.log.count("configuration loaded")
    link = UnixConnection(os.path.join(router.directory, "conductor.sock"))
    link.request("POST", "/v1/initialize",
                 json.dumps({"software-update": {"max-bandwidth": "123456"}}))
    answer = link.getresponse()
    assert json.loads(answer.read())["state"] == "onboarded" and answer.status == 200
    link.close()
    assert router.log.count("configuration loaded") == loaded + 1


def silent_server(onboarding):
    return inside(onboarding.network.router, socket.create_server, ("127.0.0.1", 930))


def test_stops_in_the_middle_of_a_handshake(onboarding, conductor):
    """The conductor says nothing for minutes; the router that stops does not wait for it."""
    with silent_server(onboarding) as server:
        router = onboarding.router()
        router.onboard(conductor.token(), hosts=HOST)
        peer, _ = server.accept()
        begin = time.monotonic()
        router.stop()
        assert time.monotonic() - begin < 10 * SLOW
        peer.close()
        router.start()
        assert router.onboarding["state"] == "handshaking"
        router.stop()


def test_reload_while_onboarding_runs(onboarding, conductor):
    with silent_server(onboarding):
        router = onboarding.router()
        router.onboard(conductor.token(), hosts=["127.0.0.1"])
        assert router.post("/v1/reload").status in (200, 204)
        router.process.send_signal(signal.SIGHUP)
        wait_for(lambda: router.log.count("configuration loaded") >= 2, what="the reload")
        assert router.onboarding["state"] == "handshaking"


# A configuration on the disk before the boot.

def test_onboarding_file(onboarding, conductor):
    router = onboarding.router(start=False)
    path = router.place(router.document(conductor.token()))
    router.start()
    check_onboarded(conductor, router)
    assert not os.path.exists(path)


@pytest.mark.parametrize("document, reason", [
    ("", ""), ("{", ""), ("[]", "expected a JSON object"),
    ('{"mode":"conductor-managed","name":"router1","conductor-hosts":[]}', "conductor-hosts")])
def test_bad_onboarding_file(onboarding, conductor, document, reason):
    """It is told of, it stays, and the router is there for a better one."""
    router = onboarding.router(start=False)
    path = router.place(document)
    router.start()
    assert path in router.log and reason in router.log
    assert router.onboarding["state"] == "unconfigured" and os.path.exists(path)
    router.onboard(conductor.token())
    check_onboarded(conductor, router)
