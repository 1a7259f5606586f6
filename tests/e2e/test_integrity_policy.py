# SPDX-License-Identifier: GPL-3.0-or-later
"""PCR policies that an operator signs: an update that changes PCRs opens by itself, and what is older
can be ended."""

import contextlib
import json
import os
import stat

import pytest

from integrity_world import MORE, RECORD, SECRETS, TEXT
from lying_tpm import LyingTpm, with_code
from policies import COUNTER, PCR, Operator, configure, counter, measure, opened, place, value_of

pytestmark = pytest.mark.once

BOTH = {SECRETS, MORE}
BESIDE = os.path.dirname(RECORD) + "/policies"


@pytest.fixture(scope="module")
def operator(tmp_path_factory):
    return Operator(tmp_path_factory.mktemp("operator"))


@pytest.fixture
def sealed(worlds, operator):
    """Release 1 runs, sealed under the operator's key."""
    world = worlds()
    configure(world, operator)
    measure(world, 1)
    place(world, "1", operator.sign(1, "name", "release 1"))
    outcome = world.handler()
    assert outcome.code == 0 and world.unlocked == BOTH, outcome
    world.write(SECRETS + "/file", TEXT)
    return world


def boots(world, release):
    measure(world, release)
    outcome = world.handler()
    assert outcome.code == 0 and world.unlocked == BOTH, outcome
    assert world.read(SECRETS + "/file").decode() == TEXT
    assert world.tpm.leftovers == {}
    return outcome


def is_refused(world, release, *words):
    measure(world, release)
    before = world.tpm.content
    outcome = world.handler()
    assert outcome.code == 1 and world.unlocked == set(), outcome
    assert outcome.reason.startswith("no signed policy fits: "), outcome
    for word in words:
        assert word in outcome.reason
    assert world.tpm.content == before
    return outcome


def test_update_opens_by_itself(sealed, operator):
    """The image of the next release has the policy with it."""
    assert opened(sealed)["name"] == "release 1"
    place(sealed, "2", operator.sign(2, "name", "release 2"))
    outcome = boots(sealed, 2)
    assert len(outcome.events("INTEGRITY_POLICY")) == 1
    assert opened(sealed)["name"] == "release 2" and opened(sealed)["generation"] == 1
    shown = sealed.ctl("show", "configuration-integrity").stdout
    assert "release 2, generation 1" in shown, shown
    # The old one is signed still: an update that fails can go back.
    boots(sealed, 1)
    is_refused(sealed, 3, "none of 2 fits", f"'release 2' expects another value of PCR {PCR}")


def test_values_of_now_are_told(sealed):
    """What to sign, where nothing is signed for it."""
    outcome = is_refused(sealed, 3)
    said = [e["MESSAGE"] for e in outcome.events("INTEGRITY_FINDING")]
    assert f"measured now: bank sha256 pcr {PCR}={value_of(3)}" in said


PCR_READ, NV_READ_PUBLIC = 0x17e, 0x169


def test_values_that_the_tpm_cannot_tell_now(sealed, operator):
    """Say nothing of a policy: they are read again, and if that stays so the TPM is what is named."""
    with contextlib.closing(LyingTpm(sealed.tpm)) as proxy:
        configure(sealed, operator, tcti=proxy.tcti)
        boots(sealed, 1)
        at = proxy.codes.index(PCR_READ) + 1
        for code in (0x101, 0x1c4, 0x902, 0x922):
            measure(sealed, 1)
            proxy.tell(at, with_code(code))
            outcome = sealed.handler()
            assert outcome.code == 0 and proxy.lied_about == PCR_READ, outcome
        proxy.tell_the_truth()
        measure(sealed, 1)
        proxy.refused = PCR_READ
        outcome = sealed.handler()
        assert outcome.code == 1 and outcome.reason.startswith("TPM not ready: "), outcome
        proxy.refused = None


def test_counter_that_is_not_there_for_a_moment(sealed, operator):
    """Only what is told twice is believed: else this would end each policy."""
    with contextlib.closing(LyingTpm(sealed.tpm)) as proxy:
        configure(sealed, operator, tcti=proxy.tcti)
        boots(sealed, 1)
        reads = [n for n, code in enumerate(proxy.codes, 1) if code == NV_READ_PUBLIC]
        for n in reads:
            measure(sealed, 1)
            proxy.tell(n, with_code(0x18b))
            outcome = sealed.handler()
            assert outcome.code == 0 and proxy.lied_about == NV_READ_PUBLIC, outcome
        assert len(reads) >= 2
        proxy.tell_the_truth()


def test_policy_of_a_bank_that_the_tpm_does_not_have(sealed, operator):
    made = operator.attempt("pcr", f"{PCR}={'ab' * 64}", "bank", "sha512", "key", operator.private,
                            "name", "release 1")
    place(sealed, "1", made.stdout)
    sealed.tpm.tool("pcrallocate", "sha512:none+sha256:all")
    is_refused(sealed, 1, "'release 1' is for the bank sha512: ", f"does not have PCR {PCR}")


def test_key_in_the_tpm(sealed):
    key = sealed.tpm.tool("readpublic", "-c", "0x81010128")
    assert "value: fixedtpm|fixedparent|sensitivedataorigin|adminwithpolicy|noda|decrypt" in key
    record = json.loads(sealed.record)
    assert record["version"] == 2 and record["policy-nv-index"] == f"0x{COUNTER:08x}"
    assert list(record)[-3:] == ["policy-key", "policy-nv-index", "directory"]


def test_policy_digest_is_that_of_other_tools(sealed, operator):
    """PolicyAuthorize by tpm2-tools, with a Name that they computed, then PolicyCommandCode."""
    tpm = sealed.tpm
    tpm.tool("loadexternal", "-C", "o", "-G", "rsa", "-u", operator.public, "-c", "op.ctx", "-n",
             "op.name")
    tpm.tool("startauthsession", "-S", "trial")
    tpm.tool("policyauthorize", "-S", "trial", "-L", "any", "-n", "op.name", "-i", "/dev/null")
    tpm.tool("policycommandcode", "-S", "trial", "-L", "expected", "TPM2_CC_RSA_Decrypt")
    tpm.flush()
    key = tpm.tool("readpublic", "-c", "0x81010128")
    assert f"authorization policy: {tpm.read('expected').hex()}" in key


@pytest.mark.parametrize("words", [("bank", "sha256"), ("generation", "7")])
def test_signature_is_what_other_tools_verify(operator, tmp_path, words):
    policy = json.loads(operator.sign(2, *words))
    assert policy["pcr"] == [{"index": PCR, "value": value_of(2)}]
    assert set(policy) == {"version", "name", "generation", "ends-older", "policy-nv-index",
                           "pcr-bank", "pcr", "key", "signature"}


def test_older_ones_are_ended(sealed, operator):
    place(sealed, "2", operator.sign(2, "generation", "3", "ends-older", "name", "release 2"))
    start = counter(sealed)
    assert start == 1
    outcome = boots(sealed, 2)
    assert len(outcome.events("INTEGRITY_POLICIES_ENDED")) == 1
    assert counter(sealed) == 3
    # Once: the next boot does not count on.
    assert not boots(sealed, 2).events("INTEGRITY_POLICIES_ENDED")
    assert counter(sealed) == 3
    is_refused(sealed, 1, "'release 1' of generation 1 is ended, the counter stands at 3")
    # Neither does a counter that is removed and made anew go back.
    sealed.tpm.tool("nvundefine", hex(COUNTER))
    is_refused(sealed, 1, f"the counter of policies at NV index 0x{COUNTER:08x} is gone")
    sealed.tpm.tool("nvdefine", hex(COUNTER), "-C", "o", "-s", "8", "-a",
                    "ownerwrite|ownerread|authread|no_da|nt=counter")
    sealed.tpm.tool("nvincrement", hex(COUNTER), "-C", "o")
    assert counter(sealed) > 3
    is_refused(sealed, 1, "is ended")


def test_too_far_a_step_is_told(sealed, operator):
    """A counter is not counted to millions; what is open stays open."""
    place(sealed, "2", operator.sign(2, "generation", "1000", "ends-older"))
    outcome = boots(sealed, 2)
    told = outcome.events("INTEGRITY_NOT_SETTLED")
    assert len(told) == 1 and "256 steps" in told[0]["MESSAGE"], outcome
    assert counter(sealed) == 1


def flip(member, change):
    def forge(policy):
        policy[member] = change(policy[member])
    return forge


FORGED = {
    "values": flip("pcr", lambda _: [{"index": PCR, "value": value_of(3)}]),
    "fewer PCRs": flip("pcr", lambda _: [{"index": 23, "value": "00" * 32}]),
    "generation": flip("generation", lambda n: n + 1),
    "signature": flip("signature", lambda s: ("B" if s[0] == "A" else "A") + s[1:]),
    "counter": flip("policy-nv-index", lambda _: "0x0180012b"),
    "key": flip("key", lambda k: "0" * 64),
    "bank": flip("pcr-bank", lambda _: "sha1"),
    "member": flip("signature", lambda _: 7),
}


@pytest.mark.parametrize("what", sorted(FORGED))
def test_forged(sealed, operator, what):
    policy = json.loads(operator.sign(2 if what == "values" else 3))
    FORGED[what](policy)
    place(sealed, "3", json.dumps(policy))
    refused = sealed.ctl("request", "configuration-integrity", "policy", "file",
                         sealed.path("/run/image/policies/3.json"))
    assert refused.code == 1 and not sealed.exists(BESIDE + "/3.json"), refused
    is_refused(sealed, 3)


def test_another_operator(sealed, tmp_path):
    stranger = Operator(tmp_path, "stranger")
    place(sealed, "3", stranger.sign(3))
    is_refused(sealed, 3, "is signed by the key")


def test_files_that_are_none(sealed, operator):
    """They hinder nobody."""
    for name, text in {"a": "", "b": "{", "c": "[]", "d": '{"version":1}'}.items():
        place(sealed, name, text)
    sealed.run("mkfifo", "/run/image/policies/fifo.json")
    sealed.run("ln", "-s", "/dev/zero", "/run/image/policies/link.json")
    sealed.run("mkdir", "/run/image/policies/folder.json")
    place(sealed, "2", operator.sign(2))
    boots(sealed, 2)


def test_brought_by_hand(sealed, operator, tmp_path):
    """Without a daemon; it is kept beside the record, and goes once it is ended."""
    file = tmp_path / "2.json"
    file.write_text(operator.sign(2, "generation", "2"))
    outcome = sealed.ctl("request", "configuration-integrity", "policy", "file", str(file))
    assert outcome.code == 0, outcome
    kept = os.listdir(sealed.path(BESIDE))
    assert len(kept) == 1
    assert stat.S_IMODE(os.stat(sealed.path(BESIDE)).st_mode) == 0o700
    # The same again takes its own place.
    assert sealed.ctl("request", "configuration-integrity", "policy", "file", str(file)).code == 0
    assert os.listdir(sealed.path(BESIDE)) == kept
    boots(sealed, 2)
    place(sealed, "3", operator.sign(3, "generation", "3", "ends-older"))
    boots(sealed, 3)
    assert os.listdir(sealed.path(BESIDE)) == []


def test_brought_to_the_daemon(sealed, operator, tmp_path):
    file = tmp_path / "2.json"
    file.write_text(operator.sign(2))
    daemon = sealed.daemon()
    assert daemon.poll() is None, sealed.daemon_log
    outcome = sealed.ctl("request", "configuration-integrity", "policy", "file", str(file),
                         config=False)
    assert outcome.code == 0, outcome
    file.write_text(operator.sign(3).replace('"generation":1', '"generation":2'))
    outcome = sealed.ctl("request", "configuration-integrity", "policy", "file", str(file),
                         config=False)
    assert outcome.code == 1 and "wrong signature" in outcome.stderr, outcome
    assert sealed.get("/v1/integrity").json["policy"]["name"] == "generation 1" or \
        sealed.get("/v1/integrity").json["policy"]["name"] == "release 1"
    daemon.terminate()
    daemon.wait()
    boots(sealed, 2)


def test_nothing_signed_is_no_enablement(worlds, operator):
    """The key would open for nobody: the reason says what to sign."""
    world = worlds()
    configure(world, operator)
    measure(world, 1)
    outcome = world.handler()
    assert outcome.code == 0 and world.unlocked == set(), outcome
    reason = outcome.events("INTEGRITY_UNSUPPORTED")[0]["STEWARD_REASON"]
    assert "no signed policy fits: there is none in" in reason
    assert any(value_of(1) in e["MESSAGE"] for e in outcome.events("INTEGRITY_FINDING"))
    assert world.tpm.handles("persistent") in ([], [0x81000001])


def test_reseal_takes_the_key_in_and_out(world, operator):
    """A record of before works, takes the key in, and lets it go again."""
    configure(world, operator)
    measure(world, 1)
    assert world.handler().code == 0 and json.loads(world.record)["version"] == 1
    refused = world.request("reseal")
    assert refused.code == 1 and "no signed policy fits" in refused.stderr, refused
    place(world, "1", operator.sign(1))
    assert world.request("reseal").code == 0
    assert json.loads(world.record)["version"] == 2 and opened(world)["name"] == "generation 1"
    place(world, "2", operator.sign(2))
    measure(world, 2)
    assert world.handler().code == 0 and world.unlocked == BOTH
    del world.integrity["policy-key"]
    world.write_config()
    assert world.request("reseal").code == 0
    assert json.loads(world.record)["version"] == 1 and opened(world) is None
    measure(world, 2)
    assert world.handler().code == 0 and world.unlocked == BOTH


@pytest.mark.parametrize("words, said", [
    (["pcr", "7"], None),
    (["pcr", "24=00"], "expected 0 to 23"),
    (["pcr", "7=00"], "expected 32 bytes"),
    (["pcr", ""], "expected 7=HEX"),
    (["pcr", "7=" + "00" * 32 + ",7=" + "11" * 32], "stands there twice"),
    (["pcr", "7", "generation", "0"], "1 to 4294967295"),
    (["pcr", "7", "generation", "-1"], "1 to 4294967295"),
    (["pcr", "7", "bank", "md5"], "sha1, sha256, sha384 or sha512"),
    (["pcr", "7", "name", "a\nb"], "letters, digits"),
    (["pcr", "7", "policy-nv-index", "0x81010128"], "0x01000000"),
])
def test_words_of_create(operator, words, said):
    made = operator.attempt(*words, "key", operator.private)
    if said:
        assert made.returncode == 64 and said in made.stderr, made
    else:
        assert made.returncode == 0, made


def test_keys_that_not_every_tpm_takes(worlds, tmp_path):
    large = Operator(tmp_path, "large", 3072)
    made = large.attempt("pcr", "7", "key", large.private)
    assert made.returncode == 1 and "RSA key of 2048 bits" in made.stderr
    world = worlds()
    configure(world, large)
    measure(world, 1)
    outcome = world.handler()
    assert outcome.code == 0, outcome
    assert "RSA key of 2048 bits" in outcome.events("INTEGRITY_UNSUPPORTED")[0]["STEWARD_REASON"]
