# SPDX-License-Identifier: GPL-3.0-or-later
"""A conductor sends a node its configuration, and sends it again until it has the latest one."""

import contextlib
import http.server
import os
import socketserver
import threading

from steward import UnixConnection, wait_for


class Link:
    """Where a router's tunnel ends: its first new configuration is kept back until one that was
    written later has passed it."""

    def __init__(self, router):
        link, path = self, os.path.join(router.directory, "conductor.sock")
        self.passed, self.asked, self.later = [], 0, threading.Event()
        os.rename(path, path + ".router")

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_PUT(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                link.keep_order(self.path)
                self.pass_on(body)
                if self.path == "/v1/configuration":
                    link.passed.append(body)
                    if link.asked > 1:
                        link.later.set()

            do_GET = do_POST = do_PUT

            def pass_on(self, body):
                with contextlib.closing(UnixConnection(path + ".router")) as connection:
                    connection.request(self.command, self.path, body,
                                       {"Content-Type": "application/json"})
                    reply = connection.getresponse()
                    text = reply.read()
                self.send_response(reply.status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True

        self.server = Server(path, Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def keep_order(self, path):
        if path == "/v1/configuration":
            self.asked += 1
            if self.asked == 1:
                assert self.later.wait(60)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def test_who_read_first_and_is_heard_last_reads_again(onboarding):
    """Else the router would have the older one for as long as its tunnel stands."""
    conductor = onboarding.conductor()
    conductor.configure()
    router = onboarding.router()
    router.onboard(conductor.token())
    router.become_onboarded()
    wait_for(lambda: router.is_connected, 30, "the tunnel")

    def write(bits):
        conductor.put("/v1/routers/router1/configuration",
                      {"software-update": {"max-bandwidth": bits}})

    with contextlib.closing(Link(router)) as link:
        write("5000000")
        wait_for(lambda: link.asked == 1, 30, "the first")
        write("6000000")
        wait_for(lambda: len(link.passed) == 3, 30, lambda: f"three: {link.passed}")
    assert [b"6000000" in body for body in link.passed] == [True, False, True]
    assert router.get("/v1/configuration").json["steward:router"]["software-update"]["max-bandwidth"] == "6000000"
