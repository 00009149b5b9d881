"""Networks without a loss: what methods are built from."""
