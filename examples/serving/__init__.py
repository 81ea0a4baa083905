"""Clients of a gateway: this package's, and one that knows nothing of receipts."""
