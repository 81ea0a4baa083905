//! Integers against naive definitions.
