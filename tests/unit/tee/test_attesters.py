"""Attesters, against fakes of the kernel and of dstack, which answer with simulated quotes."""

from __future__ import annotations

import ctypes
import fcntl
import json
import shutil
import socketserver
import threading
import uuid
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.toy import NOW
from tests.unit.tee.scenes import CHALLENGE, CONTEXT, key_set, naming, receipt, simulator
from veridical.errors import AttesterError
from veridical.tee import Attester, Family, Kind, Tee
from veridical.tee.attester import ConfigfsTsm, DstackAgent, NitroModule, detect
from veridical.tee.attester.configfs import REPORTS, Kernel, certificates
from veridical.tee.cbor import decode, encode
from veridical.tee.runtime import Event
from veridical.tee.simulator import Simulator
from veridical.tee.simulator.intel import SimulatedIntel
from veridical.verifier import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from veridical.tee import Collateral

VALUE = bytes(range(32))
GUIDS = {
    "vcek": "63da758d-e664-4564-adc5-f4b93be8accd",
    "ask": "4ab7b379-bbac-4fe4-a02f-05aef327c782",
    "ark": "c0b406a4-a803-4952-9743-3fb6014cd0ae",
}


def table_of(collateral: Collateral) -> bytes:
    """Return a host's table of certificates."""
    ders = {}
    for item in collateral:
        if item.kind is Kind.AMD_VCEK:
            ders["vcek"] = item.content
        elif item.kind is Kind.AMD_CHAIN:
            pair = x509.load_pem_x509_certificates(item.content)
            ders["ask"], ders["ark"] = (c.public_bytes(Encoding.DER) for c in pair)
    start = 24 * (len(ders) + 1)
    head, body = b"", b""
    for name, der in ders.items():
        offset = start + len(body)
        head += uuid.UUID(GUIDS[name]).bytes_le + offset.to_bytes(4, "little")
        head += len(der).to_bytes(4, "little")
        body += der
    return head + bytes(24) + body


class FakeKernel(Kernel):
    """Attributes are files; the report is made when the input was written, as the kernel does."""

    def __init__(self, attester: Simulator, provider: str, *, floor: int | None = None) -> None:
        self.attester, self.provider, self.floor = attester, provider, floor
        self.auxiliary: bytes | None = None
        self.writers = 1
        self.spoil: Callable[[bytes], bytes] = bytes
        self.written: list[tuple[str, bytes]] = []

    def make(self, folder: Path) -> None:
        folder.mkdir()
        names = {"provider": self.provider + "\n", "generation": "0\n"}
        if self.floor is not None:
            names["privlevel_floor"] = f"{self.floor}\n"
        for name, text in names.items():
            (folder / name).write_text(text)

    def remove(self, folder: Path) -> None:
        shutil.rmtree(folder)

    def write(self, attribute: Path, content: bytes) -> None:
        self.written.append((attribute.name, content))
        generation = attribute.with_name("generation")
        writers = self.writers if attribute.name == "inblob" else 1
        generation.write_text(f"{int(generation.read_text()) + writers}\n")
        if attribute.name != "inblob":
            return
        assert len(content) == 64
        made = self.attester.attest(content[:32])
        attribute.with_name("outblob").write_bytes(self.spoil(made.quotes[0].content))
        auxiliary = table_of(made.collateral) if self.auxiliary is None else self.auxiliary
        attribute.with_name("auxblob").write_bytes(auxiliary)


def reports(root: Path) -> Path:
    folder = root / REPORTS
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def kernel_of(root: Path, family: Family, **options: Any) -> tuple[ConfigfsTsm, FakeKernel]:
    reports(root)
    provider = {Family.TDX: "tdx_guest", Family.SEV_SNP: "sev_guest"}[family]
    kernel = FakeKernel(simulator(family), options.pop("provider", provider), **options)
    return ConfigfsTsm(root, kernel), kernel


def require_accepted(attester: Attester, named: Simulator) -> None:
    """Issue a receipt with an attester, and judge it as a consumer does."""
    made = receipt(Tee.of_keys(attester, key_set(), CHALLENGE))
    assert verify(made, naming(named), now=NOW, tee=CONTEXT).tier == "tee"


# --- configfs


@pytest.mark.parametrize("family", [Family.TDX, Family.SEV_SNP])
def test_linux_makes_quotes_that_hold_the_value(tmp_path: Path, family: Family) -> None:
    attester, kernel = kernel_of(tmp_path, family)
    made = attester.attest(VALUE)
    assert [quote.family for quote in made.quotes] == [family]
    assert kernel.written == [("inblob", VALUE + bytes(32))]
    assert not list(reports(tmp_path).iterdir()), "the request was not removed"


def test_the_chain_of_the_host_is_collateral_enough_for_a_receipt(tmp_path: Path) -> None:
    attester, kernel = kernel_of(tmp_path, Family.SEV_SNP)
    require_accepted(attester, kernel.attester)


def test_a_guest_below_a_paravisor_asks_for_its_own_level(tmp_path: Path) -> None:
    attester, kernel = kernel_of(tmp_path, Family.SEV_SNP, floor=2)
    attester.attest(VALUE)
    assert kernel.written == [("privlevel", b"2"), ("inblob", VALUE + bytes(32))]


def test_a_host_without_certificates_leaves_collateral_to_the_verifier(tmp_path: Path) -> None:
    attester, kernel = kernel_of(tmp_path, Family.SEV_SNP)
    kernel.auxiliary = b""
    assert not attester.attest(VALUE).collateral.items


@pytest.mark.parametrize(
    "table",
    [
        b"\x01" * 48,
        uuid.UUID(GUIDS["vcek"]).bytes_le
        + (24).to_bytes(4, "little")
        + b"\xff\xff\0\0"
        + bytes(24),
        b"\x01" * 23,
    ],
)
def test_a_malformed_table_of_certificates_is_an_error_by_name(
    tmp_path: Path, table: bytes
) -> None:
    attester, kernel = kernel_of(tmp_path, Family.SEV_SNP)
    kernel.auxiliary = table
    with pytest.raises(ValueError, match=r"outside the table|no end"):
        certificates(table)
    refuse(attester, "answer")


def refuse(attester: Attester, check: str) -> AttesterError:
    with pytest.raises(AttesterError) as raised:
        attester.attest(VALUE)
    assert raised.value.check == f"attester.{check}"
    assert raised.value.where
    return raised.value


def test_what_the_kernel_does_wrong_has_a_name(tmp_path: Path) -> None:
    attester, kernel = kernel_of(tmp_path, Family.TDX)
    kernel.writers = 2
    refuse(attester, "generation")
    kernel.writers = 1
    kernel.spoil = lambda quote: quote[:-9]
    refuse(attester, "answer")
    kernel.spoil = lambda quote: quote + bytes(64 * 1024)
    refuse(attester, "answer")
    old = kernel.attester.attest(bytes(32)).quotes[0].content
    kernel.spoil = lambda _: old
    refuse(attester, "value")
    kernel.spoil = bytes
    kernel.provider = "arm_cca_guest"
    refuse(attester, "provider")
    assert not list(reports(tmp_path).iterdir()), "a failed request was not removed"
    with pytest.raises(AttesterError, match="32"):
        attester.attest(VALUE[1:])


def test_a_kernel_that_refuses_is_an_error_by_name(tmp_path: Path) -> None:
    # A plain folder: nothing makes attributes in it.
    reports(tmp_path)
    refuse(ConfigfsTsm(tmp_path), "interface")
    refuse(ConfigfsTsm(tmp_path / "nowhere"), "interface")


def test_the_kernel_is_written_and_read_as_a_whole(tmp_path: Path) -> None:
    kernel, attribute = Kernel(), tmp_path / "entry" / "inblob"
    kernel.make(attribute.parent)
    attribute.touch()
    kernel.write(attribute, VALUE)
    assert kernel.read(attribute, 64) == VALUE
    assert kernel.read(attribute, 8) == VALUE[:9]
    attribute.unlink()
    kernel.remove(attribute.parent)
    assert not attribute.parent.exists()


# --- Nitro


class Driver:
    """The driver: reads the request from memory, and writes the answer there."""

    def __init__(self) -> None:
        self.attester = simulator(Family.NITRO)
        self.answer: Callable[[bytes], bytes] = self._document
        self.said_size: int | None = None

    def _document(self, value: bytes) -> bytes:
        return encode({"Attestation": {"document": self.attester.attest(value).quotes[0].content}})

    def __call__(self, _descriptor: int, code: int, message: ctypes.Structure) -> int:
        assert code == 0xC0200A00
        fields = (ctypes.c_uint64 * 4).from_buffer(message)
        request = decode(ctypes.string_at(fields[0], fields[1]), what="request")
        match request:
            case {"Attestation": {"user_data": bytes(value), "nonce": None, "public_key": None}}:
                answer = self.answer(value)
            case _:
                raise OSError(22, "Invalid argument")
        assert len(answer) <= fields[3] == 0x3000
        ctypes.memmove(fields[2], answer, len(answer))
        fields[3] = len(answer) if self.said_size is None else self.said_size
        return 0


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[NitroModule, Driver]:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nsm").touch()
    driver = Driver()
    monkeypatch.setattr(fcntl, "ioctl", driver)
    return NitroModule(tmp_path), driver


def test_an_enclave_makes_documents_that_hold_the_value(
    module: tuple[NitroModule, Driver],
) -> None:
    attester, driver = module
    require_accepted(attester, driver.attester)


def test_what_the_module_does_wrong_has_a_name(module: tuple[NitroModule, Driver]) -> None:
    attester, driver = module
    driver.answer = lambda _: encode({"Error": "InvalidArgument"})
    assert "InvalidArgument" in refuse(attester, "interface").message
    for wrong in (b"", b"\xff", encode({"Attestation": {}}), encode("GetRandom")):
        driver.answer = lambda _, wrong=wrong: wrong  # type: ignore[misc] # the wrong answer of this turn
        refuse(attester, "answer")
    old = driver.attester.attest(bytes(32)).quotes[0].content
    driver.answer = lambda _: encode({"Attestation": {"document": old}})
    refuse(attester, "value")
    driver.said_size = 0x3001
    refuse(attester, "answer")


def test_a_module_that_cannot_be_opened_is_an_error_by_name(tmp_path: Path) -> None:
    refuse(NitroModule(tmp_path), "interface")


# --- dstack


class Agent:
    """What the agent answers; each turn of a test changes it."""

    def __init__(self) -> None:
        event = Event.of_application("app-id", b"veridical")
        self.attester = simulator()
        machine = SimulatedIntel(
            root=self.attester.root,
            events=(event,),
            issued=self.attester.machine.issued,  # type: ignore[attr-defined] # an Intel machine
        )
        self.attester = Simulator(root=self.attester.root, family=Family.TDX, machine=machine)
        self.log = [
            {
                "imr": event.register,
                "event_type": event.type,
                "digest": event.digest.hex(),
                "event": event.name,
                "event_payload": event.payload.hex(),
            }
        ]
        self.status = 200
        self.changes: dict[str, Any] = {}
        self.raw: bytes | None = None
        self.asked: list[str] = []

    def answer(self, path: str, question: bytes) -> bytes:
        self.asked.append(path)
        data = bytes.fromhex(json.loads(question)["report_data"])
        assert len(data) == 64
        document = {
            "quote": self.attester.attest(data[:32]).quotes[0].content.hex(),
            "event_log": json.dumps(self.log),
            "report_data": data.hex(),
            "vm_config": "{}",
        }
        return json.dumps(document | self.changes).encode() if self.raw is None else self.raw


@contextmanager
def served(agent: Agent, path: Path) -> Iterator[None]:
    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = self.rfile.read(int(self.headers["Content-Length"]))
            content = agent.answer(self.path, question)
            self.send_response(agent.status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def address_string(self) -> str:
            return "socket"

    with socketserver.ThreadingUnixStreamServer(str(path), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def test_an_agent_makes_quotes_with_their_event_log(tmp_path: Path) -> None:
    agent, path = Agent(), tmp_path / "dstack.sock"
    with served(agent, path):
        made = DstackAgent(path).attest(VALUE)
        agent.changes = {"event_log": "[]"}
        without = DstackAgent(path).attest(VALUE)
    assert agent.asked == ["/GetQuote"] * 2
    assert b"app-id" in made.quotes[0].event_log
    assert without.quotes[0].event_log == b""


def test_what_the_agent_does_wrong_has_a_name(tmp_path: Path) -> None:
    agent, path = Agent(), tmp_path / "dstack.sock"
    attester = DstackAgent(path)
    old = agent.attester.attest(bytes(32)).quotes[0].content.hex()
    other = [{**agent.log[0], "digest": "00" * 48, "event_type": 1}]
    with served(agent, path):
        for changes, check in (
            ({"quote": "zz"}, "answer"),
            ({"quote": 7}, "answer"),
            ({"event_log": None}, "answer"),
            ({"quote": old}, "value"),
            ({"event_log": "{"}, "event-log"),
            ({"event_log": json.dumps(other)}, "event-log"),
        ):
            agent.changes = changes
            refuse(attester, check)
        agent.changes = {}
        for raw in (b"[]", b"{", b"7" * (2 * 1024 * 1024 + 1)):
            agent.raw = raw
            refuse(attester, "answer")
        agent.status = 500
        refuse(attester, "interface")
    refuse(attester, "interface")


# --- which one


def test_the_machine_is_found_by_what_it_offers(tmp_path: Path) -> None:
    with pytest.raises(AttesterError) as raised:
        detect(root=tmp_path)
    assert raised.value.check == "attester.absent"
    reports(tmp_path)
    assert isinstance(detect(root=tmp_path), ConfigfsTsm)
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nsm").touch()
    assert isinstance(detect(root=tmp_path), NitroModule)
    (tmp_path / "run").mkdir()
    with served(Agent(), tmp_path / "run" / "dstack.sock"):
        assert isinstance(detect(root=tmp_path), DstackAgent)
