"""The surface: what a request may say, what every answer has, and errors by their names."""

from __future__ import annotations

import ast
import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from tests.repository import ROOT
from tests.unit.serve.conftest import EXAMPLE
from tests.unit.serve.test_gateway import INFER, body
from veridical.errors import LogError
from veridical.serve import Gateway, Settings, pages, routes
from veridical.serve.accounts import ANONYMOUS
from veridical.serve.app import make_app
from veridical.serve.openapi import document
from veridical.serve.refusals import MEANINGS, REFUSALS
from veridical.serve.storage import FencedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    state = tmp_path_factory.mktemp("state")
    opened = Gateway(Settings(models=(EXAMPLE,), state=state, workers=0))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def http(gateway: Gateway) -> Iterator[TestClient]:
    with TestClient(make_app(gateway)) as client:
        yield client


# --- requests


def test_members_that_are_null_are_absent(http: TestClient) -> None:
    question = body()
    question.update(id=None, parameters=None, outputs=None)
    question["inputs"][0]["parameters"] = None
    assert http.post(INFER, json=question).status_code == 200


@pytest.mark.parametrize("text", ["x" * 1000, 'quoted "id"', "\u00fcml\u00e4ut", "a\nb"])
def test_an_id_that_is_no_nonce_is_echoed_and_not_stated(
    gateway: Gateway, http: TestClient, text: str
) -> None:
    answer = http.post(INFER, json=body() | {"id": text}).json()
    assert answer["id"] == text
    assert stated(gateway, answer) == ""


def test_an_id_that_is_a_nonce_is_stated(gateway: Gateway, http: TestClient) -> None:
    answer = http.post(INFER, json=body() | {"id": "order 7"}).json()
    assert stated(gateway, answer) == "order 7"


def stated(gateway: Gateway, answer: dict[str, Any]) -> str:
    """Return the nonce that the receipt of an answer states."""
    receipt = gateway.receipt(answer["parameters"]["receipt_id"], ANONYMOUS)
    return receipt.statement.request_id


@pytest.mark.parametrize("name", ["y", None])
def test_bytes_are_the_default_of_every_output_if_asked_for(
    http: TestClient, name: str | None
) -> None:
    output = http.get("/v2/models/example").json()["outputs"][0]["name"]
    question = body(binary_data_output=True)
    if name is not None:
        question["outputs"] = [{"name": output}]
    response = http.post(INFER, json=question)
    assert response.headers["content-type"] == "application/octet-stream"
    assert int(response.headers["Inference-Header-Content-Length"]) < len(response.content)
    question["outputs"] = [{"name": output, "parameters": {"binary_data": False}}]
    assert http.post(INFER, json=question).headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "headers",
    [
        {"Veridical-Nonce": "a", "veridical-nonce ": "b"},
        {"Veridical-Tier": "best"},
        {"Veridical-Deadline-Ms": "0"},
        {"Veridical-Deadline-Ms": "\u0661".encode().decode("latin-1")},
        {"Veridical-Private": "yes"},
        {"Veridical-Salt": "00"},
    ],
)
def test_options_that_cannot_be_are_refused(http: TestClient, headers: dict[str, str]) -> None:
    if len(headers) > 1:
        sent: Any = [("Veridical-Nonce", "a"), ("Veridical-Nonce", "b")]
    else:
        sent = {name: value.encode("latin-1") for name, value in headers.items()}
    response = http.post(INFER, json=body(), headers=sent)
    assert response.status_code == 400, response.text


def test_a_run_that_would_begin_too_late_does_not_begin(
    gateway: Gateway, http: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, size = gateway.log.commit, gateway.log.size()

    def slowly(*arguments: Any, **named: Any) -> Any:
        time.sleep(0.2)
        return commit(*arguments, **named)

    monkeypatch.setattr(gateway.log, "commit", slowly)
    response = http.post(INFER, json=body(deadline_ms=100))
    assert (response.status_code, response.headers["Veridical-Error"]) == (504, "deadline")
    assert gateway.log.size() == size + 2, "an intent and its void"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/receipts/%00",
        "/v1/jobs/%00/events",
        "/v1/jobs/%ff",
        "/v1/receipts/sha256:%00" + "0" * 63,
        "/v2/models/%00",
        "/v2/models/../v2",
        "/r/none",
        "/page/..%2f..%2ferrors.py",
        "/page/__init__.py",
        "/log/..%2flog.key",
        "/log/state/index.sqlite",
        "/v2/",
        "/\udce4".encode("utf-8", "surrogateescape").decode("latin-1"),
    ],
)
def test_what_is_no_id_is_not_found(http: TestClient, path: str) -> None:
    response = http.get(path)
    assert response.status_code == 404
    assert set(response.json()) == {"error"}


def test_a_method_that_is_not_there_names_those_that_are(http: TestClient) -> None:
    response = http.put("/v1/jobs/" + "0" * 32)
    assert (response.status_code, response.headers["Veridical-Error"]) == (405, "bad_method")
    assert response.headers["Allow"] == "DELETE, GET, HEAD"


def test_other_routes_take_no_body_to_speak_of(http: TestClient) -> None:
    assert http.post("/v2/repository/index", content=b"{}").status_code == 200
    assert http.post("/v2/repository/index", content=b" " * 200_000).status_code == 413


# --- answers


def test_every_answer_has_an_id_and_is_not_kept(http: TestClient) -> None:
    ids = set()
    for response in (
        http.get("/v2"),
        http.post(INFER, json=body()),
        http.get("/none"),
        http.get("/metrics"),
    ):
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        ids.add(response.headers["X-Request-Id"])
    assert len(ids) == 4


@pytest.mark.parametrize(
    ("error", "status", "name"),
    [
        (OperationalError("select", {}, Exception("secret")), 503, "unavailable"),
        (LogError("secret"), 503, "unavailable"),
        (FencedError("secret"), 503, "unavailable"),
        (OSError(24, "secret"), 503, "unavailable"),
        (OSError(28, "secret"), 503, "unavailable"),
        (MemoryError(), 503, "unavailable"),
        (ZeroDivisionError("secret"), 500, "internal"),
    ],
)
def test_faults_are_answered_and_tell_nothing(
    gateway: Gateway,
    http: TestClient,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    status: int,
    name: str,
) -> None:
    async def fail(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(gateway, "answer", fail)
    response = http.post(INFER, json=body())
    assert (response.status_code, response.headers["Veridical-Error"]) == (status, name)
    assert "secret" not in response.text
    assert gateway.budget.held == 0


def test_readiness_is_asked_once_a_second(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def problem() -> str:
        asked.append(1)
        return ""

    monkeypatch.setattr(gateway, "problem", problem)
    monkeypatch.setattr(gateway, "close", lambda: None)
    monkeypatch.setattr(gateway, "start", lambda: None)
    with TestClient(make_app(gateway)) as fresh:
        begun = time.monotonic()
        for _ in range(50):
            assert fresh.get("/v2/health/ready").status_code == 200
        assert len(asked) <= 1 + int(time.monotonic() - begun)


def test_the_overview_is_that_of_the_document(gateway: Gateway, http: TestClient) -> None:
    http.post(INFER, json=body())
    time.sleep(1.1)  # figures are kept for a second
    shown = http.get("/v1/overview").json()
    schema = document("1")["components"]["schemas"]["Overview"]
    assert set(shown) == set(schema["required"])
    assert shown["models"][0]["name"] == "example"
    assert shown["receipts"]["reexecution"] >= 1
    assert shown["log"]["size"] == gateway.log.size()
    deadline = time.monotonic() + 40
    while shown["audit"] is None:
        assert time.monotonic() < deadline
        time.sleep(0.3)
        shown = http.get("/v1/overview").json()
    # These tests ask one question often; nothing else is wrong.
    assert {one["kind"] for one in shown["audit"]["findings"]} <= {"repeated"}
    assert shown["audit"]["streams"][0]["stream"] == "example"


# --- pages


@pytest.fixture
def paged(gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    (tmp_path / "index.html").write_text("<style>a{}</style><script>run()</script>")
    (tmp_path / "dashboard.html").write_text("<p>")
    (tmp_path / "extra.wasm").write_bytes(b"\0asm")
    (tmp_path / "__init__.py").write_text("")
    loaded = pages.load_pages(tmp_path)
    monkeypatch.setattr(routes, "load_pages", lambda: loaded)
    return TestClient(make_app(gateway))


def test_pages_run_their_own_scripts_only(paged: TestClient) -> None:
    for path in ("/", "/dashboard", "/r/sha256:" + "0" * 64, "/page/index.html"):
        response = paged.get(path)
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        policy = response.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'none'" in policy
        assert "http" not in policy
        assert "unsafe-inline" not in policy
        assert "'unsafe-eval'" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert re.search(
        r"script-src [^;]*'sha256-[^']+'", paged.get("/").headers["content-security-policy"]
    )


def test_pages_are_kept_by_their_digest(paged: TestClient) -> None:
    first = paged.get("/page/extra.wasm")
    assert first.headers["content-type"] == "application/wasm"
    assert first.headers["Cache-Control"] == "no-cache"
    tag = first.headers["ETag"]
    again = paged.get("/page/extra.wasm", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    pinned = paged.get(f"/page/extra.wasm?v={tag[1:17]}")
    assert "immutable" in pinned.headers["Cache-Control"]
    assert "immutable" not in paged.get("/page/extra.wasm?v=0").headers["Cache-Control"]
    assert paged.get("/page/__init__.py").status_code == 404


def test_digests_in_a_policy_are_those_of_the_standard() -> None:
    # The example of the specification, https://www.w3.org/TR/CSP3/, section 8.4.
    page = "<script>alert('Hello, world.');</script>"
    assert "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='" in pages.policy_of(page)


# --- the document


def test_every_error_is_in_the_table_and_no_other() -> None:
    names: set[str] = set()
    folder = ROOT / "python" / "veridical"
    for path in [folder / "inference_protocol.py", *sorted((folder / "serve").rglob("*.py"))]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                names |= error_of(node)
    names |= {"bad_host", "bad_origin"}  # `Origins.problem` returns them
    assert names == set(REFUSALS)


def error_of(call: ast.Call) -> set[str]:
    """Return the name of the error that a call makes."""
    called = (
        call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    )
    if called not in {"ProtocolError", "_refuse"} or len(call.args) < 2:
        return set()
    status, name = call.args[:2]
    if not isinstance(status, ast.Constant) or not isinstance(name, ast.Constant):
        return set()
    assert REFUSALS[str(name.value)].status == status.value, name.value
    return {str(name.value)}


def test_every_operation_is_described_with_examples() -> None:
    described = document("1")
    seen: set[str] = set()
    for path, operations in described["paths"].items():
        for operation in operations.values():
            assert operation["operationId"] not in seen
            seen.add(operation["operationId"])
            assert all("example" in one for one in operation["parameters"]), path
            for status, response in operation["responses"].items():
                if int(status) < 400:
                    continue
                assert response["description"] == MEANINGS[int(status)]
                examples = response["content"]["application/json"]["examples"]
                assert set(examples) == {
                    n for n, one in REFUSALS.items() if one.status == int(status)
                }
    assert described["components"]["schemas"]["Error"]["required"] == ["error"]
