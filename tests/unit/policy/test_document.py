"""Policies from TOML: every rule is read, nothing is ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import FULL_CAMPAIGN
from tests.toy import OTHER_SIGNER, P256_SIGNER, PROGRAM, SIGNER
from veridical.errors import Error, InputError, KeyFormatError, PolicyFormatError
from veridical.policy import (
    AllOf,
    AnyOf,
    ExpectInput,
    ExpectOutput,
    MaxAge,
    MaxSaturation,
    Nonce,
    RequireTier,
    TrustedModels,
    TrustedSigners,
    load,
    loads,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(1800 if FULL_CAMPAIGN else 60)


HEAD = 'version = "veridical-policy/v1"\n'
DIGEST = "sha256:" + PROGRAM.digest.hex()


def test_every_rule_is_read(tmp_path: Path) -> None:
    for name, key in (("a", SIGNER), ("b", OTHER_SIGNER)):
        key.public_key.save(tmp_path / f"{name}.pub")
    pem = P256_SIGNER.public_key.to_pem().decode()
    text = f'''{HEAD}
[[rule]]
type = "trusted_signers"
key_files = ["a.pub", "b.pub"]
keys = ["""{pem}"""]
[[rule]]
type = "trusted_models"
digests = ["{DIGEST}"]
[[rule]]
type = "require_tier"
tiers = ["reexecution", "zk"]
[[rule]]
type = "expect_input"
[[rule]]
type = "expect_output"
[[rule]]
type = "nonce"
value = "n"
[[rule]]
type = "max_age"
seconds = 600
clock_skew_seconds = 5
[[rule]]
type = "max_age"
seconds = 700
[[rule]]
type = "max_saturation"
count = 0
[[rule]]
type = "any_of"
[[rule.rule]]
type = "expect_input"
[[rule.rule]]
type = "all_of"
rule = [{{type = "nonce", value = "m"}}, {{type = "expect_output"}}]
'''
    (tmp_path / "policy.toml").write_text(text)
    keys = [P256_SIGNER.public_key, SIGNER.public_key, OTHER_SIGNER.public_key]
    assert load(tmp_path / "policy.toml") == AllOf(
        TrustedSigners(*keys),
        TrustedModels(DIGEST),
        RequireTier("reexecution", "zk"),
        ExpectInput(),
        ExpectOutput(),
        Nonce("n"),
        MaxAge(600, clock_skew_seconds=5),
        MaxAge(700),
        MaxSaturation(0),
        AnyOf(ExpectInput(), AllOf(Nonce("m"), ExpectOutput())),
    )


def rule(body: str) -> str:
    return f"{HEAD}[[rule]]\n{body}\n"


def nested(depth: int) -> str:
    inner = '{type = "expect_input"}'
    for _ in range(depth - 1):
        inner = f'{{type = "all_of", rule = [{inner}]}}'
    return f"{HEAD}rule = [{inner}]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'version' is missing"),
        (HEAD, "'rule' is missing"),
        (HEAD + "rule = []", "at least one rule"),
        (HEAD + "rule = {}", "'rule' is not of type list"),
        (HEAD + "rule = [1]", "expected a table"),
        ('version = "veridical-policy/v2"\nrule = [{type = "expect_input"}]', "expected version"),
        ("version = 1", "'version' is not of type str"),
        (rule('type = "expect_input"') + "strict = true", "unknown key 'strict'"),
        (HEAD + 'extra = 1\nrule = [{type = "expect_input"}]', "unknown key 'extra'"),
        (rule(""), "'type' is missing"),
        (rule('type = "accept_anything"'), "unknown rule type"),
        (rule('type = "unsafe_accept_anything"'), "unknown rule type"),
        (rule("type = 1"), "'type' is not of type str"),
        (rule('type = "max_age"'), "'seconds' is missing"),
        (rule('type = "max_age"\nseconds = "60"'), "'seconds' is not of type int"),
        (rule('type = "max_age"\nseconds = 60.0'), "'seconds' is not of type int"),
        (rule('type = "max_age"\nseconds = true'), "'seconds' is not of type int"),
        (rule('type = "max_age"\nseconds = -1'), "at least 0"),
        (rule('type = "max_age"\nseconds = 1\nminutes = 1'), "unknown key 'minutes'"),
        (rule('type = "max_saturation"\nmax = 0'), "'count' is missing"),
        (rule('type = "nonce"\nvalue = ""'), "1 to 256"),
        (rule('type = "trusted_models"\ndigests = ["sha256:0"]'), "not a model digest"),
        (rule('type = "trusted_models"\ndigests = []'), "at least one"),
        (rule('type = "trusted_models"'), "at least one"),
        (rule('type = "trusted_models"\ndigests = "sha256:0"'), "not of type list"),
        (rule('type = "trusted_models"\ndigests = [1]'), "not a list of strings"),
        (rule('type = "require_tier"\ntiers = []'), "at least one"),
        (rule('type = "trusted_signers"\nkeys = []'), "at least one"),
        (rule('type = "trusted_signers"\nkeys = [1]\nkey_files = []'), "not a list of strings"),
        (rule('type = "trusted_signers"\nkeys = ["a"]\nkey_files = []'), "'key_files' needs at"),
        (rule('type = "max_age"\nseconds = ' + "9" * 5000), "not TOML"),
        (rule('type = "trusted_signers"\nkey_files = ["a.pub"]'), "stand beside"),
        (rule('type = "any_of"\nrule = []'), "at least one rule"),
        (rule('type = "any_of"'), "'rule' is missing"),
        ('version = "a"\nversion = "b"', "not TOML"),
        ("version = ", "not TOML"),
        ("a = " + "[" * 100_000, "not TOML"),
        (nested(9), "nested deeper than 8"),
        (HEAD + "rule = [" + '{type = "expect_input"},' * 257 + "]", "more than 256 rules"),
    ],
)
def test_what_is_not_understood_is_refused_and_named(text: str, message: str) -> None:
    with pytest.raises(PolicyFormatError, match=message):
        loads(text)


def test_the_deepest_and_the_longest_policy_are_read() -> None:
    loads(nested(8))
    loads(HEAD + "rule = [" + '{type = "expect_input"},' * 256 + "]")


def test_a_refused_key_names_the_rule() -> None:
    with pytest.raises(KeyFormatError) as caught:
        loads(rule('type = "trusted_signers"\nkeys = ["garbage"]'))
    assert "rule 1" in str(caught.value.where)


def test_a_refused_key_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.pub").write_text("garbage")
    with pytest.raises(KeyFormatError) as caught:
        loads(rule('type = "trusted_signers"\nkey_files = ["bad.pub"]'), folder=tmp_path)
    assert caught.value.where == str(tmp_path / "bad.pub")


def test_files_that_cannot_be_read_are_the_callers_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the policy"):
        load(tmp_path / "missing.toml")
    (tmp_path / "large.toml").write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(PolicyFormatError, match="more than"):
        load(tmp_path / "large.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xff")
    with pytest.raises(PolicyFormatError, match="not UTF-8"):
        load(tmp_path / "latin.toml")
    (tmp_path / "nokey.toml").write_text(rule('type = "trusted_signers"\nkey_files = ["no.pub"]'))
    with pytest.raises(InputError, match="cannot read the key file"):
        load(tmp_path / "nokey.toml")


@given(st.text(max_size=80) | st.text(st.sampled_from('[]{}="\n#rule typ1.'), max_size=80))
def test_arbitrary_text_raises_nothing_but_a_named_error(text: str) -> None:
    for candidate in (text, HEAD + text, rule(text)):
        try:
            loads(candidate)
        except Error:
            continue
