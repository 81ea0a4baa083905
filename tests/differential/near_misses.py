"""Pairs of programs on either side of one condition of spec/v1/program.md, section 4.

Each case builds the same program twice: at the limit, which is valid, and one step past it, which
breaks the condition that the case names and, as far as one step allows, nothing else. Ranges are
declared as wide as the format allows unless the range is what is missed.
"""

from __future__ import annotations

from tests.differential import near_misses_arithmetic, near_misses_rows
from tests.differential.near_miss_case import CASES, Case

__all__ = ["CASES", "Case", "near_misses_arithmetic", "near_misses_rows"]
