"""Seeds nobody can choose: how a question and a key give a seed, and a seed an answer.

Spec: spec/v1/seeds.md.

| Module     | Section | Purpose                                                     |
|------------|---------|-------------------------------------------------------------|
| `keys`     | 3       | keys of the verifiable random function                       |
| `recipe`   | 2, 3    | from a question to a seed                                    |
| `proof`    | 2       | the member `seed.proof`                                      |
| `beacon`   | 5       | chains of rounds that nobody knows before their time         |
| `sampling` | 6       | from logits and a seed to an index                           |
| `checking` | 7       | the steps of check `seed`                                    |
"""

from __future__ import annotations

from veridical.seeds.beacon import QUICKNET, Beacon, DrandChain, RecordedRounds, Round, RoundSource
from veridical.seeds.checking import Drawn, drawn_of
from veridical.seeds.keys import SeedKey, public_bytes
from veridical.seeds.proof import SeedProof
from veridical.seeds.recipe import Question, draw, draw_with_beacon
from veridical.seeds.sampling import SampledRun, Sampler, noise

__all__ = [
    "QUICKNET",
    "Beacon",
    "DrandChain",
    "Drawn",
    "Question",
    "RecordedRounds",
    "Round",
    "RoundSource",
    "SampledRun",
    "Sampler",
    "SeedKey",
    "SeedProof",
    "draw",
    "draw_with_beacon",
    "drawn_of",
    "noise",
    "public_bytes",
]
