"""What a program reads: stable JSON."""
