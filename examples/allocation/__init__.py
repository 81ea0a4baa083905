"""Portfolio weights from monthly market data: a small MLP trained on Fama-French returns."""
