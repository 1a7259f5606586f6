# SPDX-License-Identifier: GPL-3.0-or-later
"""Conductor, helper and router of the tunnels, as tests/tools/tunnel_tool runs them, and what is
around them."""

import atexit
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

from steward import BUILD, free_port, wait_for


def provide_tool():
    """Where other users reach it, too, wherever the checkout is."""
    directory = tempfile.mkdtemp(prefix="steward-tool-")
    atexit.register(shutil.rmtree, directory)
    os.chmod(directory, 0o755)
    return shutil.copy(os.path.join(BUILD, "tests", "tools", "tunnel_tool"), directory)


TOOL = provide_tool()
# Who runs sshd: one of every Debian, with nologin, whom no name service calls locked.
USER = "daemon"


class Program:
    """A process whose lines on stdout are kept as they come."""

    def __init__(self, *words, **options):
        self.lines = []
        self.log = []
        self.process = subprocess.Popen(
            [TOOL, *map(str, words)], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, bufsize=1, errors="replace", **options)
        self.readers = [threading.Thread(target=self.read, args=pair, daemon=True)
                        for pair in ((self.process.stdout, self.lines),
                                     (self.process.stderr, self.log))]
        for reader in self.readers:
            reader.start()

    @staticmethod
    def read(stream, lines):
        for line in stream:
            lines.append(line.rstrip("\n"))

    def wait_line(self, start, after=0, timeout=30):
        """The first line after so many that begins so: what follows in it."""
        def found():
            for line in self.lines[after:]:
                if (line + " ").startswith(start + " "):
                    return [line[len(start) + 1:]]
            return None
        return wait_for(found, timeout, lambda: f"'{start}' in {self.lines} {self.log}")[0]

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ask(self, command, answer):
        after = len(self.lines)
        self.say(command)
        return self.wait_line(answer, after)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        return self.process.returncode


class Key:
    def __init__(self, directory, name):
        self.path = str(directory / name)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", self.path],
                       check=True, stdin=subprocess.DEVNULL)
        with open(self.path + ".pub") as file:
            self.text = file.read().split()[1]
        listed = subprocess.run(["ssh-keygen", "-l", "-f", self.path], check=True, text=True,
                                capture_output=True).stdout
        self.fingerprint = listed.split()[1].removeprefix("SHA256:")


class Socket:
    """A router's control socket: it answers with what it is told, and who it is."""

    def __init__(self, path, name):
        self.path = str(path)
        self.name = name
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with peer:
                got = peer.recv(100)
                peer.sendall(self.name.encode() + b" heard " + got)

    def close(self):
        self.listener.close()


class World:
    def __init__(self):
        # Not in pytest's folder, which it closes to other users: sshd is one.
        self.directory = directory = pathlib.Path(tempfile.mkdtemp(prefix="steward-tunnels-"))
        os.chmod(directory, 0o755)
        self.keys_file = str(directory / "authorized_keys")
        self.helper_directory = str(directory / "helper")
        self.programs = []
        self.sockets = []
        self.networks = set()
        self.clients = 0
        # Not one that the kernel gives to whoever connects: it would be gone while no conductor is there.
        self.port = free_port()

    def conductor(self, *more, **options):
        self.conductor_now = conductor = Program("conductor", self.port, USER,
                                                 self.helper_directory, self.keys_file, *more,
                                                 **options)
        self.programs.append(conductor)
        self.port = int(conductor.wait_line("port"))
        self.host_key = conductor.wait_line("ready")
        self.networks |= {network_of(pid) for pid in self.helper()}
        conductor.ask("listen", "listening")
        return conductor

    def authorize(self, *keys_and_ports):
        words = [f"{key.text}:{port}" for key, port in keys_and_ports]
        self.conductor_now.ask(" ".join(["authorize", *words]), "authorized")

    def router(self, key, listen_port, name="router"):
        path = self.directory / f"{name}.sock"
        if not path.exists():
            self.sockets.append(Socket(path, name))
        local = free_port()
        router = Program("router", "127.0.0.1", self.port, USER, key.path,
                         self.directory / f"{name}.known", listen_port, path, local,
                         self.host_key)
        router.local_port = local
        self.programs.append(router)
        return router

    def ssh_words(self, key, user, *words):
        """OpenSSH's own client, with what a router would give it, and more; the last of words is
        the command. Each time from another address: of one, one a second is let in."""
        known = self.directory / "ssh.known"
        known.write_text(f"[127.0.0.1]:{self.port} ssh-ed25519 {self.host_key}\n")
        self.clients += 1
        return ["ssh", "-F", "none", "-b", f"127.0.8.{self.clients}", "-i", key.path, "-o",
                "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={known}",
                "-p", str(self.port), "-l", user, *words[:-1], "127.0.0.1", *words[-1]]

    def ssh(self, key, *words, user=USER, timeout=60):
        return subprocess.run(self.ssh_words(key, user, *words), text=True, capture_output=True,
                              timeout=timeout, stdin=subprocess.DEVNULL)

    def sshds(self):
        """All in the networks of this conductor's helpers but they: also those that were left."""
        helpers = self.helper()
        return {pid for pid in all_processes()
                if pid not in helpers and network_of(pid) in self.networks}

    def helper(self):
        """Of this conductor."""
        return {pid for pid in all_processes()
                if {b"helper", self.helper_directory.encode()} <= set(command_line(pid))}

    def close(self):
        for program in self.programs:
            program.stop()
        for each in self.sockets:
            each.close()
        shutil.rmtree(self.directory)


def all_processes():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def command_line(pid):
    """Nothing for one that is gone, or a zombie."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []


def network_of(pid):
    try:
        return os.readlink(f"/proc/{pid}/ns/net")
    except OSError:
        return None


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def connect(port, source="127.0.0.1", first=b""):
    peer = socket.create_connection(("127.0.0.1", port), timeout=30, source_address=(source, 0))
    if first:
        peer.sendall(first)
    return peer


def is_closed(peer, timeout):
    """Within so many seconds."""
    peer.settimeout(timeout)
    try:
        while peer.recv(4096):
            pass
        return True
    except TimeoutError:
        return False
    except OSError:
        return True
