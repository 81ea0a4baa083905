"""Benchmarks: our executor beside ONNX Runtime, measured in the same run."""
