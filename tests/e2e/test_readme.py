# SPDX-License-Identifier: GPL-3.0-or-later
"""The README's walk-through, its command blocks in order, on a clean checkout."""

import os
import re
import subprocess

import pytest

from steward import ROOT


def blocks():
    with open(os.path.join(ROOT, "README.md")) as file:
        text = file.read()
    walk = text.split("<!-- test: begin -->")[1].split("<!-- test: end -->")[0]
    return re.findall(r"```sh\n(.*?)```", walk, re.S)


@pytest.mark.slow
@pytest.mark.release_only
def test_readme(tmp_path):
    checkout = tmp_path / "steward"
    subprocess.run(["git", "clone", "--quiet", ROOT, checkout], check=True)
    # In a network of its own: the port of the README is taken by nobody.
    script = "ip link set lo up\nset -eEu -o pipefail\ntrap 'echo failed: $BASH_COMMAND' ERR\n" + "\n".join(blocks())
    result = subprocess.run(["unshare", "--net", "bash", "-c", script], cwd=checkout, text=True, timeout=300,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert result.returncode == 0, result.stdout[-4000:]
    assert "1.0 complete 100 %" in result.stdout
    assert '"state":"complete"' in result.stdout
    assert not (checkout / "try").exists()


@pytest.mark.slow
@pytest.mark.release_only
def test_demo():
    """Less than two minutes, once the packages are there."""
    result = subprocess.run([os.path.join(ROOT, "script", "demo")], text=True, timeout=120,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert result.returncode == 0, result.stdout[-4000:]
    assert "the image is the same, byte for byte" in result.stdout
    assert re.search(r"^State +onboarded$", result.stdout, re.M)
    assert re.search(r"^router1 +node0 .* endorsement-key ", result.stdout, re.M)
    for name in ("conductor-1", "shaky", "far"):
        row = re.search(rf"^{name} +(\d+) +(\d+) +(\S+) MiB", result.stdout, re.M)
        assert row and int(row[1]) > 0 and float(row[3]) > 0, result.stdout
    assert re.search(r"another\s+TPM:\s+this\s+disk\s+was\s+sealed", result.stdout)
    wasted = re.search(r"for an image of 96 MiB: (\S+) MiB wasted", result.stdout)
    assert 0 <= float(wasted[1]) <= 12 + 5
