"""Monthly returns of nine size-and-value portfolios, and the features of one month.

Data: Kenneth French's library, as shipped by `linearmodels` (1949-01 to 2017-03).
"""

from __future__ import annotations

import bz2
import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from examples.carriers import FRENCH_RETURNS

if TYPE_CHECKING:
    from numpy.typing import NDArray

FACTORS = ("MktRF", "SMB", "HML", "Mom", "RF")
PORTFOLIOS = ("S1V1", "S1V3", "S1V5", "S3V1", "S3V3", "S3V5", "S5V1", "S5V3", "S5V5")
ASSETS = (*PORTFOLIOS, "RF")
WINDOW = 12
# Standardised features are clipped here, so the range of the model's input is known, not guessed.
CLIP = 4.0
TRAIN_END = "1990-01"
VALIDATION_END = "2000-01"


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """Features known at the end of a month, and the returns of the month after.

    Shape: features (months, 23); returns (months, 10); market (months, 2): market and cash.
    """

    months: tuple[str, ...]
    features: NDArray[np.float64]
    returns: NDArray[np.float64]
    market: NDArray[np.float64]

    def split(self) -> tuple[slice, slice, slice]:
        """Return train, validation and test rows, in time order, by the month that is predicted."""
        first = sum(month < TRAIN_END for month in self.months)
        second = sum(month < VALIDATION_END for month in self.months)
        return slice(0, first), slice(first, second), slice(second, len(self.months))


def load() -> Market:
    """Read the returns and build standardised features.

    Mean and deviation for standardising come from the training months only, so nothing of the
    later months leaks into them.
    """
    path = FRENCH_RETURNS.path()
    rows = list(csv.DictReader(io.StringIO(bz2.decompress(path.read_bytes()).decode("ascii"))))
    columns = {
        name: np.array([float(row[name]) for row in rows]) for name in rows[0] if name != "dates"
    }
    portfolios = np.stack([columns[name] for name in PORTFOLIOS], axis=1)
    factors = np.stack([columns[name] for name in FACTORS], axis=1)

    ends = range(WINDOW, len(rows))
    raw = np.stack(
        [_features(portfolios[end - WINDOW : end], factors[end - WINDOW : end]) for end in ends]
    )
    market = Market(
        months=tuple(rows[end]["dates"][:7] for end in ends),
        features=raw,
        returns=np.stack([columns[name] for name in ASSETS], axis=1)[WINDOW:],
        market=np.stack([columns["MktRF"] + columns["RF"], columns["RF"]], axis=1)[WINDOW:],
    )
    train = raw[market.split()[0]]
    scaled = (raw - train.mean(axis=0)) / train.std(axis=0)
    return Market(
        months=market.months,
        features=np.clip(scaled, -CLIP, CLIP),
        returns=market.returns,
        market=market.market,
    )


def _features(portfolios: NDArray[np.float64], factors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Momentum and volatility of each portfolio, and the mean of each factor, over the window."""
    momentum = np.log1p(portfolios[:-1]).sum(axis=0)
    return np.concatenate([momentum, portfolios.std(axis=0), factors.mean(axis=0)])
