"""Pure functions that turn a model into small frozen dataclasses."""
