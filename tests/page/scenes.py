"""What a reader of the page holds: genuine receipts of every tier, and forgeries, as files.

The forgeries are those of `attacks/`; what the page has to say of each is written here by hand.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import veridical
from attacks.__main__ import scene_of
from attacks.attested import attested_scene
from attacks.scene import NONCE, NOW, QUESTION, Handed, Scene, honest_scene
from attacks.seeded import SAMPLER, SeededScene, seeded_scene
from tests.repository import ROOT
from tests.unit.tlog.logs import LOG_KEY, LOG_SIGNER, ORIGIN, private_key
from veridical import zk
from veridical.cli.samples import save_arrays
from veridical.commitment import Commitment, tensors_to_bytes
from veridical.policy import loads
from veridical.receipt import Parameters, Receipt, issue, upgrade
from veridical.tlog import (
    IntentDraft,
    Log,
    LogProof,
    NoteKey,
    Result,
    Void,
    Writer,
    attach,
    parameters_digest,
    sequence_of,
)
from veridical.tlog.checkpoint import cosign
from veridical.tlog.extract import extract
from veridical.verifier import explain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from veridical.tlog import SignedCheckpoint
    from veridical.verifier import Report

WITNESS: Final = private_key(10)
WITNESS_KEY: Final = NoteKey.of("witness.example/w1", WITNESS.public_key, role="cosigner")
PROGRAM: Final = ROOT / "vectors" / "program" / "example.vprog"


@dataclass(frozen=True, kw_only=True)
class Held:
    """What a reader has, what the page must say of it, and in which words."""

    name: str
    receipt: bytes
    verdict: str
    sentence: str
    policy: str
    question: Mapping[str, NDArray[Any]] | None = field(default_factory=lambda: QUESTION)
    answer: Mapping[str, NDArray[Any]] | None = None
    program: bytes | None = field(default_factory=PROGRAM.read_bytes)
    more: Mapping[str, bytes] = field(default_factory=dict)
    #: Marks of the three properties, where they are to be compared.
    marks: tuple[str, ...] | None = None

    def write(self, folder: Path) -> list[Path]:
        """Write everything as files, in the forms of the command line."""
        folder.mkdir(parents=True, exist_ok=True)
        files: dict[str, bytes] = {"held.receipt.json": self.receipt}
        files["policy.toml"] = self.policy.encode()
        if self.program is not None:
            files["model.vprog"] = self.program
        files |= self.more
        for name, content in files.items():
            (folder / name).write_bytes(content)
        paths = [folder / name for name in files]
        for name, arrays in (("question.npz", self.question), ("answer.npz", self.answer)):
            if arrays is not None:
                save_arrays(folder / name, arrays)
                paths.append(folder / name)
        return paths

    def python_report(self) -> Report:
        """Return what the Python verifier says of the same files."""
        rules = self.policy
        if self.question is not None:
            rules += '\n[[rule]]\ntype = "expect_input"\n'
        if self.answer is not None:
            rules += '\n[[rule]]\ntype = "expect_output"\n'
        program = None if self.program is None else veridical.Program.from_bytes(self.program)
        return explain(
            self.receipt,
            loads(rules),
            now=NOW,
            input=self.question,
            output=self.answer,
            program=program,
        )


def policy_text(scene: Scene, *rules: str, tier: str = "reexecution") -> str:
    """Return the policy of a scene's consumer as a file; its keys stand in it."""
    key = json.dumps(scene.provider.public_key.to_pem().decode())
    digest = "sha256:" + scene.program.digest.hex()
    all_rules = [
        f'type = "trusted_signers"\nkeys = [{key}]',
        f'type = "trusted_models"\ndigests = ["{digest}"]',
        f'type = "require_tier"\ntiers = ["{tier}"]',
        f'type = "nonce"\nvalue = "{NONCE}"',
        'type = "max_age"\nseconds = 600',
        *rules,
    ]
    text = 'version = "veridical-policy/v1"\n'
    text += "".join(f"\n[[rule]]\n{rule}\n" for rule in all_rules)
    assert tomllib.loads(text)
    return text


def seed_rules(scene: SeededScene) -> tuple[str, str]:
    """Return the rules that pin a scene's key and sampler."""
    key = json.dumps(scene.key.public_key.to_pem().decode())
    decode = ", ".join(f"{k} = {json.dumps(v)}" for k, v in SAMPLER.to_parameters().decode)
    digest = "sha256:" + scene.program.digest.hex()
    return (
        (
            f'type = "require_seed"\nmode = "vrf"\nkeys = [{key}]\nnonce = "{NONCE}"\n'
            f'models = ["{digest}"]\nparameters = {{ decode = {{ {decode} }} }}'
        ),
        f'type = "expect_decode"\ndecode = {{ {decode} }}',
    )


# --- genuine


def genuine(folder: Path) -> list[Held]:
    """Return an honest receipt of each kind; a log is kept in the folder."""
    return [
        signed(),
        signed("p256"),
        reexecuted(),
        proven(),
        proven_by_key(),
        logged(folder),
        seeded(),
    ]


def signed(algorithm: Any = "ed25519") -> Held:
    """Return a signed receipt whose computation the reader cannot check: undecided, no more."""
    scene = honest_scene(algorithm)
    return Held(
        name=f"signed_{algorithm}",
        receipt=scene.receipt.to_bytes(),
        verdict="Not decided",
        sentence="The program file is missing.",
        policy=policy_text(scene),
        answer=scene.run.outputs,
        program=None,
        marks=("open", "open", "open"),
    )


def reexecuted() -> Held:
    """Return a receipt that is run again."""
    scene = honest_scene()
    return Held(
        name="reexecution",
        receipt=scene.receipt.to_bytes(),
        verdict="Accepted",
        sentence="This receipt holds under the rules that you gave",
        policy=policy_text(scene),
        answer=scene.run.outputs,
        marks=("shown", "shown", "shown"),
    )


@cache
def proven_receipt() -> Receipt:
    """Return the scene's receipt with a succinct proof."""
    scene = honest_scene()
    proof = zk.prove([(scene.run, scene.receipt.statement)], commitment=zk.commit(scene.program))
    return upgrade(
        scene.receipt, scene.run, signer=scene.provider, evidence=zk.Zk(proof=proof), issued_at=NOW
    )


def proven() -> Held:
    """Return a receipt with a proof, checked against the program."""
    scene = honest_scene()
    return replace(
        reexecuted(),
        name="zk",
        receipt=proven_receipt().to_bytes(),
        policy=policy_text(scene, 'type = "min_soundness_bits"\nbits = 100', tier="zk"),
    )


def proven_by_key() -> Held:
    """Return the same with a verification key only: of the weights the signer is believed."""
    key = honest_scene().program.to_bytes(vkey=True)
    return replace(proven(), name="zk_by_key", program=key, marks=("shown", "partly", "shown"))


def logged(folder: Path) -> Held:
    """Return a receipt whose intent and result are in a cosigned log, and the log's extract."""
    log, receipt = make_logged(folder / "log")
    return replace(
        reexecuted(),
        name="logged",
        receipt=receipt.to_bytes(),
        policy=policy_text(honest_scene(), log_rule()),
        more={"log.extract.json": extract(log)},
    )


def log_rule() -> str:
    """Return the rule that names log and cosigner."""
    return (
        f'type = "require_logged"\nlogs = ["{LOG_KEY.vkey}"]\n'
        f'cosigners = ["{WITNESS_KEY.vkey}"]\nmin_cosigners = 1'
    )


def make_logged(folder: Path) -> tuple[Log, Receipt]:
    """Announce, run, close; two questions are void and one stays open."""
    scene = honest_scene()
    draft = IntentDraft(
        stream="live",
        model="sha256:" + scene.program.digest.hex(),
        input=str(Commitment.commit("input.received", tensors_to_bytes(QUESTION))),
        parameters=parameters_digest(Parameters()),
        request_id=NONCE,
    )
    Writer.create(folder, origin=ORIGIN, signer=LOG_SIGNER)
    with Writer(folder, LOG_SIGNER, clock=lambda: NOW, batch_seconds=0) as writer:
        opened = writer.append(draft)
        receipt = issue(
            scene.run,
            signer=scene.provider,
            nonce=NONCE,
            issued_at=NOW,
            sequence=sequence_of(opened.entry),  # type: ignore[arg-type]
        )
        result = Result(intent=opened.index, statement=receipt.receipt_id, time=NOW)
        writer.append(result)
        for name in ("another", "a third"):
            late = writer.append(replace(draft, request_id=name))
            writer.append(Void(intent=late.index, reason="deadline", time=NOW))
        writer.append(replace(draft, request_id="open"))
    log = Log.open(folder)
    log.publish_cosigned(cosigned(log.head()))
    receipt = attach(receipt, log)
    return log, with_cosigned_proofs(receipt, log)


def cosigned(head: SignedCheckpoint) -> SignedCheckpoint:
    """Return a checkpoint with the signature of the witness."""
    return head.with_lines([cosign(head.note.text, WITNESS_KEY, WITNESS, timestamp=NOW)])


def with_cosigned_proofs(receipt: Receipt, log: Log) -> Receipt:
    """Put the cosigned checkpoint into every log proof."""
    checkpoint = log.cosigned()
    blobs = []
    for blob in receipt.evidence:
        if LogProof.is_one(blob) and checkpoint is not None:
            proof = log.prove(LogProof.from_bytes(blob).index, checkpoint)
            blobs.append(proof.to_bytes())
        else:
            blobs.append(blob)
    return replace(receipt, evidence=tuple(dict.fromkeys(blobs)))


def seeded() -> Held:
    """Return a receipt whose answer was drawn with a seed that follows from the question."""
    scene = seeded_scene()
    return Held(
        name="seeded",
        receipt=scene.receipt.to_bytes(),
        verdict="Accepted",
        sentence="This receipt holds under the rules that you gave",
        policy=policy_text(scene, *seed_rules(scene)),
        answer=scene.run.outputs,
        marks=("shown", "shown", "shown"),
    )


def attested() -> Held:
    """Return a receipt with evidence of hardware, which the page says that it does not check."""
    scene = attested_scene()
    return replace(
        signed(),
        name="tee",
        receipt=scene.receipt.to_bytes(),
        policy=policy_text(scene, tier="tee"),
        sentence="This page does not check evidence of hardware; the command does.",
        program=PROGRAM.read_bytes(),
    )


# --- forged

#: What the page says, for each attack of `attacks/`.
SENTENCES: Final = {
    "borrowed_envelope": "The signature belongs to another statement.",
    "changed_draw": "Run again on the same question, the program gives something else",
    "changed_question": "The question that you gave is not the one that was answered.",
    "changed_question_under_false_name": "Run again on the same question",
    "changed_weight": "The program that you gave is not the one that the receipt names.",
    "changed_weight_under_false_name": "Run again on the same question",
    "confused_commitment": "The question that you gave is not the one that was answered.",
    "downgraded_tier": "The evidence is of another kind than you ask for.",
    "duplicate_key": "One name stands twice in the file",
    "edited_answer": "The answer that you gave is not the one that was produced.",
    "edited_statement": "The signature belongs to another statement.",
    "evidence_of_another_run": "Run again on the same question",
    "hidden_saturation": "Run again on the same question",
    "malleable_seed": "The draw is not the one that follows from the question",
    "malleable_signature": "The signature does not fit.",
    "replayed_receipt": "The receipt is for another request than yours",
    "seed_of_another_key": "The draw is not the one that follows from the question",
    "seed_of_another_question": "The draw is not the one that follows from the question",
    "seed_of_small_order": "The draw is not the one that follows from the question",
    "signed_lie": "Run again on the same question",
    "stale_receipt": "The receipt is older than you allow",
    "strangers_signature": "The receipt is not signed by a key that you accept.",
    "stripped_envelope": "The receipt is not signed by a key that you accept.",
    "substituted_mode": "The draw was not made the way that you ask for.",
}


def forged(name: str) -> Held:
    """Return one forgery of `attacks/` with what its consumer holds."""
    attack = import_module(f"attacks.{name}")
    scene = scene_of(attack)
    handed: Handed = attack.forge(scene)
    content = handed.receipt.to_bytes() if isinstance(handed.receipt, Receipt) else handed.receipt
    assert isinstance(content, bytes)
    rules = seed_rules(scene) if isinstance(scene, SeededScene) else ()
    return Held(
        name=name,
        receipt=content,
        verdict="Rejected",
        sentence=SENTENCES[name],
        policy=policy_text(
            scene, *rules, tier="zk" if name == "downgraded_tier" else "reexecution"
        ),
        question=handed.question,
        answer=handed.answer,
    )


def forged_proof() -> Held:
    """Return a receipt whose proof has one bit changed, signed by its provider."""
    receipt = proven_receipt()
    scene = honest_scene()
    (blob,) = receipt.evidence
    evidence = zk.ProofEvidence.from_bytes(blob)
    proof = bytearray(evidence.proof)
    proof[len(proof) // 2] ^= 1
    changed = replace(evidence, proof=bytes(proof))
    resigned = upgrade(
        scene.receipt,
        scene.run,
        signer=scene.provider,
        evidence=zk.Zk(proof=changed),
        issued_at=NOW,
    )
    return replace(
        proven(),
        name="forged_proof",
        receipt=replace(resigned, envelopes=resigned.envelopes[-1:]).to_bytes(),
        verdict="Rejected",
        sentence="The proof does not show what the receipt says.",
        marks=None,
    )


def forged_log(folder: Path) -> Held:
    """Return a receipt that claims a log which never announced it."""
    log, honest = make_logged(folder / "log")
    scene = honest_scene()
    without = replace(honest, evidence=())
    other = issue(
        scene.run,
        signer=scene.provider,
        nonce=NONCE,
        issued_at=NOW,
        sequence=without.statement.sequence,
        client_salt=None,
        private=True,
    )
    return replace(
        logged(folder / "honest"),
        name="forged_log",
        receipt=replace(other, evidence=honest.evidence).to_bytes(),
        verdict="Rejected",
        sentence="The log proofs do not show this receipt in a log that you named.",
        more={"log.extract.json": extract(log)},
        marks=None,
    )
