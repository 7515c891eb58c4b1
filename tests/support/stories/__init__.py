"""Hand-made traces that several tests share."""
