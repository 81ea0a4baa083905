//! Spec: spec/v1/zk.md.
