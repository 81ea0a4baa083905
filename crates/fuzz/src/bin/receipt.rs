//! Receipts, posts, policies and options under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| veridical_fuzz::receipt::run(data));
