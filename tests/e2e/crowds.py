# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds connections: a process of some user that opens as many as it is told, says something on
each or nothing, and keeps them until it is let go."""

import contextlib
import json
import subprocess
import sys

HOLDER = """
import json, socket, sys
address, n, says = json.loads(sys.argv[1])
held = []
for _ in range(n):
    one = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    one.settimeout(5)
    try:
        if not isinstance(address, str):
            one.bind((address[2], 0))
        one.connect(address if isinstance(address, str) else tuple(address[:2]))
        one.sendall(says.encode())
    except OSError:
        pass
    held.append(one)
print(len(held), flush=True)
for line in sys.stdin:
    answers = []
    for one in held:
        one.settimeout(2)
        try:
            answers.append(one.recv(4096).decode(errors="replace")[9:12])
        except OSError as error:
            answers.append(type(error).__name__)
    print(json.dumps(answers), flush=True)
"""


class Holder:
    def __init__(self, address, n, says="", user=None, groups=None):
        """address: a socket's path, or [address, port, from where]."""
        words = [sys.executable, "-c", HOLDER, json.dumps([address, n, says])]
        if user is not None:
            words = ["setpriv", "--reuid", str(user), "--regid", "nogroup",
                     *(["--groups", groups] if groups else ["--clear-groups"]), *words]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, cwd="/")
        assert self.process.stdout.readline() == f"{n}\n"

    def answers(self):
        """What each got: a status, or the error's name; "" is an end without an answer."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        """All at once."""
        self.process.kill()
        self.process.communicate()


@contextlib.contextmanager
def holding(address, n, says="", users=(None,), groups=None):
    with contextlib.ExitStack() as all_of_them:
        yield [all_of_them.enter_context(
            contextlib.closing(Holder(address, n, says, user, groups))) for user in users]
