"""What the first finding must say of cases after reports taken as a search gave them."""

from tests.diagnosis.wanted import Wanted

DRAWN: dict[str, Wanted] = {
    "fa01_shutdown_does_not_wake_workers": Wanted(
        "missed wake-up", ("`worker-[012]`", "Queue.get", "`MainThread` in `Pool.shutdown`")
    ),
    "fa03_threads_pass_tiny_messages": Wanted(
        "GIL saturated", ("48 threads", "`consume`", "`publish`")
    ),
    "fa05_documents_write_each_with_its_connection": Wanted(
        "database locked",
        ("save-N", "Store.write", "asleep in `Store.metadata`"),
        ("aiosqlite",),
    ),
    "fa06_pool_raises_when_exhausted": Wanted(
        "pool exhausted", ("sync-N", "`connection`", "lets 2 through", "asleep in `index`")
    ),
    "fa08_session_behind_a_lock": Wanted(
        "lock convoy", ("6 threads", "recv", r"fa08\w+.py:3[34]"), ("requests",)
    ),
    "fa09_dump_locks_the_table": Wanted(
        "database locked",
        ("`opinion`", "`dump`", "asleep in `write_archive`"),
        ("django", "psycopg"),
        "PG_URL",
    ),
    "fa10_handlers_that_never_return": Wanted(
        "thread-pool starvation|pool exhausted",
        ("4 (workers|threads)", "asleep in `watch`"),
        ("flask", "waitress"),
    ),
    "fa11_gunicorn_workers_compute": Wanted(
        "pool exhausted", ("2 workers", "computing in `build_report`"), ("gunicorn",)
    ),
    "fa12_celery_runs_servers": Wanted(
        "thread-pool starvation",
        ("2 workers", "`run_server`"),
        ("celery", "redis"),
        "REDIS_URL",
    ),
    "fa13_threads_for_computing": Wanted("GIL saturated", ("6 threads", "`count_primes`")),
    "fa14_worker_leaves_before_task_done": Wanted(
        "wait in vain", ("`loader` in `load`", "Queue.join", "task_done")
    ),
    "fa15_pool_of_small_items": Wanted("idle workers|pickling", ("add_one", "[Pp]ickling")),
    "fa16_callback_under_the_managers_lock": Wanted(
        "deadlock", ("`incoming-0`", "sync_request", "`incoming-1`", "fire_message", "lock")
    ),
    "fa02_pool_ended_in_a_signal_handler": Wanted(
        "wait in vain",
        ("`export`", "1 wait in `AsyncResult.get`", "terminated in `on_hangup`"),
    ),
    "fa04_shell_dies_its_command_stays": Wanted(
        "wait in vain|full pipe", ("`probe`", "the child had ended", "pipe")
    ),
    "fa07_redis_pool_too_many_connections": Wanted(
        "pool exhausted",
        ("4 connections", "cached"),
        ("redis",),
        "REDIS_URL",
    ),
    "fb01_whois_never_answers": Wanted(
        "slow answer", ("`whois-[012]` in `query`", "socket.recv", "MainThread")
    ),
    "fb02_worker_used_up_and_not_replaced": Wanted(
        "wait in vain", ("`collect`", "Future.result", "SpawnProcess-1", "no other one")
    ),
    "fb03_engine_sleeps_in_its_transaction": Wanted(
        "database locked",
        ("`acknowledge`", "`alert-engine`", "asleep in `run`"),
        ("sqlalchemy", "psycopg"),
        "PG_URL",
    ),
    "fb04_server_keeps_one_connection": Wanted("slow client", ("`http`", "recv_into", "1.2")),
    "fb05_log_handler_over_tcp": Wanted(
        "lock convoy", ("6 threads `job-N`", r"sendall` \(fb05\w+.py:27")
    ),
    "fb06_session_left_at_early_return": Wanted(
        "slots never returned",
        ("4 threads", "held one last in `comp_admin`"),
        ("flask", "sqlalchemy"),
    ),
    "fb07_port_of_a_stopped_engine": Wanted(
        "wait in vain", ("`submitter` in `Port.send`", "`engine`, had ended")
    ),
    "fb08_redis_lock_of_a_crashed_process": Wanted(
        "slots never returned",
        ("`cloner` took a redis lock in `clone`", "MainThread"),
        ("redis",),
        "REDIS_URL",
    ),
    "fb09_select_for_update_locks_the_related_row": Wanted(
        "database locked",
        ("5 threads `web-N`", "`certify`", "asleep in `ask_api`"),
        ("django", "psycopg"),
        "PG_URL",
    ),
    "fb10_poll_until_it_ends_then_read": Wanted(
        "full pipe", ("MainThread", "`run_script`", "pipe")
    ),
    "ok_fa3_session_of_each_thread": Wanted("", (), ("requests",)),
    "ok_fa4_long_polls_fit": Wanted("", (), ("flask", "waitress")),
    "ok_fa6_dump_reads_a_snapshot": Wanted("", (), ("django", "psycopg"), "PG_URL"),
    "da01_line_longer_than_the_limit": Wanted(
        "full pipe|wait in vain", ("run_agent", "read_events", "ValueError")
    ),
    "da02_batches_wait_for_the_slowest": Wanted(
        "awaits in turn|slow answer", ("gather_in_batches", "slowest|last")
    ),
    "da03_engine_with_null_pool": Wanted(
        "new connections", ("price",), ("sqlalchemy", "asyncpg"), "PG_URL"
    ),
    "da04_filled_before_the_workers_start": Wanted(
        "wait in vain|deadlock", ("crawl", "put", "nobody|no task|none")
    ),
    "da05_pings_unanswered_while_it_transcribes": Wanted(
        "loop blocked|task never yields", ("process_iter",), ("websockets",)
    ),
    "da09_bad_message_holds_up_its_partition": Wanted(
        "retries|queue grows|pool exhausted", ("consume", "BadOrder|save")
    ),
    "da11_shutdown_gathers_itself": Wanted(
        "deadlock|wait in vain", ("shutdown", "itself|main")
    ),
    "da12_flag_set_and_cleared_while_it_writes": Wanted(
        "missed wake-up|wait in vain", ("save", "writer", "dirty|Event")
    ),
    "da13_sender_failed_at_a_frame": Wanted(
        "wait in vain", ("send", "sender", "ValueError|failed")
    ),
    "ok_da1_calls_within_the_rate": Wanted("", (), ("aiolimiter",)),
    "ok_da2_drains_before_it_ends": Wanted(""),
    "ok_da3_live_page_with_idle_viewers": Wanted("", (), ("aiohttp",)),
    "ok_da4_service_that_ends_well": Wanted(""),
    "de03_broadcast_waits_for_the_slowest": Wanted(
        "slow client|slow answer|awaits in turn", ("publish", "send")
    ),
    "de05_transfers_that_conflict": Wanted(
        "busy loop|retries", ("add", "SerializationError"), ("asyncpg",), "PG_URL"
    ),
    "de06_background_task_sleeps": Wanted(
        "loop blocked", ("send_mail", "sleep"), ("fastapi", "uvicorn", "httpx")
    ),
}
