# SPDX-License-Identifier: GPL-3.0-or-later
"""The Cockpit plugin, as an operator has it: Chromium, cockpit-ws and cockpit-bridge, before a
daemon whose socket is where it is on a real machine (a mount namespace of its own)."""

import json
import os
import select
import shutil
import socket
import subprocess

from steward import ROOT, SLOW, free_port, wait_for

WS = "/usr/lib/cockpit/cockpit-ws"
PLAYWRIGHT = "playwright-core@1.49.1"
NOBODY = 65534


def as_nobody():
    """The prefix of a user who may read, by the group of that number, and change nothing."""
    return ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


class Browser:
    """One Chromium for all tests of a session; each has a window of its own."""

    def __init__(self, folder):
        # By npm; no browser comes with it.
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix",
                        str(folder), PLAYWRIGHT], check=True, capture_output=True)
        self.log = open(f"{folder}/log", "w+")
        self.process = subprocess.Popen(["node", ROOT + "/tests/e2e/page.mjs", str(folder)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log)

    def do(self, script):
        self.process.stdin.write(json.dumps(script) + "\n")
        self.process.stdin.flush()
        # A page that has died answers nothing, whatever limits its own driver has.
        said, _, _ = select.select([self.process.stdout], [], [], 120 * SLOW)
        line = self.process.stdout.readline() if said else None
        self.log.seek(0)
        assert line, f"no answer to {script}: {self.log.read()}"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["value"]

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(20 * SLOW)
        finally:
            self.process.kill()
            self.log.close()


class Page:
    def __init__(self, browser, folder, run, user=(), programs="/nonexistent"):
        """run: what is /run/steward there. user: a prefix that becomes another user. programs: a
        folder of what the page's user finds before what is installed."""
        self.browser = browser
        self.folder = str(folder)
        os.makedirs(self.folder + "/data/cockpit", exist_ok=True)
        os.chmod(self.folder, 0o777)  # the bridge may be another user's
        # A copy: another user may not see into root's home, where the checkout may be.
        shutil.copytree(ROOT + "/packaging/cockpit", self.folder + "/data/cockpit/steward")
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}/cockpit/@localhost/steward/index.html"
        environment = {**os.environ, "XDG_DATA_DIRS": self.folder + "/data:/usr/share",
                       "PATH": f"{programs}:{os.environ['PATH']}",
                       "XDG_DATA_HOME": self.folder + "/home", "HOME": self.folder}
        bridge = self.folder + "/bridge"  # cockpit-ws takes no arguments for it
        with open(bridge, "w") as script:
            script.write("#!/bin/sh\nexec " + " ".join([*user, "cockpit-bridge"]) + "\n")
        os.chmod(bridge, 0o755)
        self.log = open(self.folder + "/log", "wb")
        self.ws = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c",
             'mkdir -p /run/steward && mount --bind "$0" /run/steward && exec "$@"', str(run),
             WS, "--no-tls", f"--port={self.port}", "--address=127.0.0.1", f"--local-session={bridge}"],
            env=environment, stdout=self.log, stderr=self.log)
        wait_for(self.is_up, what="cockpit-ws")
        browser.do(None)

    def is_up(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def do(self, script):
        """The body of an async function of page, context and said (what the console complains of)."""
        return self.browser.do(script)

    def open(self, until="#downloads"):
        self.do(f'await page.goto("{self.address}");'
                f'await page.locator({json.dumps(until)}).waitFor();')
        return self

    def text(self, selector="body"):
        return self.do(f"return page.locator({json.dumps(selector)}).innerText();")

    def close(self):
        self.do("await page.close();")
        self.ws.terminate()
        self.ws.wait(20)
        self.log.close()
        shutil.rmtree(self.folder)


def press(page, label, within="body"):
    page.do(f'await page.locator({json.dumps(within)})'
            f'.getByRole("button", {{name: {json.dumps(label)}, exact: true}}).click();')


def see(page, text, selector="#main", timeout=60):
    wait_for(lambda: text in page.text(selector), timeout, f"{text!r} in {selector}")


def check_is_for_all(page):
    """Each field and button has a name for who does not see it; nothing is cut off on a phone, nor at
    200 % of an ordinary window; and each button is reached by the keyboard."""
    page.do('await page.locator("details").evaluateAll(all => all.forEach(one => { one.open = true; }));')
    assert page.do("""return page.locator("input, select, textarea, button, progress, canvas, svg[role]").evaluateAll(
        all => all.filter(one => !(one.labels?.length || one.getAttribute("aria-label") || one.innerText?.trim()))
            .map(one => one.outerHTML));""") == []
    for width in (390, 600, 1200):
        page.do(f"await page.setViewportSize({{width: {width}, height: 900}});")
        assert page.do("return page.evaluate(() => document.scrollingElement.scrollWidth - innerWidth);") <= 0, width
    assert page.do("""return page.locator("button:enabled").evaluateAll(
        all => all.filter(one => one.tabIndex < 0).map(one => one.outerHTML));""") == []
