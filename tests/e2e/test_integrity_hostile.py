# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may not, and a TPM that lies: an error, no crash, and nothing is opened or changed by it."""

import json

import pytest

from integrity_world import MORE, NV_INDEX, RECORD, SECRETS, TEXT
from lying_tpm import RESPONSE_CODES, SHAPES, LyingTpm, long, random_body, with_code
from steward import SLOW
from test_integrity_causes import check_message

pytestmark = pytest.mark.once

# The pin and the FEK come in answers that a salted session vouches for. In any other, or in what
# comes after one, a lie that changes nothing of these may go unnoticed.
NV_READ, RSA_DECRYPT = 0x14e, 0x159
NOBODY = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]


@pytest.mark.parametrize("words", [
    ["--once"],
    ["--request", "enable"],
    ["--request", "reseal"],
    ["--request", "zeroize"],
    ["--request", "show"],
], ids=" ".join)
def test_not_root(world, words):
    before = world.state
    outcome = world.handler(*words, prefix=NOBODY, typed="router1\n")
    assert outcome.code == 77 and "root" in outcome.stderr, outcome
    assert outcome.console == "" and not outcome.emergencies
    assert world.state == before


def test_not_root_in_a_unit(world):
    """Nor does it try for ever."""
    outcome = world.handler("--config", world.config_path, prefix=NOBODY,
                            environment={"NOTIFY_SOCKET": "/run/nobody"})
    assert outcome.code == 77, outcome


def test_a_record_writes_nothing_into_a_terminal(world):
    """Its text stands in the reason, and a console would obey it."""
    member = json.dumps("\x1b[2J\x1b]0;owned\x07\x9b31m\u202e").encode()
    world.write(RECORD, world.record.replace(b"{", b"{" + 2 * (member + b":1,"), 1))
    booted = world.handler()
    assert booted.code == 1 and "x1b[2J" in booted.console, booted
    asked = world.request("reseal")
    assert asked.code == 1 and "x1b[2J" in asked.stderr, asked
    for said in (booted.console, booted.stderr, asked.console, asked.stderr, booted.reason):
        assert not set(said) & set("\x1b\x07\x9b\u202e"), ascii(said)


DEVICES = {
    # what is no TPM, what it is called
    "device:/dev/null": "no TPM",
    "device:/dev/zero": "TPM error",
    "device:/dev/full": "no TPM",
    "device:/dev/urandom": "TPM error",
    "device:/etc": "no TPM",
    "swtpm:path=/mnt": "no TPM",
    "swtpm:host=127.0.0.1,port=1": "no TPM",
    "nonsense:": "no TPM",
    "nonsense": "no TPM",
    ",,,": "no TPM",
}


@pytest.mark.parametrize("tcti", DEVICES)
def test_no_tpm_at_the_tcti(world, tcti):
    world.write_config(tcti=tcti)
    before = world.state
    check_message(world.handler(), DEVICES[tcti], "locate")
    assert world.state == before


@pytest.mark.parametrize("tcti", DEVICES)
def test_no_tpm_at_the_tcti_of_a_fresh_system(worlds, tcti):
    world = worlds()
    world.write_config(tcti=tcti)
    outcome = world.handler()
    if DEVICES[tcti] == "no TPM":
        assert outcome.code == 0 and len(outcome.events("INTEGRITY_UNSUPPORTED")) == 1, outcome
    else:  # something answers there, and nobody knows whether it has a pin
        check_message(outcome, DEVICES[tcti], "locate")
    assert not world.exists(SECRETS) and not world.exists(SECRETS + ".new")


@pytest.fixture
def liars():
    made = []

    def liar(world):
        made.append(LyingTpm(world.tpm))
        world.write_config(tcti=made[-1].tcti)
        return made[-1]

    yield liar
    for each in made:
        each.close()


def unlock_by_a_liar(world, liar, may_recover=False):
    """One boot. Handles that it was never told it cannot flush."""
    before = world.state
    outcome = world.handler()
    about = f"command {liar.n} of {[hex(c) for c in liar.codes]}\n{outcome}"
    if outcome.code == 0:
        assert may_recover or liar.lied_about not in (NV_READ, RSA_DECRYPT), about
        assert world.unlocked == {SECRETS, MORE}, about
        assert world.read(SECRETS + "/file").decode() == TEXT
        world.remount()
    else:
        assert outcome.code == 1 and len(outcome.emergencies) == 1, about
    world.tpm.flush()
    assert world.state == before, about


def commands_of_an_unlock(world, liar):
    liar.tell_the_truth()
    assert world.handler().code == 0
    world.remount()
    return range(1, 1 + len(liar.codes))


@pytest.mark.parametrize("lie", SHAPES, ids=lambda f: f.__name__)
def test_unlock_with_a_lie(world, liars, lie):
    liar = liars(world)
    for n in commands_of_an_unlock(world, liar):
        liar.tell(n, lie)
        # What comes after the end of an answer is no part of it.
        unlock_by_a_liar(world, liar, may_recover=lie is long)
        assert liar.lied_about


@pytest.mark.release_only
@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_unlock_with_a_response_code(world, liars, part):
    """Each of them; with a sanitizer some."""
    liar = liars(world)
    commands = commands_of_an_unlock(world, liar)
    for code in RESPONSE_CODES[part::4 if SLOW == 1 else 20]:
        for n in commands:
            liar.tell(n, with_code(code))
            unlock_by_a_liar(world, liar, may_recover=True)


@pytest.mark.parametrize("lie", [with_code(0x922), with_code(0x128), with_code(0x101), random_body],
                         ids=["retry", "PCR changed", "failure", "random body"])
def test_unlock_with_lies_for_ever(world, liars, lie):
    """It gives up."""
    liar = liars(world)
    for n in commands_of_an_unlock(world, liar):
        liar.tell(n, lie, for_ever=True)
        unlock_by_a_liar(world, liar)


def is_fresh(world):
    return not (any(map(world.exists, (SECRETS, SECRETS + ".new", RECORD, RECORD + ".new")))
                or NV_INDEX in world.tpm.handles("nv"))


def enable_by_a_liar(world, liar):
    """One first boot; then an honest one, if anything is there to be finished or undone. Returns
    what was lied about."""
    outcome = world.handler()
    about = f"command {liar.n} of {[hex(c) for c in liar.codes]}\n{outcome}"
    if outcome.code == 0:
        assert outcome.events("INTEGRITY_UNSUPPORTED") or world.unlocked == {SECRETS}, about
    else:
        assert outcome.code == 1 and len(outcome.emergencies) == 1, about
    lied = liar.lied_about
    liar.tell_the_truth()
    world.tpm.flush()
    if is_fresh(world) and outcome.events("INTEGRITY_UNSUPPORTED"):
        return lied
    again = world.handler()
    assert again.code == 0 and world.unlocked == {SECRETS}, f"{about}{again}"
    assert world.request("zeroize", typed="router1\n").code == 0
    assert is_fresh(world)
    return lied


@pytest.fixture
def fresh(worlds):
    """With an SRK and an EK, which would take a TPM most of the time."""
    world = worlds()
    world.write_config(directory=[SECRETS])
    world.tpm.tool("createek", "-c", "0x81010001", "-G", "rsa", "-u", "ek.pub")
    world.tpm.flush()
    assert world.handler().code == 0
    assert world.request("zeroize", typed="router1\n").code == 0
    assert is_fresh(world)
    return world


ENABLE_LIES = SHAPES + [with_code(code) for code in (0x101, 0x18b, 0x902, 0x921, 0x922, 0x9a2)]


@pytest.mark.release_only
@pytest.mark.slow
@pytest.mark.parametrize("i", range(len(ENABLE_LIES)))
def test_enable_with_a_lie(fresh, liars, i):
    """Each command meets each sixth lie, and each lie each sixth command."""
    liar = liars(fresh)
    lie = ENABLE_LIES[i]
    step = 6
    n = 1 + i % step
    while True:
        liar.tell(n, lie)
        lied = enable_by_a_liar(fresh, liar)
        if not lied:
            break
        n += step
    assert n > 30
