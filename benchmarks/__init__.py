"""What recording costs: `python -m benchmarks` prints one table."""
