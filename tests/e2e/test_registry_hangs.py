# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry that says neither yes nor no: a backend that was stopped, a file that somebody has
locked, a server that takes connections and no more, a name server that is silent. Nobody else pays
for it, the journal tells when it begins and ends, and SIGTERM ends conductord in time."""

import os
import signal
import socket
import sqlite3
import tempfile
import threading
import time

import pytest

from onboarding_world import inside
from postgres import Postgres
from steward import SLOW, wait_for
from wire_router import WireRouter

BEGINS, ENDS = "the registry does not answer", "the registry answers again"
END_S = 5 * SLOW
FAST_S = 2 * SLOW


@pytest.fixture(scope="module")
def postgres():
    with tempfile.TemporaryDirectory(prefix="postgres") as folder:
        made = Postgres(folder).start()
        yield made
        made.stop(signal.SIGQUIT)


@pytest.fixture
def hung(postgres):
    """hung(): every process of the server is stopped, until the end or hung(False)."""
    stopped = []

    def hang(on=True):
        if on:
            postmaster = postgres.process.pid
            with open(f"/proc/{postmaster}/task/{postmaster}/children") as file:
                stopped[:] = [postmaster, *map(int, file.read().split())]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP if on else signal.SIGCONT)
        if not on:
            stopped.clear()

    yield hang
    hang(False)


def timed(call, *arguments, **options):
    began = time.monotonic()
    result = call(*arguments, **options)
    return result, time.monotonic() - began


def ends_in_time(conductor):
    """Exit status 0 as after any SIGTERM."""
    conductor.process.terminate()
    code, took = timed(conductor.process.wait, 30 * SLOW)
    assert code == 0 and took < END_S + 0.5, (code, took, conductor.log)


def check_that_others_go_on(conductor):
    for path in ("/v1/status", "/v1/images", "/v1/downloads", "/metrics"):
        reply, took = timed(conductor.get, path)
        assert reply.status == 200 and took < FAST_S, (path, took)


def test_a_server_that_hangs(onboarding, postgres, hung):
    conductor = onboarding.conductor(registry=postgres.uri)
    conductor.configure()
    token = conductor.token()
    hung()
    replies = []
    askers = [threading.Thread(target=lambda: replies.append(
        timed(conductor.call, "GET", "/v1/routers", timeout=40))) for _ in range(8)]
    for asker in askers:
        asker.start()
    wait_for(lambda: check_that_others_go_on(conductor) or BEGINS in conductor.log, 20 * SLOW,
             "the line in the journal")
    for asker in askers:
        asker.join()
    assert [reply.status for reply, _ in replies] == [503] * 8
    assert max(took for _, took in replies) < 8 * SLOW, replies
    # Who comes now is told at once, or after one look: commands, and routers on the wire.
    router = WireRouter(onboarding, token)
    router.tell(router.hello)
    answer, took = timed(router.channel.receive)
    assert answer == {"type": "error", "reason": "retry-later"} and took < 6 * SLOW
    check_that_others_go_on(conductor)
    hung(False)
    wait_for(lambda: ENDS in conductor.log, 20 * SLOW, "the other line")
    assert conductor.log.count(BEGINS) == 1 and conductor.log.count(ENDS) == 1
    WireRouter(onboarding, token).go_to(3)


def test_it_ends_while_a_server_hangs(onboarding, postgres, hung):
    conductor = onboarding.conductor(registry=postgres.uri)
    wait_for(lambda: conductor.get("/v1/onboarding").json["registry"]["reachable"], 20)
    hung()
    # At once, before anybody has found out; and with somebody waiting.
    waiting = threading.Thread(target=conductor.get, args=("/v1/routers",))
    waiting.start()
    time.sleep(0.2)
    ends_in_time(conductor)
    waiting.join()


def test_a_file_that_is_locked(onboarding, conductor):
    conductor.configure()
    token = conductor.token()
    lock = sqlite3.connect(conductor.directory + "/registry", isolation_level=None)
    try:
        lock.execute("BEGIN IMMEDIATE")
        reply, took = timed(conductor.call, "PUT", "/v1/routers/router2", {}, timeout=40)
        assert reply.status == 503 and "locked" in reply.detail and took < 8 * SLOW
        check_that_others_go_on(conductor)
        wait_for(lambda: BEGINS in conductor.log, 10, "the line in the journal")
        lock.execute("ROLLBACK")
        wait_for(lambda: ENDS in conductor.log, 20 * SLOW, "the other line")
        WireRouter(onboarding, token).go_to(3)
        lock.execute("BEGIN IMMEDIATE")
        ends_in_time(conductor)
    finally:
        lock.close()


def test_a_server_that_only_takes_connections(onboarding):
    folder = onboarding.folder("silent")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(folder + "/.s.PGSQL.5432")
    listener.listen(64)
    conductor = onboarding.conductor(registry=f"postgresql://u@/d?host={folder}&port=5432")
    wait_for(lambda: check_that_others_go_on(conductor) or BEGINS in conductor.log, 20 * SLOW,
             "the line in the journal")
    ends_in_time(conductor)
    listener.close()


def test_a_name_server_that_is_silent(onboarding):
    """libpq asks it by itself, and cannot be interrupted."""
    network = onboarding.network
    resolver = inside(network.router, socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    inside(network.router, resolver.bind, ("0.0.0.0", 53))
    conductor = onboarding.conductor(start=False, registry="postgresql://u@db.example/d")
    path = os.path.join(conductor.directory, "resolv.conf")
    with open(path, "w") as file:
        file.write(f"nameserver {network.router_address}\noptions timeout:30 attempts:5\n")
    conductor.prefix += ["sh", "-c", f'mount --bind {path} /etc/resolv.conf; exec "$@"', "sh"]
    conductor.start()
    wait_for(lambda: asked(resolver), 20, "a question")
    check_that_others_go_on(conductor)
    ends_in_time(conductor)
    assert "conductord ends without it" in conductor.log
    resolver.close()


def asked(resolver):
    resolver.setblocking(False)
    try:
        return b"\2db\7example" in resolver.recv(512)
    except BlockingIOError:
        return False


def test_a_localhost_that_is_another_machine(onboarding):
    """As a file of hosts may say: without TLS not a word goes there."""
    network = onboarding.network
    listener = inside(network.router, socket.socket)
    inside(network.router, listener.bind, (network.router_address, 5432))
    listener.listen(64)
    conductor = onboarding.conductor(start=False,
                                     registry="postgresql://u@localhost/d?sslmode=disable")
    path = os.path.join(conductor.directory, "hosts")
    with open(path, "w") as file:
        file.write(f"{network.router_address} localhost\n")
    conductor.prefix += ["sh", "-c", f'mount --bind {path} /etc/hosts; exec "$@"', "sh"]
    conductor.start()
    wait_for(lambda: "host localhost leads to another machine" in conductor.log, 20)
    connection, _ = listener.accept()
    connection.settimeout(10)
    assert connection.recv(100) == b""
    listener.close()
