"""`veridical log`: exit codes, and the way of a provider, a cosigner and an auditor."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.toy import NONCE, NOW, SIGNER, toy_run
from tests.unit.tlog.logs import LOG_SIGNER, ORIGIN, draft, grow, private_key, statement
from veridical.cli.app import run
from veridical.cli.log_timeline import draw
from veridical.receipt import Receipt, issue
from veridical.tlog import Log, NoteKey, Result, audit, log_proofs, sequence_of

if TYPE_CHECKING:
    from pathlib import Path


HOST = "127.0.0.1"


@pytest.fixture
def keys(tmp_path: Path) -> tuple[str, str]:
    for number, name in enumerate(("log", "witness"), start=1):
        private_key(number).save(tmp_path / f"{name}.key")
    return str(tmp_path / "log.key"), str(tmp_path / "witness.key")


class Shell:
    """Runs commands on one log, and reads what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str, code: int = 0) -> str:
        assert run(["log", *arguments]) == code
        captured = self._capsys.readouterr()
        return captured.out if code == 0 else captured.out + captured.err

    def json(self, *arguments: str, code: int = 0) -> Any:
        assert run(["log", *arguments, "--json"]) == code
        return json.loads(self._capsys.readouterr().out)


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


def test_the_way_of_a_log(tmp_path: Path, keys: tuple[str, str], shell: Shell) -> None:
    key, witness = keys
    folder = str(tmp_path / "log")
    vkey = shell.json("init", folder, "--origin", ORIGIN, "--key", key)["vkey"]
    intent = ["append", folder, "--key", key, "--stream", "live"]
    intent += ["--model", "sha256:" + "0a" * 32, "--input", "sha256:" + "0b" * 32]
    first = shell.json(*intent, "--request-id", "order-1")
    assert (first["index"], first["number"]) == (0, 0)
    assert shell.json(*intent)["number"] == 1
    held = tmp_path / "held"
    held.write_bytes((tmp_path / "log/checkpoint").read_bytes())
    close = ["append", folder, "--key", key, "--intent"]
    assert shell.json(*close, "0", "--statement", statement(0))["size"] == 3
    assert shell.json(*close, "1", "--void", "timeout")["index"] == 3
    assert shell.json("show", folder)["size"] == 4
    assert '"order-1"' in shell("show", folder, "0")

    cosign = ["cosign", folder, "--name", "witness.example/w1", "--key", witness]
    cosign += ["--log-key", vkey, "--state", str(tmp_path / "w1.sqlite")]
    cosigner = shell.json(*cosign)["vkey"]
    assert shell.json("show", folder)["cosigned"] == 4

    proof = str(tmp_path / "2.tlog-proof")
    shell("prove", folder, "2", "-o", proof)
    trust = ["--log-key", vkey]
    assert "no cosigner" in shell("verify", proof, *trust)
    shown = shell.json("verify", proof, *trust, "--cosigner-key", cosigner)
    assert (shown["verdict"], shown["cosigners"], shown["index"]) == ("accepted", 1, 2)
    second = NoteKey.of("witness.example/w2", private_key(9).public_key, role="cosigner").vkey
    half = ["--cosigner-key", cosigner, "--cosigner-key", second, "--min-cosigners", "1"]
    assert "allow_split_view" in shell("verify", proof, *trust, *half, code=2)
    assert "or fewer signed" in shell("verify", proof, *trust, *half, "--allow-split-view")
    assert shell.json("verify", str(held), *trust, "--folder", folder)["extends"] == 2
    # The present checkpoint has the log's signature alone.
    asked = [*trust, "--folder", folder, "--cosigner-key", cosigner]
    refused = shell.json("verify", str(held), *asked, code=1)
    assert refused["error"]["check"] == "log.cosignature"
    assert shell.json("verify", str(held), *asked, "--min-cosigners", "0")["cosigners"] == 0

    assert shell.json("fsck", folder)["size"] == 4
    assert shell.json("fsck", folder, "--log-key", vkey)["cosigned"] == 2
    stranger = NoteKey.of(ORIGIN, private_key(66).public_key, role="log").vkey
    for command in ("fsck", "audit"):
        refused = shell.json(command, folder, "--log-key", stranger, code=1)
        assert refused["error"]["check"] == "log.signature"
    assert shell.json("audit", folder)["streams"][0]["void_rate"] == 0.5
    picture = tmp_path / "audit.png"
    assert "50.0% of closed" in shell("audit", folder, "--timeline", str(picture))
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_hostile_log_is_drawn(tmp_path: Path) -> None:
    late = draft("$a_$ ^").numbered(0, "", origin=ORIGIN, time=2**53 - 1)  # no formula, and no date
    draw(audit([late.to_bytes()]), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_rejections_exit_with_1(tmp_path: Path, keys: tuple[str, str], shell: Shell) -> None:
    key, _ = keys
    folder = tmp_path / "log"
    vkey = shell("init", str(folder), "--origin", ORIGIN, "--key", key).strip()
    log = Log.open(folder)
    grow(log, [draft(), draft()])
    held = tmp_path / "held"
    held.write_bytes((folder / "checkpoint").read_bytes())
    audit = ["audit", str(folder), "--max-open-seconds", "60", "--now"]
    assert "0 overdue" in shell(*audit, str(NOW + 60))
    assert "2 overdue" in shell(*audit, str(NOW + 61), code=1)

    other = str(tmp_path / "other")
    shell("init", other, "--origin", ORIGIN, "--key", key)
    grow(Log.open(other), [draft("x")] * 3)
    forked = shell.json("verify", str(held), "--log-key", vkey, "--folder", other, code=1)
    assert forked["error"]["name"] == "ConsistencyError"

    tile = folder / "tile/0/000.p/2"
    tile.write_bytes(tile.read_bytes()[:32])
    for command in ("fsck", "audit"):
        assert "tile/0/000.p/2" in shell(command, str(folder), code=1)
    held.write_bytes(b"c2sp.org/tlog-proof@v1\n")
    broken = shell.json("verify", str(held), "--log-key", vkey, code=1)
    assert broken["error"]["check"] == "log.format"


def test_cosigners_on_this_machine_sign_one_head(
    tmp_path: Path, keys: tuple[str, str], shell: Shell
) -> None:
    key, witness = keys
    folder = str(tmp_path / "log")
    vkey = shell("init", folder, "--origin", ORIGIN, "--key", key).strip()
    log = Log.open(folder)
    grow(log, [draft()])
    private_key(3).save(tmp_path / "second.key")
    vkeys = []
    for name, file in (("w1", witness), ("w2", str(tmp_path / "second.key"))):
        cosign = ["cosign", folder, "--name", name, "--key", file, "--log-key", vkey]
        cosign += ["--state", str(tmp_path / f"{name}.sqlite"), *(["--last"] * (name == "w2"))]
        vkeys.append(shell.json(*cosign)["vkey"])
        grow(log, [draft()])  # it never stands still
    cosigned = log.cosigned()
    assert cosigned is not None
    assert cosigned.size == 1
    named = [NoteKey.from_vkey(one) for one in vkeys]
    assert len(cosigned.verify_cosigners(named, at_least=2)) == 2


def test_cosigners_that_nobody_hears_are_named(
    tmp_path: Path, keys: tuple[str, str], shell: Shell
) -> None:
    folder = str(tmp_path / "log")
    shell("init", folder, "--origin", ORIGIN, "--key", keys[0])
    with socket.socket() as free:
        free.bind((HOST, 0))
        url = f"http://{HOST}:{free.getsockname()[1]}"  # bound, and nobody listens
        named = NoteKey.of("w1", private_key(2).public_key, role="cosigner").vkey
        asked = ["cosign", folder, "--witness", url, "--cosigner-key", named]
        refused = shell.json(*asked, code=1)
    assert refused["error"]["check"] == "log.cosignature"
    assert "no answer" in refused["error"]["message"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "nowhere"],
        ["cosign", "L"],
        ["cosign", "L", "--witness", "w1.example"],
        ["cosign", "L", "--witness", "https://w1.example", "--every", "0"],
        ["cosign", "L", "--witness", "https://w1.example", "--every", "nan"],
        ["fetch", "https://log.example", "M", "--log-key", "none"],
        ["cosign", "L", "--witness", "https://w1.example"],
        ["cosign", "L", "--witness", "https://w1.example", "--name", "w1"],
        ["cosign", "L", "--name", "w1", "--key", "K"],
        ["cosigner", "serve", "--name", "w1", "--key", "K", "--log-key", "none", "--state", "S"],
        ["append", "L", "--key", "K"],
        ["append", "L", "--key", "K", "--intent", "0"],
        ["append", "L", "--key", "K", "--intent", "0", "--void", "a", "--statement", "b"],
        ["append", "L", "--key", "K", "--intent", "0", "--void", ""],
        ["append", "L", "--key", "K", "--intent", "0", "--void", "a", "--stream", "live"],
        ["append", "L", "--key", "K", "--stream", "live"],
        ["prove", "L", "-o", "out"],
        ["prove", "L", "7", "-o", "out"],
        ["verify", "nowhere", "--log-key", "none"],
        ["init", "L", "--origin", ORIGIN, "--key", "K"],
        ["init", "M", "--origin", "a b", "--key", "K"],
        ["audit", "L", "--timeline", "t.png"],
    ],
)
def test_mistakes_exit_with_2(
    tmp_path: Path, keys: tuple[str, str], shell: Shell, arguments: list[str]
) -> None:
    shell("init", str(tmp_path / "L"), "--origin", ORIGIN, "--key", keys[0])
    words = {"L": str(tmp_path / "L"), "M": str(tmp_path / "M"), "K": keys[0]}
    assert "advice:" in shell(*(words.get(word, word) for word in arguments), code=2)


def test_a_log_does_not_cosign_itself(tmp_path: Path, keys: tuple[str, str], shell: Shell) -> None:
    folder, key = str(tmp_path / "L"), keys[0]
    vkey = shell("init", folder, "--origin", ORIGIN, "--key", key).strip()
    cosign = ["cosign", folder, "--name", "w", "--key", key, "--log-key", vkey]
    assert "itself" in shell(*cosign, "--state", str(tmp_path / "s"), code=2)


def test_a_receipt_gets_its_proofs(tmp_path: Path, keys: tuple[str, str], shell: Shell) -> None:
    folder = str(tmp_path / "log")
    shell("init", folder, "--origin", ORIGIN, "--key", keys[0])
    log = Log.open(folder)
    grow(log, [draft()])
    intent: Any = log.entry(0)
    receipt = issue(
        toy_run(), signer=SIGNER, nonce=NONCE, issued_at=NOW, sequence=sequence_of(intent)
    )
    receipt.save(tmp_path / "a.receipt.json")
    grow(log, [Result(intent=0, statement=receipt.receipt_id, time=NOW)])
    out = tmp_path / "b.receipt.json"
    shell("prove", folder, "--receipt", str(tmp_path / "a.receipt.json"), "-o", str(out))
    assert len(log_proofs(Receipt.load(out))) == 2
    assert log.key.key == LOG_SIGNER.public_key
    audit = ["audit", folder, "--now", str(NOW), "--receipt", str(out)]
    assert "2 log proofs of 1 receipts" in shell(*audit)
    early = shell("audit", folder, "--now", str(NOW - 61), code=1)
    assert "lies in the future" in early
    other = str(tmp_path / "other")
    shell("init", other, "--origin", ORIGIN, "--key", keys[0])
    grow(Log.open(other), [draft("hidden")] * 3)
    forked = shell.json("audit", other, "--receipt", str(out), code=1)
    assert forked["error"]["name"] == "ConsistencyError"
