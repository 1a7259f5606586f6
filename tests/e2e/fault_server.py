# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP/1.1 server with ranges that can do everything wrong, and counts what it does.

It serves a repository folder. A Fault says what goes wrong, for which documents and how often;
the first one that fits a request is applied. Replies may be limited in speed. Standalone:

    python3 tests/e2e/fault_server.py --root DIR --port 8080 --rate 8M --fault cut:3145728
"""

import argparse
import dataclasses
import email.utils
import os
import socket
import threading
import time
from typing import Optional


@dataclasses.dataclass
class Fault:
    kind: str
    argument: object = None
    on: str = "image"  # index, manifest, chunks, image, all
    times: Optional[int] = None  # None = always
    after: int = 0  # requests of that kind that go well before
    ranged: bool = False  # only where a range was asked for

    def fits(self, request):
        if self.on not in (request.document, "all") or self.times == 0:
            return False
        if self.ranged and not request.range:
            return False
        if self.after > 0:
            self.after -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


@dataclasses.dataclass
class Request:
    at: float
    path: str
    document: str
    range: Optional[tuple]
    headers: dict
    method: str = "GET"
    status: int = 0
    sent: int = 0  # bytes of body


class Cut(Exception):
    """The connection ends here."""


class FaultServer:
    def __init__(self, root, faults=(), rate=None, tls=None, port=0, user=None, token=None):
        self.root = str(root)
        self.faults = list(faults)
        self.rate = rate  # bytes a second and reply
        self.tls = tls  # an ssl.SSLContext
        self.user = user  # "name:password"
        self.token = token
        self.requests = []
        self.accepted = 0  # connections, also those that never asked anything
        self.in_flight = 0
        self.in_flight_max = 0
        self.connections = set()
        self.lock = threading.Lock()
        self.socket = None
        self.port = port
        self.open()

    # --- what tests read ---

    @property
    def url(self):
        scheme = "https" if self.tls else "http"
        return f"{scheme}://127.0.0.1:{self.port}/"

    def of(self, document):
        with self.lock:
            return [r for r in self.requests if r.document == document]

    @property
    def image_bytes(self):
        return sum(r.sent for r in self.of("image"))

    @property
    def image_requests(self):
        return len(self.of("image"))

    # --- its life ---

    def open(self):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.rate:
            # With loopback's huge segments, one fills the small buffer of serve(), and each then
            # waits for the other side's delayed acknowledgement: 2 MiB/s, whatever the rate.
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 8 << 10)
        self.socket.bind(("127.0.0.1", self.port))
        self.socket.listen(128)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, args=(self.socket,), daemon=True).start()

    def close(self):
        """Refuse new connections and end those that are."""
        listener, self.socket = self.socket, None
        if listener:
            try:
                listener.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            listener.close()
        with self.lock:
            connections = list(self.connections)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.rate:
                # What waits in buffers is sent, but not received: keep it small.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32 << 10)
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with self.lock:
                self.connections.add(connection)
            reader = connection.makefile("rb")
            while self.serve_one(connection, reader):
                pass
        except (OSError, Cut, ValueError):
            pass
        finally:
            with self.lock:
                self.connections.discard(connection)
            try:
                connection.close()
            except OSError:
                pass

    # --- a request ---

    def serve_one(self, connection, reader):
        line = reader.readline(8192).decode("latin-1").split()
        if len(line) != 3:
            return False
        headers = {}
        while True:
            header = reader.readline(8192).decode("latin-1").strip()
            if not header:
                break
            name, _, value = header.partition(":")
            headers[name.strip().lower()] = value.strip()
        path = line[1]
        document = "image"
        if path.partition("?")[0].endswith("/index.json"):
            document = "index"
        elif path.partition("?")[0].endswith("/manifest.jws"):
            document = "manifest"
        elif path.partition("?")[0].endswith(".chunks"):
            document = "chunks"
        request = Request(time.monotonic(), path, document, self.parse_range(headers), headers,
                          line[0])
        with self.lock:
            self.requests.append(request)
            self.in_flight += 1
            self.in_flight_max = max(self.in_flight, self.in_flight_max)
            fault = next((f for f in self.faults if f.fits(request)), None)
        try:
            self.reply(connection, request, fault)
        finally:
            with self.lock:
                self.in_flight -= 1
        return line[2] != "HTTP/1.0" and headers.get("connection", "").lower() != "close"

    @staticmethod
    def parse_range(headers):
        value = headers.get("range", "")
        if not value.startswith("bytes="):
            return None
        first, _, last = value[6:].partition("-")
        return int(first), int(last) if last else None

    def head(self, connection, request, status, headers):
        request.status = status
        lines = [f"HTTP/1.1 {status} Status"] + [f"{k}: {v}" for k, v in headers.items()]
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())

    def short(self, connection, request, status, body=b"", headers=None):
        self.head(connection, request, status, {"Content-Length": len(body), **(headers or {})})
        if request.method == "HEAD":
            return
        connection.sendall(body)
        request.sent += len(body)

    def is_authorised(self, request):
        import base64

        given = request.headers.get("authorization", "")
        if self.user:
            return given == "Basic " + base64.b64encode(self.user.encode()).decode()
        if self.token:
            return given == "Bearer " + self.token
        return True

    def reply(self, connection, request, fault):
        kind = fault.kind if fault else None
        argument = fault.argument if fault else None
        if not self.is_authorised(request):
            return self.short(connection, request, 401)
        if kind == "status":
            status, headers = argument if isinstance(argument, tuple) else (argument, {})
            return self.short(connection, request, status, b"no\n", headers)
        if kind == "redirect":
            return self.short(connection, request, 302, b"", {"Location": argument})
        if kind == "empty":
            raise Cut
        if kind == "garbage":
            connection.sendall(b"\x00\xff\x17garbage, not HTTP\r\n\r\n" * 10)
            raise Cut
        if kind == "stall" and not argument:
            self.wait_for_end(connection)
        if kind == "late":
            time.sleep(argument)
        if kind == "body":
            return self.stream_bytes(connection, request, argument)
        path = os.path.join(self.root, request.path.lstrip("/").replace("%2B", "+"))
        if not os.path.isfile(path):
            return self.short(connection, request, 404)
        return self.send_file(connection, request, path, kind, argument)

    def stream_bytes(self, connection, request, body):
        self.head(connection, request, 200, {"Content-Length": len(body)})
        for at in range(0, len(body), 65536):
            connection.sendall(body[at : at + 65536])
            request.sent += len(body[at : at + 65536])

    @staticmethod
    def wait_for_end(connection):
        connection.settimeout(600)
        connection.recv(1)
        raise Cut

    def send_file(self, connection, request, path, kind, argument):
        stat = os.stat(path)
        size = stat.st_size
        validators = {"ETag": f'"{stat.st_ino:x}-{stat.st_mtime_ns:x}"',
                      "Last-Modified": email.utils.formatdate(stat.st_mtime, usegmt=True)}
        if request.headers.get("if-range") not in (None, *validators.values()):
            request.range = None
        first, last = request.range or (0, size - 1)
        if request.range and first >= size:
            return self.short(connection, request, 416, b"", {"Content-Range": f"bytes */{size}"})
        last = size - 1 if last is None else min(last, size - 1)
        headers = {"Accept-Ranges": "bytes", **validators}
        status = 206 if request.range else 200
        shown = (first, last, size)
        if kind in ("whole", "whole-cut"):
            status, first, last = 200, 0, size - 1
        if kind == "html":
            return self.short(connection, request, 200, b"<html>Please log in</html>" * 40)
        if kind == "shift":  # says so
            first = min(first + 4096, size - 1)
            last = min(last + 4096, size - 1)
            shown = (first, last, size)
        if kind == "shift-lie":
            first = min(first + 4096, size - 1)
        if kind == "total":
            shown = (first, last, size + 1)
        if kind == "gzip":
            headers["Content-Encoding"] = "gzip"
        if status == 206:
            headers["Content-Range"] = "bytes %d-%d/%d" % shown
        length = last - first + 1
        if kind == "longer":
            length += 1000
        headers["Content-Length"] = length
        self.head(connection, request, status, headers)
        if request.method == "HEAD":
            return
        self.send_body(connection, request, path, first, last + 1, kind, argument)
        if kind == "longer":
            connection.sendall(b"x" * 1000)

    def send_body(self, connection, request, path, first, end, kind, argument):
        limit = argument if kind in ("cut", "stall", "cut-hard", "whole-cut") else None
        step = 64 << 10
        started = time.monotonic()
        with open(path, "rb") as file:
            file.seek(first)
            at = first
            while at < end:
                n = min(step, end - at)
                if limit is not None:
                    n = min(n, limit - request.sent)
                if n == 0:
                    if kind == "stall":
                        self.wait_for_end(connection)
                    raise Cut
                if kind == "slow":
                    n = 1
                    time.sleep(argument or 0.2)
                block = file.read(n)
                if kind in ("corrupt", "corrupt-once"):
                    block = self.corrupt(block, at, argument, kind == "corrupt-once")
                connection.sendall(block)
                request.sent += n
                at += n
                if self.rate:
                    ahead = request.sent / self.rate - (time.monotonic() - started)
                    if ahead > 0:
                        time.sleep(ahead)

    @staticmethod
    def corrupt(block, at, argument, once):
        """argument: (piece-size, pieces): the bytes in the middle of these are wrong."""
        piece_size, pieces = argument
        for piece in list(pieces):
            where = piece * piece_size + piece_size // 2 - at
            if 0 <= where < len(block):
                block = bytearray(block)
                block[where] ^= 1
                block = bytes(block)
                if once:
                    pieces.remove(piece)
        return block


def parse_size(text):
    factor = {"K": 1 << 10, "M": 1 << 20}.get(text[-1:].upper())
    return int(text[:-1]) * factor if factor else int(text)


def parse_fault(text):
    kind, _, argument = text.partition(":")
    return Fault(kind, int(argument) if argument.isdigit() else argument or None)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--rate", type=parse_size)
    parser.add_argument("--fault", action="append", default=[], type=parse_fault)
    options = parser.parse_args()
    server = FaultServer(options.root, options.fault, options.rate, port=options.port)
    print(server.url, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
