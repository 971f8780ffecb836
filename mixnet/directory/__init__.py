"""Directory authorities: agree on one document per epoch and sign it."""
