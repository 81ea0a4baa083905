"""Worked examples: real models, where their data comes from, and how each is fed.

Tests and benches import `examples.zoo`; nothing in `python/veridical` does.
"""
