# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever holds however many connections to a listener, and however: others get their answer, and
root and the control group get it at once."""

import contextlib
import http.client
import os
import resource
import shutil
import socket
import tempfile
import time

import pytest

from crowds import Holder, holding
from onboarding_world import inside
from steward import Daemon, Events, UnixConnection, free_port, wait_for
from test_descriptors import descendants, read
from tunnels import cpu_seconds

ASK = "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"
HALF = "GET /v1/sta"
HALF_BODY = "POST /v1/downloads HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n{"
STREAM = "GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n"
PLACES = 256
STREAMS = 32  # of one user
ANSWER_S = 1
USERS = [65534, 30001, 30002, 30003]


@pytest.fixture
def daemon(key):
    """Not in pytest's folder, which it closes to other users."""
    directory = tempfile.mkdtemp()
    os.chmod(directory, 0o755)
    made = Daemon(directory, key, router={"control": {
        "socket": directory + "/control.sock", "group": "games", "read-group": "users"}})
    yield made
    made.stop()
    shutil.rmtree(directory)


def asked(daemon, method="GET", path="/v1/status"):
    """Root's status, and whether it came in time."""
    begin = time.monotonic()
    status = daemon.call(method, path, timeout=10).status
    return status, time.monotonic() - begin < ANSWER_S


@pytest.mark.parametrize("users, groups, says", [
    ([65534], None, HALF), (USERS, None, ""), (USERS, None, HALF_BODY), (USERS, None, STREAM),
    (USERS, "users", HALF), (USERS, "users", ASK), (USERS, "users", STREAM)])
def test_root_and_the_control_group_always_get_an_answer(daemon, users, groups, says):
    daemon.start()
    with holding(daemon.socket, 300, says, users, groups):
        for _ in range(3):
            assert asked(daemon) == (200, True)
        assert asked(daemon, "POST", "/v1/reload") == (200, True)
        assert answered(daemon, "games", "GET", "/v1/status") == "200"
        assert answered(daemon, "games", "POST", "/v1/reload") == "200"
        if groups is None:  # strangers leave three quarters to others
            assert answered(daemon, "users", "GET", "/v1/status") == "200"
        assert daemon.descriptors < PLACES + 16 * len(users) + 32
    wait_for(lambda: answered(daemon, "users", "GET", "/v1/status") == "200", 5)
    assert answered(daemon, "", "GET", "/v1/status") == "403"


@pytest.mark.parametrize("n, says", [(PLACES, ""), (PLACES, ASK), (PLACES + 1, HALF), (300, "")])
def test_a_full_listener_that_is_left_at_once_goes_on(daemon, n, says):
    """Root's own."""
    daemon.start()
    before = daemon.descriptors
    for _ in range(2):
        holder = Holder(daemon.socket, n, says)
        assert asked(daemon) == (200, True)
        holder.close()
        assert asked(daemon) == (200, True)
        wait_for(lambda: daemon.descriptors <= before + 1, 5, "the end of all")


def test_all_of_many_are_answered(daemon):
    """Who is more than its part waits until others of its own are done; nobody gets an error."""
    daemon.start()
    with holding(daemon.socket, 300, ASK) as (holder,):
        assert holder.answers() == ["200"] * 300


def test_who_is_too_many_is_told_so(daemon):
    daemon.start()
    with holding(daemon.socket, 300, STREAM, [65534], "users") as (holder,):
        answers = holder.answers()
        assert answers.count("200") == STREAMS
        assert answers.count("503") >= PLACES // 4 - STREAMS
        assert set(answers) <= {"200", "503", "", "BrokenPipeError", "ConnectionResetError"}


def test_streams_of_one_leave_its_other_requests_alone(daemon):
    daemon.start()
    streams = [Events(daemon) for _ in range(STREAMS)]
    refused = daemon.get("/v1/events")
    assert refused.status == 503 and "event streams" in refused.detail
    assert asked(daemon) == (200, True)
    streams.pop().close()
    wait_for(lambda: is_streamed(daemon), 5, "a stream's place")
    for stream in streams:
        stream.close()


def answered(daemon, groups, method, path):
    """The status that nobody gets, as a member of that group; or none."""
    says = f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n"
    with holding(daemon.socket, 1, says, [65534], groups) as (holder,):
        return holder.answers()[0]


def is_streamed(daemon):
    with contextlib.closing(UnixConnection(daemon.socket)) as connection:
        connection.request("GET", "/v1/events")
        return connection.getresponse().status == 200


def test_half_a_request_takes_nobodys_place(daemon):
    """Of one and the same user: what was served goes last."""
    daemon.start()
    with holding(daemon.socket, 300, HALF, [65534], "users"):
        wait_for(lambda: answered(daemon, "users", "GET", "/v1/status") == "200", 5)


@pytest.mark.parametrize("says", ["", HALF, STREAM], ids=["nothing", "half", "stream"])
def test_without_descriptors(daemon, says):
    """Fewer than the listener would have places: there are enough for what is asked."""
    daemon.prefix = ["prlimit", "--nofile=80:80"]
    daemon.start()
    before = daemon.descriptors
    with holding(daemon.socket, 100, says, USERS[:2], "users"):
        for _ in range(3):
            assert asked(daemon) == (200, True)
        assert answered(daemon, "games", "POST", "/v1/reload") == "200"
    assert asked(daemon) == (200, True)
    wait_for(lambda: answered(daemon, "users", "GET", "/v1/status") == "200", 5)
    # Streams that nobody reads are missed when there is something to say.
    wait_for(lambda: says == STREAM or daemon.descriptors <= before + 1, 5, "the end of all")


@pytest.mark.parametrize("says", ["", STREAM], ids=["nothing", "stream"])
def test_descriptors_that_others_have_taken(daemon, says):
    """There are places, and no descriptor: root is let in by the spare one."""
    daemon.start()
    bound = daemon.descriptors + 20
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (bound, bound))
    with holding(daemon.socket, 60, says, USERS[:2], "users"), holding(daemon.socket, 3, says):
        for _ in range(20):
            assert asked(daemon) == (200, True)
            assert answered(daemon, "games", "GET", "/v1/status") == "200"
        used = cpu_seconds(daemon.process.pid)
        time.sleep(0.5)  # it does not spin meanwhile
        assert cpu_seconds(daemon.process.pid) - used < 0.2
    wait_for(lambda: answered(daemon, "users", "GET", "/v1/status") == "200", 5)


def get_index(port, source):
    with contextlib.closing(http.client.HTTPConnection(
            "127.0.0.1", port, timeout=10, source_address=(source, 0))) as connection:
        connection.request("GET", "/index.json")
        return connection.getresponse().status


@pytest.mark.parametrize("says", ["", "GET /ind", "GET /index.json HTTP/1.1\r\nHost: x\r\n\r\n"],
                         ids=["nothing", "half", "whole"])
def test_one_address_leaves_the_repository_to_others(daemon, says):
    port = free_port()
    daemon.config["software-update"]["repository"] = {
        "listen": [{"address": "127.0.0.1", "port": port}]}
    daemon.write_config()
    daemon.start()
    with contextlib.ExitStack() as all_of_them:
        for source in ("127.0.0.2", "127.0.0.3", "127.0.0.4"):
            all_of_them.enter_context(holding(["127.0.0.1", port, source], 500, says))
        begin = time.monotonic()
        assert get_index(port, "127.0.0.9") == 200
        assert time.monotonic() - begin < ANSWER_S
        # Instead of one of its own.
        wait_for(lambda: get_index(port, "127.0.0.2") == 200, 5)
        assert daemon.descriptors < PLACES + 3 * 16 + 32
    assert get_index(port, "127.0.0.2") == 200


def test_a_tunnel_leaves_the_conductors_socket_to_another(daemon):
    """Each tunnel is a process of ours: one that holds all it can, and one that asks."""
    daemon.start()
    path = os.path.join(daemon.directory, "conductor.sock")
    with holding(path, 300, HALF), holding(path, 300, HALF, [65534]):
        with contextlib.closing(UnixConnection(path, timeout=ANSWER_S)) as connection:
            connection.request("GET", "/v1/status")
            assert connection.getresponse().status == 200
    with contextlib.closing(UnixConnection(path, timeout=ANSWER_S)) as connection:
        connection.request("GET", "/v1/status")
        assert connection.getresponse().status == 200


def test_it_ends_while_it_is_full(daemon):
    daemon.start()
    with holding(daemon.socket, 300, STREAM, USERS[:2], "users"), holding(daemon.socket, 300, HALF):
        daemon.stop()
    daemon.start()
    assert asked(daemon) == (200, True)


def repository_port(router):
    """Its end of the tunnel to the conductor's repository."""
    for pid in descendants(router.process.pid):
        words = read(f"/proc/{pid}/cmdline").split("\0")
        if "-L" in words and words[0] == "ssh":
            return int(words[words.index("-L") + 1].split(":")[1])
    return None


def ask_for_index(onboarding, router, timeout=10):
    """A connection through the tunnel, and what it got."""
    connection = inside(onboarding.network.router, socket.create_connection,
                        ("127.0.0.1", repository_port(router)), timeout)
    connection.sendall(b"GET /index.json HTTP/1.1\r\nHost: x\r\n\r\n")
    return connection


def is_answered(connection):
    try:
        return connection.recv(4096).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def is_served(onboarding, router):
    with ask_for_index(onboarding, router) as connection:
        return is_answered(connection)


def test_one_router_leaves_the_repository_to_others(onboarding, conductor):
    """Through its tunnel it has the 32 connections that it may be configured to use, not 300."""
    conductor.configure("router2", asset_id="A1")
    one = onboarding.router().onboard(conductor.token())
    two = onboarding.router("A1", name="router2").onboard(conductor.token("router2"))
    for router in (one, two):
        router.wait_for_state("initializing")
        wait_for(lambda r=router: r.is_connected, 30, "the tunnel")
    before = conductor.descriptors
    with contextlib.ExitStack() as held:
        all_of_them = [held.enter_context(ask_for_index(onboarding, one)) for _ in range(300)]
        assert 32 <= sum(is_answered(each) for each in all_of_them) <= 56
        assert conductor.descriptors <= before + 60
        assert is_served(onboarding, two)
    wait_for(lambda: is_served(onboarding, one), 10, "its own, again")


def test_nobody_else_asks_in_a_conductors_place(daemon):
    """Not even who may change on the control socket."""
    daemon.start()
    path = os.path.join(daemon.directory, "conductor.sock")
    for groups in (None, "users", "games"):
        for says in (ASK, "PUT /v1/configuration HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"):
            with holding(path, 1, says, [65534], groups) as (holder,):
                assert holder.answers() == ["403"]
