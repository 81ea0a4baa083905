"""Rendered lines of text, upright and upside down, prepared as rapidocr prepares them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from examples.minilm.tokens import sentences

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEIGHT = 48
WIDTH = 192
NUM_LINES = {"calibration": 24, "test": 120}
FONTS = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono", "DejaVuSerif", "DejaVuSerif-Italic")


@cache
def images(part: Literal["calibration", "test"]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return prepared images and their labels: 0 upright, 1 upside down.

    Shape: (2 * lines, 3, 48, 192) and (2 * lines,). Calibration and test use different sentences.
    """
    rng = np.random.default_rng({"calibration": 41, "test": 43}[part])
    lines = [
        " ".join(words[start : start + 3])
        for words in (text.split() for text in sentences(part))
        for start in range(0, len(words) - 2, 3)
    ][: NUM_LINES[part]]
    upright = [_render(line, rng) for line in lines]
    both = [turned for image in upright for turned in (image, image.rotate(180))]
    return np.stack([prepare(image) for image in both]), np.tile(np.array([0, 1]), len(lines))


def prepare(image: Image.Image) -> NDArray[np.float32]:
    """Scale to height 48, at most 192 wide, to -1..1, blue first, padded with zeros on the right.

    Shape: (3, 48, 192).
    """
    width = min(WIDTH, -(-HEIGHT * image.width // image.height))
    scaled = image.resize((width, HEIGHT), Image.Resampling.BILINEAR)
    pixels = np.asarray(scaled, dtype=np.float32)[:, :, ::-1].transpose(2, 0, 1)
    padded = np.zeros((3, HEIGHT, WIDTH), dtype=np.float32)
    padded[:, :, :width] = pixels / 127.5 - 1.0
    return padded


def _render(line: str, rng: np.random.Generator) -> Image.Image:
    """Draw one line in a random font, size, colour and blur, with noise as of a camera."""
    folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
    name, size = FONTS[rng.integers(len(FONTS))], int(rng.integers(22, 48))
    font = ImageFont.truetype(str(folder / f"{name}.ttf"), size)
    left, top, right, bottom = font.getbbox(line)
    margin = int(rng.integers(2, 10))
    paper = rng.integers(170, 256, 3)
    ink = rng.integers(0, 90, 3)
    if rng.random() < 0.2:
        paper, ink = ink, paper
    shape = (int(right - left) + 2 * margin, int(bottom - top) + 2 * margin)
    image = Image.new("RGB", shape, tuple(int(value) for value in paper))
    place = (margin - left, margin - top)
    ImageDraw.Draw(image).text(place, line, font=font, fill=tuple(int(value) for value in ink))
    image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.0, 1.2))))
    noisy = np.asarray(image, dtype=np.float64) + rng.normal(0.0, 6.0, (shape[1], shape[0], 3))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
