"""Files that are no programs, each for one reason of spec/v1/program.md, sections 2 and 3."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.differential.draft import Draft


class BrokenFile(NamedTuple):
    """A defect and the bytes that have it."""

    name: str
    content: bytes


def good_draft() -> Draft:
    """Return a program with weights, a table, a real and an integer input."""
    draft = Draft()
    draft.add_input((3,), -8, 7, name="x", encode={"kind": "real", "mul": 3, "shift": -2})
    draft.add_input((2,), 0, 9, name="y")
    consts = [
        draft.add_const("weight", "i8", [[1, 2, 3], [4, 5, 6]]),
        draft.add_const("weight", "i32", [7, -8]),
    ]
    linear = draft.add_node("linear", [0], consts)
    total = draft.add_node("add", [linear, 1], coeff=[1, 2])
    lo, hi = draft.tensors[total]["lo"], draft.tensors[total]["hi"]
    rows = draft.add_const("table", "i16", [i % 50 for i in range(hi - lo + 1)])
    draft.add_output(draft.add_node("table", [total], [rows], first=lo, round=0, shift=0))
    return draft


def split(content: bytes) -> tuple[bytes, bytes]:
    """Return header and tensor bytes."""
    end = 8 + int.from_bytes(content[:8], "little")
    return content[8:end], content[end:]


def join(header: bytes, body: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header + body


def broken_files() -> list[BrokenFile]:
    """Return all defects, containers first."""
    return [*_containers(), *_headers(), *_metadata(), *_graph_bytes(), *_graphs()]


def _containers() -> list[BrokenFile]:
    good = good_draft().to_bytes()
    header, body = split(good)
    salted = good_draft()
    salted.salt = bytes(31)
    return [
        BrokenFile("empty", b""),
        BrokenFile("seven_bytes", good[:7]),
        BrokenFile("header_only", good[: 8 + len(header)]),
        BrokenFile("truncated", good[:-1]),
        BrokenFile("trailing_byte", good + b"\x00"),
        BrokenFile("header_past_the_end", (2**20).to_bytes(8, "little") + good[8:]),
        BrokenFile("header_of_2_to_the_63", (2**63).to_bytes(8, "little") + good[8:]),
        BrokenFile("header_above_64_mib", (64 * 2**20 + 1).to_bytes(8, "little") + good[8:]),
        BrokenFile("empty_header", join(b"", body)),
        BrokenFile("salt_of_31_bytes", salted.to_bytes()),
        BrokenFile("a_key_file", good_draft().to_key_bytes(bytes(32))),
    ]


def _headers() -> list[BrokenFile]:
    good = good_draft().to_bytes()
    header, body = split(good)
    parsed = json.loads(header)

    def edited(name: str, edit: Callable[[dict[str, Any]], Any], content: bytes = body) -> Any:
        changed = json.loads(header)
        edit(changed)
        return BrokenFile(name, join(json.dumps(changed).encode(), content))

    first = json.dumps(parsed["c0"]).encode()
    twice = header.rstrip(b" ")[:-1] + b', "c0": ' + first + b"}"
    return [
        BrokenFile("duplicate_tensor", join(twice, body)),
        BrokenFile("header_starts_with_space", join(b" " + header, body)),
        BrokenFile("header_ends_with_newline", join(header + b"\n", body)),
        BrokenFile("header_with_two_values", join(header + b"{}", body)),
        BrokenFile("header_is_a_list", join(b"[" + header + b"]", body)),
        BrokenFile("header_is_not_utf8", join(header.replace(b"c0", b"c\xff"), body)),
        BrokenFile("header_nested_deeply", join(b'{"c0":' * 100_000 + b"1" + b"}" * 100_000, body)),
        edited("unknown_tensor", lambda h: h.update(extra=h["c0"])),
        edited("tensor_with_leading_zero", lambda h: h.update(c00=h.pop("c0"))),
        edited("tensor_not_declared", lambda h: h.update(c3=h.pop("c0"))),
        edited("missing_tensor", lambda h: h.pop("c0")),
        edited("salt_not_declared", lambda h: h.update(salt=_entry("U8", [32], 0)), body),
        edited("dtype_differs", lambda h: h["c0"].update(dtype="U8")),
        edited("dtype_unknown", lambda h: h["c0"].update(dtype="F32")),
        edited("shape_differs", lambda h: h["c0"].update(shape=[3, 2])),
        edited("shape_too_large", lambda h: h["c0"].update(shape=[2**40, 2**40])),
        edited("shape_negative", lambda h: h["c0"].update(shape=[-2, -3])),
        edited("shape_float", lambda h: h["c0"].update(shape=[2.0, 3])),
        edited("shape_true", lambda h: h["c1"].update(shape=[True, 2])),
        edited("offset_float", lambda h: h["c0"].update(data_offsets=[0.0, 6])),
        edited("offsets_of_three", lambda h: h["c0"]["data_offsets"].append(6)),
        edited("offsets_reversed", lambda h: h["c0"]["data_offsets"].reverse()),
        edited("tensor_key_too_many", lambda h: h["c0"].update(extra=1)),
        edited("tensor_key_missing", lambda h: h["c0"].pop("dtype")),
        edited("overlap", lambda h: h["c1"].update(data_offsets=[0, 8])),
        edited("gap", lambda h: _move(h, 1), body[:6] + b"\x00" + body[6:]),
        edited("gap_at_the_start", lambda h: _move(h, 1, "c0", "c1", "c2"), b"\x00" + body),
    ]


def _entry(dtype: str, shape: list[int], start: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, start + 32]}


def _move(header: dict[str, Any], by: int, *names: str) -> None:
    for name in names or ("c1", "c2"):
        header[name]["data_offsets"] = [i + by for i in header[name]["data_offsets"]]


def _metadata() -> list[BrokenFile]:
    header, body = split(good_draft().to_bytes())

    def edited(name: str, **changes: Any) -> BrokenFile:
        changed = json.loads(header)
        metadata = changed["__metadata__"]
        for key, value in changes.items():
            if value is None:
                del metadata[key]
            else:
                metadata[key] = value
        return BrokenFile(name, join(json.dumps(changed).encode(), body))

    without = json.loads(header)
    del without["__metadata__"]
    twice = header.replace(b'{"format"', b'{"format":"veridical-program/1","format"', 1)
    return [
        BrokenFile("no_metadata", join(json.dumps(without).encode(), body)),
        BrokenFile("metadata_key_twice", join(twice, body)),
        edited("format_missing", format=None),
        edited("format_other", format="veridical-program/2"),
        edited("graph_missing", graph=None),
        edited("graph_is_an_object", graph={}),
        edited("metadata_key_too_many", extra="x"),
        edited("weight_root_in_a_program", weight_root="0" * 64),
        edited("aliases_is_a_list", aliases="[]"),
        edited("aliases_of_integers", aliases='{"a":1}'),
        edited("aliases_not_canonical", aliases='{"a": "b"}'),
        edited("aliases_unordered", aliases='{"b":"1","a":"2"}'),
        edited("aliases_twice", aliases='{"a":"1","a":"2"}'),
        edited("aliases_not_ascii", aliases='{"a":"\u00e9"}'),
        edited("aliases_with_escape", aliases='{"a":"\\\\"}'),
    ]


def _graph_bytes() -> list[BrokenFile]:
    draft = good_draft()
    good = draft.graph_bytes()

    def changed(name: str, old: bytes, new: bytes) -> BrokenFile:
        assert old in good, name
        return BrokenFile(name, draft.to_bytes(good.replace(old, new, 1)))

    return [
        BrokenFile("graph_empty", draft.to_bytes(b"")),
        BrokenFile("graph_is_a_number", draft.to_bytes(b"1")),
        BrokenFile("graph_is_a_list", draft.to_bytes(b"[" + good + b"]")),
        BrokenFile("graph_with_a_trailing_space", draft.to_bytes(good + b" ")),
        BrokenFile("graph_nested_deeply", draft.to_bytes(b"[" * 100_000 + b"]" * 100_000)),
        changed("space", b'"format":1', b'"format": 1'),
        changed("float", b'"format":1', b'"format":1.0'),
        changed("exponent", b'"format":1', b'"format":1e0'),
        changed("leading_zero", b'"format":1', b'"format":01'),
        changed("plus_sign", b'"format":1', b'"format":+1'),
        changed("negative_zero", b'"round":0', b'"round":-0'),
        changed("true", b'"format":1', b'"format":true'),
        changed("null", b'"format":1', b'"format":null'),
        changed("nan", b'"format":1', b'"format":NaN'),
        changed("string_for_integer", b'"format":1', b'"format":"1"'),
        changed("integer_above_2_to_the_53", b'"first":', b'"first":-90071992547409'),
        changed("integer_of_5000_digits", b'"format":1', b'"format":' + b"1" * 5000),
        changed("escaped_name", b'"name":"x"', b'"name":"\\u0078"'),
        changed("duplicate_key", b'"format":1', b'"format":1,"format":1'),
        changed("unordered_keys", b'"kind":"real","mul":3', b'"mul":3,"kind":"real"'),
        changed("del_in_a_name", b'"name":"x"', b'"name":"\x7f"'),
    ]


def _graphs() -> list[BrokenFile]:
    def edited(name: str, edit: Callable[[Draft], Any]) -> BrokenFile:
        draft = good_draft()
        edit(draft)
        return BrokenFile(name, draft.to_bytes())

    def rooted(name: str, **changes: Any) -> BrokenFile:
        draft = good_draft()
        root = draft.graph_json()
        for key, value in changes.items():
            if value is None:
                del root[key]
            else:
                root[key] = value
        content = json.dumps(root, sort_keys=True, separators=(",", ":")).encode()
        return BrokenFile(name, draft.to_bytes(content))

    nested: Any = 1
    for _ in range(6):
        nested = [nested]
    return [
        rooted("root_key_missing", outputs=None),
        rooted("root_key_too_many", extra=1),
        rooted("format_2", format=2),
        rooted("salted_2", salted=2),
        rooted("salted_without_salt", salted=1),
        rooted("no_outputs", outputs=[]),
        rooted("nodes_is_an_object", nodes={}),
        rooted("nested_seven_deep", nodes=nested),
        edited("tensor_too_many", lambda d: d.tensors.append(dict(d.tensors[0]))),
        edited("tensor_too_few", lambda d: d.tensors.pop()),
        edited("range_reversed", lambda d: d.tensors[1].update(lo=9, hi=0)),
        edited("range_above_m", lambda d: d.tensors[4].update(hi=1065353217)),
        edited("range_below_m", lambda d: d.tensors[4].update(lo=-1065353217)),
        edited("dimension_zero", lambda d: d.tensors[1].update(shape=[0])),
        edited("dimension_above_2_to_the_24", lambda d: d.tensors[1].update(shape=[2**24 + 1])),
        edited("elements_above_2_to_the_28", lambda d: d.tensors[1].update(shape=[2**24, 17])),
        edited("rank_zero", lambda d: d.tensors[1].update(shape=[])),
        edited("rank_nine", lambda d: d.tensors[1].update(shape=[1] * 8 + [2])),
        edited("shape_of_strings", lambda d: d.tensors[1].update(shape=["2"])),
        edited("tensor_entry_key", lambda d: d.tensors[1].update(name="t")),
        edited("input_name_twice", lambda d: d.inputs[1].update(name="x")),
        edited("input_name_empty", lambda d: d.inputs[1].update(name="")),
        edited("input_name_of_129", lambda d: d.inputs[1].update(name="n" * 129)),
        edited("input_name_is_a_number", lambda d: d.inputs[1].update(name=1)),
        edited("encode_kind", lambda d: d.inputs[1].update(encode={"kind": "float"})),
        edited("encode_integer_with_mul", lambda d: d.inputs[1]["encode"].update(mul=1)),
        edited("encode_real_without_mul", lambda d: d.inputs[0]["encode"].pop("mul")),
        edited("encode_mul_zero", lambda d: d.inputs[0]["encode"].update(mul=0)),
        edited("encode_mul_2_to_the_31", lambda d: d.inputs[0]["encode"].update(mul=2**31)),
        edited("encode_shift_97", lambda d: d.inputs[0]["encode"].update(shift=97)),
        edited("encode_shift_below", lambda d: d.inputs[0]["encode"].update(shift=-97)),
        edited("output_name_twice", lambda d: d.outputs.append(dict(d.outputs[0]))),
        edited("output_tensor_unknown", lambda d: d.outputs[0].update(tensor=5)),
        edited("output_tensor_negative", lambda d: d.outputs[0].update(tensor=-1)),
        edited("decode_mul_2_to_the_22", lambda d: d.outputs[0]["decode"].update(mul=2**22)),
        edited("decode_mul_zero", lambda d: d.outputs[0]["decode"].update(mul=0)),
        edited("decode_shift_97", lambda d: d.outputs[0]["decode"].update(shift=97)),
        edited("op_unknown", lambda d: d.nodes[1].update(op="relu")),
        edited("op_is_a_number", lambda d: d.nodes[1].update(op=1)),
        edited("operand_of_itself", lambda d: d.nodes[1].update({"in": [2, 3]})),
        edited("operand_negative", lambda d: d.nodes[1].update({"in": [2, -1]})),
        edited("operand_missing", lambda d: d.nodes[0].update({"in": []})),
        edited("operand_too_many", lambda d: d.nodes[0].update({"in": [0, 0]})),
        edited("const_unknown", lambda d: d.nodes[0].update(c=[0, 3])),
        edited("const_missing", lambda d: d.nodes[0].update(c=[0])),
        edited("const_too_many", lambda d: d.nodes[1].update(c=[0])),
        edited("const_not_used", lambda d: d.add_const("weight", "i8", [1])),
        edited("const_kind_weight_for_table", lambda d: d.consts[2].update(kind="weight")),
        edited("const_kind_table_for_weight", lambda d: d.consts[1].update(kind="table")),
        edited("const_kind_unknown", lambda d: d.consts[1].update(kind="bias")),
        edited("const_dtype_unknown", lambda d: d.consts[0].update(dtype="u8")),
        edited("const_dtype_differs", lambda d: d.consts[0].update(dtype="i16")),
        edited("const_key_too_many", lambda d: d.consts[0].update(name="w")),
        edited("table_of_i8", _table_of_i8),
        edited("table_of_65537_rows", _long_table),
        edited("table_of_rank_2", _table_of_rank_2),
        edited("attribute_missing", lambda d: d.nodes[2].pop("round")),
        edited("attribute_too_many", lambda d: d.nodes[2].update(axis=1)),
        edited("attribute_is_a_list", lambda d: d.nodes[2].update(shift=[0])),
        edited("attribute_is_no_list", lambda d: d.nodes[1].update(coeff=1)),
        edited("attribute_list_of_lists", lambda d: d.nodes[1].update(coeff=[[1], 2])),
        edited("attribute_string", lambda d: d.nodes[2].update(shift="0")),
    ]


def _replace_table(draft: Draft, dtype: str, values: Any) -> None:
    draft.consts.pop()
    draft.values.pop()
    draft.add_const("table", dtype, values)


def _table_of_i8(draft: Draft) -> None:
    _replace_table(draft, "i8", draft.values[2])


def _long_table(draft: Draft) -> None:
    _replace_table(draft, "i16", [0] * 65537)


def _table_of_rank_2(draft: Draft) -> None:
    _replace_table(draft, "i16", draft.values[2].reshape(1, -1))
