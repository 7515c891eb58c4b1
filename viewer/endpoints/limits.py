"""How much of anything the endpoints allow: nothing that is asked may cost without bound."""

CONNECTIONS = 64  # at a time; more are told to come back
HEAD_BYTES = 16 << 10  # request line and headers
BODY_BYTES = 64 << 10
READ_S = 10  # a whole request must have arrived by then
WRITE_S = 60  # a whole answer must have been taken by then
PROFILE_S = 30  # as Go, where nothing is said
TRACE_S = 1
LONGEST_S = 300  # a profile, a trace
DERIVATIONS = 2  # processes that derive answers at a time …
QUEUE_S = 30  # … others wait so long for their turn
DERIVE_S = 120  # for one of them
DERIVE_BYTES = 4 << 30  # its address space
ANSWER_BYTES = 256 << 20
TRACE_BYTES = 1 << 30  # a larger recording is not read for an answer
SYMBOLS = 100_000  # names that are remembered for `symbol`
PROGRAM_S = 20  # until the program has done what it was asked to
