"""What must be said first of services whose load comes from other processes."""

from tests.diagnosis.wanted import Wanted

SERVICES: dict[str, Wanted] = {
    "n01_gunicorn_slow_upstream": Wanted(
        "pool exhausted", ("port 18701", "2 workers", "report"), ("gunicorn",)
    ),
    "n02_uploads_bit_by_bit": Wanted(
        "slow client", ("upload", "bit by bit", "1 other process"), ("gunicorn",)
    ),
    "n03_executor_made_before_the_fork": Wanted(
        "wait in vain", ("enrich", "look-up", "fork copies no thread"), ("gunicorn",)
    ),
    "n04_worker_time_out": Wanted(
        "wait in vain", ("2 workers", "middle of a request", "fetch"), ("gunicorn",)
    ),
    "n05_heartbeat_behind_a_batch": Wanted(
        "lock convoy", ("`heartbeat`", "MainThread", r"n05\w+.py:41")
    ),
    "n06_refresh_keeps_clients_out": Wanted(
        "loop blocked", ("refresh", r"n06\w+.py:27", r"[3-6] new connections")
    ),
    "o01_twisted_pool_of_two": Wanted(
        "thread-pool starvation",
        ("2 workers", "render", "8 calls", "MainThread"),
        ("twisted",),
    ),
    "o02_waitress_waits_to_try_again": Wanted(
        "thread-pool starvation", ("4 workers", "price", "calls"), ("waitress", "flask")
    ),
    "o03_error_leaves_transaction_open": Wanted(
        "database locked", ("3 tasks", "pay", "refund", "roll back"), ("asyncpg",), "PG_URL"
    ),
    "o04_pubsub_handler_is_slow": Wanted(
        "slow consumer", ("on_order", "no time for more"), ("redis",), "REDIS_URL"
    ),
    "ok_p4_pubsub_keeps_up": Wanted("", (), ("redis",), "REDIS_URL"),
    "o05_redis_script_holds_up_all": Wanted(
        "slow answer", ("clean_up", "6 threads", "session"), ("redis",), "REDIS_URL"
    ),
    "o06_event_stream_outlives_the_stop": Wanted(
        "slow end", ("uvicorn", "events"), ("uvicorn", "starlette")
    ),
    "o07_model_loaded_at_start": Wanted(
        "slow start", ("uvicorn", "lifespan|load_model"), ("uvicorn", "starlette")
    ),
    "ok_p2_scheduled_jobs": Wanted("", (), ("apscheduler",)),
    "ok_p3_twisted_pool_fits": Wanted("", (), ("twisted",)),
    "ok_n1_workers_of_eight_requests": Wanted("", (), ("gunicorn",)),
    "ok_n2_gunicorn_busy": Wanted("", (), ("gunicorn",)),
    "aa01_pool_close_waits_for_listener": Wanted(
        "wait in vain", ("main", "Pool.close", "follow", "Event"), ("asyncpg",), "PG_URL"
    ),
    "aa02_connections_discarded": Wanted(
        "new connections", ("worker", "fetch", "connected"), ("requests",)
    ),
    "aa03_retries_asleep_in_the_client": Wanted(
        "retries", ("4 threads `order-N`", "reserve", "urllib3/util/retry"), ("requests",)
    ),
    "aa04_pool_cannot_connect": Wanted(
        "wait in vain", ("3 threads `web-N`", "handle", "tried to connect"), ("psycopg_pool",)
    ),
    "aa05_advisory_lock_outlives_commit": Wanted(
        "database locked",
        ("4 threads", "migrate_once", "download_schema"),
        ("psycopg",),
        "PG_URL",
    ),
    "aa06_rows_locked_in_opposite_order": Wanted(
        "deadlock", ("transfer-0", "transfer-1", "move", "roll back"), ("psycopg",), "PG_URL"
    ),
    "aa07_one_async_connection_for_all": Wanted(
        "lock held across await|pool exhausted", ("widget", "query"), ("psycopg",), "PG_URL"
    ),
    "aa08_engine_for_each_request": Wanted(
        "new connections|descriptors pile up",
        ("handle|get_engine", "8\\d|9\\d|connected"),
        ("sqlalchemy", "psycopg"),
        "PG_URL",
    ),
    "aa09_close_waits_for_a_full_queue": Wanted(
        "wait in vain", ("main", "Connection.close"), ("websockets",)
    ),
    "aa10_grpc_call_waits_for_ready": Wanted(
        "wait in vain", ("price-refresh", "get_price", "Thread.join"), ("grpc",)
    ),
    "bb01_cache_down_retries": Wanted(
        "retries", ("6 tasks `page`", "cached", "call_with_retry"), ("redis",)
    ),
    "bb02_asyncpg_connect_per_request": Wanted(
        "new connections",
        ("120 tasks `handle`", "connected 120 times"),
        ("asyncpg",),
        "PG_URL",
    ),
    "bb03_asyncpg_deadlock": Wanted(
        "deadlock", ("reprice", "restock", "change", "roll back"), ("asyncpg",), "PG_URL"
    ),
    "bb04_model_serves_two_at_a_time": Wanted(
        "slow answer", ("8 tasks `ask`", "2 at a time", "4 rounds"), ("aiohttp",)
    ),
    "bb05_redis_single_connection": Wanted(
        "lock held across await", ("worker", "bb05.*py:12"), ("redis",), "REDIS_URL"
    ),
    "bb06_feed_waits_for_reader": Wanted("slow consumer", ("feed", "send"), ("websockets",)),
    "ok_bb1_a_connection_for_each_worker": Wanted("", (), ("asyncpg",), "PG_URL"),
    "ok_bb2_blpop_on_its_own_connection": Wanted("", (), ("redis",), "REDIS_URL"),
    "ok_aa1_listener_ends_before_the_pool": Wanted("", (), ("asyncpg",), "PG_URL"),
    "ok_aa2_session_with_connections_enough": Wanted("", (), ("requests",)),
    "ok_aa3_one_retry_now_and_then": Wanted("", (), ("requests",)),
    "ok_aa5_worker_ends_after_a_slow_request": Wanted("", (), ("gunicorn",)),
    "ok_aa4_advisory_lock_for_moments": Wanted("", (), ("psycopg",), "PG_URL"),
}
