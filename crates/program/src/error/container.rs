//! Why a file is no container of a program (section 2).

use super::checks;
use crate::json::JsonError;

checks! {
    /// Why bytes are no safetensors container of a program.
    pub enum ContainerError {
        /// The file is over the cap.
        #[error("the file has {actual} bytes, at most {limit} are accepted")]
        FileSize {
            /// Bytes found.
            actual: u64,
            /// Bytes accepted.
            limit: u64,
        },
        /// The file ends inside its header.
        #[error("the header needs {expected} bytes, the file has {actual}")]
        Truncated {
            /// Bytes announced.
            expected: u64,
            /// Bytes found.
            actual: u64,
        },
        /// The header is over the cap.
        #[error("the header has {actual} bytes, at most {limit} are accepted")]
        HeaderSize {
            /// Bytes announced.
            actual: u64,
            /// Bytes accepted.
            limit: u64,
        },
        /// The header does not begin with the brace and end with the brace and spaces.
        #[error("the header must be one object, followed by spaces only")]
        HeaderEnds,
        /// The header is no acceptable JSON.
        #[error("header: {0}")]
        Json(JsonError),
        /// A value of the header has another form than it must.
        #[error("header: {path} must be {expected}")]
        Form {
            /// Which value.
            path: String,
            /// Its form.
            expected: &'static str,
        },
        /// A required key of the header is absent.
        #[error("header: {path} lacks the key {key:?}")]
        MissingKey {
            /// Which object.
            path: String,
            /// The key.
            key: String,
        },
        /// The header has a key that it must not have.
        #[error("header: {path} has the unknown key {key:?}")]
        UnknownKey {
            /// Which object.
            path: String,
            /// The key.
            key: String,
        },
        /// `format` names neither a program nor a verification key of this version.
        #[error("format is {actual:?}, expected veridical-program/1 or veridical-vkey/1")]
        Format {
            /// What it names.
            actual: String,
        },
        /// A stored tensor has another type or shape than the graph declares.
        #[error("tensor {name}: {field} is {actual}, the graph declares {expected}")]
        Declaration {
            /// Name of the tensor.
            name: String,
            /// `dtype` or `shape`.
            field: &'static str,
            /// Declared.
            expected: String,
            /// Stored.
            actual: String,
        },
        /// The byte range of a tensor does not follow the one before: overlap or gap.
        #[error("tensor {name} begins at byte {actual}, expected {expected}")]
        Offset {
            /// Name of the tensor.
            name: String,
            /// End of the tensor before.
            expected: u64,
            /// Begin found.
            actual: u64,
        },
        /// The byte range of a tensor has another length than its shape.
        #[error("tensor {name} has {actual} bytes, its shape needs {expected}")]
        Length {
            /// Name of the tensor.
            name: String,
            /// Bytes of the shape.
            expected: u64,
            /// Bytes found.
            actual: u64,
        },
        /// Bytes after the last tensor, or fewer than announced.
        #[error("the tensors end at byte {expected} of the data, the file at {actual}")]
        DataSize {
            /// End of the last tensor.
            expected: u64,
            /// Length of the data.
            actual: u64,
        },
        /// `weight_root` is not 64 lower-case hex digits.
        #[error("weight_root must be 64 lower-case hex digits")]
        WeightRootForm,
        /// `weight_root` of a program that has no weight is not the root of the empty tree.
        #[error("weight_root must be that of no weights")]
        WeightRoot,
        /// `aliases` is not a canonical object of strings.
        #[error("aliases: {0}")]
        Aliases(JsonError),
        /// A value of `aliases` is not a string.
        #[error("aliases: {key:?} must be a string")]
        AliasForm {
            /// Its key.
            key: String,
        },
    }
}
