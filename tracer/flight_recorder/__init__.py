"""The last seconds of a program in a ring of files; snapshots, and what triggers them."""
