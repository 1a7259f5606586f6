# SPDX-License-Identifier: GPL-3.0-or-later
"""The rollouts of tests/bench/fleet: a version for many routers, through real tunnels.

Each router has an ssh to each conductor, and its control socket is answered here; by an order it takes
the image as stewardd does (fleet_load). compare(): all of them ordered at once, and then by a rollout.
take_over(): two conductors on PostgreSQL, of which the one that drives the rollout is killed amid it;
three of a hundred routers find their image bad, so that it halts, and is resumed.
"""

import asyncio
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time

from conductor_pair import registered
from onboarding_world import SecondNetwork, World
from postgres import Postgres
from steward import wait_for

VERSION = "V1"
CONNECTIONS = 4
BAD = 3  # of a hundred
PATIENCE_S = 600


class Nodes:
    """The control sockets of all routers, and their downloads."""

    def __init__(self, folder, n):
        self.sockets = [os.path.join(folder, f"r{i}.sock") for i in range(n)]
        self.states, self.said, self.bad = [None] * n, {}, set()
        self.load = None
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()
        threading.Thread(target=self.run, args=[ready], daemon=True).start()
        ready.wait()

    def run(self, ready):
        for i, path in enumerate(self.sockets):
            self.loop.run_until_complete(asyncio.start_unix_server(
                lambda reader, writer, i=i: self.serve(i, reader, writer), path))
            os.chmod(path, 0o666)
        ready.set()
        self.loop.run_forever()

    async def serve(self, i, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                size = next((int(line.split(":")[1]) for line in head.splitlines()
                             if line.startswith("content-length:")), 0)
                await reader.readexactly(size)
                method, path = head.split()[:2]
                status, body = self.answer(i, method, path)
                text = json.dumps(body).encode()
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n"
                             f"Content-Length: {len(text)}\r\n\r\n".encode() + text)
                await writer.drain()
        writer.close()

    def answer(self, i, method, path):
        if method == "post" and path == "/v1/downloads":
            if self.states[i] == "complete":
                return 409, {"detail": "it has the image"}
            if self.states[i] != "downloading":
                self.begin(i)
        elif path == "/v1/images":
            return 200, {"images": []}
        elif not path.startswith("/v1/downloads/"):
            return 200, {}
        if not self.states[i]:
            return 404, {"detail": "there is no such download"}
        return 200, {"version": VERSION, "state": self.states[i],
                     "error": "piece 3 does not match" if self.states[i] == "failed" else None}

    def begin(self, i):
        self.states[i] = "downloading"
        self.load.stdin.write(f"{i}\n")
        self.load.stdin.flush()

    def ready(self, load):
        """load: a fleet_load that takes orders."""
        self.states, self.said, self.load = [None] * len(self.states), {}, load
        if load.stdout.readline() != "ready\n":
            sys.exit("the routers do not start")
        threading.Thread(target=self.listen, args=[load], daemon=True).start()

    def listen(self, load):
        for line in load.stdout:
            number, *row = line.split()
            self.said[int(number)] = [float(word) for word in row]
            self.states[int(number)] = "failed" if int(number) in self.bad else "complete"


@contextlib.contextmanager
def loaded(bench, nodes, places, fleet_load, cores):
    """The routers can take orders."""
    path = os.path.join(bench.folder, "places")
    with open(path, "w") as file:
        file.writelines(" ".join(f"127.0.0.1 {port}" for port in ports) + "\n" for ports in places)
    load = subprocess.Popen(
        ["ip", "netns", "exec", bench.network.router, fleet_load, VERSION, bench.image.path, str(CONNECTIONS),
         path, "orders"], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    os.sched_setaffinity(load.pid, cores)
    nodes.ready(load)
    try:
        yield load
    finally:
        load.stdin.close()
        load.wait(30)


def tell(what, seconds, nodes):
    rows = list(nodes.said.values())
    worst = max(row[3] for row in rows)
    failed = sum(row[2] for row in rows)
    print(f"  {what}: {len(rows)} routers in {seconds:.1f} s; a router's own seconds"
          f" {statistics.median(row[0] for row in rows):.1f} median, {max(row[0] for row in rows):.1f} max;"
          f" requests that failed {failed:.0f}; longest wait for a reply {worst:.2f} s", flush=True)
    return seconds, failed, worst


def wait_for_all(nodes, n):
    """Whether they have it or not: it is told how many do."""
    end = time.monotonic() + PATIENCE_S
    while len(nodes.said) < n and time.monotonic() < end:
        time.sleep(0.05)
    if len(nodes.said) < n:
        print(f"  only {len(nodes.said)} of {n} have it after {PATIENCE_S} s", flush=True)


def create(conductor, name, n, **plan):
    reply = conductor.post("/v1/rollouts", {"name": name, "version": VERSION, "selector": {"all": True}, **plan})
    assert reply.status == 201 and reply.json["members"] == n, reply.body


def compare(bench, tunnels, n, parallel, fleet_load, cores):
    nodes = tunnels.nodes
    places = [[tunnels.local(i)] for i in range(n)]
    figures = []
    with loaded(bench, nodes, places, fleet_load, cores):
        started = time.monotonic()
        for i in range(n):
            nodes.loop.call_soon_threadsafe(nodes.begin, i)
        wait_for_all(nodes, n)
        figures.append(tell("ordered at once", time.monotonic() - started, nodes))
    with loaded(bench, nodes, places, fleet_load, cores):
        started = time.monotonic()
        create(bench.conductor, "bench", n, phases=["100%"], parallel=parallel)
        wait_for_all(nodes, n)
        figures.append(tell(f"by a rollout, {parallel} at work at once", time.monotonic() - started, nodes))
        wait_for(lambda: bench.conductor.get("/v1/rollouts/bench").json["state"] == "done", 60, "its end")
    (at_once, _, wait_once), (rollout, failed, wait_rollout) = figures
    print(f"  the rollout takes {rollout / at_once:.2f} of the time (goal: at most 1.1), fails {failed:.0f}"
          f" requests (goal: none), and waits {wait_rollout / wait_once:.2f} of the longest (goal: at most 0.2)")


class Takeover:
    """What happens to a rollout whose conductor dies."""

    def __init__(self, conductors, nodes, n):
        self.conductors, self.nodes, self.n = conductors, nodes, n
        self.started = time.monotonic()

    def say(self, what, rollout=None):
        counts = rollout and ", ".join(f"{count} {state}" for state, count in rollout["counts"].items() if count)
        print(f"  {time.monotonic() - self.started:6.1f} s: {what}" + (f" ({counts})" if counts else ""), flush=True)

    def look(self, conductor):
        return conductor.get("/v1/rollouts/night").json

    def run(self):
        first, second = self.conductors
        create(first, "night", self.n, phases=["10%", "100%"], parallel=20, failures="2%")
        wait_for(lambda: self.look(first)["conductor"], 20, "a conductor that drives it")
        if self.look(first)["conductor"] == "conductor2":
            first, second = second, first
        self.pass_until(first, lambda now: now["state"] == "halted" or now["counts"]["done"] >= self.n // 4)
        first.process.send_signal(signal.SIGKILL)
        first.process.wait(30)
        self.say("the conductor that drives it is killed", self.look(second))
        now = self.pass_until(second, lambda now: now["conductor"] == second.config["name"])
        self.say("the other one has taken over", now)
        halts = 0
        while now["state"] != "done":
            now = self.pass_until(second, lambda now: now["state"] in ("halted", "done"))
            if now["state"] == "halted":
                halts += 1
                self.check_halted(second, now)
        self.say("it is done", now)
        self.check_all(now, halts)

    def pass_until(self, conductor, reached):
        """Whoever finds it halted before that resumes it."""
        return wait_for(lambda: (lambda now: now if reached(now) else None)(self.look(conductor)), 300, "it")

    def check_halted(self, conductor, now):
        at_work = now["counts"]["ordered"] + now["counts"]["downloading"]
        self.say("it has halted", now)
        wait_for(lambda: self.look(conductor)["counts"]["downloading"] == 0, 60, "who is at work")
        assert self.look(conductor)["counts"]["waiting"] == now["counts"]["waiting"] or at_work == 0
        assert conductor.post("/v1/rollouts/night/resume", {}).status == 200

    def check_all(self, now, halts):
        counts, bad = now["counts"], self.nodes.bad
        assert halts > 0, "it never halted"
        assert counts["done"] == self.n - len(bad) and counts["failed"] == len(bad), now
        assert {row["router"] for row in now["routers"]} == {f"router{i}" for i in bad}
        assert all(row["reason"].endswith("piece 3 does not match") for row in now["routers"])
        print(f"  all {self.n} are accounted for: {counts['done']} have it, {counts['failed']} failed, which are"
              f" the {len(bad)} whose image is bad; it halted {halts} times", flush=True)


def take_over(n, make_bench, tunnels, fleet_load, cores):
    """make_bench(world, name, network, before, **configuration): a Bench, with the image of the one before."""
    world = World()
    try:
        folder = world.folder("postgres")
        database = Postgres(folder)
        world.stack.callback(database.stop)
        database.start()
        second = SecondNetwork(world.network)
        world.stack.callback(second.close)
        benches = [make_bench(world, "conductor1", world.network, None, registry=database.uri)]
        benches.append(make_bench(world, "conductor2", second, benches[0], registry=database.uri))
        wait_for(lambda: len(registered(database)) == 2, 30, "both of them")
        nodes = Nodes(benches[0].folder, n)
        n_bad = max(1, n * BAD // 100)
        nodes.bad = {i * n // n_bad for i in range(n_bad)}
        made = tunnels(benches[0], n, nodes)
        other = made.to_another(benches[1])
        for each in (made, other):
            each.build()
        places = [[made.local(i), other.local(i)] for i in range(n)]
        with loaded(benches[0], nodes, places, fleet_load, cores):
            Takeover([bench.conductor for bench in benches], nodes, n).run()
    finally:
        world.close()
