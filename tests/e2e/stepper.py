# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a command and stops it, with all its children, before each step that changes something.

A step is a call that changes a directory, a file below one of `below`, an encryption policy or
key, or the TPM; it has not happened yet while at_step(n, name) runs. They are counted over all
processes and threads together, in the order in which they happen, which strace's injection
cannot: it counts each thread by itself, and fscrypt's threads take turns. A seccomp filter hands
only calls that might be steps to the tracer, so that the rest runs at full speed.
"""

import ctypes
import errno
import os
import signal
import struct
import subprocess

PTRACE_TRACEME, PTRACE_CONT, PTRACE_SETOPTIONS, PTRACE_GET_SYSCALL_INFO = 0, 7, 0x4200, 0x420e
TRACE_FORK, TRACE_VFORK, TRACE_CLONE, TRACE_EXEC, TRACE_SECCOMP = (1 << n for n in (1, 2, 3, 4, 7))
EXIT_KILL = 1 << 20
EVENT_SECCOMP = 7
WALL = 0x40000000
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2

# Each with the argument that is its path.
ON_PATHS = {"mkdir": 0, "mkdirat": 1, "rmdir": 0, "unlink": 0, "unlinkat": 1, "rename": 1,
            "renameat": 3, "renameat2": 3, "link": 1, "linkat": 3, "symlink": 1, "symlinkat": 2,
            "chmod": 0, "fchmodat": 1, "chown": 0, "lchown": 0, "fchownat": 1, "truncate": 0}
ON_FILES = ["write", "pwrite64", "writev", "pwritev", "ftruncate", "fallocate", "fchmod", "fchown",
            "fsync", "fdatasync", "syncfs"]
TO_SOCKETS = ["write", "sendto"]
# linux/fscrypt.h: set a policy; add a key; remove it; for all users.
FSCRYPT_IOCTLS = {19: "set-policy", 23: "add-key", 24: "remove-key", 25: "remove-key"}
TPM_COMMANDS = {0x120: "EvictControl", 0x122: "NV_UndefineSpace", 0x12a: "NV_DefineSpace",
                0x131: "CreatePrimary", 0x134: "NV_Increment", 0x137: "NV_Write",
                0x138: "NV_WriteLock", 0x149: "PolicyNV", 0x14e: "NV_Read", 0x14f: "NV_ReadLock",
                0x153: "Create", 0x157: "Load", 0x159: "RSA_Decrypt", 0x165: "FlushContext",
                0x167: "LoadExternal", 0x169: "NV_ReadPublic", 0x16a: "PolicyAuthorize",
                0x16c: "PolicyCommandCode", 0x173: "ReadPublic", 0x174: "RSA_Encrypt",
                0x176: "StartAuthSession", 0x177: "VerifySignature", 0x17a: "GetCapability",
                0x17b: "GetRandom", 0x17e: "PCR_Read", 0x17f: "PolicyPCR"}

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def call_numbers():
    """The architecture's, as the C library's header has them."""
    text = subprocess.run(["cc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"],
                          check=True, capture_output=True, text=True).stdout
    words = (line.split() for line in text.splitlines() if line.startswith("#define __NR_"))
    return {w[1][len("__NR_"):]: int(w[2]) for w in words if w[2].isdigit()}


def ptrace(request, pid, address=0, value=0):
    if libc.ptrace(request, pid, address, value) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")


class Filter(ctypes.Structure):
    """struct sock_fprog: these calls to the tracer, all others go on."""

    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]

    def __init__(self, numbers):
        load, jump_if_equal, give_back, trace, allow = 0x20, 0x15, 0x06, 0x7ff00000, 0x7fff0000
        code = [(load, 0, 0, 0)]
        code += [(jump_if_equal, len(numbers) - i, 0, n) for i, n in enumerate(numbers)]
        code += [(give_back, 0, 0, allow), (give_back, 0, 0, trace)]
        self.bytes = b"".join(struct.pack("=HBBI", *c) for c in code)
        self.buffer = ctypes.create_string_buffer(self.bytes, len(self.bytes))
        super().__init__(len(code), ctypes.addressof(self.buffer))


class Stepper:
    def __init__(self, words, below, at_step, typed=b"", output=None):
        self.words, self.at_step = words, at_step
        self.below = tuple(below)
        numbers = call_numbers()
        watched = {*ON_PATHS, *ON_FILES, *TO_SOCKETS, "ioctl", "openat"} & numbers.keys()
        self.names = {numbers[name]: name for name in watched}
        self.filter = Filter(list(self.names))
        self.typed, self.output = typed, output
        self.known, self.steps = set(), []

    def run(self):
        """The exit status of the command, negative for a signal. at_step() that returns True, or
        fails, kills them all there."""
        first = self._start()
        try:
            return self._wait_for_all(first)
        except BaseException:
            self._kill()
            self._wait_for_all(first)
            raise

    def _wait_for_all(self, first):
        status = None
        while True:
            try:
                pid, stop = os.waitpid(-first, WALL)
            except ChildProcessError:
                return status
            if os.WIFSTOPPED(stop):
                self._go_on(pid, stop)
                continue
            self.known.discard(pid)
            if pid == first:
                status = os.waitstatus_to_exitcode(stop)

    def _start(self):
        stdin, typed = os.pipe()
        os.write(typed, self.typed)
        os.close(typed)
        pid = os.fork()
        if pid == 0:
            try:
                os.setpgid(0, 0)  # so that they can be waited for, and no others
                os.dup2(stdin, 0)
                if self.output is not None:
                    os.dup2(self.output, 1)
                    os.dup2(self.output, 2)
                ptrace(PTRACE_TRACEME, 0)
                os.kill(os.getpid(), signal.SIGSTOP)
                libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(self.filter), 0, 0)
                os.execvp(self.words[0], self.words)
            finally:
                os._exit(127)
        os.close(stdin)
        os.waitpid(pid, WALL)
        ptrace(PTRACE_SETOPTIONS, pid, 0, TRACE_FORK | TRACE_VFORK | TRACE_CLONE | TRACE_EXEC
               | TRACE_SECCOMP | EXIT_KILL)
        self.known.add(pid)
        ptrace(PTRACE_CONT, pid)
        return pid

    def _go_on(self, pid, stop):
        signal_number, event = os.WSTOPSIG(stop), stop >> 16
        if event == EVENT_SECCOMP and self._stands_before_the_last(pid):
            self._kill()
            return
        if pid not in self.known:
            self.known.add(pid)  # a new one, stopped because it is traced
            signal_number = 0
        if event or signal_number == signal.SIGTRAP:
            signal_number = 0
        try:
            ptrace(PTRACE_CONT, pid, 0, signal_number)
        except OSError as error:
            if error.errno != errno.ESRCH:  # killed meanwhile
                raise

    def _stands_before_the_last(self, pid):
        name = self._step(pid)
        if not name:
            return False
        self.steps.append(name)
        return self.at_step(len(self.steps), name)

    def _kill(self):
        for pid in self.known:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def _step(self, pid):
        """What the call that pid stands before would change; None = nothing."""
        info = ctypes.create_string_buffer(88)
        ptrace(PTRACE_GET_SYSCALL_INFO, pid, len(info), ctypes.addressof(info))
        number, *arguments = struct.unpack_from("=7Q", info, 24)
        name = self.names[number]
        if name in ON_PATHS:
            return f"{name} {self._text(pid, arguments[ON_PATHS[name]])}"
        if name == "openat":
            creates = arguments[2] & (os.O_CREAT | os.O_TRUNC)
            path = self._text(pid, arguments[1])
            return f"create {path}" if creates and path.startswith(self.below) else None
        return self._step_on_descriptor(pid, name, arguments)

    def _step_on_descriptor(self, pid, name, arguments):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{arguments[0]}")
        except OSError:
            return None
        if name == "ioctl":
            what = arguments[1] >> 8 & 0xff == ord("f") and FSCRYPT_IOCTLS.get(arguments[1] & 0xff)
            return f"{what} {target}" if what else None
        if name in TO_SOCKETS and target.startswith("socket:"):
            return self._tpm_command(pid, *arguments[1:3])
        if name in ON_FILES and target.startswith(self.below):
            return f"{name} {target}"
        return None

    def _tpm_command(self, pid, address, size):
        """By its header (TPM 2.0 part 1, 18); other things are sent through sockets too."""
        header = self._bytes(pid, address, 10) if size >= 10 else bytes(10)
        tag, length, code = struct.unpack(">HII", header)
        if tag not in (0x8001, 0x8002) or length != size:
            return None
        return f"TPM2_{TPM_COMMANDS.get(code, hex(code))}"

    @staticmethod
    def _bytes(pid, address, size):
        with open(f"/proc/{pid}/mem", "rb", 0) as memory:
            memory.seek(address)
            return memory.read(size)

    def _text(self, pid, address):
        text = b""
        while b"\0" not in text:
            # A page at most: the next one may not be there.
            text += self._bytes(pid, address + len(text), 4096 - (address + len(text)) % 4096)
        return os.fsdecode(text.split(b"\0")[0])
