# SPDX-License-Identifier: GPL-3.0-or-later
"""A TPM 2.0 (swtpm) on a unix socket, its state in a directory of its own, and the few commands
that tests send it so often that a process for each would be slow."""

import os
import shutil
import socket
import struct
import subprocess

from steward import SLOW, wait_for

FLUSH_CONTEXT, GET_CAPABILITY, READ_PUBLIC = 0x165, 0x17a, 0x173
NV_READ, NV_READ_PUBLIC = 0x14e, 0x169
NO_SESSIONS, SESSIONS = 0x8001, 0x8002
EMPTY_PASSWORD = struct.pack(">IHBH", 0x40000009, 0, 0, 0)
KINDS = {"nv": 0x01000000, "loaded-session": 0x02000000, "saved-session": 0x03000000,
         "transient": 0x80000000, "persistent": 0x81000000}


def receive(connection, size):
    """Exactly size bytes, or b"" at the end."""
    received = b""
    while len(received) < size:
        part = connection.recv(size - len(received))
        if not part:
            return b""
        received += part
    return received


def receive_message(connection):
    """A command or a response: both say in bytes 2 to 5 how long they are."""
    header = receive(connection, 10)
    if not header:
        return b""
    return header + receive(connection, struct.unpack(">I", header[2:6])[0] - 10)


class Tpm:
    def __init__(self, directory, state=None):
        """state: that of another one, to be copied."""
        self.directory = str(directory)
        self.state = self.path("state")
        self.socket = self.path("tpm")
        os.makedirs(self.directory, exist_ok=True)
        self.process = None
        if state:
            self.put_state(state)
        else:
            os.mkdir(self.state)

    def put_state(self, state):
        shutil.rmtree(self.state, ignore_errors=True)
        shutil.copytree(state, self.state, ignore=shutil.ignore_patterns(".lock"))

    @property
    def tcti(self):
        return f"swtpm:path={self.socket}"

    def start(self):
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "swtpm", "socket", "--tpm2", "--server",
             f"type=unixio,path={self.socket}", "--ctrl", f"type=unixio,path={self.socket}.ctrl",
             "--tpmstate", f"dir={self.state}", "--flags", "not-need-init,startup-clear"],
            stderr=subprocess.DEVNULL)
        wait_for(self.answers, 20, "swtpm")
        return self

    def answers(self):
        try:
            return self.command(GET_CAPABILITY, struct.pack(">III", 1, KINDS["persistent"], 1))
        except OSError:
            return None

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None
        for path in (self.socket, self.socket + ".ctrl"):
            if os.path.exists(path):
                os.unlink(path)

    def restart(self):
        self.stop()
        return self.start()

    def attempt(self, *words):
        """tpm2_WORD, in the directory of the TPM, however it ends."""
        return subprocess.run(["tpm2_" + words[0], *words[1:]], text=True, capture_output=True,
                              timeout=60 * SLOW, cwd=self.directory,
                              env={**os.environ, "TPM2TOOLS_TCTI": self.tcti})

    def tool(self, *words):
        result = self.attempt(*words)
        assert result.returncode == 0, f"{words}: {result.stderr}"
        return result.stdout

    def path(self, name):
        return os.path.join(self.directory, name)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def write(self, name, content):
        with open(self.path(name), "wb") as file:
            file.write(content)

    def command(self, code, body, tag=NO_SESSIONS):
        """Response code and what follows it."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30 * SLOW)
            connection.connect(self.socket)
            connection.sendall(struct.pack(">HII", tag, 10 + len(body), code) + body)
            response = receive_message(connection)
        return struct.unpack(">I", response[6:10])[0], response[10:]

    def handles(self, kind):
        rc, body = self.command(GET_CAPABILITY, struct.pack(">III", 1, KINDS[kind], 254))
        assert rc == 0
        count = struct.unpack(">I", body[5:9])[0]
        return list(struct.unpack(f">{count}I", body[9:9 + 4 * count]))

    @property
    def leftovers(self):
        """What nobody may leave behind: there are three slots of each."""
        return {kind: self.handles(kind)
                for kind in ("transient", "loaded-session", "saved-session") if self.handles(kind)}

    def flush(self):
        for handles in self.leftovers.values():
            for handle in handles:
                assert self.command(FLUSH_CONTEXT, struct.pack(">I", handle))[0] == 0

    def key(self, handle):
        """Public area and Names of what is at the handle; None = nothing."""
        rc, body = self.command(READ_PUBLIC, struct.pack(">I", handle))
        return body if rc == 0 else None

    def nv(self, index):
        """Public area, Name (which tells whether it is written and locked), and content."""
        _, public = self.command(NV_READ_PUBLIC, struct.pack(">I", index))
        content = None
        for authorization in (index, 0x40000001):
            rc, body = self.command(
                NV_READ, struct.pack(">III", authorization, index, len(EMPTY_PASSWORD))
                + EMPTY_PASSWORD + struct.pack(">HH", 32, 0), SESSIONS)
            content = body[6:38] if rc == 0 else content
        return public, content

    @property
    def content(self):
        """All that outlives a restart, and all that should not be there."""
        return {"keys": {h: self.key(h) for h in self.handles("persistent")},
                "nv": {h: self.nv(h) for h in self.handles("nv")},
                "leftovers": self.leftovers}
