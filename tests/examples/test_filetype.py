from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime as ort
import pytest

from examples.carriers import FILE_TYPE_MODEL
from examples.filetype import __main__ as filetype
from examples.filetype.features import PADDING, labels, read_tokens, tokens

if TYPE_CHECKING:
    from pathlib import Path


def test_short_content_is_padded_behind_the_beginning_and_before_the_end() -> None:
    row = tokens(b"  0123456789  ", b"  0123456789  ")
    assert row is not None
    assert bytes(row[:12].astype(np.uint8)) == b"0123456789  "
    assert (row[12:2036] == PADDING).all()
    assert bytes(row[2036:].astype(np.uint8)) == b"  0123456789"


def test_content_of_fewer_than_eight_bytes_is_not_for_the_model() -> None:
    assert tokens(b"   1234567", b"   1234567") is None


def test_long_file_gives_its_first_and_last_kilobyte(tmp_path: Path) -> None:
    content = bytes(i % 251 for i in range(10_000))
    path = tmp_path / "long"
    path.write_bytes(content)
    row = read_tokens(path)
    assert row is not None
    assert bytes(row[:1024].astype(np.uint8)) == content[:1024]
    assert bytes(row[1024:].astype(np.uint8)) == content[-1024:]


@pytest.mark.parametrize(
    ("expected", "content"),
    [
        ("python", "import os\n\n\ndef main():\n    print(os.getcwd())\n" * 20),
        ("json", json.dumps({"name": "x", "values": list(range(90)), "none": None}, indent=2)),
        ("html", "<!DOCTYPE html><html><head><title>t</title></head><body><p>x</p></body></html>"),
    ],
)
def test_model_names_the_type_of_plain_content(expected: str, content: str) -> None:
    row = tokens(content.encode()[:4096], content.encode()[-4096:])
    assert row is not None
    session = ort.InferenceSession(FILE_TYPE_MODEL.path(), providers=["CPUExecutionProvider"])
    (shares,) = session.run(None, {"bytes": row[None]})
    assert labels()[int(shares[0].argmax())] == expected


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_script_names_the_type_and_gives_a_verified_receipt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "answer"
    path.write_text("import os\n\n\ndef main():\n    print(os.getcwd())\n" * 20)
    short = tmp_path / "short"
    short.write_text("x")
    filetype.main([path, short])
    answer, refused = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r".*/answer: python \(\d+\.\d%\), sha256:[0-9a-f]{64}", answer)
    assert refused.endswith("short: too short for the model")
