"""What the first finding must say of more cases: threads, processes, greenlets, services."""

from tests.diagnosis.wanted import Wanted

SYNC: dict[str, Wanted] = {
    "p01_watcher_per_client": Wanted("workers never exit", ("30", "Client|handle_request")),
    "p02_join_workers_before_results": Wanted("full pipe", ("finish", "join")),
    "p03_transaction_while_parsing": Wanted(
        "database locked", ("web-N", "transaction", "import-feed", "parse")
    ),
    # `writer` computes, too, and on a busy machine as long as it: both share the GIL then.
    "p04_scheduler_without_sleep": Wanted(
        "busy loop|GIL hog|GIL saturated", ("MainThread", "run_pending")
    ),
    "p05_process_polled_every_0_1_ms": Wanted("busy loop", ("execute",)),
    "p06_log_rotation_compresses": Wanted("lock convoy", ("api-N", r"p06\w+.py:16")),
    "p07_signal_handler_takes_lock": Wanted("deadlock", ("MainThread", "snapshot")),
    "p08_gevent_semaphore": Wanted(
        "pool exhausted|lock convoy", ("fetch", "request|sleep"), ("gevent",)
    ),
    "p09_gevent_computes": Wanted(
        "loop blocked|task never yields", ("render|build_report",), ("gevent",)
    ),
    "p10_readers_starve_writer": Wanted("lock convoy|starved writer", ("reload", "reader")),
    "p11_celery_prefork_long_tasks": Wanted(
        "thread-pool starvation",
        ("transcode", "2 (workers|processes)"),
        ("celery", "redis"),
        "REDIS_URL",
    ),
    "p12_gunicorn_lock_around_upload": Wanted(
        "lock convoy", ("recv", "upload"), ("gunicorn",)
    ),
    "p13_scoped_session_not_removed": Wanted(
        "slots never returned", ("load_user",), ("sqlalchemy",)
    ),
    "p14_psycopg_nested_connection": Wanted(
        "deadlock|slots never returned",
        ("audit", "place_order", "connection"),
        ("psycopg_pool",),
        "PG_URL",
    ),
    "p15_model_loaded_by_first_request": Wanted(
        "lock convoy", ("sleep", r"p15\w+.py:17|load_model"), ("flask",)
    ),
    "p16_lazy_import_in_threads": Wanted(
        "lock convoy|slow import", ("p16_slow_sdk|call_api", "import")
    ),
    "p17_permit_lost_by_exception": Wanted("slots never returned", ("transfer", "permit")),
    "p18_results_pickled": Wanted("pickling", ("load_table", "MB|MiB")),
    "p19_consumer_without_sentinel": Wanted(
        "deadlock|wait in vain", ("close", "uploader", "Queue.get")
    ),
    "p20_collect_after_each_request": Wanted(
        "GC in the hot path", ("finish_request", "gc.collect")
    ),
    "p21_two_executors_wait": Wanted("deadlock", ("load", "transform")),
    "p22_wakes_only_by_time_out": Wanted("missed wake-up", ("sender", "take", "send_mail")),
    "p23_lock_file_polled": Wanted("lock convoy", ("acquire|install", "lock", "download")),
    "p24_requests_stream_not_read": Wanted(
        "slots never returned|pool exhausted", ("head_of", "connection"), ("requests",)
    ),
    "t01_huey_waits_for_its_own_queue": Wanted(
        "deadlock|thread-pool starvation",
        ("count_beans",),
        ("huey",),
    ),
    "t04_peewee_threads_do_not_close": Wanted(
        "slots never returned|wait in vain",
        ("load_profile", "connect"),
        ("playhouse",),
    ),
    "t06_threads_feed_a_slow_writer": Wanted("queue grows", ("writer", "store|consume")),
    "t07_pool_callback_asks_the_pool": Wanted("deadlock", ("refine",)),
    "t08_gthread_small_database_pool": Wanted(
        "pool exhausted",
        ("2 connections", "render|sleep", "report"),
        ("gunicorn", "sqlalchemy"),
    ),
    "u01_jobs_submitted_without_bound": Wanted(
        "queue grows|thread-pool starvation",
        ("thumbs|thumbnail", "thumbnail|on_event|listen"),
    ),
    "u04_two_bounded_queues_of_processes": Wanted(
        "deadlock|wait in vain|slow consumer",
        ("feed|main", "worker-0"),  # where a child stood that SIGTERM ended is not known
    ),
    "u05_redis_connection_within_a_subscription": Wanted(
        "deadlock|slots never returned",
        ("mark_read", "listen", "connection"),
        ("redis",),
        "REDIS_URL",
    ),
    "u07_dramatiq_long_actors": Wanted(
        "thread-pool starvation",
        ("encode", "messages"),  # quick ones leave nothing in a trace
        ("dramatiq",),
    ),
    "u08_map_takes_the_pool": Wanted(
        "thread-pool starvation", ("rebuild", "search", "2 (workers|processes)")
    ),
    "ok_92_dramatiq_quick": Wanted("", (), ("dramatiq",)),
    "ok_70_gunicorn_short_lock": Wanted("", (), ("gunicorn",)),
    "ok_71_flask_sqlite": Wanted("", (), ("flask",)),
    "ok_74_celery_prefork_quick": Wanted("", (), ("celery", "redis"), "REDIS_URL"),
    "q01_interval_runners_left": Wanted(
        "workers never exit",
        ("24", "Session|IntervalRunner"),
    ),
    "q02_keep_alive_threads": Wanted("workers never exit", ("20", "keep-alive-N", "resume")),
    "q03_producer_process_died": Wanted(
        "wait in vain",
        ("MainThread", "collect", "loader|load", "exit|ended"),
    ),
    "q04_scheduler_jobs_share_lock": Wanted(
        "lock convoy", ("sleep|asleep", r"q04\w+.py:13"), ("apscheduler",)
    ),
    "q05_session_open_during_upstream_call": Wanted(
        "pool exhausted", ("2 connections", "order", "ask_upstream"), ("flask", "sqlalchemy")
    ),
    "q06_manager_lock": Wanted("lock convoy", ("append_row", "render", "manager|Manager")),
    "q07_queue_get_every_millisecond": Wanted(
        "busy loop",
        ("notifier", "notification_runner"),
    ),
    "q08_select_without_time_out": Wanted(
        "busy loop",
        ("MainThread", "run_poll_loop"),
    ),
    "q09_put_under_the_consumers_lock": Wanted(
        "deadlock",
        ("publish", "handle", "producer", "consumer"),
    ),
    "q10_nested_monitor": Wanted("deadlock", ("take", "give_back", "borrower", "returner")),
    "q11_one_connection_for_all_threads": Wanted("lock convoy", ("web-N", "sqlite3")),
    "q12_stderr_fills_while_stdout_is_read": Wanted(
        "full pipe|wait in vain", ("run_linter", "read", "pipe")
    ),
    "q13_one_writer_for_all": Wanted(
        "thread-pool starvation|pool exhausted",
        ("write", "handle|web-", "worker"),
    ),
    "q14_gevent_without_patch": Wanted(
        "loop blocked",
        ("recv", r"q14\w+.py:28"),
        ("gevent",),
    ),
    "q15_gevent_pool_full": Wanted("pool exhausted", ("crawl", "fetch"), ("gevent",)),
    "q16_httpx_stream_kept_open": Wanted(
        "pool exhausted",
        ("(2|the) connections", "translate", "complete"),
        ("httpx",),
    ),
    "q17_celery_waits_for_subtask": Wanted(
        "thread-pool starvation|deadlock|wait in vain",
        ("make_report", "load_page|pool|worker"),
        ("celery", "redis"),
        "REDIS_URL",
    ),
    "q18_pipes_of_children_left_open": Wanted(
        "descriptors pile up", ("probe", r"\d\d, \d\d|9\d|8\d")
    ),
    "ok_77_gevent_pool_fits": Wanted("", (), ("gevent",)),
    "ok_79_flask_pool_fits": Wanted("", (), ("flask", "sqlalchemy")),
    "r01_thumbnails_in_threads": Wanted("GIL saturated", ("4 threads", "blur")),
    "r02_getconn_without_putconn": Wanted(
        "slots never returned",
        ("find", "connection", "MainThread|handle"),
        ("psycopg_pool",),
        "PG_URL",
    ),
    "r03_session_for_two": Wanted(
        "pool exhausted", ("2 connections", "price", "recv"), ("requests",)
    ),
    "r04_browser_connects_in_advance": Wanted("slow client", ("recv|request",), ("gunicorn",)),
    "r05_log_queue_is_full": Wanted(
        "slow consumer",
        ("5 threads", "emit|sleep", "enqueue|handle"),
    ),
    "r06_stop_without_notify": Wanted(
        "wait in vain|missed wake-up|deadlock", ("stop", "indexer", "Condition.wait|run")
    ),
    "r07_table_bound_to_the_job": Wanted("pickling", ("score", "MB|MiB")),
    "r08_index_locked_between_processes": Wanted("lock convoy", ("lockf", "update", "fetch")),
    "r09_permit_inside_a_permit": Wanted(
        "deadlock|slots never returned", ("copy_file", "permit", "copy-N|copy_tree")
    ),
    "r10_shared_access_starved": Wanted(
        "lock convoy", ("reader", "enter_(shared|exclusive)", "writer")
    ),
    "r11_tree_of_cycles": Wanted("GC in the hot path|GIL hog", ("parser", "parse|Node")),
    "r12_senders_pile_up_at_a_lock": Wanted("lock convoy", ("alarm-N", "recv")),
    "r13_temporary_files_kept_open": Wanted("descriptors pile up", ("receive",)),
    "r14_future_asked_every_millisecond": Wanted("busy loop", ("MainThread", "wait_for")),
    "r15_close_joins_a_reader": Wanted(
        "wait in vain", ("close", "mqtt-reader", "recv", "loop")
    ),
    "r16_gevent_event_never_set": Wanted(
        "wait in vain",
        ("ask", "Event"),
        ("gevent",),
    ),
    "r17_nested_connect": Wanted(
        "deadlock|slots never returned",
        ("log_event", "save_order", "connection"),
        ("sqlalchemy",),
    ),
    "r18_child_waits_for_end_of_input": Wanted(
        "wait in vain",
        ("sort_lines", "Popen.wait|wait"),
    ),
    "ok_82_gunicorn_sync": Wanted("", (), ("gunicorn",)),
    "s01_futures_waited_for": Wanted(
        "wait in vain|deadlock", ("run_batch|MainThread", "merge", "Queue.get")
    ),
    "s02_copy_under_the_lock": Wanted(
        "lock convoy|GIL saturated", ("api-N", "snapshot|deepcopy|s02")
    ),
    "s03_rows_streamed_from_the_pool": Wanted(
        "pool exhausted", ("2 connections", "show_page", "write_row"), ("sqlalchemy",)
    ),
    "s04_requests_without_time_out": Wanted(
        "thread-pool starvation", ("3 workers", "deliver", "recv", "ping")
    ),
    "s05_gevent_task_never_done": Wanted(
        "wait in vain", ("crawl", "join", "task_done"), ("gevent",)
    ),
    "s07_log_to_a_slow_pipe": Wanted("lock convoy", ("job-N", "flush|write")),
    "s08_bounded_queue_between_processes": Wanted(
        "slow consumer|lock convoy",
        ("decode", "train|MainThread"),
    ),
    "s09_file_looked_for_every_millisecond": Wanted("busy loop", ("watcher", "wait_for_file")),
    "s10_tool_runs_under_a_lock": Wanted("lock convoy", ("convert-N", "poll|wait|run|child")),
    "u03_sink_posts_under_the_lock": Wanted(
        "lock convoy", ("job-N", r"u03\w+.py:12"), ("loguru",)
    ),
    "u05_imports_take_the_start": Wanted(
        "slow start", ("vendor_sdk", r"u05\w+.py:\d", "computing")
    ),
    "u06_peewee_transaction_over_upload": Wanted(
        "database locked", ("web-N", "save_visit", "billing", "upload"), ("peewee",)
    ),
    "ok_89_loguru_enqueue": Wanted("", (), ("loguru",)),
    "u10_daemon_keeps_the_pipe": Wanted(
        "wait in vain|full pipe",
        ("start_service", "child", "left behind"),
    ),
    "u13_handler_added_with_each_call": Wanted("descriptors pile up", (r"[34]\d\d after",)),
    "u17_thread_yields_with_sleep_zero": Wanted("busy loop", ("mailer", "Worker.run")),
    "u20_map_over_threads_computes": Wanted("GIL saturated", ("calc_N", "indicator")),
    "u21_memory_handler_flushes": Wanted(
        "lock convoy", ("request-N", "sleep", r"u21\w+.py:\d")
    ),
    "u25_module_asks_a_server": Wanted(
        "slow start", ("app_settings", "recv", "fetch", r"u25\w+.py:\d")
    ),
    "u26_listener_per_request": Wanted("workers never exit", ("60", "set_up_logging")),
    "u28_exit_waits_for_the_exporter": Wanted("slow end", ("shutdown", "exporter", "asleep")),
    "u31_process_for_each_job": Wanted(
        "idle workers", ("shrink", "16", "max_tasks_per_child")
    ),
    "v02_three_kinds_of_threads": Wanted(
        "GIL saturated|GIL hog", ("indexer|deduper|ranker", "index|similar|rank")
    ),
    "v03_table_locked_by_migration": Wanted(
        "slow answer", ("worker-N", "claim", "one thing"), ("psycopg",), "PG_URL"
    ),
    "v04_pubsub_without_time_out": Wanted(
        "busy loop", ("listener", "listen"), ("redis",), "REDIS_URL"
    ),
    "v05_upstream_stands_still": Wanted("slow answer", ("worker-N", "fetch_price")),
    "ok_b1_grpc_service": Wanted("", (), ("grpc",)),
    "ok_b4_workers_with_retries": Wanted("", (), ("requests",)),
    "v02_shutdown_under_the_submit_lock": Wanted(
        "deadlock", ("MainThread", "close", "crawler", "add")
    ),
    "v07_reader_left_at_each_reconnect": Wanted(
        "descriptors pile up|workers never exit", ("connect",)
    ),
    "v08_workers_wait_for_a_permit": Wanted(
        "thread-pool starvation",
        ("4 workers", "call_alerce", "call_panstarrs"),
    ),
    "v09_both_ends_send_first": Wanted("full pipe|deadlock", ("MainThread", "simulator")),
    "v10_transaction_waits_for_the_hook": Wanted(
        "deadlock", ("hooks", "audit", "flow-N", "run_flow"), ("sqlalchemy",)
    ),
    "v13_requests_behind_launches": Wanted(
        "thread-pool starvation", ("3 workers", "launch", "status")
    ),
    "v14_connections_lost_in_error_path": Wanted(
        "slots never returned", ("importer", "import_order"), ("psycopg_pool",), "PG_URL"
    ),
    "v15_gate_of_a_subprocess_tool": Wanted(
        "pool exhausted", ("2 permits", "convert", "upload")
    ),
    "v17_lock_of_cache_and_of_session": Wanted(
        "deadlock", ("http-", "evictor", "Cache.(put|evict)", "Session.(forget|handle)")
    ),
    "v20_plugin_asks_the_thread_that_waits": Wanted(
        "missed wake-up|deadlock", ("ask_main", "open_document", "MainThread")
    ),
    "v12_stop_inside_the_worker": Wanted("deadlock", ("poller-1", "fail", "report")),
    "v12_thread_per_request_computes": Wanted(
        "GIL saturated", ("process_request_thread", "diff_versions"), ("flask",)
    ),
    "v13_mails_one_by_one": Wanted("queue grows", ("mailer", "send_mail")),
    "v14_progress_without_pause": Wanted("GIL hog|busy loop", ("progress", "draw")),
    "v15_sqlite_locked_by_backup": Wanted("slow answer", ("web-N", "save_order")),
    "v17_xml_parsed_in_threads": Wanted(
        "GIL saturated", ("asyncio_N", "parse_upload", "MainThread")
    ),
    "v18_large_json_in_a_thread": Wanted(
        "GIL hog|GC in the hot path", ("reindex", "load_index")
    ),
    "v20_socket_read_without_waiting": Wanted("busy loop", ("reader", "read_all", "recv")),
    "v22_requests_tried_again_at_once": Wanted(
        "busy loop",
        ("worker-N", "push"),
        ("requests",),
    ),
    "v23_result_asked_for_in_redis": Wanted(
        "busy loop",
        (r"web_[N\d]", "wait_for_result"),
        ("redis",),
        "REDIS_URL",
    ),
    "v26_consumers_validate": Wanted(
        "GIL saturated", ("consumer-N", "handle"), ("jsonschema",)
    ),
    "ok_b9_scheduler_and_child": Wanted("", (), ("apscheduler",)),
    "v29_children_asked_without_pause": Wanted(
        "busy loop", ("supervisor", "watch", "is_alive")
    ),
    "v31_two_loops_share_the_gil": Wanted(
        "GIL saturated",
        ("api", "feed"),
    ),
    "z02_with_waits_after_time_out": Wanted(
        "wait in vain", ("fetch_all", "call_api", "gave up", "shutdown")
    ),
    "z05_actors_ask_each_other": Wanted(
        "deadlock", ("orders", "stock", "Orders.receive", "Stock.receive")
    ),
    "z07_http_server_of_one_thread": Wanted(
        "pool exhausted", ("`http`", "load_rows", "ask", "one request after")
    ),
    "z08_cursor_read_slowly": Wanted(
        "database locked", ("writer", "`export`", "asleep in `send`")
    ),
    "x01_flask_serves_one_at_a_time": Wanted(
        "pool exhausted", ("http", "report", "one request"), ("flask",)
    ),
    "x02_waitress_threads_search": Wanted(
        "pool exhausted", ("4 threads", "search", "probe-N"), ("waitress", "flask")
    ),
    "x03_webhooks_before_receipts": Wanted(
        "thread-pool starvation", ("job-worker-N", "deliver_webhook", "shop")
    ),
    "x04_retries_sleep_in_the_pool": Wanted(
        "thread-pool starvation", ("push_metric", "send_order"), ("urllib3",)
    ),
    "x05_celery_task_waits_for_task": Wanted(
        "thread-pool starvation|deadlock",
        ("2 workers", "build_report"),
        ("celery", "redis"),
        "REDIS_URL",
    ),
    "z12_error_path_keeps_connection": Wanted("slots never returned", ("web-N", "query")),
    "z14_notify_one_of_three": Wanted(
        "missed wake-up", ("service-N", "wait_ready", "loader", "notify_all")
    ),
    "z15_permit_lost_in_failed_thread": Wanted(
        "slots never returned", ("upload", "permit", "Semaphore")
    ),
    "z17_children_never_waited_for": Wanted("workers never exit", ("30 children", "notify")),
    "z19_join_before_the_message": Wanted("deadlock", ("start", "worker", "Process.join")),
    "z11_pool_of_a_semaphore": Wanted("pool exhausted", ("permits", "backoff", "borrow")),
    "x08_redis_lock_of_a_dead_thread": Wanted(
        "slots never returned", ("first", "worker-N", "rebuild"), ("redis",), "REDIS_URL"
    ),
    "ok_g4_waitress_has_threads_enough": Wanted("", (), ("waitress", "flask")),
    "du02_permit_of_a_failed_job": Wanted(
        "slots never returned", ("permit", r"`BoundedExecutor.submit` \(du02", "finally")
    ),
}
