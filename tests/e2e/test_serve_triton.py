"""An existing client of the protocol, unmodified: its answers verify, its errors are understood."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from tritonclient import http as triton
from tritonclient.utils import InferenceServerException

import veridical
from examples.zoo import take, zoo
from tests.serving import EXAMPLE, Served, served
from veridical import policy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

#: Portfolio weights, LeNet on digits, and a block of a transformer.
MODELS = ("weights", "lenet", "tblock")
X = np.array([[0.25, -1.5, 0.75], [1.0, 0.5, -0.25]], dtype=np.float32)
INFER = "/v2/models/example/infer"
LENGTH = "Inference-Header-Content-Length"


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("programs")
    paths = {"example": EXAMPLE}
    for name in MODELS:
        case = zoo()[name]
        calibration = case.calibration()
        dims = {
            f"{key}[{axis}]": size
            for key, shape in case.shapes().items()
            for axis, size in enumerate(shape)
            if axis > 0
        }
        program = veridical.compile(case.path(), calibration=calibration, dims=dims, progress=False)
        paths[name] = folder / f"{name}.vprog"
        program.save(paths[name])
    return paths


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, programs: dict[str, Path]
) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("triton") / "state", *programs.values()) as running:
        yield running
        running.stop()
        assert running.errors.read_text() == ""


@pytest.fixture(scope="module")
def client(gateway: Served) -> Iterator[Any]:
    opened = triton.InferenceServerClient(f"127.0.0.1:{gateway.port}")
    yield opened
    opened.close()


def question(array: Any = X, *, is_binary: bool, datatype: str = "FP32") -> list[Any]:
    tensor = triton.InferInput("x", array.shape, datatype)
    tensor.set_data_from_numpy(array, binary_data=is_binary)
    return [tensor]


def test_health_and_metadata(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.get_server_metadata()["name"] == "veridical"
    names = {one["name"] for one in client.get_model_repository_index()}
    assert names == {"example", *MODELS}
    for name in names:
        assert client.is_model_ready(name)
        assert client.is_model_ready(name, "1")
        assert client.get_model_metadata(name, "1")["versions"] == ["1"]
    assert not client.is_model_ready("none")
    assert client.get_model_metadata("example")["inputs"][0]["shape"] == [-1, 3]


@pytest.mark.parametrize("is_binary", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_answers_verify(client: Any, programs: dict[str, Path], name: str, is_binary: bool) -> None:
    program = veridical.load(programs[name])
    described = client.get_model_metadata(name)
    rows = take(zoo()[name].test(), slice(0, 3))
    tensors = []
    for one in described["inputs"]:
        array = rows[one["name"]]
        assert one["shape"] == [-1, *array.shape[1:]]
        tensor = triton.InferInput(one["name"], array.shape, one["datatype"])
        tensor.set_data_from_numpy(array, binary_data=is_binary)
        tensors.append(tensor)
    wanted = [
        triton.InferRequestedOutput(one["name"], binary_data=is_binary)
        for one in described["outputs"]
    ]
    nonce = f"{name}-{is_binary}"
    result = client.infer(
        name, tensors, outputs=wanted, request_id="r-9", parameters={"nonce": nonce}
    )
    assert result.get_response()["id"] == "r-9"
    outputs = {one["name"]: result.as_numpy(one["name"]) for one in described["outputs"]}
    expected = veridical.run(program, rows).outputs
    for output, array in outputs.items():
        np.testing.assert_array_equal(array, expected[output])
    pem = client.get_server_metadata()["parameters"]["signer_pem"].encode()
    rule = policy.AllOf(
        policy.TrustedSigners(veridical.keys.PublicKey.from_pem(pem)), policy.Nonce(nonce)
    )
    verified = veridical.verify(
        result.get_response()["parameters"]["receipt"].encode(),
        rule,
        now=time.time(),
        input=rows,
        output=outputs,
        program=program,
    )
    assert verified.tier == "reexecution"
    assert verified.statement.model.digest == described["parameters"]["digest"]


def test_many_at_once(client: Any) -> None:
    pending = [client.async_infer("example", question(is_binary=True)) for _ in range(8)]
    receipts = {one.get_result().get_response()["parameters"]["receipt_id"] for one in pending}
    assert len(receipts) == 8


def test_errors_are_understood(client: Any) -> None:
    for model, tensors in (
        ("none", question(is_binary=True)),
        ("example", question(X[:, :2].copy(), is_binary=True)),
        ("example", question(X.astype(object), is_binary=True, datatype="BYTES")),
        ("example", question(X.astype(np.float16), is_binary=True, datatype="FP16")),
    ):
        with pytest.raises(InferenceServerException) as caught:
            client.infer(model, tensors)
        assert caught.value.message()
    with pytest.raises(InferenceServerException, match="version"):
        client.infer("example", question(is_binary=True), model_version="2")
    with pytest.raises(InferenceServerException, match="encoding"):
        client.infer("example", question(is_binary=True), request_compression_algorithm="gzip")
    for options in ({"class_count": 2}, {}):
        output = triton.InferRequestedOutput("none", **options)
        with pytest.raises(InferenceServerException):
            client.infer("example", question(is_binary=True), outputs=[output])
    shared = triton.InferInput("x", X.shape, "FP32")
    shared.set_shared_memory("region", X.nbytes)
    with pytest.raises(InferenceServerException, match="shared memory"):
        client.infer("example", [shared])


def tensor(**changes: Any) -> dict[str, Any]:
    given = {"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [0.25, -1.5, 0.75]}
    return {name: value for name, value in {**given, **changes}.items() if value is not ...}


def of(size: object) -> dict[str, object]:
    return {"binary_data_size": size}


#: What is sent, in JSON, and the name of the error that it gets.
WRONG: list[tuple[Any, str]] = [
    ([], "bad_request"),
    ("text", "bad_request"),
    ({}, "bad_request"),
    ({"inputs": {}}, "bad_request"),
    ({"inputs": []}, "bad_request"),
    ({"inputs": [1]}, "bad_request"),
    ({"inputs": [tensor()] * 300}, "bad_request"),
    ({"inputs": [tensor(), tensor()]}, "bad_request"),
    ({"inputs": [tensor()], "id": 7}, "bad_request"),
    ({"inputs": [tensor()], "parameters": []}, "bad_request"),
    ({"inputs": [tensor()], "parameters": {"binary_data_output": "yes"}}, "bad_request"),
    ({"inputs": [tensor(name="y")]}, "bad_inputs"),
    ({"inputs": [tensor(), tensor(name="y")]}, "bad_inputs"),
    ({"inputs": [tensor(name=...)]}, "bad_request"),
    ({"inputs": [tensor(name=1)]}, "bad_request"),
    ({"inputs": [tensor(shape=...)]}, "bad_request"),
    ({"inputs": [tensor(shape=[])]}, "bad_request"),
    ({"inputs": [tensor(shape=[-1, 3])]}, "bad_request"),
    ({"inputs": [tensor(shape=[0, 3])]}, "bad_request"),
    ({"inputs": [tensor(shape=[1.0, 3])]}, "bad_request"),
    ({"inputs": [tensor(shape=[True, 3])]}, "bad_request"),
    ({"inputs": [tensor(shape=[2**40, 3])]}, "bad_request"),
    ({"inputs": [tensor(shape=[1] * 10)]}, "bad_request"),
    ({"inputs": [tensor(shape=[3])]}, "bad_shape"),
    ({"inputs": [tensor(shape=[1, 4])]}, "bad_shape"),
    ({"inputs": [tensor(shape=[3, 1])]}, "bad_shape"),
    ({"inputs": [tensor(shape=[5000, 3])]}, "too_many_items"),
    ({"inputs": [tensor(datatype=...)]}, "bad_request"),
    *[
        ({"inputs": [tensor(datatype=name)]}, "bad_request")
        for name in ("FP16", "BF16", "BYTES", "fp32", 1, None)
    ],
    ({"inputs": [tensor(data=...)]}, "bad_request"),
    ({"inputs": [tensor(data=[1, 2])]}, "bad_request"),
    ({"inputs": [tensor(data=[1, 2, 3, 4])]}, "bad_request"),
    ({"inputs": [tensor(data=[[1, 2], [3]])]}, "bad_request"),
    ({"inputs": [tensor(data=[1, 2, "3"])]}, "bad_request"),
    ({"inputs": [tensor(data=[1, 2, None])]}, "bad_request"),
    ({"inputs": [tensor(data=[1, 2, True])]}, "bad_request"),
    ({"inputs": [tensor(data="AAAA")]}, "bad_request"),
    ({"inputs": [tensor(data=[1e300, 0, 0])]}, "bad_inputs"),
    ({"inputs": [tensor(datatype="INT8", data=[1, 2, 300])]}, "bad_request"),
    ({"inputs": [tensor(datatype="UINT8", data=[1, 2, -1])]}, "bad_request"),
    ({"inputs": [tensor(datatype="INT32", data=[1, 2, 0.5])]}, "bad_request"),
    ({"inputs": [tensor(datatype="BOOL", data=[1, 0, 1])]}, "bad_request"),
    ({"inputs": [tensor(parameters=of(12))]}, "bad_request"),
    ({"inputs": [tensor(data=..., parameters=of(12))]}, "bad_request"),
    ({"inputs": [tensor(data=..., parameters=of(11))]}, "bad_request"),
    ({"inputs": [tensor(data=..., parameters=of("12"))]}, "bad_request"),
    ({"inputs": [tensor(data=..., parameters={"shared_memory_region": "r"})]}, "bad_request"),
    ({"inputs": [tensor()], "outputs": {}}, "bad_request"),
    ({"inputs": [tensor()], "outputs": [{}]}, "bad_request"),
    ({"inputs": [tensor()], "outputs": [{"name": "none"}]}, "bad_outputs"),
    ({"inputs": [tensor()], "outputs": [{"name": "y"}] * 2}, "bad_request"),
    ({"inputs": [tensor()], "parameters": {"tier": "best"}}, "bad_option"),
    ({"inputs": [tensor()], "parameters": {"deadline_ms": 0}}, "bad_option"),
]


@pytest.mark.parametrize(("sent", "error"), WRONG)
def test_what_is_wrong_is_named(gateway: Served, sent: Any, error: str) -> None:
    response = httpx.post(gateway.url + INFER, json=sent)
    assert response.headers["Veridical-Error"] == error, response.text
    assert response.status_code == (413 if error == "too_many_items" else 400)
    assert set(response.json()) == {"error"}


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"", {}),
        (b"{", {}),
        (b'{"inputs":' + b"[" * 100_000, {}),
        (b'{"inputs": NaN}', {}),
        (b"\xff\xfe", {}),
        (b"{}", {LENGTH: "3"}),
        (b"{}", {LENGTH: "-1"}),
        (b"{}", {LENGTH: "0x2"}),
        (b"{}", {LENGTH: "9" * 30}),
        (b"{}", {LENGTH: "0"}),
    ],
)
def test_what_is_no_request_is_refused(
    gateway: Served, content: bytes, headers: dict[str, str]
) -> None:
    response = httpx.post(gateway.url + INFER, content=content, headers=headers)
    assert (response.status_code, response.headers["Veridical-Error"]) == (400, "bad_request")


@pytest.mark.parametrize("surplus", [-1, 1])
def test_bytes_have_to_be_as_many_as_are_said(gateway: Served, surplus: int) -> None:
    head = json.dumps({"inputs": [tensor(data=..., parameters=of(12))]}).encode()
    content = head + bytes(12 + surplus)
    headers = {LENGTH: str(len(head))}
    response = httpx.post(gateway.url + INFER, content=content, headers=headers)
    assert (response.status_code, response.headers["Veridical-Error"]) == (400, "bad_request")


def test_numbers_that_are_none_are_refused_by_the_program(gateway: Served) -> None:
    head = json.dumps({"inputs": [tensor(data=..., parameters=of(12))]}).encode()
    for number in (np.nan, np.inf):
        content = head + np.array([0, 0, number], np.float32).tobytes()
        response = httpx.post(
            gateway.url + INFER, content=content, headers={LENGTH: str(len(head))}
        )
        assert (response.status_code, response.headers["Veridical-Error"]) == (400, "bad_inputs")
