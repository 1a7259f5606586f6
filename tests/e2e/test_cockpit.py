# SPDX-License-Identifier: GPL-3.0-or-later
"""The page for Cockpit, in Chromium, before a real daemon: what an operator sees and orders, what a
reader is not offered, and text from others that stays text."""

import grp
import http.client
import json
import os
import re
import tempfile

import pytest

from cockpit_page import NOBODY, Page, as_nobody, check_is_for_all, press, see
from repository import MIB
from steward import ROOT, wait_for

# One after the other, and one browser for all: each test has a core for it.
pytestmark = [pytest.mark.release_only, pytest.mark.xdist_group("page")]


@pytest.fixture
def shown(tmp_path, daemons, browser):
    """shown(sources…): a daemon, and the page that shows it."""
    made = []

    def show(*sources, user=(), **options):
        run = tmp_path / "run"
        (run / "router").mkdir(parents=True)  # it makes conductor.sock beside its own
        (run / "control.sock").symlink_to("router/control.sock")
        daemon = daemons(*sources, start=False, **options)
        daemon.socket = daemon.config["control"]["socket"] = str(run / "router" / "control.sock")
        daemon.config["control"]["read-group"] = grp.getgrgid(NOBODY).gr_name
        daemon.write_config()
        daemon.start()
        made.append(Page(browser, tempfile.mkdtemp(prefix="page"), run, user))
        return daemon, made[-1].open()

    yield show
    for page in made:
        assert page.do("return said;") == []  # nothing broke, and the policy forbade nothing
        page.close()


def request(page, version):
    page.do(f'await page.getByRole("textbox", {{name: "Version"}}).fill({json.dumps(version)});')
    press(page, "Download")


def test_downloads(shown, servers):
    first, second = servers(rate=MIB // 2), servers(rate=MIB // 2)  # time enough for each order
    daemon, page = shown(first, second, download={"concurrency": 1})
    request(page, "V1")
    see(page, "downloading")
    page.do('await page.getByText("How it went, its pieces and sources").click();')
    see(page, "in flight from s0")
    assert page.do('return page.locator("svg.pieces rect.missing").count();') > 1
    press(page, "Pause")
    see(page, "paused")
    assert daemon.download("V1")["state"] == "paused"
    press(page, "Resume")
    see(page, "downloading")
    wait_for(lambda: len(daemon.get("/v1/downloads/V1/history").json["points"]) > 1)
    first.close()
    see(page, "another source is asked: s1: instead of s0")
    press(page, "Cancel…")
    page.do('await page.getByLabel("Discard what was fetched").check();')
    press(page, "Cancel the download", "dialog")
    see(page, "cancelled")
    second.rate = None
    press(page, "Start again")
    see(page, "complete")
    request(page, "V1")  # it is there: the socket's own words
    see(page, daemon.post("/v1/downloads", {"version": "V1"}).detail, "#notice")
    check_is_for_all(page)
    daemon.kill9()
    see(page, "Asking again")
    daemon.start()
    see(page, "complete")
    wait_for(lambda: daemon.get("/v1/status").json["uptime"] >= 3)
    daemon.kill9()
    daemon.start()  # before the page has noticed
    second.rate = MIB
    daemon.post("/v1/downloads", {"version": "V1", "force": True})
    see(page, "downloading")


def import_files(page, manifest, image):
    for label, path in (("Manifest", manifest), ("Image", image)):
        page.do(f'await page.getByLabel("{label}", {{exact: true}}).setInputFiles({json.dumps(path)});')
    press(page, "Import")


def test_images(shown, servers, repository, images):
    daemon, page = shown(servers())
    manifest, image = (os.path.join(repository.root, "V1", name)
                       for name in ("manifest.jws", "image-16-1.iso"))
    import_files(page, image, image)
    see(page, "image-16-1.iso is no manifest: expected a JWS", "#notice")
    import_files(page, manifest, manifest)
    see(page, "bytes came, the manifest says 16777216", "#notice")
    assert "Import of" not in page.text()  # it is over
    assert daemon.get("/v1/images").json["images"] == []
    import_files(page, manifest, image)
    see(page, "V1 is imported.")
    assert page.text("#notice") == ""
    kept = daemon.get("/v1/images").json["images"][0]
    assert kept["sha256"] == images(16).sha256
    press(page, "Verify")
    see(page, "V1 is right.")
    with open(os.path.join(daemon.state, "images", "V1", kept["file"]), "r+b") as file:
        file.seek(MIB)
        file.write(b"another")
    press(page, "Verify")
    see(page, "V1 is damaged: ")
    press(page, "Delete…")
    press(page, "Not now", "dialog")
    assert len(daemon.get("/v1/images").json["images"]) == 1
    press(page, "Delete…")
    press(page, "Delete the image", "dialog")
    wait_for(lambda: daemon.get("/v1/images").json["images"] == [])
    page.do('await page.getByText("Apply an onboarding configuration").click();'
            'await page.getByLabel("Onboarding configuration", {exact: true}).fill("{}");')
    press(page, "Apply")
    see(page, daemon.post("/v1/onboarding", "{}").detail, "#notice")


def test_a_reader(shown, servers):
    """Sees all, and is offered nothing: of a download that runs, of one that ended, of an image."""
    server = servers(rate=MIB)
    daemon, page = shown(server, user=as_nobody())
    daemon.request("V1")
    see(page, "downloading")
    offered = 'return page.locator("#main button, #main form, #main input").count();'
    assert page.do(offered) == 0
    server.rate = None
    see(page, "On this node")
    see(page, "complete")
    assert page.do(offered) == 0


def test_whom_the_socket_lets_nothing(daemons, servers, browser, tmp_path):
    """Its words are shown, and nothing else."""
    daemon = daemons(servers())
    (tmp_path / "run").mkdir(mode=0o755)
    os.rename(daemon.socket, tmp_path / "run" / "control.sock")
    page = Page(browser, tempfile.mkdtemp(prefix="page"), tmp_path / "run", as_nobody())
    try:
        page.open(until="#main .bad")
        assert page.text("#main .bad") == "not allowed: GET /v1/status needs a member of the read group"
        assert page.do('return page.locator("section, button, input").count();') == 0
    finally:
        page.close()


HOW_DIRECTORIES_STAND = """
    const {Integrity} = await import(new URL("router.js", location).href);
    const said = {};
    for (const state of ["off", "unlocked", "locked", "incomplete", "not enabled", "unsupported"]) {
        const part = new Integrity({get: async () => ({
            state, reason: "<b>why</b>", record: "/r", "key-handle": "0x81", "nv-index": "0x1", pcr: [7],
            directories: [{path: "/etc/<i>", state: "open", "key-identifier": "k"}]})});
        await part.load();
        said[state] = [part.element.textContent, part.element.querySelector("b, i") === null,
                       part.element.querySelector("p").className];
    }
    return said;"""


def check_how_directories_stand(page):
    """Each state says what to do where something is to be done."""
    said = page.do(f"return page.evaluate(async () => {{{HOW_DIRECTORIES_STAND}}});")
    for state, words in {"off": "", "unlocked": "", "locked": "journalctl -u integrity-handler",
                         "incomplete": "configuration-integrity enable",
                         "not enabled": "configuration-integrity enable",
                         "unsupported": "configuration-integrity enable"}.items():
        text, is_text, look = said[state]
        assert words in text and "<b>why</b>" in text and "/etc/<i>" in text and is_text
        assert (look == "bad") == bool(words) == ("stewardctl" in text or "journalctl" in text)


def test_text_of_strangers(shown, servers, images, key):
    hostile = "<img src=x onerror=alert(1)>\x1b[2J\u202e"
    daemon, page = shown(servers())
    daemon.fetch("V1")
    daemon.stop()
    record = daemon.state + "/downloads/V1/request.json"
    with open(record) as file:
        kept = json.load(file)
    with open(record, "w") as file:
        json.dump({**kept, "state": "failed", "error": hostile}, file)
    with open(daemon.state + "/downloads/V1/history.json", "w") as file:
        json.dump({"resolution": 1, "sources": [hostile], "older-marks": 0,
                   "points": [{"at": 1767225600, "bytes": [7], "failures": 1}],
                   "marks": [{"at": 1767225600, "kind": "failover", "source": hostile,
                              "reason": hostile}]}, file)
    daemon.start()
    see(page, "<img src=x onerror=alert(1)>\\u{1b}[2J\\u{202e}")
    page.do('await page.getByText("How it went, its pieces and sources").click();')
    see(page, "another source is asked: <img")
    assert page.do('return page.locator("#main img, #main b").count();') == 0


def test_policy_forbids_the_rest(shown, servers):
    _, page = shown(servers())
    connection = http.client.HTTPConnection("127.0.0.1", page.port)
    connection.request("GET", "/cockpit/@localhost/steward/index.html")
    policy = connection.getresponse().headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    blocked = page.do('const s = document; return page.evaluate(() => { const s = '
                      'document.createElement("script"); s.textContent = "window.ran = 1"; '
                      'document.body.append(s); return window.ran ?? "blocked"; });'
                      .replace("const s = document; ", ""))
    assert blocked == "blocked"
    page.do("said.length = 0;")


def test_an_integrity_event(browser, tmp_path):
    """No daemon runs then: the journal is asked, by the event's id, and says cause and what to do."""
    with open(os.path.join(ROOT, "src/base/log_events.h")) as header:
        number = re.search(r'INTEGRITY_COMPROMISED, "(\w+)"', header.read()).group(1)
    for name in ("run", "programs"):
        (tmp_path / name).mkdir()
    journalctl = tmp_path / "programs" / "journalctl"
    event = tmp_path / "event"
    event.write_text(json.dumps({"MESSAGE": "another TPM (unseal).\nPut the disk back. <b>"}))
    journalctl.write_text(f'#!/bin/sh\ncase "$*" in *--boot*MESSAGE_ID={number}) cat {event} ;; esac\n')
    journalctl.chmod(0o755)
    page = Page(browser, tempfile.mkdtemp(prefix="page"), tmp_path / "run",
                programs=tmp_path / "programs")
    try:
        page.open(until="#main .event")
        assert page.text("#main .event").split("\n\n") == ["another TPM (unseal).", "Put the disk back. <b>"]
        see(page, "Neither stewardd answers at /run/steward/control.sock")
        check_how_directories_stand(page)
    finally:
        page.close()
