# SPDX-License-Identifier: GPL-3.0-or-later
"""Bandwidth by the hour: what is in force, on a router and on a conductor."""

import time

import pytest

from conductor import Conductor
from repository import MIB
from steward import another_time, ctl, wait_for

ALWAYS = {"days": "mon-sun", "from": "00:00", "to": "24:00", "max-bandwidth": 8_000_000}
RATE = 1_000_000  # bytes a second of it


@pytest.fixture(params=["router", "conductor"])
def node(request, daemons, servers, tmp_path, key):
    """A node that is not started, and its source."""
    server = servers()
    if request.param == "router":
        yield daemons(server, start=False), server
        return
    (tmp_path / "conductor").mkdir()
    made = Conductor(tmp_path / "conductor")
    made.config["software-update"].update({"trusted-key": [key.public_path],
                                           "source": [made.source(1, server)]})
    yield made, server
    made.stop()


def in_force(daemon):
    return daemon.get("/v1/status").json["software-update"]["bandwidth-in-force"]


def configure(daemon, **leaves):
    daemon.config["software-update"].update(leaves)
    daemon.write_config()


def test_a_schedule_holds(node):
    """The first entry that holds, in the place of max-bandwidth; a reload without one at once."""
    daemon, server = node
    never = {**ALWAYS, "from": "00:00", "to": "00:01", "max-bandwidth": "unlimited"}
    configure(daemon, **{"max-bandwidth": "unlimited", "time-zone": "UTC",
                         "bandwidth-schedule": [ALWAYS, never]})
    daemon.start()
    assert in_force(daemon) == {"max-bandwidth": 8_000_000, "schedule": "mon-sun 00:00-24:00",
                                "until": None}
    assert "Bandwidth    8000000 bits/s, by mon-sun 00:00-24:00\n" in ctl(
        daemon, "show", "system", check=0).stdout
    assert "steward_max_bandwidth_bytes 1000000\n" in daemon.get("/metrics").body.decode()
    begin = time.monotonic()
    daemon.request("V1")
    wait_for(lambda: daemon.download("V1")["bytes-fetched"] >= 1.5 * MIB)
    assert time.monotonic() - begin > 0.9 * 1.5 * MIB / RATE - 0.1  # 50 ms are given at once
    configure(daemon, **{"bandwidth-schedule": []})
    assert daemon.post("/v1/reload").status == 200
    assert in_force(daemon) == {"max-bandwidth": 0, "schedule": None, "until": None}
    daemon.wait_state("V1", "complete")


@pytest.mark.release_only  # the sanitizer does not go with the library that changes the clock
def test_an_entry_begins_with_summer_time(daemons):
    """Two seconds after the start 02:00 becomes 03:00; the machine's own zone is another."""
    clock = {**another_time("@2026-03-29 00:59:58"), "TZ": "UTC0"}
    hours = {**ALWAYS, "days": "sun", "from": "03:00", "to": "04:00"}
    daemon = daemons(environment=clock, update={
        "max-bandwidth": 16_000_000, "time-zone": "Europe/Berlin", "bandwidth-schedule": [hours]})
    begins = 1774746000
    assert in_force(daemon) in (
        {"max-bandwidth": 16_000_000, "schedule": None, "until": begins},
        {"max-bandwidth": 8_000_000, "schedule": "sun 03:00-04:00", "until": begins + 3600})
    wait_for(lambda: in_force(daemon) == {
        "max-bandwidth": 8_000_000, "schedule": "sun 03:00-04:00", "until": begins + 3600}, 10)
    assert ("bandwidth of downloads by sun 03:00-04:00: 8000000 bits/s, "
            "until 2026-03-29T04:00:00+02:00") in daemon.log


def test_a_time_zone_that_there_is_not(daemons):
    """Refused where somebody can correct it. A start goes on by the system's zone, and says so."""
    daemon = daemons(update={"bandwidth-schedule": [ALWAYS]})
    configure(daemon, **{"time-zone": "Europe/Berlln"})
    reply = daemon.post("/v1/reload")
    assert reply.status == 422
    assert ("software-update/time-zone: there is no time zone 'Europe/Berlln' in "
            "/usr/share/zoneinfo (package tzdata)") in reply.json["detail"]
    assert in_force(daemon)["schedule"] == "mon-sun 00:00-24:00"
    daemon.stop()
    daemon.start()
    assert in_force(daemon)["schedule"] == "mon-sun 00:00-24:00"
    assert "Europe/Berlln" in daemon.log and "the system's is used instead" in daemon.log
