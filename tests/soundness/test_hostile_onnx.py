"""Hostile ONNX files: each is a named error, and nothing outside the model's folder is read."""

from __future__ import annotations

import builtins
import os
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from veridical.compiler.frontend import import_model, load
from veridical.errors import CompileError, UnsupportedOpError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

node = helper.make_node
WEIGHT = np.arange(6, dtype=np.float32).reshape(2, 3)
SECRET = np.full((2, 3), 42, np.float32).tobytes()


def build(
    nodes: list[onnx.NodeProto],
    initialisers: list[onnx.TensorProto] | None = None,
    *,
    shape: tuple[int | str, ...] = (1, 2),
    output: str = "y",
    opset: int = 17,
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "hostile",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))],
        [helper.make_empty_tensor_value_info(output)],
        initialisers or [],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    return model


def matmul_model(weight: onnx.TensorProto) -> onnx.ModelProto:
    return build([node("MatMul", ["x", "w"], ["y"], name="product")], [weight])


def external(
    location: str, offset: int = 0, length: int = 24, dims: tuple[int, ...] = (2, 3)
) -> onnx.TensorProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims)
    tensor.data_location = TensorProto.EXTERNAL
    entries = {"location": location, "offset": str(offset), "length": str(length)}
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder beside a secret file of the same size as the weights."""
    (tmp_path / "secret.bin").write_bytes(SECRET)
    inside = tmp_path / "model"
    inside.mkdir()
    (inside / "data.bin").write_bytes(WEIGHT.tobytes())
    return inside


@pytest.fixture
def opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record every file under the test's directory that is opened, however it is opened."""
    names: list[str] = []
    real_open, real_os_open = builtins.open, os.open

    def record(path: Any) -> None:
        text = os.fspath(path) if not isinstance(path, int) else ""
        if str(text).startswith(str(folder.parent)):
            names.append(os.path.realpath(text))

    def spy_open(file: Any, *args: Any, **options: Any) -> Any:
        record(file)
        return real_open(file, *args, **options)

    def spy_os_open(path: Any, *args: Any, **options: Any) -> int:
        record(path)
        return real_os_open(path, *args, **options)

    monkeypatch.setattr(builtins, "open", spy_open)
    monkeypatch.setattr(os, "open", spy_os_open)
    return names


def save(folder: Path, model: onnx.ModelProto) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_external_data_inside_the_folder_is_read(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "w.bin").write_bytes(b"\0" * 8 + WEIGHT.tobytes())
    imported = import_model(save(folder, matmul_model(external("sub/w.bin", offset=8))))
    assert np.array_equal(imported.graph.nodes[0].params["weight"], WEIGHT.T)
    assert onnx.load_model_from_string(imported.model).graph.initializer[0].raw_data


def symbolic_link(folder: Path) -> str:
    (folder / "link.bin").symlink_to(folder.parent / "secret.bin")
    return "link.bin"


def symbolic_link_within(folder: Path) -> str:
    (folder / "link.bin").symlink_to(folder / "data.bin")
    return "link.bin"


def linked_folder(folder: Path) -> str:
    (folder / "out").symlink_to(folder.parent)
    return "out/secret.bin"


def hard_link(folder: Path) -> str:
    os.link(folder.parent / "secret.bin", folder / "hard.bin")
    return "hard.bin"


def named_pipe(folder: Path) -> str:
    os.mkfifo(folder / "pipe")
    return "pipe"


def directory(folder: Path) -> str:
    (folder / "dir").mkdir()
    return "dir"


ESCAPES: dict[str, Callable[[Path], str]] = {
    "traversal": lambda _: "../secret.bin",
    "traversal through a folder": lambda _: "sub/../../secret.bin",
    "absolute path": lambda folder: str(folder.parent / "secret.bin"),
    "backslash": lambda _: "..\\secret.bin",
    "drive": lambda _: "C:secret.bin",
    "null byte": lambda _: "data.bin\0.txt",
    "empty": lambda _: "",
    "dot": lambda _: ".",
    "missing": lambda _: "absent.bin",
    "device": lambda _: "/dev/zero",
    "symbolic link": symbolic_link,
    "symbolic link within": symbolic_link_within,
    "linked folder": linked_folder,
    "hard link": hard_link,
    "named pipe": named_pipe,
    "directory": directory,
}


@pytest.mark.parametrize("attack", sorted(ESCAPES))
def test_external_data_elsewhere_is_rejected_unread(
    folder: Path, opened: list[str], attack: str
) -> None:
    path = save(folder, matmul_model(external(ESCAPES[attack](folder))))
    opened.clear()
    with pytest.raises(CompileError) as caught:
        load(path)
    assert caught.value.check == "external data"
    assert caught.value.where == "w"
    if attack != "hard link":  # its inode is the file outside; the link count stops the read
        assert all(name.startswith(str(folder)) for name in opened)


def test_hard_link_is_rejected_before_any_byte_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(folder, matmul_model(external(hard_link(folder))))
    reads: list[int] = []
    monkeypatch.setattr(
        os, "fdopen", lambda descriptor, *_args, **_options: reads.append(descriptor)
    )
    with pytest.raises(CompileError, match="2 hard links"):
        load(path)
    assert reads == []


@pytest.mark.parametrize(
    ("offset", "length"),
    [(0, 23), (0, 25), (1, 24), (-1, 24), (2**63, 24), (0, 2**62), (0, -1)],
)
def test_external_data_out_of_bounds_is_rejected(folder: Path, offset: int, length: int) -> None:
    with pytest.raises(CompileError) as caught:
        load(save(folder, matmul_model(external("data.bin", offset, length))))
    assert caught.value.check == "external data"


def test_external_offset_that_is_no_number_is_rejected(folder: Path) -> None:
    tensor = external("data.bin")
    tensor.external_data[1].value = "0x10"
    with pytest.raises(CompileError, match="not a number"):
        load(save(folder, matmul_model(tensor)))


def test_external_data_of_a_model_in_memory_is_rejected() -> None:
    with pytest.raises(CompileError, match="no folder"):
        load(matmul_model(external("data.bin")).SerializeToString())


def test_external_data_count_towards_the_size_limit(folder: Path) -> None:
    path = save(folder, matmul_model(external("data.bin")))
    assert load(path, max_bytes=path.stat().st_size + 24).nodes
    with pytest.raises(CompileError, match="size limit"):
        load(path, max_bytes=path.stat().st_size + 23)


def test_external_data_of_an_attribute_are_checked_too(folder: Path) -> None:
    constant = node("Constant", [], ["w"], value=external("../secret.bin"))
    with pytest.raises(CompileError, match="leaves the model's folder"):
        load(save(folder, build([constant, node("MatMul", ["x", "w"], ["y"])])))


@pytest.mark.parametrize("content", [b"", b"not onnx", b"\xff" * 64, b"\x08\x07", os.urandom(512)])
def test_bytes_that_are_no_model_are_rejected(content: bytes) -> None:
    with pytest.raises(CompileError):
        load(content)


def test_truncated_model_is_rejected() -> None:
    data = matmul_model(numpy_helper.from_array(WEIGHT, "w")).SerializeToString()
    rejected = 0
    for end in range(len(data)):
        try:
            load(data[:end])
        except CompileError:
            rejected += 1
    # A cut between two fields leaves well-formed protobuf; without its opset it is still rejected.
    assert rejected == len(data)


def test_model_file_that_is_too_large_missing_or_no_file_is_rejected(folder: Path) -> None:
    path = save(folder, matmul_model(numpy_helper.from_array(WEIGHT, "w")))
    with pytest.raises(CompileError, match="limit of 100"):
        load(path, max_bytes=100)
    with pytest.raises(CompileError, match="limit of 100"):
        load(path.read_bytes(), max_bytes=100)
    with pytest.raises(CompileError, match="cannot read"):
        load(folder / "absent.onnx")
    with pytest.raises(CompileError):
        load(folder)


@pytest.mark.parametrize("dims", [(2**40, 2**20), (2**30,), (-1, 3), (2, 3, 1, 1, 1, 1, 1, 1, 1)])
def test_initialiser_with_absurd_dimensions_is_rejected(dims: tuple[int, ...]) -> None:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims, raw_data=b"\0" * 24)
    with pytest.raises(CompileError) as caught:
        load(matmul_model(tensor).SerializeToString())
    assert caught.value.check == "tensor size"


@pytest.mark.parametrize("raw", [b"", b"\0" * 20, b"\0" * 28])
def test_initialiser_that_lies_about_its_size_is_rejected(raw: bytes) -> None:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=(2, 3), raw_data=raw)
    with pytest.raises(CompileError, match="needs 24 bytes"):
        load(matmul_model(tensor).SerializeToString())
    typed = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=(2, 3), float_data=[1.0] * 5)
    with pytest.raises(CompileError, match="needs 6 elements"):
        load(matmul_model(typed).SerializeToString())


@pytest.mark.parametrize(
    "kind", [TensorProto.STRING, TensorProto.COMPLEX64, TensorProto.UNDEFINED, 99]
)
def test_element_type_without_numbers_is_rejected(kind: int) -> None:
    tensor = TensorProto(name="w", data_type=kind, dims=(1,), raw_data=b"\0" * 8)
    with pytest.raises(CompileError) as caught:
        load(matmul_model(tensor).SerializeToString())
    assert caught.value.check == "element type"


def test_sparse_initialiser_is_rejected() -> None:
    model = matmul_model(numpy_helper.from_array(WEIGHT, "w"))
    model.graph.sparse_initializer.add().values.name = "s"
    with pytest.raises(CompileError) as caught:
        load(model.SerializeToString())
    assert caught.value.check == "sparse initialiser"


def test_cyclic_graph_is_rejected_with_its_nodes() -> None:
    nodes = [
        node("Add", ["x", "b"], ["a"], name="first"),
        node("Relu", ["a"], ["b"], name="second"),
        node("Relu", ["b"], ["y"], name="third"),
    ]
    with pytest.raises(CompileError, match="'first', 'second'") as caught:
        load(build(nodes).SerializeToString())
    assert caught.value.check == "cycle"
    loop = [node("Add", ["x", "y"], ["y"], name="self")]
    with pytest.raises(CompileError, match="'self'"):
        load(build(loop).SerializeToString())


def test_nodes_out_of_order_are_sorted() -> None:
    nodes = [node("Relu", ["a"], ["y"], name="late"), node("Tanh", ["x"], ["a"], name="early")]
    assert len(load(build(nodes).SerializeToString()).nodes) == 1


def test_missing_initialiser_is_rejected_with_its_reader() -> None:
    with pytest.raises(CompileError, match="'w' is defined by no node") as caught:
        load(build([node("MatMul", ["x", "w"], ["y"], name="product")]).SerializeToString())
    assert caught.value.where == "node 'product', op MatMul"
    assert caught.value.check == "missing tensor"


def test_missing_output_is_rejected() -> None:
    with pytest.raises(CompileError, match="'z' is defined by no node"):
        load(build([node("Relu", ["x"], ["y"])], output="z").SerializeToString())


def test_duplicate_names_are_rejected() -> None:
    weight = numpy_helper.from_array(WEIGHT, "w")
    cases = [
        build([node("Relu", ["x"], ["y"]), node("Tanh", ["x"], ["y"])]),
        build([node("MatMul", ["x", "w"], ["y"])], [weight, weight]),
        build([node("MatMul", ["x", "w"], ["y"]), node("Relu", ["x"], ["w"])], [weight]),
        build([node("Relu", ["x"], ["x"])]),
    ]
    for model in cases:
        with pytest.raises(CompileError) as caught:
            load(model.SerializeToString())
        assert caught.value.check == "duplicate name"


def test_unknown_operator_and_foreign_domain_are_named() -> None:
    for made in (node("Frobnicate", ["x"], ["y"], name="strange"),
                 node("Relu", ["x"], ["y"], name="strange", domain="com.example")):  # fmt: skip
        with pytest.raises(UnsupportedOpError) as caught:
            load(build([made]).SerializeToString())
        assert caught.value.node == "strange"
        assert caught.value.op == made.op_type


@pytest.mark.parametrize("op", ["If", "Loop", "Scan"])
def test_control_flow_is_named(op: str) -> None:
    body = helper.make_graph([node("Relu", ["x"], ["z"])], "body", [], [])
    made = node(op, ["x"], ["y"], name="flow", body=body)
    with pytest.raises(UnsupportedOpError, match="subgraph") as caught:
        load(build([made]).SerializeToString())
    assert (caught.value.node, caught.value.op) == ("flow", op)


def test_model_local_function_is_rejected() -> None:
    model = build([node("Relu", ["x"], ["y"])])
    model.functions.append(
        helper.make_function("", "Relu", ["a"], ["b"], [node("Tanh", ["a"], ["b"])],
                             [helper.make_opsetid("", 17)])
    )  # fmt: skip
    with pytest.raises(CompileError) as caught:
        load(model.SerializeToString())
    assert caught.value.check == "model functions"


@pytest.mark.parametrize("opset", [0, 7, 10, 24, 999])
def test_opset_outside_the_range_is_rejected(opset: int) -> None:
    with pytest.raises(CompileError) as caught:
        load(build([node("Relu", ["x"], ["y"])], opset=opset).SerializeToString())
    assert caught.value.check == "opset"


@pytest.mark.parametrize("version", [1, 2, 99])
def test_ir_version_outside_the_range_is_rejected(version: int) -> None:
    model = build([node("Relu", ["x"], ["y"])])
    model.ir_version = version
    with pytest.raises(CompileError) as caught:
        load(model.SerializeToString())
    assert caught.value.check == "IR version"


def ints(name: str, *values: int) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, np.int64), name)


BOMBS: dict[str, tuple[list[onnx.NodeProto], list[onnx.TensorProto]]] = {
    "ConstantOfShape": (
        [node("ConstantOfShape", ["s"], ["c"], name="bomb")],
        [ints("s", 2**20, 2**20)],
    ),
    "Expand": (
        [node("Expand", ["one", "s"], ["c"], name="bomb")],
        [ints("one", 1), ints("s", 2**40)],
    ),
    "Tile": ([node("Tile", ["one", "s"], ["c"], name="bomb")], [ints("one", 1), ints("s", 2**40)]),
    "Range": (
        [node("Range", ["a", "b", "d"], ["c"], name="bomb")],
        [
            numpy_helper.from_array(np.array(value, np.int64), name)
            for name, value in (("a", 0), ("b", 2**40), ("d", 1))
        ],
    ),
    "Pad": ([node("Pad", ["one", "s"], ["c"], name="bomb")], [ints("one", 1), ints("s", 0, 2**40)]),
    "Add": (
        [node("Reshape", ["row", "s"], ["column"]),
         node("Add", ["row", "column"], ["c"], name="bomb")],
        [numpy_helper.from_array(np.zeros(2**15, np.int8), "row"), ints("s", 2**15, 1)],
    ),
    "MatMul": (
        [node("Gemm", ["left", "right"], ["c"], name="bomb", transA=1)],
        [numpy_helper.from_array(np.zeros((1, 2**15), np.float32), "left"),
         numpy_helper.from_array(np.zeros((1, 2**15), np.float32), "right")],
    ),
    "OneHot": (
        [node("OneHot", ["one", "s", "ends"], ["c"], name="bomb")],
        [ints("one", 1), ints("s", 2**40), ints("ends", 0, 1)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("bomb", sorted(BOMBS))
def test_constant_folding_bomb_is_rejected_before_it_goes_off(bomb: str) -> None:
    nodes, tensors = BOMBS[bomb]
    nodes = [*nodes, node("ReduceSum", ["c"], ["r"]), node("Add", ["x", "r"], ["y"])]
    data = build(nodes, tensors).SerializeToString()
    tracemalloc.start()
    started = time.perf_counter()
    with pytest.raises(CompileError) as caught:
        load(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert caught.value.check == "constant size"
    assert "'bomb'" in str(caught.value)
    assert time.perf_counter() - started < 5
    assert peak < 20 * 2**20


def test_many_medium_constants_share_one_budget() -> None:
    nodes = [node("ConstantOfShape", ["s"], [f"c{i}"], name=f"n{i}") for i in range(60)]
    nodes.append(node("Relu", ["x"], ["y"]))
    value = numpy_helper.from_array(np.zeros(1, np.int8))
    for made in nodes[:60]:
        made.attribute.append(helper.make_attribute("value", value))
    with pytest.raises(CompileError) as caught:
        load(build(nodes, [ints("s", 2**20)]).SerializeToString())
    assert caught.value.check == "constant size"


def test_activation_bomb_is_rejected_without_work() -> None:
    nodes = [node("Expand", ["x", "s"], ["y"], name="bomb")]
    with pytest.raises(CompileError) as caught:
        load(build(nodes, [ints("s", 2**20, 2**20, 2)]).SerializeToString())
    assert caught.value.check == "tensor size"


def test_input_with_absurd_dimensions_is_rejected() -> None:
    with pytest.raises(CompileError) as caught:
        load(build([node("Relu", ["x"], ["y"])], shape=(1, 2**40)).SerializeToString())
    assert caught.value.check == "tensor size"


def test_infinite_weights_are_named() -> None:
    weight = WEIGHT.copy()
    weight[0, 0] = np.nan
    with pytest.raises(UnsupportedOpError, match="NaN") as caught:
        load(matmul_model(numpy_helper.from_array(weight, "w")).SerializeToString())
    assert caught.value.node == "product"


def test_mutated_models_raise_nothing_but_named_errors() -> None:
    """Every byte of a small model replaced by a few others: a named error, or a graph."""
    data = build(
        [node("MatMul", ["x", "w"], ["a"]), node("Softmax", ["a"], ["y"], axis=1)],
        [numpy_helper.from_array(WEIGHT, "w")],
    ).SerializeToString()
    outcomes = {"rejected": 0, "loaded": 0}
    for position in range(len(data)):
        for value in (0, 0x7F, 0xFF, data[position] ^ 1):
            mutant = data[:position] + bytes([value]) + data[position + 1 :]
            try:
                load(mutant)
                outcomes["loaded"] += 1
            except CompileError:
                outcomes["rejected"] += 1
    assert outcomes["rejected"] > outcomes["loaded"] / 4
