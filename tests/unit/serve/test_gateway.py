"""From a request to a receipt that verifies, and to a stronger one."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

import veridical
from tests.unit.serve.conftest import EXAMPLE
from veridical import policy, tlog
from veridical.serve import Gateway, Settings
from veridical.serve.accounts import new_key
from veridical.serve.app import make_app
from veridical.serve.intents import TransparencyLog
from veridical.serve.openapi import document
from veridical.serve.worker import Configuration, Worker

X = np.array([[0.25, -1.5, 0.75]], dtype=np.float32)
INFER = "/v2/models/example/infer"


def body(array: Any = X, **parameters: Any) -> dict[str, Any]:
    return {
        "id": "r-1",
        "parameters": parameters,
        "inputs": [
            {
                "name": "x",
                "shape": list(array.shape),
                "datatype": "FP32",
                "data": array.ravel().tolist(),
            }
        ],
    }


def asked(gateway: Gateway, *rules: Any) -> policy.AllOf:
    return policy.AllOf(policy.TrustedSigners(gateway.signer.public_key), *rules)


def logged(gateway: Gateway) -> policy.RequireLogged:
    assert isinstance(gateway.log, TransparencyLog)
    return policy.RequireLogged(gateway.log.log.key)


def test_an_answer_carries_a_receipt_that_verifies(gateway: Gateway, http: TestClient) -> None:
    response = http.post(INFER, json=body(nonce="n-7"))
    assert response.status_code == 200, response.text
    answer = response.json()
    receipt = answer["parameters"]["receipt"].encode()
    assert response.headers["Veridical-Receipt"] == answer["parameters"]["receipt_id"]
    output = {
        one["name"]: np.array(one["data"], np.float64).reshape(one["shape"])
        for one in answer["outputs"]
    }
    verified = veridical.verify(
        receipt,
        asked(gateway, policy.RequireTier("reexecution"), policy.Nonce("n-7")),
        now=time.time(),
        input={"x": X},
        output=output,
        program=veridical.load(EXAMPLE),
    )
    assert verified.receipt_id == answer["parameters"]["receipt_id"]


def test_a_stored_receipt_shows_that_it_is_logged(gateway: Gateway, http: TestClient) -> None:
    receipt_id = http.post(INFER, json=body()).headers["Veridical-Receipt"]
    stored = http.get(f"/v1/receipts/{receipt_id}")
    veridical.verify(
        stored.content,
        asked(gateway, logged(gateway)),
        now=time.time(),
        input={"x": X},
        program=veridical.load(EXAMPLE),
    )


def test_the_salt_of_the_caller_is_in_the_intent(gateway: Gateway, http: TestClient) -> None:
    salt = "ab" * 32
    response = http.post(INFER, json=body(salt=salt)).json()
    stored = http.get(f"/v1/receipts/{response['parameters']['receipt_id']}").content
    verified = veridical.verify(
        stored,
        asked(gateway, logged(gateway)),
        now=time.time(),
        input={"x": X},
        program=veridical.load(EXAMPLE),
    )
    assert verified.statement.input.received.is_salted


def test_a_refused_input_is_voided(gateway: Gateway, http: TestClient) -> None:
    array = X.copy()
    array[0, 0] = np.inf
    raw = array.tobytes()
    head = (
        b'{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32",'
        b'"parameters":{"binary_data_size":12}}]}'
    )
    response = http.post(
        INFER, content=head + raw, headers={"Inference-Header-Content-Length": str(len(head))}
    )
    assert response.status_code == 400
    assert "error" in response.json()
    assert isinstance(gateway.log, TransparencyLog)
    found = tlog.audit(entry for _, entry in gateway.log.log.reader().entries())
    assert not found.findings
    assert gateway.log.size() == 2


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"inputs": []}, 400),
        ({"inputs": [{"name": "y", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3]}]}, 400),
        ({"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1] * 4}]}, 400),
        ({"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2]}]}, 400),
        ({"inputs": [{"name": "x", "shape": [1, 3], "datatype": "BYTES", "data": [1] * 3}]}, 400),
        ({"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": ["a"] * 3}]}, 400),
        ({"inputs": [{"name": "x", "shape": [-1, 3], "datatype": "FP32", "data": [1] * 3}]}, 400),
        ({"parameters": {"tier": "best"}}, 400),
        ({"parameters": {"nonce": "a\nb"}}, 400),
        ({"parameters": {"salt": "00"}}, 400),
        ({"outputs": [{"name": "none"}]}, 400),
        ({"id": 7}, 400),
    ],
)
def test_errors_have_the_shape_of_the_protocol(
    http: TestClient, gateway: Gateway, change: dict[str, Any], status: int
) -> None:
    response = http.post(INFER, json=body() | change)
    assert response.status_code == status
    assert set(response.json()) == {"error"}
    assert response.headers["Veridical-Error"]
    assert gateway.log.size() == 0


def test_what_is_not_there_is_not_found(http: TestClient) -> None:
    for path in ("/v2/models/none", "/v2/models/none/ready", "/v1/receipts/x", "/v1/jobs/x", "/x"):
        response = http.get(path)
        assert response.status_code == 404, path
        assert set(response.json()) == {"error"}


def test_a_large_body_is_refused(tmp_path: Any) -> None:
    small = Settings(models=(EXAMPLE,), state=tmp_path, workers=0, max_body_bytes=100)
    with TestClient(make_app(Gateway(small))) as client:
        assert client.post(INFER, content=b" " * 101).status_code == 413
        chunked = client.post(INFER, content=iter([b" " * 60, b" " * 60]))
        assert chunked.status_code == 413


def test_callers_need_keys_and_see_only_their_own(tmp_path: Any) -> None:
    closed = Settings(models=(EXAMPLE,), state=tmp_path, workers=0, is_open=False)
    gateway = Gateway(closed)
    first, second = (new_key(gateway.store, name=name) for name in ("first", "second"))
    slow = new_key(gateway.store, name="slow", requests_per_second=1)
    with TestClient(make_app(gateway)) as client:
        assert client.post(INFER, json=body()).status_code == 401
        wrong = {"Authorization": "Bearer vk_wrong"}
        assert client.post(INFER, json=body(), headers=wrong).status_code == 401
        mine = {"Authorization": f"Bearer {first}"}
        receipt_id = client.post(INFER, json=body(), headers=mine).headers["Veridical-Receipt"]
        assert client.get(f"/v1/receipts/{receipt_id}", headers=mine).status_code == 200
        assert client.get("/v1/usage", headers=mine).json()["usage"][0]["receipts"] == 1
        other = {"X-API-Key": second}
        assert client.get(f"/v1/receipts/{receipt_id}", headers=other).status_code == 404
        often = [client.get("/v1/usage", headers={"X-API-Key": slow}) for _ in range(2)]
        assert [one.status_code for one in often] == [200, 429]
    stored = (tmp_path / "gateway.sqlite").read_bytes()
    assert first.encode() not in stored


def test_a_lane_that_closes_takes_nothing_more(gateway: Gateway, http: TestClient) -> None:
    lane = gateway._lanes["example"]
    lane.close()
    assert http.post(INFER, json=body()).status_code == 503


def test_an_upgrade_is_proven_signed_and_charged_once(
    gateway: Gateway, http: TestClient, settings: Settings
) -> None:
    ids = [http.post(INFER, json=body()).headers["Veridical-Receipt"] for _ in range(3)]
    jobs = [http.post(f"/v1/receipts/{one}/upgrade?tier=zk").json() for one in ids]
    again = http.post(f"/v1/receipts/{ids[0]}/upgrade?tier=zk").json()
    assert again["job_id"] == jobs[0]["job_id"]
    configuration = Configuration(
        database=settings.database_url,
        models={"example": str(EXAMPLE)},
        batch=8,
        profile="standard",
    )
    worker = Worker(configuration)
    assert worker.step()
    assert not worker.step()
    worker.close()
    deadline = time.monotonic() + 30
    while http.get(f"/v1/jobs/{jobs[0]['job_id']}").json()["state"] != "done":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    events = http.get(f"/v1/jobs/{jobs[0]['job_id']}/events").text
    assert events.startswith("event: end\n")
    for one in ids:
        verified = veridical.verify(
            http.get(f"/v1/receipts/{one}").content,
            asked(gateway, policy.RequireTier("zk"), logged(gateway)),
            now=time.time(),
            input={"x": X},
            program=veridical.load(EXAMPLE),
        )
        assert verified.receipt_id == one
    usage = {one["tier"]: one["receipts"] for one in http.get("/v1/usage").json()["usage"]}
    assert usage == {"reexecution": 3, "zk": 3}


def test_the_openapi_document_has_every_route_and_no_other(gateway: Gateway) -> None:
    routes: dict[str, set[str]] = {}
    for route in make_app(gateway).routes:
        methods = {one.lower() for one in route.methods or ()} - {"head"}
        routes.setdefault(route.path.replace(":path", ""), set()).update(methods)
    described = {path: set(methods) for path, methods in document("1")["paths"].items()}
    assert described == routes


def test_metrics_count_what_happened(http: TestClient) -> None:
    http.post(INFER, json=body())
    page = http.get("/metrics").text
    assert 'veridical_requests_total{route="infer",status="200"} 1.0' in page
    assert "veridical_log_size 2.0" in page
