"""The statement: every member, its range, and the receipt id."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.toy import toy_receipt
from veridical.commitment import frame
from veridical.errors import FieldError, InputError
from veridical.receipt import Parameters, Sequence, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator

HONEST = toy_receipt().statement.to_value()
DIGEST = "sha256:" + "0" * 64


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return the honest statement with one member replaced."""
    result: dict[str, Any] = copy.deepcopy(HONEST)
    *parents, last = path.split(".")
    inner: Any = result
    for name in parents:
        inner = inner[name]
    inner[last] = value
    return result


def test_a_statement_is_read_back() -> None:
    statement = Statement.from_value(HONEST)
    assert statement.to_value() == HONEST
    assert statement == toy_receipt().statement


def test_the_receipt_id_is_the_hash_that_the_specification_writes() -> None:
    statement = toy_receipt().statement
    framed = frame(b"veridical.statement.v1", statement.to_bytes())
    assert statement.receipt_id == "sha256:" + hashlib.sha256(framed).hexdigest()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("version", "veridical-statement/v2"),
        ("request_id", "n" * 257),
        ("request_id", 1),
        ("model", "sha256:"),
        ("model.digest", ""),
        ("model.digest", "sha256:" + "A" * 64),
        ("model.digest", "sha256-salted:" + "0" * 64),
        ("model.aliases", []),
        ("model.aliases", {"": DIGEST}),
        ("model.aliases", {"k" * 65: DIGEST}),
        ("model.aliases", {"oms": 1}),
        ("model.aliases", {"oms": "no digest"}),
        ("model.aliases", {"oms": "a:" + "0" * 256}),
        ("model.aliases", {f"k{i:02}": DIGEST for i in range(17)}),
        ("input.received", "sha256:" + "0" * 63),
        ("input.received", 0),
        ("input.forwarded", ""),
        ("input.integers", "md5:" + "0" * 64),
        ("input.saturated", -1),
        ("input.saturated", "0"),
        ("input.saturated", 2**53),
        ("parameters.decode", {"k": []}),
        ("parameters.decode", {f"k{i:02}": 1 for i in range(65)}),
        ("parameters.template", "sha256:"),
        ("parameters.tokenizer", 0),
        ("seed.mode", "vrf"),
        ("seed.proof", "x"),
        ("output.count", -1),
        ("output.decoded", []),
        ("output.finish", "length"),
        ("output.integers", "sha256:"),
        ("sequence.number", 1),
        ("sequence.number", -1),
        ("sequence.previous", DIGEST),
        ("sequence.intent", DIGEST),
        ("sequence", {"intent": "", "number": 1, "previous": "", "stream": "s"}),
        ("sequence", {"intent": "", "number": 0, "previous": DIGEST, "stream": "s"}),
        ("sequence", {"intent": "x", "number": 0, "previous": "", "stream": "s"}),
    ],
)
def test_a_member_out_of_range_is_refused_and_named(path: str, value: Any) -> None:
    with pytest.raises(FieldError) as caught:
        Statement.from_value(changed(path, value))
    assert caught.value.where is not None
    assert caught.value.where.startswith("statement")
    assert caught.value.check == "format"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("sequence", {"intent": DIGEST, "number": 7, "previous": DIGEST, "stream": "s"}),
        ("sequence", {"intent": "", "number": 0, "previous": "", "stream": "s"}),
        ("model.aliases", {"oms-sha256": DIGEST}),
        ("parameters", {"decode": {"k": 1, "t": "x"}, "template": DIGEST, "tokenizer": DIGEST}),
        ("request_id", ""),
    ],
)
def test_every_meaning_of_the_format_is_read_back(path: str, value: Any) -> None:
    mutant = changed(path, value)
    assert Statement.from_value(mutant).to_value() == mutant


def members(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every object of fixed members in the statement."""
    if isinstance(value, dict) and path not in {("model", "aliases"), ("parameters", "decode")}:
        yield path
        for name, member in value.items():
            yield from members(member, (*path, name))


@pytest.mark.parametrize("path", list(members(HONEST)), ids=".".join)
def test_a_missing_and_an_unknown_member_are_refused(path: tuple[str, ...]) -> None:
    def inner_of(value: Any) -> Any:
        for name in path:
            value = value[name]
        return value

    extended = copy.deepcopy(HONEST)
    inner_of(extended)["zzz"] = ""
    with pytest.raises(FieldError, match="'zzz' is unknown"):
        Statement.from_value(extended)
    for name in inner_of(HONEST):
        shortened = copy.deepcopy(HONEST)
        del inner_of(shortened)[name]
        with pytest.raises(FieldError, match=f"'{name}' is missing"):
            Statement.from_value(shortened)


def test_a_statement_larger_than_its_limit_is_refused() -> None:
    aliases = {f"k{i}" + "x" * 60: "a:" + "0" * 250 for i in range(16)}
    decode = {f"k{i:02}" + "x" * 60: "v" * 4000 for i in range(64)}
    mutant = changed("parameters.decode", decode)
    mutant["model"]["aliases"] = aliases
    with pytest.raises(FieldError, match="more than 65536 bytes"):
        Statement.from_value(mutant)


def test_parameters_and_sequence_say_when_they_are_empty() -> None:
    assert Parameters().is_empty
    assert not Parameters(template=DIGEST).is_empty
    assert Statement.from_value(HONEST).sequence == Sequence()


def test_an_issuer_is_told_what_the_format_does_not_allow() -> None:
    statement = toy_receipt().statement
    for wrong in ("ä", "n" * 300):
        with pytest.raises(InputError):
            replace(statement, request_id=wrong).require_valid()
