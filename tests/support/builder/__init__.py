"""Traces made by hand."""
