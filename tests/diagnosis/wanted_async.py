"""What the first finding of the asynchronous cases must say."""

from tests.diagnosis.wanted import Wanted

ASYNC: dict[str, Wanted] = {
    "w10_events_of_a_failed_worker": Wanted(
        "wait in vain", ("4 tasks", "ask", "`worker` failed")
    ),
    "q01_sync_auth_in_middleware": Wanted(
        "loop blocked|blocking call on the loop thread",
        ("recv|urlopen", "dispatch", r"q01\w+.py:35"),
        ("starlette", "httpx"),
    ),
    "q02_log_handler_sends": Wanted(
        "loop blocked|blocking call on the loop thread", ("recv", r"q02\w+.py:29")
    ),
    "q03_readline_after_eof": Wanted("busy loop|task never yields|loop blocked", ("handler",)),
    "q04_redis_watch_over_request": Wanted(
        "pool exhausted", ("2 connections", "ask_price|reserve"), ("redis",), "REDIS_URL"
    ),
    "q05_time_out_while_parsing": Wanted("loop blocked", ("summarise",), ("aiohttp",)),
    "q06_websocket_one_message_at_a_time": Wanted(
        "awaits in turn",
        ("on_message|lookup_user",),
        ("websockets",),
    ),
    "q07_session_over_llm_call": Wanted(
        "pool exhausted", ("3 connections", "complete|answer"), ("sqlalchemy", "aiosqlite")
    ),
    "q08_permit_lost_on_bad_record": Wanted(
        "slots never returned", ("import_record", "permit")
    ),
    "q09_put_after_consumers_left": Wanted("wait in vain", ("read_rows", "Queue.put")),
    "q10_workers_send_to_their_own_stream": Wanted(
        "deadlock|wait in vain", ("crawl", "send"), ("anyio",)
    ),
    "q11_password_hash_on_trio": Wanted("loop blocked", ("login|verify",), ("trio",)),
    "q12_large_json_on_uvloop": Wanted("loop blocked", ("export",), ("uvloop",)),
    "q13_query_per_order": Wanted(
        "awaits in turn", ("load_customer",), ("asyncpg",), "PG_URL"
    ),
    "q14_leader_cancelled": Wanted("wait in vain", ("request|get", "Event")),
    "q15_many_pollers": Wanted("busy loop", ("wait_result",)),
    "q16_drain_for_slow_client": Wanted(
        "slow client",
        ("broadcast", "drain"),
    ),
    "q17_long_polls_take_the_connector": Wanted(
        "pool exhausted", ("2 connections", "poll_updates"), ("aiohttp",)
    ),
    "q18_queue_without_bound": Wanted(
        "queue grows",
        ("dispatch", "channel|publish"),
    ),
    "q19_threads_outlive_their_time_outs": Wanted(
        "thread-pool starvation|slots never returned|pool exhausted",
        ("4 workers", "read_meter|sample"),
    ),
    "q20_put_under_the_lock": Wanted("deadlock", ("collect", "flush")),
    "q21_swallowed_cancel": Wanted("wait in vain", ("stop", "worker")),
    "r01_anyio_lock_over_request": Wanted(
        "lock held across await", ("Client.call", r"r01\w+.py:17"), ("anyio", "trio")
    ),
    "r02_names_behind_uploads": Wanted(
        "thread-pool starvation", ("3 workers", "upload", "stat_file|listing"), ("uvloop",)
    ),
    "r03_gzip_in_handler": Wanted("loop blocked", ("archive",), ("aiohttp",)),
    "r04_listener_of_the_engine": Wanted(
        "loop blocked|blocking call on the loop thread",
        ("sleep", r"r04\w+.py:15"),
        ("sqlalchemy", "aiosqlite"),
    ),
    "r05_slow_writer_behind_channel": Wanted(
        "slow consumer", ("request", "writer"), ("trio",)
    ),
    "r06_connection_and_lock": Wanted(
        "deadlock", ("sync_user", "rebuild"), ("asyncpg",), "PG_URL"
    ),
    "r07_event_replaced": Wanted("wait in vain|missed wake-up", ("follower", "Event")),
    "r08_websocket_reconnects_at_once": Wanted(
        "busy loop",
        ("follow",),
        ("websockets",),
    ),
    "r09_wait_for_first_of_many": Wanted(
        "loop overloaded|loop blocked|task never yields",
        ("collect|main",),
    ),
    "r10_mail_from_coroutine": Wanted("loop blocked", ("recv", "sign_up|send_welcome")),
    "r11_permits_over_threads": Wanted("pool exhausted", ("2 permits", "draw|render_pdf")),
    "r12_client_per_call": Wanted("descriptors pile up", (r"(2[3-9]|3[012])\d after",)),
    "r13_thread_lock_in_handler": Wanted(
        "loop blocked|lock convoy", ("handle|get", "lock", "save|r13")
    ),
    "r14_watchers_take_the_executor": Wanted(
        "thread-pool starvation", ("3 workers", "watch", "hash_password|log_in")
    ),
    "r15_repr_in_log_line": Wanted("loop blocked|GC in the hot path", ("checkout",)),
    "s01_bcrypt_like_in_dependency": Wanted(
        "loop blocked", ("current_user|me",), ("fastapi", "httpx")
    ),
    "s02_redis_pool_over_work": Wanted(
        "pool exhausted|slots never returned",
        ("get_setting", "follow"),
        ("redis",),
        "REDIS_URL",
    ),
    "s03_semaphore_then_same_semaphore": Wanted("deadlock", ("visit", "permit")),
    "s04_trio_sync_file_lock": Wanted(
        "loop blocked|lock convoy", ("update_index", "flock"), ("trio",)
    ),
    "s05_uvloop_pandas_like_loop": Wanted(
        "loop blocked|task never yields", ("consume", "aggregate|consume"), ("uvloop",)
    ),
    "u02_quart_reports_take_the_executor": Wanted(
        "thread-pool starvation", ("report", "2 workers", "status"), ("quart",)
    ),
    "u03_writers_outlive_their_clients": Wanted(
        "task leak", ("writer", "Queue.get", "handle"), ("aiohttp",)
    ),
    "u06_stream_without_bound": Wanted("queue grows", ("store", "sensor|stream"), ("anyio",)),
    "t02_tornado_executor_taken": Wanted(
        "thread-pool starvation", ("implement", "2 workers", "check"), ("tornado",)
    ),
    "t03_sync_background_tasks": Wanted(
        "pool exhausted|thread-pool starvation",
        ("send_report", "4 "),
        ("starlette", "httpx"),
    ),
    "t05_timer_per_message": Wanted("timers pile up", ("expire", "send")),
    "ok_90_tornado_executor_fits": Wanted("", (), ("tornado",)),
    "s06_future_nobody_resolves": Wanted("wait in vain", ("call", "future")),
    "s07_sync_sqlite_in_coroutine": Wanted(
        "loop blocked|database locked", ("main|save_message", r"execute|sqlite|s07\w+.py:3")
    ),
    "s08_condition_without_notify_all": Wanted(
        "missed wake-up|wait in vain",
        ("reader|wait_for_key", "Condition"),
    ),
    "s09_aiohttp_sync_template": Wanted(
        "loop blocked", ("catalogue", "render|substitute"), ("aiohttp",)
    ),
    "s10_task_group_waits_for_forgotten_worker": Wanted(
        "wait in vain", ("worker", "Queue.get")
    ),
    "ok_60_socket_with_tasks": Wanted("", (), ("websockets",)),
    "ok_61_redis_pool_fits": Wanted("", (), ("redis",), "REDIS_URL"),
    "ok_63_trio_hash_in_threads": Wanted("", (), ("trio",)),
    "ok_67_short_locks_of_anyio": Wanted("", (), ("anyio",)),
    "ok_68_asyncpg_pool_fits": Wanted("", (), ("asyncpg",), "PG_URL"),
    "ok_69_event_stream": Wanted("", (), ("starlette", "httpx")),
    "u01_tls_context_per_request": Wanted(
        "loop blocked", ("poll_sensor|make_context", "load_verify_locations"), ("certifi",)
    ),
    "u02_collections_of_a_large_heap": Wanted(
        "GC in the hot path", ("load_block|Entry", "gc.freeze|reference cycles")
    ),
    "u04_callback_schedules_itself": Wanted("busy loop", ("Pump.tick", "call_soon")),
    "ok_88_tornado_sockets": Wanted("", (), ("tornado",)),
    "ok_90_twisted_lines": Wanted("", (), ("twisted",)),
    "u07_pings_behind_computing_threads": Wanted(
        "GIL saturated|GIL hog", ("asyncio_N", "embed", "MainThread")
    ),
    "u08_rollover_in_the_loop": Wanted("loop blocked", ("handle", "compress")),
    "u09_names_looked_up_each_time": Wanted(
        "thread-pool starvation|pool exhausted", ("asyncio", "slow_name_server"), ("aiohttp",)
    ),
    "u11_handshake_on_the_loop": Wanted("loop blocked", ("main", "do_handshake")),
    "u12_broadcast_encodes_for_each": Wanted(
        "loop blocked|task never yields", ("main", "encode"), ("uvloop",)
    ),
    "u14_files_listed_in_handler": Wanted(
        "loop blocked", ("media", r"os.stat|walk|u14\w+.py:17"), ("aiohttp",)
    ),
    "u15_greenlet_yields_for_ever": Wanted("busy loop", ("wait_for_reply",), ("gevent",)),
    "u16_trio_busy_wait": Wanted("busy loop", ("until_ready",), ("trio",)),
    "ok_92_web_tool_starts": Wanted("", (), ("aiohttp", "fastapi", "httpx", "sqlalchemy")),
    "ok_93_hashes_beside_sockets": Wanted("", (), ("uvloop",)),
    "ok_95_gevent_pipeline": Wanted("", (), ("gevent",)),
    "u18_all_timers_at_once": Wanted(
        "loop overloaded", ("poll_device", "decode", "dashboard")
    ),
    "u19_queue_fed_from_a_thread": Wanted(
        "missed wake-up", ("main", "camera", "reader", "call_soon_threadsafe"), ("uvloop",)
    ),
    "u22_pipeline_blocks_the_reactor": Wanted(
        "loop blocked", (r"u22\w+.py:18",), ("twisted",)
    ),
    "u23_client_retries_at_once": Wanted(
        "busy loop", ("watch_events", "connects"), ("aiohttp",)
    ),
    "u24_trio_waits_for_tool": Wanted("loop blocked", ("main", r"u24\w+.py:\d"), ("trio",)),
    "u27_widgets_fetched_in_turn": Wanted(
        "awaits in turn", ("fetch_widget",), ("starlette", "httpx")
    ),
    "ok_a1_chat_with_outside_clients": Wanted("", (), ("aiohttp",)),
    "ok_a3_trio_pipeline": Wanted("", (), ("trio",)),
    "u29_quart_renders_in_handler": Wanted(
        "loop blocked", ("invoice", r"sleep. \(u29\w+.py:\d"), ("quart",)
    ),
    "u30_stream_looks_for_news": Wanted("busy loop", ("news",), ("starlette", "httpx")),
    "u32_rules_beside_uvloop": Wanted(
        "GIL hog|GIL saturated", ("rules", "apply_rules", "MainThread"), ("uvloop",)
    ),
    "u33_readline_of_a_child": Wanted("loop blocked", ("main", "readline")),
    "u34_flag_file_without_pause": Wanted(
        "loop blocked|task never yields", ("main", r"u34\w+.py:\d")
    ),
    "ok_a4_quart_service": Wanted("", (), ("quart",)),
    "v01_snapshot_to_disk": Wanted(
        "loop blocked", ("save_forever|save_state", r"v01\w+.py:\d"), ("aiohttp",)
    ),
    "v06_rate_limiter_polls": Wanted("busy loop", ("crawl", "acquire"), ("aiohttp",)),
    "v07_regex_in_websocket_filter": Wanted(
        "loop blocked", ("serve", "is_clean"), ("websockets",)
    ),
    "v08_burst_after_reconnect": Wanted("loop overloaded", ("on_message", "parse")),
    "v09_sync_retry_in_handler": Wanted(
        "loop blocked", ("charge", "sleep"), ("aiohttp", "tenacity")
    ),
    "v10_metrics_flushed_in_callback": Wanted(
        "loop blocked", ("flush_metrics",), ("tornado",)
    ),
    "ok_b2_files_parsed_by_processes": Wanted(""),
    "v01_job_asks_a_stopped_loop": Wanted(
        "deadlock", ("save_state", "sync-worker", "MainThread", "loop")
    ),
    "v03_lock_held_over_getmany": Wanted("deadlock", ("coordinator", "process", "lock")),
    "v04_streams_keep_connections": Wanted(
        "pool exhausted",
        ("3 tasks `stream_events`", "3 connections", "list_orders"),
        ("psycopg_pool",),
        "PG_URL",
    ),
    "v05_lock_acquired_for_a_cancelled_task": Wanted(
        "slots never returned", ("tool_call", "refresh", "cancelled")
    ),
    "v06_lock_around_a_task_that_needs_it": Wanted(
        "deadlock", ("refresh", "credentials", "update_credentials")
    ),
    "v16_heartbeat_for_each_reconnect": Wanted("task leak", ("40", "heartbeat", "main")),
    "v18_browsers_lost_in_cancel": Wanted(
        "slots never returned|wait in vain", ("visitor", "take", "Condition")
    ),
    "v19_async_sessions_while_clients_read": Wanted(
        "slots never returned|pool exhausted",
        ("2 tasks `export`", "send_to_client", "list_models"),
        ("sqlalchemy", "aiosqlite"),
    ),
    "v21_permit_kept_to_hold_the_rate": Wanted(
        "pool exhausted", ("3 permits", "call_api", "handler")
    ),
    "v11_subscriptions_never_end": Wanted("task leak", ("forward", "Queue.get")),
    "v11_one_large_export": Wanted(
        "loop blocked", ("export", "to_csv"), ("fastapi", "uvicorn", "httpx")
    ),
    "ok_b5_uvloop_streams": Wanted("", (), ("redis", "uvloop"), "REDIS_URL"),
    "v16_scrypt_in_login": Wanted(
        "loop blocked", ("login", "check_password"), ("starlette", "uvicorn", "httpx")
    ),
    "ok_b6_mixed_routes": Wanted("", (), ("fastapi", "uvicorn", "httpx")),
    "v19_slow_api_of_tasks": Wanted("slow answer", ("worker", "fetch"), ("aiohttp",)),
    "v21_thread_queue_in_coroutine": Wanted(
        "loop blocked", ("forward", "Queue.get"), ("aiohttp",)
    ),
    "ok_b7_trio_hashes": Wanted("", (), ("trio",)),
    "v24_steps_follow_each_other": Wanted(
        "loop blocked|loop overloaded", ("serve", "render", "presence|task")
    ),
    "v25_yaml_read_in_handler": Wanted(
        "loop blocked", ("feature", "load_config"), ("aiohttp", "yaml")
    ),
    "v27_archive_made_in_handler": Wanted("loop blocked", ("backup", "archive"), ("aiohttp",)),
    "v28_metric_sent_from_handler": Wanted(
        "loop blocked", ("buy", "recv", r"v28\w+.py:2\d"), ("aiohttp",)
    ),
    "v30_rows_locked_by_analyst": Wanted(
        "slow answer", ("shop", "update_stock", "asyncpg"), ("asyncpg",), "PG_URL"
    ),
    "ok_c1_streams_through_a_proxy": Wanted("", (), ("aiohttp",)),
    "z01_actor_failed": Wanted("wait in vain", ("store_actor", "failed", "KeyError", "ask")),
    "z03_loop_ends_after_its_threads": Wanted(
        "wait in vain", ("status", "poll_device", "gave up", "shutdown")
    ),
    "z04_nursery_under_a_lock": Wanted(
        "deadlock", ("refresh", "reload_part", r"z04\w+.py:1[5-8]"), ("trio",)
    ),
    "z06_refill_failed": Wanted("wait in vain", ("refill", "failed", "take", "Semaphore")),
    "ok_e1_trio_deadlines_on_purpose": Wanted("", (), ("trio",)),
    "ok_e4_gevent_thread_pool_quick": Wanted("", (), ("gevent",)),
    "z13_thread_asks_loop_for_its_lock": Wanted(
        "deadlock", ("sync_all", "asyncio_0", "snapshot", "lock")
    ),
    "z16_session_kept_while_streaming": Wanted(
        "pool exhausted", ("permits", "stream", "session")
    ),
    "ok_e5_anyio_mixed": Wanted("", (), ("anyio",)),
    "z18_heartbeat_outlives_its_client": Wanted("task leak", ("heartbeat", "150", "handle")),
    "z20_one_output_is_read": Wanted("full pipe", ("convert", "child", "write")),
    "z09_from_thread_needs_a_token": Wanted(
        "deadlock", ("load_user", "sync_view", "anyio"), ("anyio",)
    ),
    "z10_gevent_thread_pool_full": Wanted(
        "pool exhausted", ("2 workers", "resize", "lookup"), ("gevent",)
    ),
    "x06_statistics_on_the_only_connection": Wanted(
        "thread-pool starvation|pool exhausted", ("stats", "get_user"), ("aiosqlite",)
    ),
    "ok_g2_asyncpg_bursts": Wanted(
        "", (), ("fastapi", "uvicorn", "asyncpg", "httpx"), "PG_URL"
    ),
    "x07_gevent_pool_of_two": Wanted(
        "pool exhausted", ("2 workers of gevent's pool", "upload", "web"), ("gevent",)
    ),
    "x10_events_given_in_turn": Wanted(
        "queue grows", ("dispatcher", "post_webhook", "emit"), ("aiohttp",)
    ),
    "m01_connections_in_a_channel": Wanted("pool exhausted", ("2 slots", "upload"), ("trio",)),
    "m07_put_on_the_loops_thread": Wanted(
        "deadlock|loop blocked", ("on_event", "own event loop")
    ),
    "m12_event_behind_the_pool": Wanted(
        "deadlock", ("release_all", "wait_for_go", "SQLAlchemy"), ("sqlalchemy", "aiosqlite")
    ),
    "m13_gevent_queue_as_pool": Wanted("pool exhausted", ("2 slots", "fetch"), ("gevent",)),
    "m14_gevent_pool_in_itself": Wanted("deadlock", ("2 greenlets `crawl`",), ("gevent",)),
    "m15_two_full_channels": Wanted("deadlock", ("feed", "worker"), ("trio",)),
    "m21_channel_without_bound": Wanted("queue grows", ("consume",), ("trio",)),
    "m22_filled_before_it_is_read": Wanted("queue grows", ("indexer",)),
    "m23_cancelled_with_a_connection": Wanted("slots never returned", ("query", "slot")),
    "m24_permit_inside_a_permit": Wanted(
        "deadlock", ("fetch_track", "fetch_album", "permit"), ("trio",)
    ),
    "m25_sync_pool_on_the_loop": Wanted(
        "deadlock", ("handle", "SQLAlchemy's pool", "2 tasks"), ("sqlalchemy",)
    ),
    "m26_pool_under_gevent": Wanted(
        "pool exhausted", ("2 connections", "report"), ("sqlalchemy", "gevent")
    ),
    "ok_m7_trio_crawler": Wanted("", (), ("trio",)),
    "ok_m8_gevent_workers": Wanted("", (), ("gevent",)),
    "m27_result_of_a_failed_greenlet": Wanted(
        "wait in vain", ("lookup", "`resolver` failed"), ("gevent",)
    ),
    "ok_m6_gevent_urlopen": Wanted("", (), ("gevent",)),
    "a13_gevent_rlock_over_call": Wanted(
        "lock held across await", ("worker", "gevent.RLock", "4 waits"), ("gevent",)
    ),
    "a18_lock_holder_behind_batches": Wanted(
        "lock held across await|loop overloaded", ("reindex", "batch")
    ),
    "a06_shielded_task_delays_shutdown": Wanted(
        "wait in vain", ("stop", "cancelled `sync_devices`", "push_states")
    ),
    "a09_trio_nursery_waits_for_watcher": Wanted(
        "wait in vain", ("run_job", "watch_config", "Event"), ("trio",)
    ),
    "a31_group_waits_for_reload": Wanted("wait in vain", ("main", "`watch`", "TaskGroup")),
    "ok_p6_shutdown_with_short_shield": Wanted(""),
    "a10_trio_rendezvous_slow_receiver": Wanted(
        "slow consumer", ("scrape", "store", "write_row"), ("trio",)
    ),
    "a21_tornado_queue_loses_connections": Wanted(
        "wait in vain|slots never returned",
        ("6 tasks `handle`", "2 tasks `handle` failed"),
        ("tornado",),
    ),
    "a27_wait_for_in_a_tight_loop": Wanted("busy loop", ("poll_result", "time-out")),
    "a16_thread_floods_the_loop": Wanted(
        "loop overloaded", ("on_tick", "`feed` gives to it", "health")
    ),
    "ok_p7_thread_hands_ticks": Wanted(""),
    "a29_looping_call_blocks_reactor": Wanted(
        "loop blocked", ("reactor of `MainThread`", r"sleep.*a29\w+.py:8"), ("twisted",)
    ),
    "a05_two_tasks_drain_first": Wanted("wait in vain", ("`left` and `right`", "drain")),
    "a26_filter_whose_output_nobody_reads": Wanted(
        "wait in vain", ("convert", "drain", "communicate")
    ),
    "ok_p1_streams_keep_up": Wanted(""),
    "a32_backs_off_with_permit": Wanted(
        "pool exhausted", ("3 permits", "call"), ("tenacity",)
    ),
    "b03_semaphore_per_host_starves": Wanted("pool exhausted", ("4 permits", "download")),
    "b09_tools_run_in_turn": Wanted("awaits in turn", ("convert_all", "12 times")),
}
