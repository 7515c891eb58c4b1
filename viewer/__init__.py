"""The reader: opens and explains traces; the traced program never imports it."""
