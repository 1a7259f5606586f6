# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of the registry page by page: ?limit= and ?after=, a Link to the next (RFC 8288), and
stewardctl, which follows it."""

import http.server
import json
import os
import re
import socketserver
import sqlite3
import subprocess
import threading
import time

import pytest

from steward import STEWARDCTL, ctl, wait_for
from wire_router import WireRouter

NAMES = ["A-1", "B", "a", "a.1", "b0"]  # by bytes


@pytest.fixture
def conductor(onboarding):
    made = onboarding.conductor()
    for number, name in enumerate(reversed(NAMES)):
        made.configure(router=name, asset_id=f"A{number}")
    return made


def next_of(reply):
    link = reply.headers["Link"]
    if link is None:
        return None
    return re.fullmatch(r'<(/v1/[^>]+)>; rel="next"', link).group(1)


def pages(conductor, path):
    """Each page of the list, by its links."""
    found = []
    while path:
        reply = conductor.get(path)
        assert reply.status == 200, reply.body
        found.append(reply.json)
        path = next_of(reply)
    return found


def test_routers_page_by_page(conductor):
    whole = conductor.get("/v1/routers")
    assert next_of(whole) is None and [r["name"] for r in whole.json["routers"]] == NAMES
    assert [len(r["nodes"]) for r in whole.json["routers"]] == [1] * len(NAMES)
    found = pages(conductor, "/v1/routers?limit=2")
    assert [len(page["routers"]) for page in found] == [2, 2, 1]
    assert [r for page in found for r in page["routers"]] == whole.json["routers"]
    # A page that ends with the list says so, and a place is one without its router.
    assert next_of(conductor.get("/v1/routers?limit=5")) is None
    conductor.delete("/v1/routers/B")
    after = conductor.get("/v1/routers?limit=1&after=B")
    assert [r["name"] for r in after.json["routers"]] == ["a"]
    assert next_of(after) == "/v1/routers?limit=1&after=a"
    assert conductor.get("/v1/routers?after=b0").json == {"routers": []}


def test_other_lists(onboarding, conductor):
    tokens = [conductor.token(name) for name in NAMES for _ in range(2)]
    for number, token in enumerate(reversed(tokens[::2])):
        WireRouter(onboarding, token, asset_id=f"A{number}").go_to(3).channel.close()
    for path, member, count in (("/v1/enrolments", "enrolments", 5), ("/v1/tokens", "tokens", 10),
                                ("/v1/tokens?router=B", "tokens", 2),
                                ("/v1/routers/B/tokens", "tokens", 2),
                                ("/v1/audit", "audit", None), ("/v1/audit?router=B", "audit", None),
                                ("/v1/audit?since=5", "audit", None)):
        whole = conductor.get(path).json
        found = pages(conductor, f"{path}{'&' if '?' in path else '?'}limit=1")
        assert [row for page in found for row in page[member]] == whole[member], path
        assert len(found) == (count or len(whole[member])), path
        # Failures of strangers stand with the last page.
        assert ["failures" in page for page in found[:-1]] == [False] * (len(found) - 1)
        assert ("failures" in found[-1]) == ("failures" in whole), path
    for words in (["authority"], ["secure-conductor-onboarding", "tokens"],
                  ["secure-conductor-onboarding", "enrolments", "router", "B"]):
        text = ctl(conductor, "show", *words, check=0).stdout
        answer = json.loads(ctl(conductor, "--json", "show", *words, check=0).stdout)
        assert len(text.splitlines()) == 1 + len(next(iter(answer.values()))), text


def test_places_that_are_none(onboarding):
    conductor = onboarding.conductor()
    for query, said in (
            ("routers?limit=0", "limit"), ("routers?limit=10001", "limit"),
            ("routers?limit=x", "limit"), ("routers?limit=1&after=a/b", "after"),
            ("routers?after=" + "a" * 300, "after"), ("tokens?limit=1&after=x", "after"),
            ("tokens?limit=1&after=5/x", "after"), ("enrolments?limit=1&after=a", "after"),
            ("enrolments?limit=1&after=a/b/c", "after"), ("audit?limit=1&after=1/c", "after"),
            ("audit?limit=1&after=1/c/2x", "after")):
        reply = conductor.get(f"/v1/{query}")
        assert reply.status == 400 and reply.json["detail"].startswith(said), (query, reply.body)


class Pages(http.server.BaseHTTPRequestHandler):
    """Three pages. What is linked as something else is no page."""

    def do_GET(self):
        _, _, page = self.path.partition("&after=")
        number = int(page or 0)
        router = {"name": f"r{number}", "mode": "weak", "nodes": []}
        body = json.dumps({"routers": [router]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        if number < 2:
            self.send_header("Link", f'</v1/routers?limit=500&after={number + 1}>; rel="next"')
        else:
            self.send_header("Link", '</v1/routers>; rel="first"')
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        return "unix"

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def test_stewardctl_follows_the_links(tmp_path):
    path = os.path.join(tmp_path, "sock")
    with Server(path, Pages) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        text, answer = (subprocess.run(
            [STEWARDCTL, "--socket", path, *options, "show", "authority"], capture_output=True,
            text=True, check=True).stdout for options in ([], ["--json"]))
        server.shutdown()
    assert [line.split()[0] for line in text.splitlines()] == ["ROUTER", "r0", "r1", "r2"]
    assert [r["name"] for r in json.loads(answer)["routers"]] == ["r0", "r1", "r2"]


def fleet(conductor, query=""):
    reply = conductor.get("/v1/fleet" + query)
    assert reply.status == 200, reply.body
    return [row["router"] for row in reply.json["fleet"]], reply.json["total"]


def test_fleet(onboarding, conductor):
    """Who is connected is told of the tunnels that stand; the rest of what is asked is in
    tests/unit/test_fleet_view.c."""
    assert fleet(conductor) == (NAMES, 5)
    assert fleet(conductor, "?first=1&limit=2") == (NAMES[1:3], 5)
    assert fleet(conductor, "?first=5") == fleet(conductor, "?first=999999999999") == ([], 5)
    assert fleet(conductor, "?sort=-name&name=A&limit=1") == (["a.1"], 3)
    for name, labels in {"a.1": {"site": "emea", "ring": "1"}, "b0": {"site": "emea"},
                         NAMES[1]: {"site": "apac", "ring": "1"}}.items():
        for label, value in labels.items():
            assert conductor.call("PUT", f"/v1/routers/{name}/labels/{label}", {"value": value}).status == 200
    assert fleet(conductor, "?label=site=emea") == (["a.1", "b0"], 2)
    assert fleet(conductor, "?label=site=emea,ring=1") == (["a.1"], 1)
    assert fleet(conductor, "?label=site=emea&name=b") == (["b0"], 1)
    assert fleet(conductor, "?label=site=EMEA") == fleet(conductor, "?label=ring=2") == ([], 0)
    router = onboarding.router("A0", name="b0")
    router.onboard(conductor.token("b0"))
    for query in ("?connected=all", "?enrolled=all", "?sort=-connected&limit=1"):
        wait_for(lambda: fleet(conductor, query)[0] == ["b0"], what=query)
    assert conductor.get("/v1/fleet?name=b0").json == {"total": 1, "fleet": [
        {"router": "b0", "mode": "psk-only", "nodes": 1, "enrolled": 1, "connected": 1}]}
    router.stop()
    wait_for(lambda: fleet(conductor, "?connected=none")[1] == 5)
    for query, said in (("name=a%25", "name: "), ("mode=x", "mode: "), ("sort=", "sort: "),
                        ("first=-1", "first: "), ("limit=0", "limit: "), ("connected=1", "connected: "),
                        ("label=", "label: "), ("label=site", "label: "), ("label=site=a%20b", "value of a label"),
                        ("label=" + ",".join(["a=b"] * 9), "label: more than 8")):
        reply = conductor.get(f"/v1/fleet?{query}")
        assert reply.status == 400 and reply.json["detail"].startswith(said), reply.body


def test_fleet_of_many(onboarding):
    """A page of 50,000 routers is there at once, however it is sorted."""
    conductor = onboarding.conductor()
    conductor.stop()
    with sqlite3.connect(conductor.config["registry"].partition(":")[2]) as registry:
        registry.executemany("INSERT INTO routers VALUES (?, 'weak', NULL, '{}', 0)",
                             ((f"r{n:05}",) for n in range(50000)))
        registry.executemany("INSERT INTO nodes VALUES (?, 'n0', ?, NULL, ?)",
                             ((f"r{n:05}", f"A{n}", n + 10000) for n in range(50000)))
    registry.close()
    conductor.start()
    began = time.monotonic()
    assert fleet(conductor, "?sort=-nodes&first=49990&limit=10") == (
        [f"r{n}" for n in range(49990, 50000)], 50000)
    assert time.monotonic() - began < 5
    assert fleet(conductor, "?name=R1234") == ([f"r1234{n}" for n in range(10)], 10)
    assert len(fleet(conductor, "?limit=10000")[0]) == 10000
