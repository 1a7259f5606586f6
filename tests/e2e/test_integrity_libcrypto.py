# SPDX-License-Identifier: GPL-3.0-or-later
"""libcrypto as the handler sets it up."""

from integrity_world import HANDLER, MORE, SECRETS

BROKEN_OPENSSL_CNF = """openssl_conf = broken
config_diagnostics = 1
[broken]
providers = its_providers
[its_providers]
missing = its_missing
[its_missing]
module = /nonexistent.so
activate = 1
"""


def test_no_openssl_cnf_keeps_it_out(world):
    world.write("/etc/ssl/openssl.cnf", BROKEN_OPENSSL_CNF)
    assert world.run("openssl", "dgst", "-sha256", "/dev/null", check=False).returncode != 0
    outcome = world.handler()
    assert outcome.code == 0 and world.unlocked == {SECRETS, MORE}, outcome


def test_one_context_of_libcrypto(world):
    """By the dynamic linker's word: tss2 gets its contexts from the handler, which has one."""
    said = world.run("env", "LD_DEBUG=bindings", HANDLER, "--config", world.config_path,
                     "--once").stderr
    for function in ("OSSL_LIB_CTX_new", "OSSL_LIB_CTX_free"):
        bound = [line for line in said.splitlines()
                 if f"`{function}'" in line and "/libtss2-esys.so" in line.split(" to ")[0]]
        assert bound and all(f"to {HANDLER} " in line for line in bound), bound
