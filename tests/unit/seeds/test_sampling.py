"""Draws follow the softmax, and are the same on every machine."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from scipy.stats import chi2

from tests.unit.seeds.scene import RUN, SAMPLER
from veridical.errors import InputError, SeedError
from veridical.receipt import Parameters
from veridical.seeds import SampledRun, Sampler
from veridical.seeds.sampling import sample

LOGITS = np.array([0, 100, -200, 300, 250, -1000, 40, 301], np.int32)


@pytest.mark.parametrize(
    ("temperature", "mul", "shift"),
    [((1, 1), 1, 7), ((1, 2), 3, 9), ((5, 1), 1, 5), ((7, 3), 5, 8)],
)
def test_draws_follow_the_softmax(temperature: tuple[int, int], mul: int, shift: int) -> None:
    count = 100_000
    seed = hashlib.sha256(b"softmax %d" % mul).digest()
    rows = np.tile(LOGITS, (count, 1))
    drawn = sample(seed, rows, mul=mul, shift=shift, temperature=temperature)
    found = np.bincount(drawn, minlength=len(LOGITS)).astype(np.float64)
    weights = np.exp(LOGITS * (mul / 2**shift) * temperature[1] / temperature[0])
    expected = count * weights / weights.sum()
    common = expected >= 5
    statistic = ((found - expected) ** 2 / expected)[common].sum()
    # The seed is a literal: a right sampler fails here for one literal in a thousand.
    assert statistic < chi2.ppf(0.999, common.sum() - 1)
    assert found[~common].sum() <= 20


def test_a_wrong_temperature_would_be_seen() -> None:
    # The test above can fail.
    count = 100_000
    rows = np.tile(LOGITS, (count, 1))
    drawn = sample(bytes(32), rows, mul=1, shift=7, temperature=(11, 10))
    found = np.bincount(drawn, minlength=len(LOGITS)).astype(np.float64)
    weights = np.exp(LOGITS / 2**7)
    expected = count * weights / weights.sum()
    assert ((found - expected) ** 2 / expected).sum() > chi2.ppf(0.999, len(LOGITS) - 1)


def test_rows_are_counted_in_row_major_order() -> None:
    cube = np.arange(2 * 3 * 5, dtype=np.int32).reshape(2, 3, 5)
    flat = sample(bytes(32), cube.reshape(6, 5), mul=1, shift=4, temperature=(1, 1))
    drawn = sample(bytes(32), cube, mul=1, shift=4, temperature=(1, 1))
    assert drawn.shape == (2, 3)
    assert drawn.dtype == np.int64
    assert drawn.ravel().tolist() == flat.tolist()
    layout = np.asfortranarray(cube)
    assert np.array_equal(sample(bytes(32), layout, mul=1, shift=4, temperature=(1, 1)), drawn)


def test_parameters_state_a_sampler_in_one_way() -> None:
    assert Sampler.of(Parameters()) is None
    assert Sampler.of(SAMPLER.to_parameters()) == SAMPLER
    decode = dict(SAMPLER.to_parameters().decode)
    for change in (
        {"sampler": "gumbel-max/v2"},
        {"temperature_numerator": 6, "temperature_denominator": 4},
        {"temperature_numerator": 0},
        {"temperature_numerator": 65537},
        {"temperature_numerator": "3"},
        {"tensor": 7},
        {"salt": 17},  # one more member would be one more draw
    ):
        with pytest.raises(SeedError) as caught:
            Sampler.of(Parameters(decode=tuple((decode | change).items())))
        assert caught.value.check == "seed.format"
    del decode["tensor"]
    with pytest.raises(SeedError):
        Sampler.of(Parameters(decode=tuple(decode.items())))


@pytest.mark.parametrize("bad", [(0, 1), (1, 0), (2, 4), (65537, 1)])
def test_temperatures_out_of_range_are_refused(bad: tuple[int, int]) -> None:
    with pytest.raises(InputError):
        Sampler(tensor="y", numerator=bad[0], denominator=bad[1])


def test_what_cannot_be_sampled_is_refused() -> None:
    with pytest.raises(InputError, match="no output 'z'"):
        _ = SampledRun(RUN, Sampler(tensor="z"), bytes(32)).outputs
    for scale in ({"mul": 1, "shift": 40}, {"mul": 0, "shift": 0}, {"mul": -1, "shift": 0}):
        with pytest.raises(InputError, match="cannot be sampled"):
            sample(bytes(32), LOGITS.reshape(1, -1), temperature=(1, 1), **scale)
