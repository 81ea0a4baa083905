//! One test per condition: the last value that holds is accepted, the next is refused by that
//! very check and no other.

mod arithmetic;
mod attention;
mod container;
mod conv;
mod layout;
mod linear;
mod norm;
mod operands;
mod structure;
mod table;

use crate::draft::Draft;

/// Asserts that `draft(holds)` is accepted and `draft(breaks)` is refused by `check`.
#[track_caller]
fn edge<T>(draft: impl Fn(T) -> Draft, holds: T, breaks: T, check: &str) {
    assert_eq!(draft(holds).check(), "accepted");
    assert_eq!(draft(breaks).check(), check);
}

/// Asserts that a condition about the field is what refuses the draft.
#[track_caller]
fn field_edge<T>(draft: impl Fn(T) -> Draft, holds: T, breaks: T, condition: &str) {
    assert_eq!(draft(holds).check(), "accepted");
    let error = draft(breaks).load().unwrap_err();
    assert_eq!(error.check(), "Field");
    assert!(error.to_string().contains(condition), "{error}");
}
