//! Why a graph does not have the form of section 3.

use super::checks;
use crate::json::JsonError;

checks! {
    /// Why a graph does not have the form of section 3.
    pub enum GraphError {
        /// Not canonical JSON.
        #[error("{0}")]
        Json(JsonError),
        /// A value has another type than it must.
        #[error("{path} must be {expected}")]
        Form {
            /// Which value.
            path: String,
            /// Its form.
            expected: &'static str,
        },
        /// A required key is absent.
        #[error("{path} lacks the key {key:?}")]
        MissingKey {
            /// Which object.
            path: String,
            /// The key.
            key: &'static str,
        },
        /// An object has a key that it must not have.
        #[error("{path} has the unknown key {key:?}")]
        UnknownKey {
            /// Which object.
            path: String,
            /// The key.
            key: String,
        },
        /// An integer, or the length of a list or string, is outside its limits.
        #[error("{path} is {value}, must be in {lo}..={hi}")]
        Limit {
            /// Which value.
            path: String,
            /// Found.
            value: i64,
            /// Least.
            lo: i64,
            /// Greatest.
            hi: i64,
        },
        /// A word is none of those that may stand there.
        #[error("{path} is {value:?}, which is none of the known words")]
        Word {
            /// Which value.
            path: String,
            /// Found.
            value: String,
        },
        /// Two inputs, or two outputs, share a name.
        #[error("{path}: the name {name:?} is used twice")]
        DuplicateName {
            /// `inputs` or `outputs`.
            path: &'static str,
            /// The name.
            name: String,
        },
        /// The number of tensors is not that of inputs and nodes together.
        #[error("{actual} tensors are declared, inputs and nodes define {expected}")]
        TensorCount {
            /// Defined.
            expected: usize,
            /// Declared.
            actual: usize,
        },
        /// A tensor or constant has too many elements.
        #[error("{path} has more than {limit} elements")]
        Elements {
            /// Which one.
            path: String,
            /// Accepted.
            limit: usize,
        },
        /// A range is empty.
        #[error("tensor {tensor} has the empty range {lo}..={hi}")]
        EmptyRange {
            /// Tensor id.
            tensor: usize,
            /// Least.
            lo: i32,
            /// Greatest.
            hi: i32,
        },
        /// A node reads a tensor that is not defined before it.
        #[error("node {node} reads tensor {tensor}, only those below {limit} are defined")]
        OperandOrder {
            /// Node.
            node: usize,
            /// Tensor that it reads.
            tensor: usize,
            /// Tensor that it defines.
            limit: usize,
        },
        /// A node uses a constant that is not declared.
        #[error("node {node} uses const {id}, only {count} are declared")]
        ConstId {
            /// Node.
            node: usize,
            /// Const id.
            id: usize,
            /// Declared.
            count: usize,
        },
        /// No node uses a constant.
        #[error("const {id} is used by no node")]
        UnusedConst {
            /// Const id.
            id: usize,
        },
        /// Constants are used so often that preparing them would cost far more than their file.
        #[error("{actual} elements of constants are used, their file allows {limit}")]
        ConstUses {
            /// Elements, once for every use.
            actual: usize,
            /// Accepted.
            limit: usize,
        },
        /// An output names a tensor that does not exist.
        #[error("output {output} is tensor {tensor}, only {count} exist")]
        OutputTensor {
            /// Index of the output.
            output: usize,
            /// Tensor id.
            tensor: usize,
            /// Declared.
            count: usize,
        },
        /// A table is not a 1-D constant of 16 or 32 bits with at most 65536 rows.
        #[error("const {id}: a table is 1-D, i16 or i32, with at most 65536 rows")]
        TableForm {
            /// Const id.
            id: usize,
        },
        /// The number of constants handed over is not the declared one.
        #[error("{actual} constants are given, {expected} are declared")]
        ConstCount {
            /// Declared.
            expected: usize,
            /// Given.
            actual: usize,
        },
        /// A constant handed over has another element type than declared.
        #[error("const {id} is given as {actual}, declared as {expected}")]
        ConstDtype {
            /// Const id.
            id: usize,
            /// Declared.
            expected: &'static str,
            /// Given.
            actual: &'static str,
        },
        /// A constant handed over has another number of elements than declared.
        #[error("const {id} has {actual} elements, {expected} are declared")]
        ConstLength {
            /// Const id.
            id: usize,
            /// Declared.
            expected: usize,
            /// Given.
            actual: usize,
        },
        /// A salt is given for an unsalted graph, or none for a salted one.
        #[error("salted is {salted}, yet a salt is {}", if *.given { "given" } else { "absent" })]
        Salt {
            /// What the graph says.
            salted: bool,
            /// Whether there is one.
            given: bool,
        },
    }
}
