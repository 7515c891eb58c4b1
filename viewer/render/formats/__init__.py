"""What other tools read: one file for each format."""
