"""Profiles: stacks with numbers, from samples and from exact waits."""
