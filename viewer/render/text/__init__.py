"""Text, for people at a terminal."""
