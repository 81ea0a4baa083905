"""What type are these files, and who says so?

Run: python -m examples.filetype FILE ...

One process plays both sides: a server answers with magika's model and signs a receipt, a client
verifies it against its own copy of the file and of the program. The program is compiled once, into
`.cache/`.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import veridical
from examples.carriers import CACHE
from examples.filetype.features import labels, read_tokens
from examples.zoo import zoo


def load_program() -> veridical.Program:
    """Return the compiled model, compiling it the first time."""
    path = CACHE / "programs" / "filetype.vprog"
    if not path.exists():
        case = zoo()["filetype"]
        program = veridical.compile(case.path(), calibration=case.calibration())
        path.parent.mkdir(parents=True, exist_ok=True)
        program.save(path)
    return veridical.load(path)


def main(paths: list[Path]) -> None:
    """Answer for each file and verify the answer."""
    program = load_program()
    key = veridical.keys.generate()
    policy = veridical.policy.AllOf(
        veridical.policy.TrustedSigners(key.public_key),
        veridical.policy.TrustedModels(program.digest_hex),
    )
    for path in paths:
        tokens = read_tokens(path)
        if tokens is None:
            print(f"{path}: too short for the model")
            continue
        run = veridical.run(program, {"bytes": tokens[None]})
        receipt = veridical.issue(run, signer=key)

        asked = read_tokens(path)
        assert asked is not None
        verified = veridical.verify(
            receipt,
            policy,
            now=int(time.time()),
            input={"bytes": asked[None]},
            output=run.outputs,
            program=program,
        )
        shares = run.outputs["target_label"][0]
        best = int(shares.argmax())
        print(f"{path}: {labels()[best]} ({shares[best]:.1%}), {verified.receipt_id}")


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
