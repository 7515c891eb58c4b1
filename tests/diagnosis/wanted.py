"""What the first finding of each case must say: its kind, and whom and which line it names."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wanted:
    """`finding` is a kind, or several with `|` between; "" for healthy programs. `says` are
    expressions that its text must match; `needs` are modules that the case imports, `server`
    is a variable with the URL of one that it talks to."""

    finding: str
    says: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    server: str = ""
    missed: str = ""  # why the fault is not told as it should be


WANTED: dict[str, Wanted] = {
    "c01_executor_dns": Wanted(
        "thread-pool starvation", ("2 workers", "crunch_report", "resolve|getaddrinfo")
    ),
    "c04_thread_lock_in_async": Wanted("deadlock", ("flush", r"c04\w+.py:10")),
    "c08_threads_grow": Wanted("workers never exit", ("40", "lookup")),
    "c09_queue_pool": Wanted(
        "pool exhausted", ("2 (connections|slots)", "report", r"c09.*py:\d"), ("sqlalchemy",)
    ),
    "c12_too_many_tasks": Wanted("loop overloaded", ("parse", "client")),
    "c14_own_queue_full": Wanted("deadlock", ("log-writer", "log_writer|c14.*py:8")),
    "c18_nested_submit": Wanted("deadlock|thread-pool starvation", ("outer_step", "pool")),
    "c22_popen_wait_pipe": Wanted("full pipe", ("run_tool", "pipe")),
    "c23_no_task_done": Wanted("wait in vain", ("join", "task_done", "stop")),
    "c24_tls_accept": Wanted("handshake in accept", ("do_handshake", "serve", "acceptor")),
    "c27_sqlite_locked": Wanted("database locked", ("save_click", "import")),
    "c29_waiters_starve_holder": Wanted(
        "deadlock|thread-pool starvation", ("acquire_lock", "upload")
    ),
    "c31_urllib3_pool_leak": Wanted("slots never returned", ("fetch",), ("urllib3",)),
    "c33_threadsafe_on_loop": Wanted(
        "deadlock", ("on_socket_write", "MainThread|register_writer")
    ),
    "c36_missed_notify": Wanted("missed wake-up", ("runner", "run_jobs")),
    "c39_create_task_storm": Wanted("loop overloaded", ("retry",)),
    "c42_import_deadlock": Wanted("deadlock", ("loader", "import")),
    "c44_sequential_awaits": Wanted("awaits in turn", ("load_all|lookup",)),
    "c45_lock_over_network": Wanted("lock convoy", ("recv", "fetch|c45.*py:8")),
    "d01_gil_shared": Wanted("GIL saturated", ("4 threads", "score", "MainThread")),
    "d02_one_block_many_wait": Wanted("loop blocked", ("main|rebuild_cache", "build")),
    "d03_aiohttp_unread_response": Wanted(
        "slots never returned", ("fetch_status",), ("aiohttp",)
    ),
    "d04_asgiref_one_thread": Wanted(
        "thread-pool starvation|pool exhausted", ("slow_view",), ("asgiref",)
    ),
    "d05_permit_lost_in_cancel": Wanted("slots never returned", ("upload",)),
    "d06_sqlalchemy_sessions_leak": Wanted(
        "slots never returned", ("handle",), ("sqlalchemy",)
    ),
    "d07_log_handler_locks_itself": Wanted("deadlock", ("worker|emit",)),
    "d08_app_lock_and_log_lock": Wanted("deadlock", ("audit", "orders")),
    "d09_poll_with_sleep_zero": Wanted("busy loop", ("poll_queue",)),
    "d10_poll_every_millisecond": Wanted("busy loop", ("dispatch",)),
    "d11_time_sleep_in_handler": Wanted("loop blocked", ("sleep", r"d11\w+.py")),
    "d12_loop_joins_its_caller": Wanted("deadlock", ("listener", "on_event", "stop")),
    "d13_anyio_limiter": Wanted("pool exhausted", ("2 tokens", "render"), ("anyio",)),
    "d14_semaphore_held_while_asleep": Wanted("pool exhausted", ("2 permits", "sync_folder")),
    "d15_queue_as_pool": Wanted("pool exhausted", ("2 slots", "export")),
    "d16_asyncio_queue_as_pool": Wanted("pool exhausted", ("2 slots", "screenshot")),
    "d17_barrier_misses_a_party": Wanted("wait in vain", ("shard", "load_shard", "Barrier")),
    "d18_ready_event_never_set": Wanted("wait in vain", ("MainThread", "start_server")),
    "d19_map_inside_a_job": Wanted("deadlock", ("crawl_site",)),
    "d20_two_full_queues": Wanted("deadlock|wait in vain", ("parse|save",)),
    "d21_default_executor_full": Wanted("thread-pool starvation", ("4 workers", "poll_feed")),
    "d22_event_of_a_dead_task": Wanted("wait in vain", ("consume",)),
    "d23_asyncio_lock_twice": Wanted("deadlock", ("request|refresh",)),
    "d24_urllib3_small_pool": Wanted(
        "pool exhausted", ("1 connection", "download"), ("urllib3",)
    ),
    "d25_asyncio_lock_over_request": Wanted("lock held across await", ("get_token",)),
    "d26_process_join_before_get": Wanted("full pipe", ("collect",)),
    "d27_json_in_the_loop": Wanted("loop blocked|GC in the hot path", ("upload",)),
    "e01_logging_handler_posts": Wanted("lock convoy", ("recv", r"e01\w+.py:30", "worker")),
    "e02_fork_with_a_lock": Wanted("deadlock|slots never returned", ("boot", r"forked at")),
    "e03_pool_worker_killed": Wanted("wait in vain", ("reconstruct", r"SIGKILL|\bkilled")),
    "e04_nested_semaphore": Wanted("deadlock|slots never returned", ("run_session", "permit")),
    "e05_fastapi_depends": Wanted(
        "deadlock",
        ("read_item", r"e05\w+.py:38"),
        ("anyio",),
    ),
    "e06_redis_pubsub_leak": Wanted(
        "slots never returned", ("publish", "redis", "listen"), ("redis",), "REDIS_URL"
    ),
    "e07_asyncpg_pool_over_http": Wanted(
        "pool exhausted", ("2 connections", "call_storage"), ("asyncpg",), "PG_URL"
    ),
    "e08_select_for_update": Wanted(
        "database locked", ("submit", "export"), ("psycopg",), "PG_URL"
    ),
    "e09_asyncpg_row_lock": Wanted(
        "database locked", ("pay", "settle|notify_bank"), ("asyncpg",), "PG_URL"
    ),
    "e10_redis_lock_polled": Wanted(
        "lock convoy|polled lock", ("redis", "rebuild"), ("redis",), "REDIS_URL"
    ),
    "e11_apscheduler_full": Wanted(
        "thread-pool starvation", ("2 workers", "download", "APScheduler"), ("apscheduler",)
    ),
    "e12_flask_calls_itself": Wanted(
        "deadlock", ("server", "call_data", r"waits for itself|its own process"), ("flask",)
    ),
    "e13_uvicorn_calls_itself": Wanted(
        "deadlock|loop blocked",
        ("report", "recv", r"waits for itself|its own process"),
        ("uvicorn", "starlette"),
    ),
    "e14_thread_per_time_out": Wanted("workers never exit", ("40", "run_timed|fetch_mail")),
    "e15_grpc_streams_take_workers": Wanted(
        "thread-pool starvation|pool exhausted", ("2 workers", "watch|Watch"), ("grpc",)
    ),
    "e16_slow_client_in_broadcast": Wanted(
        "lock held across await", ("broadcast", "send"), ("websockets",)
    ),
    "e17_asyncio_process_wait": Wanted("full pipe", ("convert", "pipe")),
    "e18_join_under_a_lock": Wanted("deadlock", ("poll", "stop", "join")),
    "e19_consumer_died": Wanted("wait in vain", ("scan", "uploader")),
    "e20_trio_limiter_twice": Wanted(
        "deadlock|slots never returned", ("convert", "token"), ("trio",)
    ),
    "e21_aiosqlite_locked": Wanted(
        "database locked", ("save", "download|import_feed"), ("aiosqlite",)
    ),
    "e22_retries_without_pause": Wanted("busy loop", ("connect", "sync"), ("tenacity",)),
    "e23_gevent_blocked_hub": Wanted("loop blocked", ("query", "execute"), ("gevent",)),
    "e24_celery_long_tasks": Wanted(
        "thread-pool starvation", ("render", "2 workers"), ("celery", "redis"), "REDIS_URL"
    ),
    "e25_django_atomic_request": Wanted(
        "database locked", ("save_vote", "import_votes|importer"), ("django",)
    ),
    "e26_httpx_stream_not_closed": Wanted(
        "slots never returned", ("check", "download", "httpx"), ("httpx",)
    ),
    "e27_services_feed_each_other": Wanted("deadlock", ("kernel", "port", "put")),
    "e28_get_nowait_in_a_loop": Wanted("busy loop", ("consume",)),
    "e29_awaits_that_never_suspend": Wanted("loop blocked|task never yields", ("fill",)),
    "e30_notify_wakes_the_wrong_one": Wanted("missed wake-up", ("writer", "wait_for_room")),
    "e31_asyncio_lock_lost": Wanted("slots never returned|deadlock", ("read", "refresh")),
    "e32_gunicorn_two_threads": Wanted(
        "thread-pool starvation", ("2 workers", "export"), ("gunicorn",)
    ),
    "f01_requests_no_session_pool": Wanted(
        "lock convoy", ("api-N", "recv", r"f01\w+.py"), ("requests",)
    ),
    "f02_run_in_executor_from_its_thread": Wanted(
        "deadlock|thread-pool starvation", ("export", "load", "pool")
    ),
    "f03_stdout_pipe_blocks_loop": Wanted("loop blocked", ("write", r"f03\w+.py:21")),
    "f04_async_generator_holds_session": Wanted(
        "pool exhausted", ("2 connections", "stream"), ("sqlalchemy", "aiosqlite")
    ),
    "f05_taskgroup_never_ends": Wanted("wait in vain", ("main", "join", "worker")),
    "f06_multiprocessing_lock_killed": Wanted(
        "wait in vain|slots never returned", ("reader", "writer")
    ),
    "f07_dns_in_the_loop": Wanted("loop blocked", ("recv", r"f07\w+.py:24")),
    "f08_regex_in_request": Wanted("loop blocked", ("computing in `validate`",)),
    "f09_cached_property_lock": Wanted("lock convoy", ("req-N", "sleep", r"f09\w+.py:20")),
    "f10_gather_with_shared_limiter": Wanted("lock held across await", ("sleep", "call")),
    "f11_socketserver_keeps_alive": Wanted(
        "handshake in accept|wait in vain|slow client",
        ("server", "readinto|recv"),
    ),
    "f12_too_many_threads_compute": Wanted("GIL saturated", ("8 threads", "render_report")),
    "f13_task_per_message": Wanted("task leak", ("handle", "wait_for_ack|future")),
    "f14_event_set_from_thread": Wanted("missed wake-up", ("watch", "main")),
    "g01_permit_kept_while_backing_off": Wanted(
        "pool exhausted", ("permit", r"sleep", r"back_off|call")
    ),
    "g02_time_sleep_in_async_retry": Wanted("loop blocked", ("sleep", r"g02\w+.py:17")),
    "g03_timer_thread_per_request": Wanted(
        "workers never exit", ("60", r"Timer|Diagnostics|__init__")
    ),
    "g04_httpx_client_per_request": Wanted(
        "loop blocked|blocking call on the loop thread", ("fetch_price",), ("httpx",)
    ),
    "g05_fastapi_encodes_large_answer": Wanted(
        "loop blocked|GC in the hot path",
        (r"jsonable_encoder|serialize|export",),
        ("fastapi", "httpx"),
    ),
    "g06_log_queue_full_blocks_loop": Wanted(
        "loop blocked|blocking call on the loop thread", ("Queue.put", "emit|handle")
    ),
    "g07_slow_preexec": Wanted("loop blocked", ("convert",)),
    "g08_cache_stampede": Wanted("GIL saturated", (r"\d+ threads", "build_feed")),
    "g09_flock_over_slow_work": Wanted("lock convoy", ("flock", "update_index", "scrape")),
    "g10_pool_initializer_fails": Wanted(
        "wait in vain", ("main", "AsyncResult.get", "workers? .*ended|exit code|connect")
    ),
    "h01_no_time_out": Wanted(
        "wait in vain", ("MainThread", "price-sync", "sync_prices", "recv"), ("requests",)
    ),
    "h02_lock_in_del": Wanted("deadlock", ("__del__", "put")),
    "h03_result_in_coroutine": Wanted("loop blocked", ("thumbnail", "Future.result")),
    "h04_notify_before_wait": Wanted(
        "missed wake-up|wait in vain", ("start", "Condition.wait")
    ),
    "h05_reconnect_without_pause": Wanted("busy loop", ("keep_connected", "connect")),
    "h06_sockets_pile_up": Wanted("descriptors pile up", ("check", "[67][0-9] times")),
    "h07_subprocess_run_in_handler": Wanted(
        "loop blocked", ("import_workspace", "extract_metadata|h07\\w+.py:8")
    ),
    "h08_config_sent_with_each_job": Wanted("pickling", ("score|main", "MB|MiB")),
    "h09_redis_blpop_takes_the_pool": Wanted(
        "pool exhausted", ("2 connections", "consume"), ("redis",), "REDIS_URL"
    ),
    "h10_small_writes_delayed_ack": Wanted("slow answer", ("call", "recv", "TCP_NODELAY")),
    "i01_lazy_orm_in_coroutine": Wanted(
        "loop blocked|blocking call on the loop thread", ("list_orders",), ("sqlalchemy",)
    ),
    "i02_one_slow_consumer": Wanted(
        "slow consumer", (r"\d threads", "handle", "audit-writer", "send")
    ),
    "i03_slow_done_callback": Wanted("loop blocked", ("save_result", "sleep")),
    "i04_thread_computes_beside_loop": Wanted("GIL hog", ("analyse", "MainThread")),
    "i05_two_async_locks": Wanted("deadlock", ("transfer", "audit")),
    "i06_lock_held_over_queue_join": Wanted("deadlock", ("sender", "flush", "deliver")),
    "i07_asyncpg_nested_acquire": Wanted(
        "deadlock|slots never returned",
        ("find_user", "update_profile", "connection"),
        ("asyncpg",),
        "PG_URL",
    ),
    "i08_reloader_without_pause": Wanted(
        "busy loop|GIL hog",
        ("watch", "os.stat"),
    ),
    "i09_import_in_handler": Wanted(
        "loop blocked|blocking call on the loop thread", ("export", "connect|exporter")
    ),
    "i10_blocking_grpc_stub": Wanted("loop blocked", ("get_user", "grpc|wait"), ("grpc",)),
    "i11_hash_upload_on_loop": Wanted("loop blocked", ("store", "without the GIL|sha512")),
    "j01_health_behind_sync_routes": Wanted(
        "pool exhausted|thread-pool starvation",
        ("4 (tokens|workers)", "quote"),
        ("fastapi", "httpx"),
    ),
    "j02_django_lock_in_middleware": Wanted(
        "lock convoy",
        ("http-N", r"j02\w+.py:22|__call__", "sleep", r"j02\w+.py:28"),
        ("django",),
    ),
    "j03_event_loop_per_call": Wanted("lock convoy", ("web-N", "Future.result|call_async")),
    "j04_httpx_pool_too_small": Wanted(
        "pool exhausted", ("(2|the) connections", "download", "httpx"), ("httpx",)
    ),
    "j05_pg_query_on_the_loop": Wanted(
        "loop blocked", ("totals", r"j05\w+.py:10"), ("psycopg",), "PG_URL"
    ),
    "j06_semaphore_released_late": Wanted(
        "deadlock|slots never returned",
        ("resize_all|album", "permit"),
    ),
    "j07_uneven_partitions": Wanted("uneven workers", ("worker-0", "crunch|work")),
    "j08_deepcopy_per_request": Wanted(
        "loop blocked|GC in the hot path", ("handle", "deepcopy|handle")
    ),
    "j09_wait_for_thread_in_handler": Wanted("loop blocked", ("send_mail", "Thread.join")),
    "j10_process_pool_from_loop": Wanted(
        "thread-pool starvation|pool exhausted", ("render", "thumbnail")
    ),
    "k01_await_without_time_out": Wanted(
        "wait in vain", ("fetch_rate", "response|aiohttp"), ("aiohttp",)
    ),
    "k02_pg_idle_in_transaction": Wanted(
        "database locked", ("migrate", "report"), ("psycopg",), "PG_URL"
    ),
    "k03_regex_in_a_thread": Wanted("GIL hog|GIL saturated", ("validate", "MainThread")),
    "k04_slow_log_handler": Wanted("lock convoy", ("api-N", "sleep", r"k04.*py:10")),
    "k05_process_pool_per_request": Wanted("workers never exit", ("16", "thumbnail")),
    "k06_spin_on_locked": Wanted("busy loop", ("worker",)),
    "k07_stdin_and_stdout_full": Wanted("full pipe", ("filter_text", "write")),
    "k08_semaphore_as_lock_in_server": Wanted(
        "pool exhausted", ("1 permit", "call_upstream|handle")
    ),
    "k09_event_of_a_queued_job": Wanted(
        "deadlock|thread-pool starvation|wait in vain", ("wait_for_config", "load_config|jobs")
    ),
    "l01_asyncio_notify_forgotten": Wanted("missed wake-up|wait in vain", ("consume",)),
    "l02_multiprocessing_lock_over_slow_work": Wanted("lock convoy", ("update", "ask")),
    "l03_async_retries_without_wait": Wanted("busy loop", ("connect",), ("tenacity",)),
    "l04_redis_blocking_call_on_loop": Wanted(
        "loop blocked", ("next_job", "recv"), ("redis",), "REDIS_URL"
    ),
    "l05_psycopg_pool_over_http": Wanted(
        "pool exhausted", ("2 connections", "charge"), ("psycopg_pool",), "PG_URL"
    ),
    "l06_sleep_in_middleware": Wanted(
        "loop blocked", ("sleep", r"l06\w+.py:16"), ("fastapi", "httpx")
    ),
    "ok_33_urllib3_pool_fits": Wanted("", (), ("urllib3",)),
    "ok_36_fastapi_service": Wanted("", (), ("fastapi", "uvicorn", "httpx")),
    "ok_37_aiohttp_service": Wanted("", (), ("aiohttp",)),
    "ok_38_psycopg_pool_fits": Wanted("", (), ("psycopg_pool",), "PG_URL"),
    "ok_39_redis_lock_short": Wanted("", (), ("redis",), "REDIS_URL"),
    "ok_40_scheduler": Wanted("", (), ("apscheduler",)),
    "ok_41_flask_threads": Wanted("", (), ("flask",)),
    "ok_42_django_asgi": Wanted("", (), ("django", "uvicorn", "httpx")),
    "ok_43_celery_quick": Wanted("", (), ("celery", "redis"), "REDIS_URL"),
    "ok_44_trio_channels": Wanted("", (), ("trio",)),
    "ok_45_gevent_crawler": Wanted("", (), ("gevent",)),
    "ok_46_retries_with_back_off": Wanted("", (), ("tenacity",)),
    "ok_47_httpx_shared_client": Wanted("", (), ("httpx",)),
    "ok_53_django_threads": Wanted("", (), ("django",)),
    "y01_listeners_take_the_pool": Wanted(
        "pool exhausted",
        ("balance", "2 tasks `listen` have all 2", "Event"),
        ("asyncpg",),
        "PG_URL",
    ),
    "y02_row_lock_fills_the_executor": Wanted(
        "database locked", ("charge", "ask_bank"), ("psycopg",), "PG_URL"
    ),
    "w01_actor_serves_in_turn": Wanted(
        "pool exhausted", ("bridge", "in turn", "poll_sensor", "asleep in `Bridge.talk`")
    ),
    "w02_join_while_holding_process_lock": Wanted(
        "deadlock", ("Process.join", "stop", "worker-1", "store")
    ),
    "w03_lock_around_pool_wait": Wanted(
        "lock convoy|pool exhausted", ("req-N", "w03.*py:17|Pool.take", "Queue.get|query")
    ),
    "w04_acquire_and_release_in_executor": Wanted(
        "deadlock", ("4 workers of `db`", "Pool._get", "Pool._put", "queued")
    ),
    "w05_thread_per_event_waits_for_answer": Wanted(
        "workers never exit",
        ("40 threads `event-N`", "on_event", "Queue.get", r"w05\w+.py:22"),
    ),
    "w06_limiter_sleeps_under_its_lock": Wanted("lock held across await", ("sync", "sleep")),
    "w07_permit_kept_asleep": Wanted(
        "pool exhausted", ("client", "4 permits", r"asleep in `Api.call` \(w07\w+.py:1\d")
    ),
    "w08_fetch_threads_without_time_out": Wanted(
        "workers never exit", ("30 threads `refresh-N`", "schedule", "fetch", "recv")
    ),
    "ok_120_idle_redis_consumers": Wanted("", (), ("redis",), "REDIS_URL"),
    "ok_121_idle_listeners": Wanted("", (), ("psycopg_pool",), "PG_URL"),
}
