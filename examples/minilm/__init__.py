"""The sentence encoder all-MiniLM-L6-v2 as an ONNX file, built from its packaged weights."""
