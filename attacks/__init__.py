"""Runnable forgeries, one in each file; see README.md."""
