"""Tests that run several parts together, or another project's program."""
