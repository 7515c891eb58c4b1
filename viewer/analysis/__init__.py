"""Pure functions from the model to small frozen dataclasses."""
