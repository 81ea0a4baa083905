"""An existing client of the protocol, unmodified: its answers verify, its errors are understood."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tritonclient import http as triton
from tritonclient.utils import InferenceServerException

import veridical
from tests.e2e.test_serve_crash import EXAMPLE, free_port, start
from veridical import policy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

X = np.array([[0.25, -1.5, 0.75], [1.0, 0.5, -0.25]], dtype=np.float32)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    state: Path = tmp_path_factory.mktemp("state")
    port = free_port()
    process = start(state, port)
    opened = triton.InferenceServerClient(f"127.0.0.1:{port}")
    yield opened
    opened.close()
    process.terminate()
    # The server ends by the signal that asked it to, after it has closed everything.
    assert process.wait(30) in {0, -signal.SIGTERM}


def question(array: Any = X, *, is_binary: bool, datatype: str = "FP32") -> list[Any]:
    tensor = triton.InferInput("x", array.shape, datatype)
    tensor.set_data_from_numpy(array, binary_data=is_binary)
    return [tensor]


def test_health_and_metadata(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("example")
    assert not client.is_model_ready("none")
    assert client.get_model_metadata("example")["inputs"][0]["shape"] == [-1, 3]
    assert [one["name"] for one in client.get_model_repository_index()] == ["example"]


@pytest.mark.parametrize("is_binary", [True, False])
def test_answers_verify(client: Any, is_binary: bool) -> None:
    program = veridical.load(EXAMPLE)
    wanted = [
        triton.InferRequestedOutput(one.name, binary_data=is_binary) for one in program.outputs
    ]
    result = client.infer(
        "example",
        question(is_binary=is_binary),
        outputs=wanted,
        request_id="r-9",
        parameters={"nonce": "n-9"},
    )
    outputs = {one.name: result.as_numpy(one.name) for one in program.outputs}
    pem = client.get_server_metadata()["parameters"]["signer_pem"].encode()
    rule = policy.AllOf(
        policy.TrustedSigners(veridical.keys.PublicKey.from_pem(pem)), policy.Nonce("n-9")
    )
    verified = veridical.verify(
        result.get_response()["parameters"]["receipt"].encode(),
        rule,
        now=time.time(),
        input={"x": X},
        output=outputs,
        program=program,
    )
    assert verified.tier == "reexecution"


def test_errors_are_understood(client: Any) -> None:
    for model, tensors in (
        ("none", question(is_binary=True)),
        ("example", question(X[:, :2].copy(), is_binary=True)),
        ("example", question(X.astype(object), is_binary=True, datatype="BYTES")),
    ):
        with pytest.raises(InferenceServerException) as caught:
            client.infer(model, tensors)
        assert caught.value.message()
    with pytest.raises(InferenceServerException, match="encoding"):
        client.infer("example", question(is_binary=True), request_compression_algorithm="gzip")
