"""A trace file becomes a model: bytes, columns, tracks, tasks, states; C twins in native/."""
