"""Random concurrent programs that log the truth about themselves, compared with their traces.

    python -m tests.random_programs --seeds 0:1000 [--keep DIR] [--shrink] [--all]

`plan` makes a program from a seed, `program` runs it (traced or not) and logs what happened,
`check` compares the trace with that log. A part of a program is a function in
`parts_*`; it makes each thing it logs certain by handshakes, so that nothing it says depends
on how the threads were scheduled.
"""
