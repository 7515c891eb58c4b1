"""Random concurrent programs that know the truth about themselves, held against their traces.

    python -m tests.random_programs --seeds 0:1000 [--keep DIR] [--shrink] [--all]

`plan` makes a program of a seed, `program` runs it (traced or not) and writes what happened,
by its own log, `check` holds the trace against the log. A part of a program is a function in
`parts_*`; it makes each thing it logs certain by handshakes, so that nothing it says depends
on how the threads were scheduled.
"""
