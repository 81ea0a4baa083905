"""Attestation documents of AWS Nitro Enclaves, from the security module behind `/dev/nsm`.

Spec: spec/v1/tee.md, section 10.2. One ioctl takes two buffers: a request in CBOR, and room for the
answer, whose size the driver writes back.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from veridical.errors import QuoteError
from veridical.tee.attester.answers import failed, require_value, require_value_size
from veridical.tee.cbor import decode, encode
from veridical.tee.claims import Family
from veridical.tee.evidence import Attestation, QuoteBlob

__all__ = ["DEVICE", "NitroModule"]

DEVICE: Final = Path("dev/nsm")
_RESPONSE_BYTES: Final = 0x3000


class _Buffer(ctypes.Structure):
    _fields_ = (("address", ctypes.c_uint64), ("size", ctypes.c_uint64))


class _Message(ctypes.Structure):
    """`struct nsm_raw` of linux/nsm.h."""

    _fields_ = (("request", _Buffer), ("response", _Buffer))


#: `_IOWR(0x0A, 0, struct nsm_raw)`.
_REQUEST_CODE: Final = 3 << 30 | ctypes.sizeof(_Message) << 16 | 0x0A << 8


@dataclass(frozen=True, slots=True)
class NitroModule:
    """The attester of an enclave; `root` is where its file system begins."""

    root: Path = Path("/")

    @property
    def device(self) -> Path:
        """The security module."""
        return self.root / DEVICE

    def attest(self, value: bytes, /) -> Attestation:
        """Make a document whose user data is a value of 32 bytes.

        Raises:
            AttesterError: the module refused, or the answer is no document of the value.
        """
        where = str(self.device)
        require_value_size(value, where)
        asked = {"Attestation": {"user_data": value, "nonce": None, "public_key": None}}
        answer = self._ask(encode(asked))  # type: ignore[arg-type] # a dict of items
        try:
            told = decode(answer, what="answer")
        except QuoteError as error:
            raise failed("answer", f"the module's answer: {error}", where) from error
        match told:
            case {"Attestation": {"document": bytes(document)}}:
                pass
            case {"Error": str(name)}:
                raise failed("interface", f"the module refused: {name:.40}", where)
            case _:
                raise failed("answer", "the module answered with no document", where)
        require_value(Family.NITRO, document, value, where)
        return Attestation((QuoteBlob(Family.NITRO, document),))

    def _ask(self, request: bytes) -> bytes:
        # Both buffers stay referenced here until the driver has answered.
        asked = ctypes.create_string_buffer(request, len(request))
        room = ctypes.create_string_buffer(_RESPONSE_BYTES)
        message = _Message(
            _Buffer(ctypes.addressof(asked), len(request)),
            _Buffer(ctypes.addressof(room), _RESPONSE_BYTES),
        )
        where = str(self.device)
        try:
            descriptor = os.open(self.device, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.ioctl(descriptor, _REQUEST_CODE, message)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise failed("interface", f"the module: {error.strerror}", where) from error
        if message.response.size > _RESPONSE_BYTES:
            raise failed("answer", f"an answer of {message.response.size} bytes", where)
        return room.raw[: message.response.size]
