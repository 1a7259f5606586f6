# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine in software emulation: its TPM, its serial console, its one network port."""

import contextlib
import itertools
import os
import re
import socket
import subprocess
import threading
import time

from image import PASSWORD, mounted
from steward import free_port  # of tests/e2e

TIED = ["setpriv", "--pdeathsig", "KILL"]  # none of them outlives the test
BOOT = 300  # seconds within which a boot is somewhere, on a busy machine too


def wait_for(condition, timeout, what):
    """The condition's value once it is true."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come within {timeout} s")
        time.sleep(0.05)


def end(process):
    if process and process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Tpm:
    """swtpm with a state of its own: another folder is another TPM."""

    def __init__(self, directory):
        self.state = str(directory)
        os.makedirs(self.state, exist_ok=True)
        self.process = None

    def start(self, *interfaces):
        self.process = subprocess.Popen(
            [*TIED, "swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.state}", *interfaces])

    def start_for_machine(self, path):
        """The emulator resets it as a board does."""
        self.start("--ctrl", f"type=unixio,path={path}", "--terminate")
        wait_for(lambda: os.path.exists(path), 20, "swtpm's socket")

    @contextlib.contextmanager
    def on_the_bench(self, path):
        """Without a machine: commands go to a socket."""
        self.start("--server", f"type=unixio,path={path}", "--ctrl",
                   f"type=unixio,path={path}.ctrl", "--flags", "not-need-init,startup-clear")
        try:
            wait_for(lambda: os.path.exists(path), 20, "swtpm's socket")
            yield
        finally:
            self.stop()

    def stop(self):
        end(self.process)
        self.process = None


class Console:
    """The serial line. What came is kept as text; `mark` is where reading goes on."""

    def __init__(self, path):
        self.text = ""
        self.mark = 0
        self.socket = socket.socket(socket.AF_UNIX)
        wait_for(lambda: self.connects(path), 20, "the serial console")
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def connects(self, path):
        try:
            self.socket.connect(path)
        except OSError:
            return False
        return True

    def read(self):
        while part := self.socket.recv(65536):
            self.text += part.decode(errors="replace").replace("\r", "")

    def wait(self, pattern, timeout=BOOT):
        """The match, from where the last one ended."""
        match = self.wait_until(lambda: re.compile(pattern).search(self.text, self.mark), timeout,
                                repr(pattern))
        self.mark = match.end()
        return match

    def wait_until(self, condition, timeout, what):
        try:
            return wait_for(condition, timeout, what)
        except AssertionError as error:
            raise AssertionError(f"{error}; the console:\n{self.text[-3000:]}") from None

    def send(self, line):
        self.socket.sendall(line.encode() + b"\n")

    def login(self):
        """As root. A prompt that has been there for a while is asked for again."""
        self.wait_until(self.is_prompted, BOOT, "a login prompt")
        self.send("root")
        self.wait(r"Password: ")
        self.send(PASSWORD)
        self.wait(r"# ")
        # What is typed here is not to be found on the disk.
        self.send("unset HISTFILE")
        self.run("stty -echo cols 200; dmesg --console-off")

    def is_prompted(self):
        self.send("")
        try:
            return self.wait(r"router1 login: ", 3)
        except AssertionError:
            return None

    def run(self, command):
        """What it prints. Messages to all may come in between, so each of its lines is marked."""
        # The shell puts BEGIN and END together, so that an echo of the command has neither.
        self.send(f"echo BEG''IN; {{ {command}; }} 2>&1 | sed 's/^/|/'; echo EN''D")
        text = self.wait(r"BEGIN\n([\s\S]*?)END\n", 60).group(1)
        return "".join(line + "\n" for line in re.findall(r"^\|(.*)$", text, re.M))

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.reader.join()
        self.socket.close()


class Machine:
    """Disk and TPM put together and switched on. The disk can be worked on while it is off."""

    def __init__(self, directory, image, disk):
        self.directory = str(directory)
        self.image = image
        self.disk = disk
        self.process = self.console = self.tpm = None

    def path(self, name):
        return os.path.join(self.directory, name)

    def power_on(self, tpm, *parts):
        """parts: words to the emulator, for a board that is not as it was."""
        for name in ("tpm.sock", "console.sock"):
            if os.path.exists(self.path(name)):
                os.unlink(self.path(name))
        self.tpm = tpm
        self.port = free_port()
        tpm.start_for_machine(self.path("tpm.sock"))
        self.process = subprocess.Popen([*self.command(), *parts])
        self.console = Console(self.path("console.sock"))
        wait_for(self.forwards, 20, "the forwarded port")

    def forwards(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def mounted(self):
        assert not self.process
        return mounted(self.disk, self.path("mount"))

    def command(self):
        # With the default of 1 GiB for translated code the boot after a reset takes three times
        # as long as the first. On a busy host the timer's ticks come later than the kernel's check of
        # them has patience for, and it would panic.
        return [
            *TIED, "qemu-system-x86_64",
            "-accel", "tcg,tb-size=128", "-cpu", "max", "-smp", "2", "-m", "768",
            "-nodefaults", "-no-user-config", "-display", "none",
            "-kernel", os.path.join(self.image, "vmlinuz"),
            "-initrd", os.path.join(self.image, "initrd"),
            "-append", "console=ttyS0 loglevel=4 root=/dev/vda rw fsck.mode=skip mitigations=off "
                       "systemd.show_status=no no_timer_check",
            "-drive", f"file={self.disk},format=raw,if=virtio,cache=unsafe",
            "-netdev", f"user,id=lan,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-:22",
            "-device", "virtio-net-pci,netdev=lan,romfile=",
            "-object", "rng-random,id=random,filename=/dev/urandom",
            "-device", "virtio-rng-pci,rng=random",
            "-chardev", f"socket,id=tpm,path={self.path('tpm.sock')}",
            "-tpmdev", "emulator,id=tpm0,chardev=tpm", "-device", "tpm-crb,tpmdev=tpm0",
            "-chardev", f"socket,id=console,path={self.path('console.sock')},server=on,wait=on",
            "-serial", "chardev:console",
        ]

    def banner(self, timeout, each=2):
        """What the SSH port says by itself within so many seconds; None is silence. each: seconds that
        one connection is waited for."""
        until = time.monotonic() + timeout
        while (left := until - time.monotonic()) > 0:
            with socket.create_connection(("127.0.0.1", self.port), 2) as connection:
                connection.settimeout(min(left, each))
                try:
                    said = connection.recv(64)
                except OSError:
                    said = b""
            if said:
                return said.decode()
            time.sleep(0.1)
        return None

    def wait_up(self):
        """Whoever asks too often while sshd starts is told that, and asks again. Each connection costs
        a slow machine seconds, so that it never got to an answer if it were asked on and on."""
        patience = itertools.chain((2, 4, 8, 16), itertools.repeat(30))

        def answers():
            seconds = next(patience)
            return (self.banner(seconds, seconds) or "").startswith("SSH-2.0-")
        self.console.wait_until(answers, BOOT, "SSH's banner")

    def links_not_down(self):
        lines = [line.split() for line in self.console.run("ip -br link").splitlines()]
        return [line[0] for line in lines if line[1] != "DOWN"]

    def reboot(self):
        """The next boot has to be logged into again."""
        self.console.send("systemctl reboot")
        self.console.wait("reboot: Restarting system")

    def shut_down(self):
        if self.process:
            self.console.send("systemctl poweroff")
            self.process.wait(BOOT)
        self.pull_the_plug()

    def pull_the_plug(self):
        """Also what ends a machine that is off already."""
        end(self.process)
        if self.console:
            self.console.close()
        if self.tpm:
            self.tpm.stop()
        self.process = self.console = self.tpm = None


def copy_disk(source, target):
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", source, target], check=True)
