//! The verifiers of receipts and of succinct proofs behind a plain C interface, for WebAssembly.
//!
//! Spec: spec/v1/page.md, section 1, and spec/v1/zk.md, sections 5 to 9. No threads, no clock, no randomness, no
//! imports. Three byte strings go in, JSON comes out:
//!
//! | Export                     | Arguments                                                    | Answer                      |
//! |----------------------------|--------------------------------------------------------------|-----------------------------|
//! | `veridical_verify_receipt` | bundle; options; program, verification key, or nothing       | `veridical verify --json`   |
//! | `veridical_check_post`     | post; published text, or nothing; options                    | spec/v1/post.md             |
//! | `veridical_verify`         | program or verification key; statement ([`StatementBytes`]); proof | see [`answer`]        |
//!
//! Options are a JSON object: `policy`, a policy document, is needed; `now`, seconds since 1970, `input` and `output`,
//! canonical tensor bytes in base64, `registrations`, a list of such, and `form`, `verify` or `explain`, are not.
//! A module that traps has accepted nothing: its host shows *rejected*.
//!
//! | Module      | Purpose                                      |
//! |-------------|----------------------------------------------|
//! | `statement` | the bytes of a statement                     |
//! | `answer`    | verdict or refusal as JSON                   |
//! | `abi`       | pointers in, pointer out: all the unsafe code |

#![deny(unsafe_code)]

mod abi;
mod answer;
mod statement;

pub use answer::{Refusal, answer, check};
pub use statement::{StatementBytes, StatementError};
