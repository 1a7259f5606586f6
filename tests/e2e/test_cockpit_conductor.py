# SPDX-License-Identifier: GPL-3.0-or-later
"""The page for Cockpit on a conductor, in Chromium: its routers, their nodes, tokens and downloads, as
who may change them and as who may not."""

import grp
import json
import os
import sqlite3
import struct
import tempfile

import pytest

from cockpit_page import NOBODY, Page, as_nobody, check_is_for_all, press, see
from steward import wait_for

# One after the other, and one browser for all: each test has a core for it.
pytestmark = [pytest.mark.release_only, pytest.mark.xdist_group("page")]
PAGER = "section:has(#fleet) .pager"


@pytest.fixture
def conductor(onboarding, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    made = onboarding.conductor(start=False)
    made.socket = str(run / "conductor.sock")
    made.config["control"] = {"socket": made.socket, "read-group": grp.getgrgid(NOBODY).gr_name}
    made.write_config()
    return made.start()


@pytest.fixture
def shown(conductor, browser, tmp_path):
    made = []

    def show(user=(), until="#downloads"):
        made.append(Page(browser, tempfile.mkdtemp(prefix="page"), tmp_path / "run", user))
        return made[-1].open(until)

    yield show
    for page in made:
        assert page.do("return said;") == []
        page.close()


def fill(page, label, value, within="body"):
    page.do(f'await page.locator({json.dumps(within)}).getByLabel({json.dumps(label)}, {{exact: true}})'
            f'.fill({json.dumps(value)});')


def choose(page, label, value, within="body"):
    page.do(f'await page.locator({json.dumps(within)})'
            f'.getByRole("combobox", {{name: {json.dumps(label)}}}).selectOption({json.dumps(value)});')


def become_hostile(router):
    """What it answers its conductor is no text that anybody should believe."""
    router.stop()
    record = router.state + "/downloads/V1/request.json"
    with open(record) as file:
        kept = json.load(file)
    with open(record, "w") as file:
        json.dump({**kept, "state": "failed", "error": "<img src=x onerror=alert(1)>\x1b[2J\u202e"}, file)
    router.start()


def test_a_router_from_its_name_to_its_tunnel(onboarding, conductor, shown, key, tmp_path):
    page = shown()
    fill(page, "New router", "router1")
    press(page, "Add")
    see(page, "No nodes.")
    fill(page, "Node", "node0")
    fill(page, "Its asset-id", "A0")
    press(page, "Set", 'form[aria-label="Add a node"]')
    see(page, "A0")
    choose(page, "Mode", "psk-only", "#main")
    press(page, "Set", 'form[aria-label="Mode of the router"]')
    see(page, "Pre-shared secret\nyes")
    # The token is shown once, and what is saved lets the router in.
    press(page, "Make a token")
    token = page.do('return page.getByLabel("The token of router1").inputValue();')
    page.do('const saved = page.waitForEvent("download");'
            'await page.getByRole("button", {name: "Save as onboarding-config.json"}).click();'
            f'await (await saved).saveAs({json.dumps(str(tmp_path / "saved.json"))});')
    press(page, "Copy")
    see(page, "Copied.", "dialog")
    press(page, "Done", "dialog")
    page.do('await page.locator("dialog").waitFor({state: "detached"});')
    assert token not in page.do("return page.content();")
    saved = json.loads((tmp_path / "saved.json").read_text())
    assert saved["secure-conductor-onboarding-token"] == token and saved["minimum-mode"] == "psk-only"
    router = onboarding.router(key=key, download={"attempts": 0})  # it has no source, and goes on
    assert router.post("/v1/onboarding", saved).status == 200
    router.wait_for_state("initializing", "onboarded")
    wait_for(lambda: conductor.get("/v1/fleet").json["fleet"][0]["connected"] == 1, 60, "a tunnel")
    page.open()
    see(page, "1 of 1")
    page.do('await page.getByText("Map of the fleet").click();')
    choose(page, "Coloured by", "version")
    see(page, "All 1 connected routers were asked.")
    see(page, "no image: 1")
    page.do('await page.getByLabel("Select router1").check();')
    fill(page, "Its version", "V0")
    for order in ("download", "pause", "cancel"):
        choose(page, "Order", order, "form.orders")
        press(page, "Give the order")
        see(page, "router1 node0: done", ".results")
    wait_for(lambda: router.download("V0")["state"] == "cancelled")
    press(page, "Give the order")
    see(page, "cancelled", ".results")  # its own words: it has ended
    press(page, "Select none")
    press(page, "router1")
    see(page, "connected, ")
    # An order to its nodes, and a refusal in the node's own words.
    fill(page, "Version for its nodes", "V1")
    press(page, "Have it downloaded")
    wait_for(lambda: router.get("/v1/downloads/V1").status == 200)
    press(page, "Pause")
    wait_for(lambda: router.download("V1")["state"] == "paused")
    press(page, "Resume")
    wait_for(lambda: router.download("V1")["state"] != "paused")
    press(page, "Cancel")
    wait_for(lambda: router.download("V1")["state"] == "cancelled")
    fill(page, "Version for its nodes", "../V")
    press(page, "Have it downloaded")
    see(page, "node0: ", "#notice")
    # Its configuration, as text.
    page.do('await page.getByText("Configuration", {exact: true}).last().click();')
    page.do('await page.getByLabel("Configuration of router1").waitFor();')
    fill(page, "Configuration of router1", '{"software-update": {"max-bandwidth": "5000000"}}')
    press(page, "Keep and send it")
    see(page, "revision 1")
    assert conductor.get("/v1/routers/router1/configuration").json["revision"] == 1
    check_is_for_all(page)
    see(page, "token-issued")
    become_hostile(router)
    see(page, "<img src=x onerror=alert(1)>\\u{1b}[2J\\u{202e}")
    assert page.do('return page.locator("#main img").count();') == 0
    press(page, "Reset…")
    press(page, "Reset the node", "dialog")
    wait_for(lambda: conductor.enrolments == [])
    see(page, "revoked")
    press(page, "Delete…")
    press(page, "Delete the node", "dialog")
    see(page, "No nodes.")
    press(page, "Delete the router…")
    press(page, "Delete the router", "dialog")
    wait_for(lambda: conductor.get("/v1/routers").json["routers"] == [])
    see(page, "No router matches.")


def test_tokens(conductor, shown):
    for name in ("r1", "r2"):
        conductor.configure(name, asset_id=name)
        conductor.token(name)
    page = shown()
    see(page, "valid")
    page.do('await page.getByRole("button", {name: "Revoke…"}).first().click();')
    press(page, "Revoke the token", "dialog")
    see(page, "revoked")
    assert sorted(t["state"] for t in conductor.get("/v1/tokens").json["tokens"]) == ["revoked", "valid"]
    press(page, "r1")
    page.do('await page.locator("h2#router").waitFor();')
    wait_for(lambda: page.do('return page.locator("section:has(#tokens) tbody tr").count();') == 1)
    page.do("await page.goBack();")
    see(page, "Routers that match")


def make_many(conductor, n):
    conductor.stop()
    with sqlite3.connect(conductor.config["registry"].partition(":")[2]) as registry:
        registry.executemany("INSERT INTO routers VALUES (?, ?, NULL, '{}', 0)",
                             ((f"r{i:05}", "strong" if i % 10 == 0 else "weak") for i in range(n)))
        registry.executemany("INSERT INTO nodes VALUES (?, 'n0', ?, NULL, ?)",
                             ((f"r{i:05}", f"A{i}", i + 10000) for i in range(n)))
    registry.close()
    conductor.start()


SAID_BY_ROUTERS = """
    const {FleetMap} = await import(new URL("fleetmap.js", location).href);
    const has = (...downloads) => ({node: "n", error: null, answer: {downloads}});
    const began = (version, state, started) => ({version, state, started});
    const nodes = {
        "old": [has(began("V1", "complete", 1))],
        "newer": [has(began("V1", "complete", 1), began("V2", "complete", 2), began("V3", "failed", 3))],
        "pair": [has(began("V1", "complete", 1)), has(began("V2", "complete", 1))],
        "empty": [has()],
        "broken": [{node: "n", error: "no tunnel", answer: null}],
        "hostile": [has(began("<b>", "complete", 1), {version: {}}, null)],
        "liar": [{node: "n", error: null, answer: 7}],
        "refused": null,
    };
    for (let i = 0; i < 16; i++)
        nodes["many" + i] = [has(began("M" + (i >> 1), "downloading", 2), began("M" + (i >> 1), "complete", 1))];
    const fleet = Object.keys(nodes).concat("away").map(router => ({
        router, mode: "weak", nodes: 1, enrolled: 1, connected: router === "away" ? 0 : 1}));
    const asked = [];
    const get = async path => {
        if (path.startsWith("/v1/fleet"))
            return {fleet, total: fleet.length};
        asked.push(path.split("/")[3]);
        if (!nodes[asked.at(-1)])
            throw new Error("the registry hangs");
        return {nodes: nodes[asked.at(-1)]};
    };
    const map = new FleetMap({get}, what => what(), () => {});
    document.body.append(map.element);
    map.element.open = true;
    await map.load();
    const legends = {};
    for (const scheme of ["version", "download"]) {
        map.scheme.value = scheme;
        asked.length = 0;
        await map.look();
        legends[scheme] = [...map.legend.children].map(one => one.textContent);
    }
    const colours = new Set([...map.legend.querySelectorAll(".swatch")].map(one => getComputedStyle(one).backgroundColor));
    map.element.remove();
    return {...legends, asked, colours: colours.size};"""


def check_what_routers_say(page):
    """On the map: the commonest versions have a colour each; what is no version is none."""
    said = page.do(f"return page.evaluate(async () => {{{SAID_BY_ROUTERS}}});")
    assert said["version"] == [
        "M0: 2", "M1: 2", "M2: 2", "M3: 2", "M4: 2", "M5: 2", "others: 6", "its nodes differ: 1",
        "no image: 2", "not known: 4"]
    assert said["download"] == ["complete: 2", "running: 16", "paused: 0", "failed: 1",
                                "its nodes differ: 0", "no download: 2", "not known: 4"]
    assert "away" not in said["asked"] and len(said["asked"]) == 24
    assert said["colours"] == len(said["download"])


def test_many_routers(conductor, shown):
    """5,000: the first rows are there within a second, or as much later as others load the machine."""
    make_many(conductor, 5000)
    page = shown()
    see(page, "1 to 50 of 5000", PAGER)
    took = page.do(f'''const took = [];
        for (let i = 0; i < 3; i++) {{
            await page.goto("about:blank");
            const began = Date.now();
            await page.goto("{page.address}");
            await page.getByText("r00000").waitFor();
            took.push(Date.now() - began);
        }}
        return took;''')
    assert min(took) < 1000 * max(1, os.getloadavg()[0] / os.cpu_count()), took
    press(page, "Router")
    see(page, "r04999")
    assert page.do('return page.locator("th[aria-sort=descending]").innerText();').startswith("Router")
    press(page, "Next")
    see(page, "51 to 100 of 5000", PAGER)
    see(page, "r04949")
    fill(page, "Name has", "R0123")
    see(page, "1 to 10 of 10", PAGER)
    choose(page, "Mode", "strong", 'form[role="search"]')
    see(page, "1 to 1 of 1", PAGER)
    choose(page, "Connected", "all", 'form[role="search"]')
    see(page, "No router matches.")
    page.do('await page.getByText("Map of the fleet").click();'
            'await page.getByLabel(/Map of 5000 routers by connection. .*none: 5000/).waitFor();')
    choose(page, "Coloured by", "mode")
    page.do('await page.getByLabel(/strong: 500, weak: 4500/).waitFor();'
            'await page.locator("canvas").click({position: {x: 2, y: 2}});')
    see(page, "r00000", "h2#router")
    check_what_routers_say(page)


def test_orders_for_a_selection(conductor, shown):
    for name in ("r1", "r2", "r3"):
        conductor.configure(name, asset_id=name)
    page = shown()
    see(page, "1 to 3 of 3", PAGER)
    check_is_for_all(page)
    page.do('await page.getByLabel("Select all that are shown").check();'
            'await page.getByLabel("Select r2").uncheck();')
    see(page, "2 selected")
    fill(page, "Its version", "V1")
    press(page, "Give the order")
    wait_for(lambda: page.do('return page.locator(".results li").count();') == 2)
    assert "r1 node0: " in page.text(".results")  # none is connected: each says so
    assert "r3 node0: " in page.text(".results")
    assert "r2" not in page.text(".results")
    # By the keyboard alone: the focus stays where it was when the table is another.
    page.do('await page.getByLabel("Select r2").focus(); await page.keyboard.press("Space");')
    see(page, "3 selected")
    assert page.do('return page.evaluate(() => document.activeElement.getAttribute("aria-label"));') == "Select r2"


def make_enrolled(conductor, n):
    """Routers without a tunnel; the first half of them are in emea."""
    conductor.stop()
    with sqlite3.connect(conductor.config["registry"].partition(":")[2]) as registry:
        names = [f"r{i:03}" for i in range(n)]
        registry.executemany("INSERT INTO routers VALUES (?, 'weak', NULL, '{}', 0)", ((name,) for name in names))
        registry.executemany("INSERT INTO nodes VALUES (?, 'n0', ?, NULL, ?)",
                             ((name, f"A{i}", i + 10000) for i, name in enumerate(names)))
        registry.executemany("INSERT INTO enrolments VALUES (?, 'n0', 'ssh-key', ?, ?, NULL, 'jti', 1, '')",
                             ((name, name.encode(), struct.pack(">I11sI", 11, b"ssh-ed25519", 32) +
                               name.encode().ljust(32)) for name in names))
        registry.executemany("INSERT INTO labels VALUES (?, 'site', ?)",
                             ((name, "emea" if i < n // 2 else "apac") for i, name in enumerate(names)))
    registry.close()
    conductor.start()


def let_it_halt(conductor, states):
    """As if routers had come, and one had said what is no text that anybody should believe."""
    conductor.stop()
    with sqlite3.connect(conductor.config["registry"].partition(":")[2]) as registry:
        registry.execute("UPDATE rollout_blocks SET states = ?", (states,))
        registry.execute("UPDATE rollouts SET stage = 2, stop = 2")
        registry.execute("DELETE FROM rollout_reasons")
        registry.execute("INSERT INTO rollout_reasons VALUES ('july', ?, ?)",
                         (states.index("f"), "<img src=x onerror=alert(1)>\x1b[2J\u202e"))
    registry.close()
    conductor.start()


def test_rollouts(conductor, shown):
    make_enrolled(conductor, 40)
    page = shown()
    see(page, "1 to 40 of 40", PAGER)
    fill(page, "Has labels", "site=emea")
    page.do('await page.keyboard.press("Enter");')
    see(page, "1 to 20 of 20", PAGER)
    fill(page, "Has labels", "emea")
    page.do('await page.keyboard.press("Enter");')
    see(page, "label: expected NAME=VALUE, found 'emea'", "#notice")
    page.do('await page.getByRole("link", {name: "Rollouts"}).click();')
    see(page, "None yet. A rollout")
    check_is_for_all(page)
    fill(page, "Name", "july")
    fill(page, "Version of the image", "V1")
    choose(page, "To", "labels")
    fill(page, "Labels", "emea")
    press(page, "Begin the rollout…")
    see(page, '"emea" is none.', "#notice")
    fill(page, "Labels", "site=emea")
    fill(page, "Phases", "4, 50%, 100%")
    page.do('await page.getByLabel("An operator approves each phase").check();')
    for label, value in (("Days", "mon-sun"), ("From", "00:00"), ("To", "24:00"), ("Time zone", "Europe/Nowhere")):
        page.do(f'await page.locator("form.plan input").and(page.getByLabel({json.dumps(label)}, {{exact: true}}))'
                f'.fill({json.dumps(value.replace("24:00", "23:59"))});')
    press(page, "Begin the rollout…")
    see(page, "V1 is brought to all routers with site=emea", "dialog")
    press(page, "Begin the rollout", "dialog")
    see(page, "Europe/Nowhere", "#notice")  # the conductor's own words
    fill(page, "Time zone", "Europe/Berlin")
    press(page, "Begin the rollout…")
    press(page, "Not now", "dialog")
    assert conductor.get("/v1/rollouts").json["rollouts"] == []
    press(page, "Begin the rollout…")
    press(page, "Begin the rollout", "dialog")
    see(page, "july", "h2#rollout")
    made = conductor.get("/v1/rollouts/july").json
    assert (made["members"], made["phases"], made["approve"], made["zone"], made["selector"]) == (
        20, [4, 10, 20], True, "Europe/Berlin", "label site emea")
    assert made["window"] == [{"days": "mon,tue,wed,thu,fri,sat,sun", "from": "00:00", "to": "23:59"}]
    see(page, "4 unreachable")
    press(page, "Pause…")
    press(page, "Pause", "dialog")
    see(page, "paused")
    let_it_halt(conductor, "eeef" + 16 * "a")
    see(page, "More than 2% have failed: nobody is ordered")
    see(page, "<img src=x onerror=alert(1)>\\u{1b}[2J\\u{202e}")
    assert page.do('return page.locator("#main img").count();') == 0
    see(page, "3 done")
    assert page.do('return page.locator("svg.members").getAttribute("aria-label");') == (
        "Of 20 routers: 3 done, 1 failed, 16 waiting")
    check_is_for_all(page)
    # By the keyboard alone.
    page.do('await page.getByRole("button", {name: "Resume…"}).focus(); await page.keyboard.press("Enter");')
    see(page, "1 routers have failed", "dialog")
    page.do('await page.keyboard.press("Enter");')
    see(page, "approval")
    press(page, "Approve the next phase…")
    press(page, "Approve the next phase", "dialog")
    see(page, "6 unreachable")
    press(page, "Cancel…")
    press(page, "Cancel", "dialog")
    see(page, "cancelled")
    assert page.do('return page.locator("section:has(#rollout)").getByRole("button").allInnerTexts();') == ["← All rollouts"]
    press(page, "← All rollouts")
    see(page, "label site emea")
    see(page, "100 % of 20")
    # A reader is shown all of it, and offered nothing.
    reader = shown(as_nobody(), "#fleet")
    reader.do('await page.getByRole("link", {name: "Rollouts"}).click();')
    see(reader, "label site emea")
    assert reader.do('return page.locator("form").count();') == 0
    conductor.post("/v1/rollouts", {"name": "august", "version": "V2", "selector": {"routers": ["r001"]}})
    see(reader, "august")
    press(reader, "august")
    see(reader, "unreachable")
    assert reader.do('return page.getByRole("button").allInnerTexts();') == ["← All rollouts", "r001"]


def test_a_reader(conductor, shown):
    conductor.configure("r1", asset_id="A1")
    conductor.token("r1")
    page = shown(as_nobody())
    see(page, "1 to 1 of 1", PAGER)
    shown_buttons = page.do('return page.getByRole("button").allInnerTexts();')
    assert set(text.rstrip(" ▲▼") for text in shown_buttons) == {
        "Router", "Mode", "Nodes", "Enrolled", "Connected", "r1", "Previous", "Next"}
    press(page, "r1")
    page.do('await page.locator("h2#router").waitFor();')
    see(page, "A1")
    assert page.do('return page.getByRole("button").allInnerTexts();') == ["← All routers"]
    page.do('await page.getByText("Configuration", {exact: true}).last().click();'
            'await page.getByLabel("Configuration of r1").waitFor();')
    assert page.do('return page.getByRole("button").count();') == 1


def test_conductor_and_router_on_one_machine(onboarding, conductor, shown, tmp_path):
    router = onboarding.router()
    (tmp_path / "run" / "control.sock").symlink_to(router.socket)
    page = shown()
    see(page, "unconfigured")
    press(page, "Conductor")
    see(page, "No router matches.")
    conductor.configure("router1", asset_id="A0")
    (tmp_path / "onboarding.json").write_text(json.dumps({
        "mode": "conductor-managed", "name": "router1", "conductor-hosts": [router.host],
        "secure-conductor-onboarding-token": conductor.token("router1")}))
    press(page, "Router", "nav")
    see(page, "unconfigured")
    page.do('await page.getByText("Apply an onboarding configuration").click();'
            'await page.getByLabel("Onboarding configuration, as a file").setInputFiles('
            f'{json.dumps(str(tmp_path / "onboarding.json"))});')
    wait_for(lambda: page.do('return page.getByLabel("Onboarding configuration", {exact: true})'
                             '.inputValue();'))
    press(page, "Apply")
    see(page, "Tunnels")
    wait_for(lambda: page.do('return page.locator("ol.steps [aria-current=step]").innerText();')
             in ("initializing", "onboarded"), what="an onboarding")
    # A reader is not offered what may be ordered of a download of a router that is there.
    wait_for(lambda: conductor.get("/v1/fleet").json["fleet"][0]["connected"] == 1, 60, "a tunnel")
    router.post("/v1/downloads", {"version": "V1"})
    reader = shown(as_nobody(), "#fleet")
    press(reader, "router1")
    see(reader, "V1")
    assert reader.do('return page.locator("#main").getByRole("button").allInnerTexts();') == ["← All routers"]
    page.open()
    router.stop()
    see(page, "Routers that match")  # who is left
    assert page.do('return page.locator("#header nav").count();') == 0
