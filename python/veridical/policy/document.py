"""Policies from TOML. What is not understood is an error; nothing is ignored.

Spec: spec/v1/policy.md, section 4.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from veridical.errors import InputError, KeyFormatError, PolicyFormatError
from veridical.keys import PublicKey
from veridical.policy.combinators import AllOf, AnyOf
from veridical.policy.hardware import RequireTee, read_tee_policy
from veridical.policy.rules import (
    CLOCK_SKEW_SECONDS,
    ExpectInput,
    ExpectOutput,
    MaxAge,
    MaxSaturation,
    MinSoundnessBits,
    Nonce,
    RequireLogged,
    RequireTier,
    TrustedModels,
    TrustedSigners,
)
from veridical.policy.seeds import ANY, ExpectDecode, RequireSeed, named_beacon
from veridical.receipt.statement import Parameters

if TYPE_CHECKING:
    from collections.abc import Callable

    from veridical.policy.facts import Policy

__all__ = ["POLICY_MAX_BYTES", "load", "loads"]

T = TypeVar("T")

POLICY_VERSION: Final = "veridical-policy/v1"
POLICY_MAX_BYTES: Final = 1024 * 1024
MAX_RULES: Final = 256
MAX_DEPTH: Final = 8


def load(path: str | Path) -> Policy:
    """Read a policy file; key files are found beside it.

    Raises:
        InputError: the file cannot be read.
        PolicyFormatError: it breaks the format; the message names the rule.
        KeyFormatError: a key in it is refused.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            content = file.read(POLICY_MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        raise InputError(f"cannot read the policy: {error}", where=str(path)) from error
    if len(content) > POLICY_MAX_BYTES:
        raise PolicyFormatError(f"more than {POLICY_MAX_BYTES} bytes", where=str(path))
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PolicyFormatError(f"not UTF-8: {error.reason}", where=str(path)) from error
    return loads(text, folder=path.parent, where=str(path))


def loads(text: str, *, folder: str | Path | None = None, where: str = "policy") -> Policy:
    """Parse a policy. Without a `folder` it may not name key files.

    Raises:
        PolicyFormatError, KeyFormatError, InputError: as `load`.
    """
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number may have too many digits for Python
        raise PolicyFormatError(f"not TOML: {error}", where=where) from error
    reader = _Reader(None if folder is None else Path(folder))
    table = _Table(document, where)
    version = table.take("version", str)
    if version != POLICY_VERSION:
        raise PolicyFormatError(
            f"expected version {POLICY_VERSION!r}, found {version!r:.80}", where
        )
    rules = reader.rules(table, depth=1)
    table.require_empty()
    return AllOf(*rules)


class _Table:
    """One TOML table whose keys are taken one by one; what is left over is an error."""

    def __init__(self, content: object, where: str) -> None:
        if not isinstance(content, dict):
            raise PolicyFormatError("expected a table", where)
        self._content = dict(content)
        self.where = where

    def take(self, key: str, kind: type[T], default: T | None = None) -> T:
        """Remove and return a value of one type."""
        if key not in self._content:
            if default is not None:
                return default
            raise PolicyFormatError(f"key {key!r} is missing", self.where)
        value = self._content.pop(key)
        # TOML's true is Python's 1.
        if not isinstance(value, kind) or isinstance(value, bool):
            raise PolicyFormatError(f"key {key!r} is not of type {kind.__name__}", self.where)
        return value

    def take_texts(self, key: str) -> list[str]:
        """Remove and return a list of strings; only an absent one is empty."""
        if key not in self._content:
            return []
        values = self.take(key, list)
        if not values:
            raise PolicyFormatError(f"key {key!r} needs at least one string", self.where)
        if not all(isinstance(value, str) for value in values):
            raise PolicyFormatError(f"key {key!r} is not a list of strings", self.where)
        return values

    def take_flag(self, key: str) -> bool:
        """Remove and return true or false; an absent one is false."""
        value = self._content.pop(key, False)
        if not isinstance(value, bool):
            raise PolicyFormatError(f"key {key!r} is neither true nor false", self.where)
        return value

    def take_all(self) -> dict[str, Any]:
        """Remove and return what is left, for a reader that refuses what it does not know."""
        content, self._content = self._content, {}
        return content

    def require_empty(self) -> None:
        """Refuse keys that nobody took."""
        if self._content:
            raise PolicyFormatError(f"unknown key {min(self._content)[:64]!r}", self.where)


def _parameters(table: _Table) -> Parameters:
    content = _Table(table.take("parameters", dict), f"{table.where}: parameters")
    decode = dict(content.take("decode", dict))
    ExpectDecode(decode)  # refuses what no statement could hold
    parameters = Parameters(
        decode=tuple(sorted(decode.items())),
        template=content.take("template", str, default=""),
        tokenizer=content.take("tokenizer", str, default=""),
    )
    content.require_empty()
    return parameters


@dataclass(slots=True)
class _Reader:
    """Builds rules from tables and counts them."""

    folder: Path | None
    num_rules: int = 0
    builders: dict[str, Callable[[_Table, int], Policy]] = field(init=False)

    def __post_init__(self) -> None:
        self.builders = {
            "trusted_signers": self._trusted_signers,
            "trusted_models": lambda table, _: TrustedModels(*table.take_texts("digests")),
            "require_tier": lambda table, _: RequireTier(*table.take_texts("tiers")),
            "require_logged": self._require_logged,
            "require_seed": self._require_seed,
            "require_tee": lambda table, _: RequireTee(read_tee_policy(table.take_all())),
            "expect_decode": lambda table, _: ExpectDecode(table.take("decode", dict)),
            "expect_input": lambda _table, _: ExpectInput(),
            "expect_output": lambda _table, _: ExpectOutput(),
            "nonce": lambda table, _: Nonce(table.take("value", str)),
            "max_age": lambda table, _: MaxAge(
                table.take("seconds", int),
                table.take("clock_skew_seconds", int, default=CLOCK_SKEW_SECONDS),
            ),
            "max_saturation": lambda table, _: MaxSaturation(table.take("count", int)),
            "min_soundness_bits": lambda table, _: MinSoundnessBits(table.take("bits", int)),
            "all_of": lambda table, depth: AllOf(*self.rules(table, depth=depth + 1)),
            "any_of": lambda table, depth: AnyOf(*self.rules(table, depth=depth + 1)),
        }

    def rules(self, table: _Table, *, depth: int) -> list[Policy]:
        """Build the rules of a table's list `rule`."""
        if depth > MAX_DEPTH:
            raise PolicyFormatError(f"rules are nested deeper than {MAX_DEPTH}", table.where)
        items: list[Any] = table.take("rule", list)
        return [
            self._rule(_Table(item, f"{table.where}: rule {i + 1}"), depth)
            for i, item in enumerate(items)
        ]

    def _rule(self, table: _Table, depth: int) -> Policy:
        self.num_rules += 1
        if self.num_rules > MAX_RULES:
            raise PolicyFormatError(f"more than {MAX_RULES} rules", table.where)
        kind = table.take("type", str)
        builder = self.builders.get(kind)
        if builder is None:
            raise PolicyFormatError(
                f"unknown rule type {kind[:64]!r}; expected one of {', '.join(self.builders)}",
                table.where,
            )
        try:
            rule = builder(table, depth)
        except (PolicyFormatError, KeyFormatError) as error:
            raise type(error)(error.message, error.where or table.where) from error
        table.require_empty()
        return rule

    @staticmethod
    def _require_logged(table: _Table, _depth: int) -> RequireLogged:
        logs, cosigners = table.take_texts("logs"), table.take_texts("cosigners")
        count = table.take("min_cosigners", int, default=len(cosigners))
        split = table.take_flag("allow_split_view")
        return RequireLogged(
            *logs,
            cosigners=cosigners,
            min_cosigners=count,
            allow_split_view=split,
            streams=table.take_texts("streams"),
        )

    def _require_seed(self, table: _Table, depth: int) -> Policy:
        mode, keys = table.take("mode", str), self._keys(table)
        beacon = table.take("beacon", str, default="quicknet")
        has_logs = mode == "vrf+beacon"
        logged = self._require_logged(table, depth) if has_logs else None
        free = table.take_texts("any")
        if not set(free) <= {"nonce", "parameters", "models"}:
            raise PolicyFormatError("key 'any' names parts other than those of a question")
        return RequireSeed(
            mode,
            *keys,
            nonce=ANY if "nonce" in free else table.take("nonce", str),
            parameters=ANY if "parameters" in free else _parameters(table),
            models=ANY if "models" in free else table.take_texts("models"),
            beacon=named_beacon(beacon),
            logged=logged,
        )

    def _trusted_signers(self, table: _Table, _depth: int) -> Policy:
        return TrustedSigners(*self._keys(table))

    def _keys(self, table: _Table) -> list[PublicKey]:
        pems = table.take_texts("keys")
        files = table.take_texts("key_files")
        if files and self.folder is None:
            raise PolicyFormatError("key_files need a policy file to stand beside", table.where)
        keys = [PublicKey.from_pem(pem.encode("utf-8"), where=table.where) for pem in pems]
        keys += [PublicKey.load((self.folder or Path()) / name) for name in files]
        return keys
