//! Why a receipt is not accepted: the names that every implementation of the specification gives.

use core::fmt;

/// Declares the kinds of errors with what a person can do about each.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal, $advice:expr;)*) => {
        /// Name of an error; `python/veridical/errors.py` has the same tree.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Kind {
            $($(#[$doc])* $kind),*
        }

        impl Kind {
            /// The name, as `--json` prints it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name),* }
            }

            /// What a person can do, where nothing more exact is known.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$kind => $advice),* }
            }
        }
    };
}

const MALFORMED: &str = "Do not rely on this answer; ask the issuer for the receipt again.";
const KEY: &str = "Make a key with `veridical key new`, or pass an Ed25519 or P-256 key in PEM.";

kinds! {
    /// The caller passed something that cannot be used.
    Input = "InputError", "Correct the argument that is named and call again.";
    /// A text holds no key that is accepted.
    KeyFormat = "KeyFormatError", KEY;
    /// A key of an algorithm that receipts do not use.
    UnsupportedKey = "UnsupportedKeyError", KEY;
    /// A second encoding of a key.
    NonCanonicalKey = "NonCanonicalKeyError",
        "Export the key again as PEM SubjectPublicKeyInfo with an uncompressed point.";
    /// No point of the curve.
    PointNotOnCurve = "PointNotOnCurveError",
        "The file is damaged or hostile; get the key again from its owner.";
    /// Outside the subgroup of prime order.
    SmallOrderKey = "SmallOrderKeyError",
        "Such a key does not arise by accident; do not trust who gave it to you.";
    /// A policy is empty or breaks the format.
    PolicyFormat = "PolicyFormatError", "Correct the policy; spec/v1/policy.md lists every rule.";
    /// A program breaks the format or a loader condition.
    Program = "ProgramError",
        "Do not use this file; get it again from its publisher, or compile it again.";
    /// The bytes do not parse.
    Malformed = "MalformedError", MALFORMED;
    /// Larger than the limit.
    Oversize = "OversizeError", "No receipt is that large; do not rely on this answer.";
    /// Nested deeper than the limit.
    Nesting = "NestingError", MALFORMED;
    /// One object has a key twice.
    DuplicateKey = "DuplicateKeyError", MALFORMED;
    /// A second encoding of a value.
    NonCanonical = "NonCanonicalError", MALFORMED;
    /// Bytes after the end.
    TrailingBytes = "TrailingBytesError", MALFORMED;
    /// A member is missing, unknown, of the wrong type or out of range.
    Field = "FieldError", MALFORMED;
    /// No valid signature by a trusted signer.
    Signature = "SignatureError",
        "Compare the signer's public key with the one you pinned; do not pin a new one on the word of this receipt.";
    /// The statement is about something else than the caller's own.
    StatementMismatch = "StatementMismatchError",
        "The receipt is for another question, model or answer; do not rely on it.";
    /// The evidence does not support the statement.
    Evidence = "EvidenceError",
        "Do not rely on this answer; keep the receipt, it may show its issuer's fault.";
    /// Running the program again gives something else.
    Reexecution = "ReexecutionError",
        "Keep the receipt: with the program it shows that its signer was wrong.";
    /// A proof does not show what the statement says.
    Proof = "ProofError",
        "Do not use the answer. Ask for a new receipt, or run the program yourself.";
    /// A quote of hardware is malformed, not genuine, or not about this statement.
    Quote = "QuoteError",
        "Do not use the answer; spec/v1/tee.md says what this check asks of a quote.";
    /// The seed is not the one of key and question.
    Seed = "SeedError", "Do not rely on this answer; keep the receipt: it shows a chosen seed.";
    /// A log does not show what it is said to show.
    Log = "LogError",
        "Keep the files as they are: they may show the fault of who holds the log key.";
    /// A checkpoint is not signed by who should have signed it.
    Checkpoint = "CheckpointError",
        "Compare origin and keys with those you pinned; ask for a fresh log proof.";
    /// An entry is not in the tree.
    Inclusion = "InclusionError",
        "Do not rely on this answer; ask its issuer for the proof again.";
    /// A published text is not the one that the output gives.
    Post = "PostError",
        "Do not rely on this text; ask who published it for the unchanged one.";
    /// The policy asks for more.
    Policy = "PolicyError",
        "Ask the issuer for the stronger evidence that the policy names.";
    /// A check cannot be made now.
    Undecided = "UndecidedError",
        "Supply what is missing and verify again; until then nothing is accepted.";
    /// What a quote of hardware is judged by is missing.
    Collateral = "CollateralError",
        "Add current collateral (`veridical tee collateral add`) and a trusted time.";
    /// A check needs the program.
    ProgramMissing = "ProgramMissingError",
        "Pass the program file whose digest the statement names (`--program M.vprog`).";
    /// A check needs bytes or a salt.
    RevealMissing = "RevealMissingError",
        "Ask the issuer for the reveal of this field, or pass the value yourself.";
    /// Nobody said which template is accepted.
    TemplateMissing = "TemplateMissingError",
        "Read the template; if you accept its words, pass it or its digest.";
    /// A defect of this package.
    Internal = "InternalError",
        "Please report this with the message; docs/index.md says where.";
}

impl Kind {
    /// Whether bytes did not parse.
    pub const fn is_malformed(self) -> bool {
        matches!(
            self,
            Self::Malformed
                | Self::Oversize
                | Self::Nesting
                | Self::DuplicateKey
                | Self::NonCanonical
                | Self::TrailingBytes
                | Self::Field
        )
    }

    /// Whether evidence does not hold.
    pub const fn is_evidence(self) -> bool {
        matches!(
            self,
            Self::Evidence | Self::Reexecution | Self::Proof | Self::Quote | Self::Seed
        )
    }

    /// Whether something was not given.
    pub const fn is_undecided(self) -> bool {
        matches!(
            self,
            Self::Undecided
                | Self::Collateral
                | Self::ProgramMissing
                | Self::RevealMissing
                | Self::TemplateMissing
        )
    }

    /// Whether a log does not hold.
    pub const fn is_log(self) -> bool {
        matches!(self, Self::Log | Self::Checkpoint | Self::Inclusion)
    }
}

/// What failed, where, and which check it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Error {
    /// Its name.
    pub kind: Kind,
    /// What failed.
    pub message: String,
    /// A member, a byte offset.
    pub place: Option<String>,
    /// Stable name of the check.
    pub check: Option<&'static str>,
    /// What to do, if it is more exact than [`Kind::advice`].
    pub advice: Option<&'static str>,
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            None => formatter.write_str(&self.message),
            Some(place) => write!(formatter, "{} (at {place})", self.message),
        }
    }
}

impl Error {
    /// An error that only has a message.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            place: None,
            check: None,
            advice: None,
        }
    }

    /// The same at a place.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    /// The same under the name of a check.
    #[must_use]
    pub const fn of(mut self, check: &'static str) -> Self {
        self.check = Some(check);
        self
    }

    /// The same with its own advice.
    #[must_use]
    pub const fn advise(mut self, advice: &'static str) -> Self {
        self.advice = Some(advice);
        self
    }

    /// A member that is not as it must be.
    pub fn field(message: impl Into<String>, place: impl Into<String>) -> Self {
        Self::new(Kind::Field, message).at(place).of("format")
    }

    /// What `--json` prints.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "advice": self.advice.unwrap_or(self.kind.advice()),
            "check": self.check,
            "message": self.message,
            "name": self.kind.name(),
            "where": self.place,
        })
    }
}
