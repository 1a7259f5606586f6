# SPDX-License-Identifier: GPL-3.0-or-later
"""A router whose PCRs change with an update, and that opens by what its operator has signed."""

import json
import os
import re

import router
from image import write
from machine import Tpm
from policies import Operator

COMPROMISED = r"\*\*\* SYSTEM INTEGRITY COMPROMISED \*\*\*"
ANOTHER = ("-smbios", "type=1,product=another")  # what the firmware measures into PCR 1
FILE = router.SECRETS[0] + "/password"
POLICIES = "usr/lib/steward/policies"


def install(root, operator):
    router.install(root)
    configuration = json.loads(json.dumps(router.CONFIGURATION))
    configuration["steward:router"]["configuration-integrity"]["policy-key"] = \
        "/etc/steward/operator.pem"
    write(os.path.join(root, "etc/steward/steward.json"), json.dumps(configuration))
    with open(operator.public) as file:
        write(os.path.join(root, "etc/steward/operator.pem"), file.read())
    os.makedirs(os.path.join(root, POLICIES))


def measured(machine):
    """What the journal tells to sign."""
    said = machine.console.run("journalctl -b -o cat -u integrity-handler")
    found = re.findall(r"measured now: bank sha256 pcr (\S+)", said)
    assert found, said
    return found[-1]


def sign(machine, operator, pcr, name):
    """The next image has it."""
    made = operator.attempt("pcr", pcr, "key", operator.private, "name", name)
    assert made.returncode == 0, made.stderr
    with machine.mounted() as root:
        write(os.path.join(root, POLICIES, f"{name}.json"), made.stdout)


def test_changed_pcrs_open_by_the_signed_policy(machine, tmp_path):
    operator, tpm = Operator(tmp_path), Tpm(tmp_path / "own")
    with machine.mounted() as root:
        install(root, operator)
    machine.power_on(tpm)
    machine.wait_up()
    machine.console.login()
    first = measured(machine)
    machine.shut_down()

    sign(machine, operator, first, "first")
    machine.power_on(tpm)
    machine.wait_up()
    machine.console.login()
    machine.console.run(f"echo secret >{FILE}")
    assert "Unlocked: Yes" in machine.console.run(f"fscrypt status {router.SECRETS[0]}")
    machine.shut_down()

    machine.power_on(tpm, *ANOTHER)
    machine.console.wait(COMPROMISED + r"\s+.*: no\s+signed\s+policy\s+fits")
    assert machine.banner(5) is None
    machine.console.login()
    second = measured(machine)
    assert second != first
    machine.pull_the_plug()

    sign(machine, operator, second, "second")
    machine.power_on(tpm, *ANOTHER)
    machine.wait_up()
    machine.console.login()
    assert machine.console.run(f"cat {FILE}") == "secret\n"
    assert "second, generation 1" in machine.console.run("stewardctl show configuration-integrity")
    machine.shut_down()
