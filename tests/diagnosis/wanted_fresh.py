"""What the first finding of the programs after reports that were drawn by chance must say."""

from tests.diagnosis.wanted import Wanted

FRESH: dict[str, Wanted] = {
    "fb01_tunnels_left_half_open": Wanted(
        "slots never returned|pool exhausted",
        ("12 tasks `tunnel`", "6 tasks `tunnel`", r"fb01\w+.py:27"),
        ("uvloop",),
    ),
    "fb02_large_orders_are_validated": Wanted(
        "loop blocked|loop overloaded", ("get_order",), ("fastapi", "httpx")
    ),
    "fb03_body_read_twice": Wanted(
        "wait in vain",
        ("create_order", "receive|body|json"),
        ("starlette", "uvicorn", "httpx"),
    ),
    "fb04_silent_sites_take_the_connector": Wanted(
        "pool exhausted", ("4 connections", "check_site"), ("aiohttp",)
    ),
    "fb05_slow_service_takes_the_client": Wanted(
        "pool exhausted", ("5 connections", "recommendations", "profile"), ("httpx",)
    ),
    "fb06_dashboard_stops_the_broadcast": Wanted(
        "slow client",
        ("broadcast", "send", r"fb06\w+.py:30"),
        ("starlette", "uvicorn", "websockets"),
    ),
    "fb07_acquire_has_no_time_out": Wanted(
        "pool exhausted", ("3 connections", "grant_consent"), ("asyncpg",), "PG_URL"
    ),
    "fb08_dependency_returns_a_session": Wanted(
        "slots never returned",
        ("6 tasks", "4 tasks `ask`", "read_user"),
        ("fastapi", "sqlalchemy", "aiosqlite"),
    ),
    "fb09_subscriber_ends_unseen": Wanted(
        "wait in vain", ("consume|get", "read_replies", "ended")
    ),
    "fb10_trio_producer_never_awaits": Wanted(
        "loop blocked|task never yields", ("produce", "sleep"), ("trio",)
    ),
    "fb11_worker_stops_at_stop_iteration": Wanted(
        "wait in vain", ("run_sync|next_page", "blocking-worker", "StopIteration|failed")
    ),
    "fb12_flock_is_not_patched": Wanted("loop blocked", ("save_stats", "flock"), ("gevent",)),
    "fb13_tornado_handler_sleeps": Wanted(
        "loop blocked", ("Complex.get", r"sleep.*fb13\w+.py:23"), ("tornado",)
    ),
    "fb14_bot_listener_thinks": Wanted(
        "slow consumer|awaits in turn|pool exhausted|queue grows|long waits",
        ("dispatch", "infer"),
    ),
    "fb15_one_tool_hangs_in_communicate": Wanted(
        "slow answer", ("main", "gather", "check", "subprocess")
    ),
    "fb16_system_exit_ends_the_loop": Wanted(
        "wait in vain", ("load_plugin", "loop-thread", "ask|main")
    ),
    "fg01_connections_starve_the_tick": Wanted(
        "loop overloaded", ("handle", "tick"), ("aiohttp",)
    ),
    "fg02_put_into_a_full_process_queue": Wanted(
        "loop blocked|deadlock", ("transcribe", r"put|acquire"), ("fastapi", "httpx")
    ),
    "fg03_killed_workers_are_not_replaced": Wanted(
        "wait in vain|killed by signal",
        ("`ForkProcess-1`", "`ForkProcess-2`", "SIGKILL", "4 tasks `ask`"),
    ),
    "fg04_gather_in_a_loop": Wanted(
        "awaits in turn",
        ("main", "`one`.* and `two`", "10 times", r"fg04\w+.py:21"),
    ),
    "fg05_cancelled_tasks_keep_sessions": Wanted(
        "slots never returned", ("4 tasks `lookup`", "report"), ("sqlalchemy", "aiosqlite")
    ),
    "fg06_last_message_has_no_receiver": Wanted(
        "wait in vain|deadlock", ("stop", "send", "pump"), ("anyio",)
    ),
    "fg07_client_made_before_the_patch": Wanted(
        "loop blocked|blocking call on the loop thread", ("fetch", "recv"), ("gevent",)
    ),
    "fg08_names_wait_for_trios_threads": Wanted(
        "pool exhausted|thread-pool starvation", ("40", "upload", "connect"), ("trio",)
    ),
    "fg09_replies_after_the_reader_has_ended": Wanted(
        "wait in vain", ("call|client", "recv_loop", "ended")
    ),
    "fg10_event_streams_take_the_pool": Wanted(
        "pool exhausted|slots never returned",
        ("login", "listen", "2 connections|all"),
        ("httpx",),
    ),
    "fl01_browsers_lost_on_bad_page": Wanted(
        "slots never returned", ("7 tasks `job`", "Scraper.scrape", "7.0")
    ),
    "fl02_anyio_job_saves_under_the_lock": Wanted(
        "deadlock",
        ("Store.update", "AnyIO worker thread", "Store.save", "Store.merge"),
        ("anyio",),
    ),
    "fm01_semaphore_on_the_loop": Wanted(
        "deadlock", ("`_acquire`", "4 tasks `call-N`", "their loop"), ("uvloop",)
    ),
    "fm03_handler_cancels_its_consumer": Wanted(
        "wait in vain", ("`run-tool`", "Queue.join", "`event-consumer`.* was cancelled")
    ),
    "fm04_tab_that_does_not_read": Wanted(
        "slow client",
        (r"`broadcast` \(fm04\w+.py:\d", "9 tasks `handler`"),
        ("uvloop", "websockets"),
    ),
    "fm05_limit_ends_the_stream": Wanted(
        "slow end", ("uvicorn", "`subscribe`"), ("starlette", "uvicorn", "httpx")
    ),
    "fm06_permit_within_a_permit": Wanted(
        "deadlock|slots never returned",
        (
            "4 tasks `page-N`",
            "`call`",
            "3 tasks `page-N` (hold them all|held one last) in `mul",
        ),
        ("uvloop",),
    ),
    "fm07_loader_is_cancelled": Wanted(
        "wait in vain", ("5 tasks `request-N` in `get`", "`request-0`", "`load`.* cut short")
    ),
    "fm08_generator_keeps_its_connection": Wanted(
        "slots never returned",
        ("5 tasks `lookup-N`", "3 tasks `page-N` held one last in `rows`"),
        ("asyncpg",),
        "PG_URL",
    ),
    "fm09_subscribers_that_have_gone": Wanted(
        "queue grows", ("18 queues grow", "18 tasks `viewer-N` in `subscribe`", "publisher")
    ),
    "fm10_both_ends_drain": Wanted(
        "wait in vain", ("`sync-client` in `push`", "`drain`", "write"), ("uvloop",)
    ),
    "ok_fm3_load_is_shielded": Wanted(""),
    "fm11_service_calls_itself": Wanted(
        "deadlock",
        ("2 tasks `step`", "httpx's pool", "2 tasks `report`"),
        ("starlette", "uvicorn", "httpx"),
    ),
    "ok_fm4_others_stand_by": Wanted(""),
    "ok_fm1_stream_ends_with_the_server": Wanted("", (), ("starlette", "uvicorn", "httpx")),
    "ok_fm2_permits_one_after_the_other": Wanted(""),
    "ok_fl2_anyio_job_saves": Wanted("", (), ("anyio",)),
    "ok_fb1_tunnels_that_close": Wanted("", (), ("uvloop",)),
    "ok_fb2_body_handed_on": Wanted("", (), ("starlette", "uvicorn", "httpx")),
    "ok_fb3_client_large_enough": Wanted("", (), ("httpx",)),
}
