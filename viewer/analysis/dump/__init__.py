"""The threads and tasks of one moment: what each does, since when, and behind whom."""
