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
        "loop blocked", ("refresh", r"n06\w+.py:27", "6 new connections")
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
}
