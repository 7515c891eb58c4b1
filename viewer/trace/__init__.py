"""From a trace file to a model: bytes, columns, tracks, tasks, states; C twins in native/."""
