"""Commitments to named tensors: one byte string per value, one digest per field.

Spec: spec/v1/receipt.md, section 3. Every hash is over a domain tag and length-framed fields, so a
digest that was made for one purpose can never stand for another.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from veridical.errors import FieldError, InputError, NonCanonicalError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = [
    "FIELDS",
    "SALT_BYTES",
    "Commitment",
    "frame",
    "sha256_digest",
    "tensors_from_bytes",
    "tensors_to_bytes",
]

#: The values of a statement that are committed to. A commitment names its field inside the hash.
FIELDS: Final = (
    "input.forwarded",
    "input.integers",
    "input.received",
    "output.decoded",
    "output.integers",
)
SALT_BYTES: Final = 32
MAX_RANK: Final = 9  # a batch axis and the 8 axes of spec/v1/program.md
MAX_TENSORS: Final = 256  # inputs or outputs of one program, spec/v1/program.md section 3

_COMMITMENT_TAG: Final = b"veridical.commitment.v1"
_TENSORS_TAG: Final = b"veridical.tensors.v1"
_U64: Final = 8
_DTYPES: Final = {
    "bool": np.dtype("?"),
    "i8": np.dtype("<i1"),
    "i16": np.dtype("<i2"),
    "i32": np.dtype("<i4"),
    "i64": np.dtype("<i8"),
    "u8": np.dtype("<u1"),
    "u16": np.dtype("<u2"),
    "u32": np.dtype("<u4"),
    "u64": np.dtype("<u8"),
    "f32": np.dtype("<f4"),
    "f64": np.dtype("<f8"),
}
_CODE_OF: Final = {(dtype.kind, dtype.itemsize): code for code, dtype in _DTYPES.items()}
_NAME: Final = re.compile(rb"[\x20\x21\x23-\x5b\x5d-\x7e]{1,128}")
_TEXT: Final = re.compile(r"sha256(?P<salted>-salted)?:(?P<hex>[0-9a-f]{64})")


def frame(*fields: bytes) -> bytes:
    """Return each field after its length as 8 little-endian bytes, joined."""
    return b"".join(len(field).to_bytes(_U64, "little") + field for field in fields)


def sha256_digest(tag: str, *fields: bytes) -> str:
    """Return `sha256:hex` over a domain tag and framed fields."""
    return "sha256:" + hashlib.sha256(frame(tag.encode("ascii"), *fields)).hexdigest()


@dataclass(frozen=True, slots=True)
class Commitment:
    """A binding value for the content of one field; hiding only if it is salted."""

    digest: bytes
    is_salted: bool

    @classmethod
    def commit(cls, field: str, content: bytes, *, salt: bytes | None = None) -> Self:
        """Commit to content. A salt must be random and fresh, or the commitment hides nothing."""
        if field not in FIELDS:
            raise InputError(f"unknown commitment field {field!r}; expected one of {FIELDS}")
        if salt is not None and len(salt) != SALT_BYTES:
            raise InputError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}", where=field)
        form = b"plain" if salt is None else b"salted"
        fields = (_COMMITMENT_TAG, field.encode("ascii"), form, salt or b"", content)
        hasher = hashlib.sha256()
        for item in fields:  # not joined first: content may be large
            hasher.update(len(item).to_bytes(_U64, "little"))
            hasher.update(item)
        return cls(hasher.digest(), salt is not None)

    @classmethod
    def from_text(cls, text: str, *, where: str) -> Self:
        """Parse `sha256:hex` or `sha256-salted:hex`."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise FieldError(f"not a commitment: {text[:90]!r}", where=where, check="format")
        return cls(bytes.fromhex(match["hex"]), match["salted"] is not None)

    def __str__(self) -> str:
        """Return the form that stands in a statement."""
        return f"sha256{'-salted' if self.is_salted else ''}:{self.digest.hex()}"

    def opens_to(self, field: str, content: bytes, *, salt: bytes | None) -> bool:
        """Return whether this commits to the content. A salt is ignored by a plain commitment."""
        if self.is_salted and salt is None:
            raise InputError("a salted commitment opens only with its salt", where=field)
        again = Commitment.commit(field, content, salt=salt if self.is_salted else None)
        return hmac.compare_digest(self.digest, again.digest)


def tensors_to_bytes(tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the canonical bytes of named tensors, whatever their memory layout.

    Raises:
        InputError: a name, dtype or rank that has no canonical form; an empty mapping.
    """
    if not 1 <= len(tensors) <= MAX_TENSORS:
        raise InputError(f"expected 1 to {MAX_TENSORS} tensors, not {len(tensors)}")
    parts = [frame(_TENSORS_TAG), len(tensors).to_bytes(_U64, "little")]
    for name in sorted(tensors):
        array = np.asarray(tensors[name])
        code = _CODE_OF.get((array.dtype.kind, array.dtype.itemsize))
        if code is None:
            raise InputError(
                f"dtype {array.dtype} cannot be committed to; expected one of {list(_DTYPES)}",
                where=f"tensor {name!r}",
            )
        if array.ndim > MAX_RANK or array.size == 0:
            raise InputError(
                f"shape {array.shape} is empty or has more than {MAX_RANK} axes",
                where=f"tensor {name!r}",
            )
        encoded_name = name.encode("utf-8", "surrogatepass")  # the pattern refuses what is left
        if _NAME.fullmatch(encoded_name) is None:
            raise InputError(f"name {name!r} is not 1 to 128 printable ASCII characters")
        shape = b"".join(size.to_bytes(_U64, "little") for size in array.shape)
        if code == "bool":  # a view of other bytes may hold a "true" that is not 1
            array = array.view(np.uint8) != 0
        elements = np.ascontiguousarray(array, dtype=_DTYPES[code]).tobytes()
        parts.append(frame(encoded_name, code.encode("ascii"), shape, elements))
    return b"".join(parts)


class _Reader:
    """A cursor over untrusted bytes that never reads past their end."""

    def __init__(self, untrusted: bytes, where: str) -> None:
        self._rest = memoryview(untrusted)
        self._where = where

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        if size > len(self._rest):
            raise FieldError("tensor bytes end early", where=self._where, check="reveals")
        taken, self._rest = bytes(self._rest[:size]), self._rest[size:]
        return taken

    def integer(self) -> int:
        """Return the next 8 bytes as a little-endian integer."""
        return int.from_bytes(self.take(_U64), "little")

    def framed(self) -> bytes:
        """Return the next framed field."""
        return self.take(self.integer())

    @property
    def is_at_end(self) -> bool:
        """Whether every byte was read."""
        return len(self._rest) == 0


def tensors_from_bytes(untrusted: bytes, *, where: str = "tensors") -> dict[str, NDArray[Any]]:
    """Parse canonical tensor bytes; anything that `tensors_to_bytes` cannot give is refused.

    Raises:
        FieldError, NonCanonicalError: the bytes are not the canonical form of named tensors.
    """
    reader = _Reader(untrusted, where)
    if reader.framed() != _TENSORS_TAG:
        raise FieldError("tensor bytes lack their domain tag", where=where, check="reveals")
    count = reader.integer()
    if not 1 <= count <= MAX_TENSORS:
        raise FieldError(f"{count} tensors; expected 1 to {MAX_TENSORS}", where=where)
    tensors: dict[str, NDArray[Any]] = {}
    previous = b""
    for _ in range(count):
        name, code, shape_bytes, elements = (reader.framed() for _ in range(4))
        if _NAME.fullmatch(name) is None or name <= previous:
            raise NonCanonicalError("tensor names are not ascending text", where=where)
        previous = name
        tensors[name.decode("ascii")] = _tensor(code, shape_bytes, elements, where=where)
    if not reader.is_at_end:
        raise NonCanonicalError("bytes after the last tensor", where=where)
    return tensors


def _tensor(code: bytes, shape_bytes: bytes, elements: bytes, *, where: str) -> NDArray[Any]:
    """Build one tensor; its size is compared with the bytes before anything is allocated."""
    dtype = _DTYPES.get(code.decode("latin-1"))
    if dtype is None:
        raise FieldError(f"unknown dtype {code[:8]!r}", where=where)
    if len(shape_bytes) % _U64 or len(shape_bytes) > MAX_RANK * _U64:
        raise FieldError("the shape is not a list of at most 9 dimensions", where=where)
    shape = tuple(
        int.from_bytes(shape_bytes[i : i + _U64], "little")
        for i in range(0, len(shape_bytes), _U64)
    )
    if 0 in shape or math.prod(shape) * dtype.itemsize != len(elements):
        raise FieldError(f"shape {shape} does not fit {len(elements)} bytes", where=where)
    if dtype.kind == "b" and elements.strip(b"\x00\x01"):
        raise NonCanonicalError("a bool is one byte, 0 or 1", where=where)
    return np.frombuffer(elements, dtype=dtype).reshape(shape)
