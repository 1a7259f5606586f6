# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands between a program and its TPM, and changes what it answers to the n-th command."""

import os
import random
import socket
import struct
import threading

from tpm_emulator import receive_message

# Every code of format 0 that TPM 2.0 part 2 (6.6.3) names, its warnings, and some of format 1: for
# a handle, a session, a parameter, and a number of it that there cannot be.
RESPONSE_CODES = (
    [0x100 + n for n in (0x00, 0x01, 0x03, 0x0b, 0x19, 0x20, 0x21, 0x24, 0x25, 0x26, 0x27, 0x28,
                         0x29, 0x2a, 0x2b, 0x2c, 0x2d, 0x2e, 0x2f, 0x30, 0x31, 0x32, 0x40, 0x42,
                         0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x4b, 0x4c, 0x4d, 0x4e,
                         0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x7f)]
    + [0x900 + n for n in (0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x10, 0x11, 0x12,
                           0x13, 0x14, 0x15, 0x16, 0x18, 0x20, 0x21, 0x22, 0x23, 0x7f)]
    + [0x081, 0x182, 0x18b, 0x1c4, 0x2d5, 0x98e, 0x99d, 0x9a2, 0xfc4, 0xfff, 0x1e, 0x001,
       0x80280400, 0xffffffff])


def with_code(code):
    def lie(answer):
        return struct.pack(">HII", 0x8001, 10, code)
    return lie


def noise(n):
    return random.Random(n).randbytes(n)


def random_bytes(answer):
    """Not even a header."""
    return noise(64)


def random_body(answer):
    """Says that it went well."""
    return answer[:10] + noise(len(answer) - 10)


def ones(answer):
    return answer[:10] + b"\xff" * (len(answer) - 10)


def zeros(answer):
    return answer[:10] + bytes(len(answer) - 10)


def one_bit(answer):
    """In the middle of it."""
    at = 10 + (len(answer) - 10) // 2
    return answer[:at] + bytes(b ^ 1 for b in answer[at:at + 1]) + answer[at + 1:]


def nothing(answer):
    return b""


def half_a_header(answer):
    return answer[:5]


def header_only(answer):
    return answer[:10]


def half(answer):
    """Of what it says it is."""
    return answer[:10 + (len(answer) - 10) // 2]


def short(answer):
    """All of it is there, but its last byte is not counted."""
    return sized(answer[:-1], len(answer) - 1)


def long(answer):
    return sized(answer + bytes(8), len(answer) + 8)


def sized(answer, size):
    return answer[:2] + struct.pack(">I", size) + answer[6:]


def size_too_big(answer):
    return sized(answer, len(answer) + 1)


def size_of_a_header(answer):
    return sized(answer, 10)


def size_less_than_a_header(answer):
    return sized(answer, 9)


def size_zero(answer):
    return sized(answer, 0)


def size_enormous(answer):
    return sized(answer, 0xffffffff)


def size_of_a_parameter_enormous(answer):
    return answer[:10] + b"\xff\xff\xff\xff" + answer[14:] if len(answer) > 14 else noise(20)


def tag_of_sessions_swapped(answer):
    return struct.pack(">H", struct.unpack(">H", answer[:2])[0] ^ 3) + answer[2:]


SHAPES = [random_bytes, random_body, ones, zeros, one_bit, nothing, half_a_header, header_only,
          half, short, long, size_too_big, size_of_a_header, size_less_than_a_header, size_zero,
          size_enormous, size_of_a_parameter_enormous, tag_of_sessions_swapped]


class LyingTpm:
    """At a socket of its own. Counts commands since tell(). After a lie that is not a whole answer the connection is closed, as a driver would end
    it: nobody is to wait for bytes that never come."""

    def __init__(self, tpm):
        self.tpm = tpm
        self.path = tpm.socket + ".lies"
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        self.socket.listen()
        os.symlink(tpm.socket + ".ctrl", self.path + ".ctrl")
        self.refused = None  # the code of commands that do not reach it: NV unavailable
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.tell_the_truth()
        self.thread.start()

    @property
    def tcti(self):
        return f"swtpm:path={self.path}"

    def tell(self, n, lie, for_ever=False):
        """The n-th command from now on is answered by a lie, and all that follow."""
        self.n, self.lie, self.for_ever, self.codes = n, lie, for_ever, []

    def tell_the_truth(self):
        self.tell(1 << 30, None)

    @property
    def lied_about(self):
        """The code of that command; None = there were not as many."""
        return self.codes[self.n - 1] if len(self.codes) >= self.n else None

    def serve(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            with client, socket.socket(socket.AF_UNIX) as tpm:
                tpm.connect(self.tpm.socket)
                try:
                    while self.pass_on(client, tpm):
                        pass
                except OSError:
                    pass

    def pass_on(self, client, tpm):
        command = receive_message(client)
        if not command:
            return False
        self.codes.append(struct.unpack(">I", command[6:10])[0])
        if self.codes[-1] == self.refused:
            client.sendall(with_code(0x923)(None))
            return True
        tpm.sendall(command)
        answer = receive_message(tpm)
        n = len(self.codes)
        if n < self.n or (n > self.n and not self.for_ever):
            client.sendall(answer)
            return True
        answer = self.lie(answer)
        client.sendall(answer)
        return len(answer) >= 10 and struct.unpack(">I", answer[2:6])[0] == len(answer)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()
        for path in (self.path, self.path + ".ctrl"):
            os.unlink(path)
