"""What a gateway states about a run, and signs.

Spec: spec/v1/receipt.md, sections 3 to 6; spec/v1/seeds.md, section 3.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from veridical.receipt import Parameters, ReceiptTemplate
from veridical.seeds import Question as SeedQuestion
from veridical.seeds import draw, public_bytes
from veridical.tlog import IntentDraft, parameters_digest

if TYPE_CHECKING:
    from veridical.keys import Signer
    from veridical.program import Run
    from veridical.receipt import Issued, Seed, Sequence
    from veridical.receipt.evidence import EvidenceBlob
    from veridical.seeds import SeedKey
    from veridical.serve.lanes import Question
    from veridical.serve.models import Model

__all__ = ["Issuer"]

_NO_PARAMETERS: Final = parameters_digest(Parameters())


class Issuer:
    """Makes intents and receipts of one model."""

    def __init__(self, model: Model, signer: Signer, *, seed_key: SeedKey | None = None) -> None:
        self._model = model
        self._signer = signer
        self._template = ReceiptTemplate(model.program, signer)
        self._seed_key = seed_key
        self._seed_public = "" if seed_key is None else public_bytes(seed_key.public_key).hex()

    def attest(self, evidence: EvidenceBlob) -> None:
        """From now on issue receipts of tier `tee`, which rest on this evidence."""
        # One assignment: a receipt under way rests on the evidence before.
        self._template = ReceiptTemplate(self._model.program, self._signer, attested=evidence)

    def draft(self, question: Question) -> IntentDraft:
        """Return the intent to run a question."""
        draft = IntentDraft(
            stream=self._model.name,
            model=self._model.program.digest_hex,
            input=str(question.commit()),
            parameters=_NO_PARAMETERS,
            request_id=question.nonce,
        )
        if self._seed_key is None:
            return draft
        return replace(draft, seed="vrf", seed_key=self._seed_public)

    def issue(self, question: Question, run: Run, place: Sequence) -> Issued:
        """State what a run did, and sign it.

        Raises:
            InputError: the receipt would not be one that a verifier takes.
        """
        return self._template.issue(
            run,
            nonce=question.nonce,
            private=question.salt is not None,
            client_salt=question.salt,
            received=question.content,
            sequence=place,
            seed=self._seed(question),
        )

    def _seed(self, question: Question) -> Seed | None:
        if self._seed_key is None or question.commitment is None:
            return None
        asked = SeedQuestion(
            model=self._model.program.digest_hex,
            input=question.commitment,
            parameters=Parameters(),
            request_id=question.nonce,
        )
        return draw(self._seed_key, asked).stated
