//! Pointers in, pointer out: all the unsafe code.
//!
//! A host allocates three buffers, fills them, verifies, reads the answer and frees all four. A module that
//! traps has accepted nothing; the host drops it, since its memory may be in any state.

#![expect(unsafe_code, reason = "the C interface")]

use core::slice;

use crate::answer;

/// Allocates a buffer of zeros for the host.
#[unsafe(no_mangle)]
pub extern "C" fn veridical_alloc(length: usize) -> *mut u8 {
    Box::into_raw(vec![0_u8; length].into_boxed_slice()).cast()
}

/// Frees a buffer of [`veridical_alloc`], or an answer with its 4 bytes of length.
///
/// # Safety
/// `pointer` came from here with this length, and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn veridical_free(pointer: *mut u8, length: usize) {
    // SAFETY: the caller's contract; every buffer that leaves this module is a boxed slice.
    drop(unsafe { Box::from_raw(core::ptr::slice_from_raw_parts_mut(pointer, length)) });
}

/// Verifies. The answer is JSON behind its length in 4 bytes, little-endian; the caller frees it.
///
/// # Safety
/// Each pointer is one of [`veridical_alloc`] with that length.
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
            slice::from_raw_parts(program, program_length),
            slice::from_raw_parts(statement, statement_length),
            slice::from_raw_parts(proof, proof_length),
        )
    };
    let answer = answer(program, statement, proof);
    let length = u32::try_from(answer.len()).unwrap_or(u32::MAX);
    let framed = [&length.to_le_bytes(), answer.as_bytes()].concat();
    Box::into_raw(framed.into_boxed_slice()).cast()
}
