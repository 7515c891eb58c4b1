"""The rules of a trace, checked."""
