//! Pointers in, pointer out: all the unsafe code.
//!
//! A host allocates three buffers, fills them, calls, reads the answer and frees all four. A module that
//! traps has accepted nothing; the host drops it, since its memory may be in any state.

#![expect(unsafe_code, reason = "the C interface")]

use core::slice;

use veridical_receipt::options;

use crate::answer;

/// Allocates a buffer of zeros for the host.
#[unsafe(no_mangle)]
pub extern "C" fn veridical_alloc(length: usize) -> *mut u8 {
    Box::into_raw(vec![0_u8; length].into_boxed_slice()).cast()
}

/// Frees a buffer of [`veridical_alloc`], or an answer with its 4 bytes of length; a null pointer is none.
///
/// # Safety
/// `pointer` came from here with this length, and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn veridical_free(pointer: *mut u8, length: usize) {
    if pointer.is_null() {
        return;
    }
    // SAFETY: the caller's contract; every buffer that leaves this module is a boxed slice.
    drop(unsafe { Box::from_raw(core::ptr::slice_from_raw_parts_mut(pointer, length)) });
}

/// Verifies a succinct proof: program or verification key, statement, proof. The answer is JSON behind its length in
/// 4 bytes, little-endian; the caller frees it.
///
/// # Safety
/// Each pointer is one of [`veridical_alloc`] with that length, or its length is 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn veridical_verify(
    program: *const u8,
    program_length: usize,
    statement: *const u8,
    statement_length: usize,
    proof: *const u8,
    proof_length: usize,
) -> *mut u8 {
    // SAFETY: the caller's contract; nothing writes to the buffers while the verifier reads.
    let (program, statement, proof) = unsafe {
        (
            bytes(program, program_length),
            bytes(statement, statement_length),
            bytes(proof, proof_length),
        )
    };
    framed(&answer(program, statement, proof))
}

/// Verifies a receipt: bundle, options in JSON, program or verification key. The answer as of [`veridical_verify`].
///
/// # Safety
/// As for [`veridical_verify`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn veridical_verify_receipt(
    receipt: *const u8,
    receipt_length: usize,
    options: *const u8,
    options_length: usize,
    program: *const u8,
    program_length: usize,
) -> *mut u8 {
    // SAFETY: the caller's contract; nothing writes to the buffers while the verifier reads.
    let (receipt, options, program) = unsafe {
        (
            bytes(receipt, receipt_length),
            bytes(options, options_length),
            bytes(program, program_length),
        )
    };
    framed(&options::answer(receipt, options, program))
}

/// Checks a post: its file, the text as it was found or nothing, options in JSON. The answer as of
/// [`veridical_verify`].
///
/// # Safety
/// As for [`veridical_verify`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn veridical_check_post(
    post: *const u8,
    post_length: usize,
    text: *const u8,
    text_length: usize,
    options: *const u8,
    options_length: usize,
) -> *mut u8 {
    // SAFETY: the caller's contract; nothing writes to the buffers while the verifier reads.
    let (post, text, options) = unsafe {
        (
            bytes(post, post_length),
            bytes(text, text_length),
            bytes(options, options_length),
        )
    };
    framed(&options::answer_post(post, text, options))
}

/// JSON behind its length, for the host to free.
fn framed(answer: &str) -> *mut u8 {
    let length = u32::try_from(answer.len()).unwrap_or(u32::MAX);
    let framed = [&length.to_le_bytes(), answer.as_bytes()].concat();
    Box::into_raw(framed.into_boxed_slice()).cast()
}

/// The bytes of a buffer; those of an empty one wherever it points, which for a host in C is often nowhere.
///
/// # Safety
/// As for [`veridical_verify`].
unsafe fn bytes<'a>(pointer: *const u8, length: usize) -> &'a [u8] {
    if length == 0 {
        return &[];
    }
    // SAFETY: the caller's contract.
    unsafe { slice::from_raw_parts(pointer, length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Call =
        unsafe extern "C" fn(*const u8, usize, *const u8, usize, *const u8, usize) -> *mut u8;

    #[test]
    fn empty_buffers_are_refused_and_freed() {
        let empty = veridical_alloc(0);
        let calls = [
            (veridical_verify as Call, r#"{"accepted":false,"#),
            (veridical_verify_receipt, r#"{"error":{"#),
            (veridical_check_post, r#"{"error":{"#),
        ];
        for (call, expected) in calls {
            for pointer in [core::ptr::null(), empty.cast_const()] {
                // SAFETY: the lengths are 0; the answer is read as far as it says.
                unsafe {
                    let framed = call(pointer, 0, pointer, 0, pointer, 0);
                    let length = u32::from_le_bytes(*framed.cast::<[u8; 4]>());
                    let all = usize::try_from(length).unwrap() + 4;
                    let text = core::str::from_utf8(&bytes(framed, all)[4..]).unwrap();
                    assert!(text.starts_with(expected), "{text}");
                    veridical_free(framed, all);
                }
            }
        }
        // SAFETY: the one is from above, the other is none.
        unsafe {
            veridical_free(empty, 0);
            veridical_free(core::ptr::null_mut(), 7);
        }
    }
}
