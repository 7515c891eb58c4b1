"""Programs that tests record."""
