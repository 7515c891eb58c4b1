"""What the first finding of the cases of loops, pools of one's own and streams must say."""

from tests.diagnosis.wanted import Wanted

LOOPS: dict[str, Wanted] = {
    "aa02_barrier_within_permits": Wanted(
        "deadlock", ("3 tasks `shard`", "barrier", "permit")
    ),
    "aa08_shared_load_cancelled": Wanted(
        "wait in vain", ("8 tasks `request`", "encode", "cancelled 4 times")
    ),
    "ok_aa3_zmq_workers_keep_up": Wanted("", (), ("zmq",)),
    "ok_aa4_deferred_lock_short": Wanted("", (), ("twisted",)),
}
