"""What the first finding must say of cases after common reports of threads, processes and
databases."""

from tests.diagnosis.wanted import Wanted

COMMON: dict[str, Wanted] = {
    "dv01_exception_that_cannot_be_read": Wanted(
        "wait in vain", ("`collect`", "`AsyncResult.get`", "_handle_results", "TypeError")
    ),
    "dv02_waits_with_the_lock": Wanted(
        "lock convoy", ("`driver` waits", "`MainThread`", r"dv02\w+.py:2[0-9]", "sleep")
    ),
    "dv03_row_locked_in_the_own_hub": Wanted(
        "deadlock",
        ("`buy`", "blocks its hub", "LockNotAvailable", "`call_payment`"),
        ("gevent", "psycopg2"),
        "PG_URL",
    ),
    "dv04_sqlite_locked_by_the_own_loop": Wanted(
        "deadlock", ("`signup`", "blocks its event loop", "`notify`")
    ),
    "dv05_subscribers_look_each_millisecond": Wanted(
        "busy loop", ("`subscribe`", "socket.recv", "12 threads"), ("redis",), "REDIS_URL"
    ),
    "dv06_called_instead_of_submitted": Wanted(
        "awaits in turn", ("`MainThread`", "`refresh`", "calls `fetch_price`", "20 times")
    ),
    "dv07_lock_file_taken_twice": Wanted(
        "lock convoy", ("`save`", "`register`", "a lock object of its own"), ("filelock",)
    ),
    "dv08_socket_gives_up_before_blpop": Wanted(
        "wait in vain", ("`worker`", "blpop", "shorter time-out"), ("redis",), "REDIS_URL"
    ),
    "dv09_database_is_not_there": Wanted(
        "wait in vain",
        ("`web_N`", "`find_user`", "9 calls", "ServerSelectionTimeoutError"),
        ("pymongo",),
    ),
    "dv10_rows_read_slowly": Wanted(
        "database locked", ("`writer-N`", "`report` kept", "asleep in `render`")
    ),
    "ok_dv1_jobs_of_a_table_are_skipped": Wanted("", (), ("psycopg",), "PG_URL"),
    "ok_dv3_workers_pop_and_a_listener": Wanted("", (), ("redis",), "REDIS_URL"),
    "kn01_devices_of_failed_jobs": Wanted(
        "slots never returned",
        ("`Condition` in `Devices.take`", "2 threads `trainer_N` held one last"),
    ),
    "kn02_unread_beside_other_sessions": Wanted(
        "slots never returned", ("5 tasks `fetch`", "2 tasks `probe` held one"), ("aiohttp",)
    ),
    "kn03_two_semaphores_in_opposite_order": Wanted(
        "deadlock", ("2 tasks `up` in `up`", "which 2 tasks `down` have", "in one order")
    ),
    "la04_dead_node_is_asked_first": Wanted(
        "wait in vain", ("`Client.query`", "connect", "12 times", "did not answer")
    ),
    "la09_short_queue_of_connections": Wanted(
        "slow answer", ("`client-N`", "`ask`", "queue of connections was full")
    ),
    "la10_memory_kept_for_each_session": Wanted(
        "growing global", ("Memory grows all the time",)
    ),
    "mb06_answer_comes_in_drops": Wanted(
        "slow answer", ("`fetch`", "bit by bit", "time-out"), ("requests",)
    ),
    "mb08_a_new_process_for_each_task": Wanted(
        "idle workers", ("40 jobs", "`predict`", "maxtasksperchild")
    ),
    "nc10_each_request_is_redirected": Wanted(
        "awaits in turn", ("`get_item`", "(39|40) of these answers", "redirect"), ("requests",)
    ),
    "od03_generator_keeps_the_lock": Wanted(
        "lock convoy", ("3 threads `request-N`", "the Lock", r"od03\w+.py:26")
    ),
    "ok_kn2_standby_at_an_advisory_lock": Wanted("", (), ("psycopg",), "PG_URL"),
    "ok_kn3_standby_with_asyncpg": Wanted("", (), ("asyncpg",), "PG_URL"),
}
