"""Section 6 of spec/v1/seeds.md in plain integers, read from the page and from nothing else.

Run with `python -m tests.unit.seeds.reference` to write `vectors/seeds/noise.json`.
"""

from __future__ import annotations

import hashlib
import json

from tests.repository import ROOT

VECTORS = ROOT / "vectors" / "seeds" / "noise.json"


def number(seed: bytes, row: int, j: int) -> int:
    fields = (b"veridical.noise.v1", seed)
    content = b"".join(len(field).to_bytes(8, "little") + field for field in fields)
    content += row.to_bytes(8, "little") + (j // 4).to_bytes(8, "little")
    block = hashlib.sha256(content).digest()
    return int.from_bytes(block[8 * (j % 4) :][:8], "little")


def log2(x: int, bits: int) -> int:
    k = x.bit_length() - 1
    m, y = x << (63 - k), k
    for _ in range(bits):
        m = m * m
        c = 1 if m >= 2**127 else 0
        y = 2 * y + c
        m >>= 63 + c
    return y


def noise_of(r: int) -> int:
    x = r | 1
    w = 2**64 - x
    if w >= 2**48:
        inner = log2(64 * 2**44 - log2(x, 44), 28) - 44 * 2**28
        return (108175520730844735550 - 762123384786 * inner) // 2**44
    return (-762123384786 * (log2(w, 28) - 64 * 2**28) - 8 * w) // 2**44


def noise(seed: bytes, row: int, count: int) -> list[int]:
    return [noise_of(number(seed, row, j)) for j in range(count)]


def draw(
    seed: bytes, row: int, logits: list[int], *, mul: int, shift: int, temperature: tuple[int, int]
) -> int:
    n, d = temperature
    scores = [
        q * mul * d * 2**24 * 2 ** max(0, -shift) + g * n * 2 ** max(0, shift)
        for q, g in zip(logits, noise(seed, row, len(logits)), strict=True)
    ]
    return scores.index(max(scores))


def vectors() -> list[dict[str, object]]:
    cases: list[dict[str, object]] = []
    for index in range(6):
        seed = hashlib.sha256(b"noise vector %d" % index).digest()
        row = [0, 1, 2**32, 2**63, 2**64 - 1, 7][index]
        logits = [(37 * j * j + 11 * index) % 500 - 250 for j in range(1 + 9 * index)]
        mul, shift, temperature = 3 + index, [4, 8, -3, 32, -32, 0][index], (1 + 2 * index, 2)
        drawn = draw(seed, row, logits, mul=mul, shift=shift, temperature=temperature)
        cases.append(
            {
                "seed": seed.hex(),
                "row": row,
                "noise": noise(seed, row, len(logits)),
                "logits": logits,
                "mul": mul,
                "shift": shift,
                "temperature": list(temperature),
                "drawn": drawn,
            }
        )
    return cases


def text() -> str:
    return json.dumps(vectors(), indent=1) + "\n"


if __name__ == "__main__":
    VECTORS.write_text(text(), encoding="utf-8")
