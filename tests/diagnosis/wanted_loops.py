"""What the first finding of the cases of loops, pools of one's own and streams must say."""

from tests.diagnosis.wanted import Wanted

LOOPS: dict[str, Wanted] = {
    "aa01_greeting_without_newline": Wanted(
        "wait in vain", ("3 tasks `session`", "3 tasks `handle`", "readline", "newline")
    ),
    "aa02_barrier_within_permits": Wanted(
        "deadlock", ("3 tasks `shard`", "barrier", "permit")
    ),
    "aa03_debounced_batch": Wanted(
        "missed wake-up", ("40 tasks `push`", "Batch.send", "Batch.add", "cancelled")
    ),
    "aa04_deferred_lock_lost": Wanted(
        "slots never returned",
        ("5 coroutines `save`", "Lock", "without releasing", r"aa04\w+.py:18"),
        ("twisted",),
    ),
    "aa05_notifications_fail_unseen": Wanted(
        "orphaned task", ("26 tasks", "send", "ConnectionError", "nobody has asked")
    ),
    "aa06_slow_host_takes_all_clients": Wanted(
        "pool exhausted", ("check", "_HTTPConnection.run", "4 at a time"), ("tornado",)
    ),
    "aa07_reply_never_sent": Wanted(
        "wait in vain", ("MainThread.*ask", "worker", "KeyError", "lookup"), ("zmq",)
    ),
    "aa08_shared_load_cancelled": Wanted(
        "wait in vain", ("8 tasks `request`", "encode", "cancelled 4 times")
    ),
    "aa09_forgotten_gets_take_items": Wanted(
        "orphaned task", (r"`Queue.get`", "consume", "order", "in vain")
    ),
    "aa10_pool_polled_for_a_free_one": Wanted(
        "pool exhausted", ("ping", "Pool.take", "2 through at a time", "report")
    ),
    "ab01_trio_start_never_started": Wanted(
        "wait in vain", ("main", "listen", "task_status.started", "Event"), ("trio",)
    ),
    "ab02_thread_not_abandoned": Wanted(
        "wait in vain",
        (r"3 trio tasks `\S*fetch`", "query", "cancel scope", "abandon"),
        ("trio",),
    ),
    "ab03_limiter_lock_over_sleep": Wanted(
        "lock held across await", (r"ab03\w+.py:19", "sleep")
    ),
    "ab04_channel_clone_left_open": Wanted(
        "wait in vain", ("consume", "produce", "clones"), ("trio",)
    ),
    "ab05_aiofiles_line_by_line": Wanted(
        "awaits in turn", ("load", "readline", "thread pool"), ("aiofiles",)
    ),
    "ab06_half_open_probe_lost": Wanted(
        "wait in vain", ("5 tasks `call`", "Breaker.enter", "`call` was cancelled")
    ),
    "ac01_urgent_items_starve_others": Wanted(
        "pool exhausted", ("alert", "report", "`worker`", "pool of one")
    ),
    "ac02_permit_kept_across_yield": Wanted(
        "pool exhausted", ("2 permits", "rows", "preview", "asleep in `export`")
    ),
    "ac03_retries_pile_up_behind_shields": Wanted(
        "pool exhausted", ("2 permits", "upload", "`save`", "had given up")
    ),
    "ac04_result_set_from_a_thread": Wanted("missed wake-up", ("main", "device", "read")),
    "ok_aa3_zmq_workers_keep_up": Wanted("", (), ("zmq",)),
    "ok_aa4_deferred_lock_short": Wanted("", (), ("twisted",)),
    "eg01_deferred_semaphore_kept": Wanted(
        "slots never returned",
        ("6 tasks `download`", "permit", r"eg01\w+.py:21"),
        ("twisted",),
    ),
    "ok_eg1_deferred_semaphore_returned": Wanted("", (), ("twisted",)),
    "eg02_deferred_queue_after_failure": Wanted(
        "wait in vain", ("3 coroutines `consume`", "produce", "ValueError"), ("twisted",)
    ),
    "ok_eg2_deferred_queue_fed": Wanted("", (), ("twisted",)),
    "eg04_semaphore_kept_before_anybody_waits": Wanted(
        "slots never returned",
        ("5 tasks `render`", "permit", "2 tasks `export` held one last"),
    ),
    "ok_eg4_permits_returned_by_others": Wanted(""),
    "eg05_checkout_lost_before_anybody_waits": Wanted(
        "slots never returned", ("`show`", "SQLAlchemy", "8 waits"), ("sqlalchemy",)
    ),
    "eg06_anyio_permit_kept": Wanted(
        "slots never returned",
        (r"5 trio tasks `\S*render`", r"2 trio tasks `\S*export` held one last"),
        ("anyio", "trio"),
    ),
    "eg08_response_never_read": Wanted(
        "slots never returned", ("5 tasks `fetch`", "2 tasks `probe`"), ("aiohttp",)
    ),
    "eg03_lock_run_over_slow_call": Wanted(
        "lock held across await", ("store", "upload", "7 waits"), ("twisted",)
    ),
    "ok_ab1_trio_start_and_threads": Wanted("", (), ("trio",)),
    "ok_lp1_gevent_maps": Wanted("", (), ("gevent",)),
    "ok_lp2_short_jobs_of_patched_executor": Wanted("", (), ("gevent",)),
    "ok_lp3_short_jobs_in_threads": Wanted(""),
}
