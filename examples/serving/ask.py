"""Ask a gateway with the client of this package.

Run: python -m examples.serving.ask GATEWAY SIGNER.pub MODEL.vprog QUESTION.npz [--proof]

The answer is printed only if its receipt verifies: it is signed by that key, about that program and
the very question that is in the file; the program is run again here, or a proof is asked for.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import veridical
from veridical.client import Client, FolderHeads, Trust


def main(gateway: str, signer: str, program: str, question: str, *, proof: bool = False) -> None:
    """Ask once."""
    name = Path(program).name.removesuffix(".vprog")
    trust = Trust(
        policy=veridical.policy.AllOf(
            veridical.policy.TrustedSigners(veridical.keys.PublicKey.load(signer)),
            veridical.policy.MaxSaturation(0),
        ),
        programs={name: veridical.load(program)},
    )
    with np.load(question) as arrays:
        inputs = {key: arrays[key] for key in arrays.files}
    # What was seen of the gateway's log is remembered here, so that a second history shows.
    heads = FolderHeads(Path(question).parent / "heads")
    with Client(gateway, trust, heads=heads) as client:
        answer = client.infer(
            name,
            inputs,
            tier="zk" if proof else "reexecution",
            progress=lambda job: print(f"proof: {job.state} {job.stage}", file=sys.stderr),
        )
    for output, array in answer.outputs.items():
        print(f"{output} = {np.array2string(array, precision=4)}")
    print(f"{answer.verified.tier}: {answer.verified.receipt_id}")
    for assumption in answer.verified.assumptions:
        print(f"assumes {assumption}")


if __name__ == "__main__":
    names = [argument for argument in sys.argv[1:] if argument != "--proof"]
    main(*names, proof="--proof" in sys.argv)
