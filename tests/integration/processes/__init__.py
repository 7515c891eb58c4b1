"""Several processes that work for each other, recorded together."""
