# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs under test: a daemon with its configuration, and its command line."""

import contextlib
import errno
import fcntl
import http.client
import itertools
import json
import os
import pty
import random
import signal
import socket
import struct
import subprocess
import termios
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("STEWARD_BUILD", "build/dev"))
STEWARDD = os.path.join(BUILD, "src", "stewardd")
CONDUCTORD = os.path.join(BUILD, "src", "conductord")
STEWARDCTL = os.path.join(BUILD, "src", "stewardctl")
SLOW = float(os.environ.get("STEWARD_SLOW", "1"))  # a sanitizer's build takes longer

QUICK = {"initial-retry-delay": 0, "maximum-retry-delay": 1, "connect-timeout": 2,
         "stall-timeout": 2, "attempts": 2}


def wait_for(condition, timeout=20, what="the condition"):
    """The condition's value once it is true. What: words, or a function that says them at the end."""
    end = time.monotonic() + timeout * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what() if callable(what) else what} did not come within {timeout * SLOW} s")
        time.sleep(0.02)


# Below the ports that the kernel gives to connections (ip_local_port_range begins at 32768): one of
# those could take the port before its server does. Each worker of a run has a thousand of its own,
# and begins anywhere in them, since other runs may go on beside this one.
PORTS = 14000 + 1000 * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 16)
_given = itertools.count(random.randrange(1000))


def free_port(address="127.0.0.1"):
    """One that nobody listens at, and that this run does not give again soon."""
    for number in _given:
        port = PORTS + number % 1000
        with socket.socket() as probe:
            try:
                probe.bind((address, port))
                return port
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=30):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Reply:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def detail(self):
        assert self.headers["Content-Type"] == "application/problem+json"
        problem = self.json
        assert problem["type"] == "about:blank" and problem["status"] == self.status
        return problem["detail"]


class Daemon:
    program, role = STEWARDD, "steward:router"

    def __init__(self, directory, key=None, sources=(), download=None, update=None, router=None,
                 environment=None, state=None, prefix=()):
        self.directory = str(directory)
        self.socket = os.path.join(self.directory, "control.sock")
        self.config_path = os.path.join(self.directory, "steward.json")
        self.log_path = os.path.join(self.directory, "log")
        self.state = str(state or os.path.join(self.directory, "state"))
        self.environment = environment or {}
        self.prefix = list(prefix)
        self.process = None
        software = {"download": {**QUICK, **(download or {})},
                    "source": [self.source(i, s) for i, s in enumerate(sources)],
                    **(update or {})}
        if key:
            software["trusted-key"] = [key.public_path]
        self.config = {"name": "router1", "node": "node0", "state-directory": self.state,
                       "control": {"socket": self.socket},
                       "secure-conductor-onboarding": {
                           "secrets-directory": os.path.join(self.directory, "secrets")},
                       "software-update": software, **(router or {})}
        self.write_config()

    @staticmethod
    def source(i, source):
        """A server, a URL, or a whole configuration entry."""
        if isinstance(source, dict):
            return source
        return {"name": f"s{i}", "kind": "artifactory", "url": getattr(source, "url", source)}

    def write_config(self):
        with open(self.config_path, "w") as file:
            json.dump({self.role: self.config}, file)

    def start(self, wait=True):
        log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            self.prefix + [self.program, "--config", self.config_path, "--foreground"], stderr=log,
            env={**os.environ, **self.environment})
        log.close()
        if wait:
            wait_for(lambda: self.is_up() or self.process.poll() is not None, 20, "the socket")
            assert self.process.poll() is None, self.log
        return self

    def is_up(self):
        try:
            return self.get("/v1/status").status == 200
        except OSError:
            return False

    @property
    def log(self):
        with open(self.log_path) as file:
            return file.read()

    def call(self, method, path, body=None, timeout=30):
        connection = UnixConnection(self.socket, timeout * SLOW)
        try:
            if body is not None and not isinstance(body, (bytes, str)):
                body = json.dumps(body)
            try:
                connection.request(method, path, body)
            except BrokenPipeError:
                pass  # it has answered before it had read all: the answer says why
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def get(self, path):
        return self.call("GET", path)

    def post(self, path, body=None):
        return self.call("POST", path, body)

    def request(self, version, **options):
        reply = self.post("/v1/downloads", {"version": version, **options})
        assert reply.status == 201, reply.body
        return reply.json

    def download(self, version):
        return self.get(f"/v1/downloads/{version}").json

    def wait_state(self, version, *states, timeout=60):
        def reached():
            download = self.download(version)
            assert not (download["state"] in ("failed", "paused", "complete", "cancelled")
                        and download["state"] not in states), \
                f"{version} is {download['state']}: {download['error']}\n{self.log}"
            return download if download["state"] in states else None
        return wait_for(reached, timeout, f"{version} in {states}")

    def fetch(self, version, timeout=60, **options):
        self.request(version, **options)
        return self.wait_state(version, "complete", timeout=timeout)

    def image_path(self, version, file):
        return os.path.join(self.state, "images", version, file)

    def source_of(self, version, name):
        return next(s for s in self.download(version)["sources"] if s["name"] == name)

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)

    def kill9(self):
        self.kill()
        self.process.wait()

    def stop(self):
        """In good order: exit status 0, nothing left over, no sanitizer's report."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            self.process.wait(30 * SLOW)
        code, self.process = self.process.returncode, None
        assert "Sanitizer" not in self.log and "runtime error" not in self.log, self.log
        assert code in (0, -signal.SIGKILL), f"exit status {code}\n{self.log}"

    def status_field(self, name):
        with open(f"/proc/{self.process.pid}/status") as file:
            return next(line.split(":")[1].strip() for line in file if line.startswith(name))

    @property
    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    @property
    def open_files(self):
        folder = f"/proc/{self.process.pid}/fd"
        found = []
        for fd in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):
                found.append(os.readlink(f"{folder}/{fd}"))
        return found

    @property
    def bytes_read(self):
        """Of files and sockets, since it was started."""
        with open(f"/proc/{self.process.pid}/io") as file:
            return int(file.readline().split()[1])


def another_time(offset):
    """The environment of a program whose clock is so far from ours; what it measures times with is
    not."""
    files = subprocess.run(["dpkg", "-L", "libfaketime"], check=True, capture_output=True,
                           text=True).stdout.split()
    library = next(path for path in files if path.endswith("/libfaketimeMT.so.1"))
    return {"LD_PRELOAD": library, "FAKETIME": offset, "DONT_FAKE_MONOTONIC": "1"}


def ctl(daemon, *words, check=None, **options):
    result = subprocess.run([STEWARDCTL, "--socket", daemon.socket, *words], text=True,
                            capture_output=True, timeout=60 * SLOW, **options)
    if check is not None:
        assert result.returncode == check, result.stdout + result.stderr
    return result


def on_terminal(words, columns, environment):
    """What a program draws on a terminal, and its exit status."""
    child, terminal = pty.fork()
    if child == 0:
        os.execve(words[0], words, {**os.environ, **environment})
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    drawn = b""
    while True:
        try:
            more = os.read(terminal, 65536)
        except OSError:
            break
        if not more:
            break
        drawn += more
    os.close(terminal)
    return drawn.decode(), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Events:
    """GET /v1/events, or another stream of server-sent events."""

    def __init__(self, daemon, method="GET", path="/v1/events"):
        self.connection = UnixConnection(daemon.socket, 30 * SLOW)
        self.connection.request(method, path)
        self.response = self.connection.getresponse()
        assert self.response.status == 200
        assert self.response.headers["Content-Type"] == "text/event-stream"

    def __iter__(self):
        name = None
        while line := self.response.readline():
            line = line.decode().rstrip("\n")
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                yield name, json.loads(line[6:])

    def close(self):
        self.connection.close()
