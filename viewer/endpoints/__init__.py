"""The HTTP endpoints of a running program: a process beside it, which answers for it."""
