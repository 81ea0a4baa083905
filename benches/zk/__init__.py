"""Benchmark of succinct proofs: ours, EZKL's and DSperse's, beside running without a proof."""
