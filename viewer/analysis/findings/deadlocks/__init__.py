"""Those who wait for each other, or for themselves, for good."""
