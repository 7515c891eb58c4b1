"""Stable JSON, for programs."""
