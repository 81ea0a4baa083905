//! Why a proof is not accepted: one variant per check.

use thiserror::Error;
use veridical_argument::claims::ClaimError;
use veridical_argument::leaves::LeavesError;
use veridical_argument::pcs::{PcsError, VariablesError};
use veridical_argument::plan::{PlanError, Role};
use veridical_argument::soundness::TooWeak;
use veridical_argument::stream::StreamError;
use veridical_argument::transcript::TranscriptError;

/// The check of spec/v1/zk.md that a request or a proof does not pass.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The registration belongs to another program (5).
    #[error("the weights are registered for another program")]
    ModelDigest,
    /// The registration was made under another profile (5).
    #[error("the weights are registered under profile {registered}, the proof is under {asked}")]
    Profile {
        /// Profile of the registration.
        registered: &'static str,
        /// Profile of the statement.
        asked: &'static str,
    },
    /// The program has weights and the registration no root, or the reverse (5).
    #[error("the registration {} a commitment to weights", if *.registered { "must not have" } else { "lacks" })]
    WeightRoot {
        /// Whether there is a root.
        registered: bool,
    },
    /// The batch is empty, too large, or its parts have different lengths (5).
    #[error("{digests} statements, {inputs} runs of inputs and {outputs} of outputs are no batch")]
    Batch {
        /// Statement digests.
        digests: usize,
        /// Runs with inputs.
        inputs: usize,
        /// Runs with outputs.
        outputs: usize,
    },
    /// A run has another number of tensors than the program (5).
    #[error("run {run} has {found} {what} tensors, the program has {expected}")]
    TensorCount {
        /// Run.
        run: usize,
        /// `input` or `output`.
        what: &'static str,
        /// Tensors of the program.
        expected: usize,
        /// Tensors of the run.
        found: usize,
    },
    /// A tensor has another number of integers than its shape (5).
    #[error("{what} {tensor} of run {run} has {found} integers, its shape has {expected}")]
    TensorLength {
        /// Run.
        run: usize,
        /// `input` or `output`.
        what: &'static str,
        /// Position among the inputs or outputs.
        tensor: usize,
        /// Integers of the shape.
        expected: usize,
        /// Integers that were given.
        found: usize,
    },
    /// An integer is outside the declared range of its tensor (5).
    #[error("{what} {tensor} of run {run} holds {value}, outside {lo} to {hi}")]
    Range {
        /// Run.
        run: usize,
        /// `input` or `output`.
        what: &'static str,
        /// Position among the inputs or outputs.
        tensor: usize,
        /// The integer.
        value: i32,
        /// Least value.
        lo: i32,
        /// Greatest value.
        hi: i32,
    },
    /// The statement would cost more than any verifier should spend (5).
    #[error("{what} has {found} elements, at most {most} are verified")]
    TooLarge {
        /// What.
        what: &'static str,
        /// Elements.
        found: usize,
        /// Bound.
        most: usize,
    },
    /// The program and batch size have no plan (3).
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A plan contradicts the program or itself; no plan that was built for it does.
    #[error("the plan is not one of the program: {what}")]
    Inconsistent {
        /// What contradicts.
        what: &'static str,
    },
    /// Too many cells are looked up (6.2).
    #[error(transparent)]
    Leaves(#[from] LeavesError),
    /// The proof is not the messages that are expected (5).
    #[error(transparent)]
    Transcript(#[from] TranscriptError),
    /// The denominator of the sum of all fractions is 0 (6.3).
    #[error("the denominator of the lookup argument is zero")]
    LookupRootZero,
    /// The sum of all fractions is not 0: what is looked up is not in the tables (6.3).
    #[error("the fractions of the lookup argument do not sum to zero")]
    LookupSum,
    /// The fractions of a layer do not add up to those above (6.3).
    #[error("layer {layer} of the fractional sums does not add up to the layer above")]
    LookupLayer {
        /// Variables of the layer above.
        layer: usize,
    },
    /// The numerators of the last layer are not those of sites and tables (6.4).
    #[error("the numerators of the lookup argument are not those of its sites and tables")]
    LeafNumerator,
    /// The denominators of the last layer are not those of sites and tables (6.4).
    #[error("the denominators of the lookup argument are not those of its sites and tables")]
    LeafDenominator,
    /// An expression that must vanish does not (6.5).
    #[error("{}: an identity of a lookup does not hold", part(.role))]
    VanishingExpression {
        /// What the lookup is for.
        role: Role,
    },
    /// The identities do not hold (7).
    #[error("the identities over {variables} variables do not hold")]
    ZeroCheckFinal {
        /// Variables of their spaces.
        variables: usize,
    },
    /// Several claims on a wire are not claims on one tensor (8.1).
    #[error("{}: the merged claim is not that of the claims", part(.role))]
    MergeFinal {
        /// What the wire is for.
        role: Role,
    },
    /// The operands of a combination do not add up (8.2).
    #[error("{}: the operands do not add up to the claim", part(.role))]
    CombinationSum {
        /// What the wire is for.
        role: Role,
    },
    /// The operand of a map does not give the claim (8.5).
    #[error("{}: the operand of the map does not give the claim", part(.role))]
    MapFinal {
        /// What the wire is for.
        role: Role,
    },
    /// The operands of an einsum do not give the claim (8.6).
    #[error("{}: the operands of the product do not give the claim", part(.role))]
    EinsumFinal {
        /// What the wire is for.
        role: Role,
    },
    /// Public integers have another value than is claimed (8).
    #[error("{}: public integers do not have the claimed value", part(.role))]
    PublicClaim {
        /// What the wire is for.
        role: Role,
    },
    /// An index of a public gather is no row (4.16).
    #[error("{}: an index is not below {rows}", part(.role))]
    RowIndex {
        /// What the wire is for.
        role: Role,
        /// Rows.
        rows: usize,
    },
    /// Two values are claimed at one point, or a claim is left (8.1).
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// A proof of so many lookups and claims does not reach the bits of its profile (13).
    #[error(transparent)]
    TooWeak(#[from] TooWeak),
    /// A stack has a size for which no schedule exists (11).
    #[error(transparent)]
    Variables(VariablesError),
    /// The claims on a stack are not claims on its opened value (9.3).
    #[error("the stack of {stack} does not have the claimed values")]
    StackClaim {
        /// `weights` or `witness`.
        stack: &'static str,
    },
    /// The opening of a stack is refused (9.3).
    #[error("the stack of {stack}: {error}")]
    Opening {
        /// `weights` or `witness`.
        stack: &'static str,
        /// Why.
        error: PcsError,
    },
}

impl VerifyError {
    /// Stable name of the check that failed.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ModelDigest => "ModelDigest",
            Self::Profile { .. } => "Profile",
            Self::WeightRoot { .. } => "WeightRoot",
            Self::Batch { .. } => "Batch",
            Self::TensorCount { .. } => "TensorCount",
            Self::TensorLength { .. } => "TensorLength",
            Self::Range { .. } => "Range",
            Self::TooLarge { .. } => "TooLarge",
            Self::Plan(_) => "Plan",
            Self::Inconsistent { .. } => "Inconsistent",
            Self::Leaves(_) => "TooManyLookups",
            Self::Transcript(TranscriptError::Stream(error)) => stream(error),
            Self::Transcript(TranscriptError::Work { .. }) => "ProofOfWork",
            Self::LookupRootZero => "LookupRootZero",
            Self::LookupSum => "LookupSum",
            Self::LookupLayer { .. } => "LookupLayer",
            Self::LeafNumerator => "LeafNumerator",
            Self::LeafDenominator => "LeafDenominator",
            Self::VanishingExpression { .. } => "VanishingExpression",
            Self::ZeroCheckFinal { .. } => "ZeroCheckFinal",
            Self::MergeFinal { .. } => "MergeFinal",
            Self::CombinationSum { .. } => "CombinationSum",
            Self::MapFinal { .. } => "MapFinal",
            Self::EinsumFinal { .. } => "EinsumFinal",
            Self::PublicClaim { .. } => "PublicClaim",
            Self::RowIndex { .. } => "RowIndex",
            Self::Claim(ClaimError::Unequal { .. }) => "UnequalClaims",
            Self::Claim(ClaimError::Left { .. }) => "ClaimLeft",
            Self::TooWeak(_) => "TooWeak",
            Self::Variables(_) => "StackSize",
            Self::StackClaim { .. } => "StackClaim",
            Self::Opening { error, .. } => match error {
                PcsError::Stream(error) => stream(error),
                PcsError::Variables(_)
                | PcsError::Length { .. }
                | PcsError::Point { .. }
                | PcsError::Value
                | PcsError::Schedule { .. }
                | PcsError::Refused { .. }
                | PcsError::Panicked => "Opening",
            },
        }
    }
}

const fn stream(error: &StreamError) -> &'static str {
    match error {
        StreamError::Truncated { .. } => "Truncated",
        StreamError::NotCanonical { .. } => "NotCanonical",
        StreamError::CountTooLarge { .. } => "CountTooLarge",
        StreamError::Trailing { .. } => "TrailingBytes",
    }
}

fn part(role: &Role) -> String {
    format!("node {}, {}", role.node, role.what)
}
