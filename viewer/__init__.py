"""The reader: opens traces, explains them; never imported by the traced program."""
