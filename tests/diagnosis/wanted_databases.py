"""What the first finding must say of programs that use databases, caches and their pools."""

from tests.diagnosis.wanted import Wanted

DATABASES: dict[str, Wanted] = {
    "ok_hl5_listener_of_notifications": Wanted("", (), ("psycopg",), "PG_URL"),
    "db03_acquired_and_never_released": Wanted(
        "slots never returned", ("9 tasks", "asyncpg", "`balance`"), ("asyncpg",), "PG_URL"
    ),
    "db06_checkpoint_waits_for_reader": Wanted(
        "database locked", ("`maintenance`", "`writer-N`", "`report`", "render")
    ),
    "db08_cancelled_requests_keep_slots": Wanted(
        "slots never returned", ("fetch_price", "`suggest`", "cancelled before"), ("httpx",)
    ),
    "db10_global_lock_on_the_loop": Wanted(
        "loop blocked", (r"db10\w+.py:41", "`index_updater`", "holds that lock")
    ),
    "db11_thread_connections_pile_up": Wanted(
        "workers never exit", ("60 executors", "`upload`"), ("django", "psycopg"), "PG_URL"
    ),
    "db13_servicer_calls_its_own_server": Wanted(
        "deadlock|thread-pool starvation",
        ("2 workers", "place_order", r"db13\w+.py:21"),
        ("grpc",),
    ),
    "db15_notify_is_not_committed": Wanted(
        "missed wake-up",
        ("wait_for_notice",),
        ("psycopg",),
        "PG_URL",
    ),
    "dc02_lazy_items_of_each_order": Wanted(
        "awaits in turn",
        (r"`list_orders` \(dc02", "for a query 4\\d times"),
        ("sqlalchemy", "psycopg", "fastapi", "uvicorn", "uvloop"),
        "PG_URL",
    ),
    "ok_dc2_items_in_one_query": Wanted(
        "", (), ("sqlalchemy", "psycopg", "fastapi", "uvicorn", "uvloop"), "PG_URL"
    ),
    "db14_dead_listener_spins": Wanted(
        "busy loop", ("wait_for_job", "Connection.notifies"), ("psycopg",), "PG_URL"
    ),
    "dc09_watch_and_try_again": Wanted(
        "retries|busy loop",
        ("reserve",),
        ("redis",),
        "REDIS_URL",
    ),
    "dd03_get_message_without_time_out": Wanted(
        "busy loop", ("`listen`", "polls"), ("redis",), "REDIS_URL"
    ),
    "dd04_query_time_out_is_too_short": Wanted(
        "time-outs", ("`monthly_report`", "12 of 12 attempts"), ("asyncpg",), "PG_URL"
    ),
    "ok_dd3_listener_waits": Wanted("", (), ("redis",), "REDIS_URL"),
    "ok_dd4_queries_have_time": Wanted("", (), ("asyncpg",), "PG_URL"),
    "ok_db5_pool_made_once": Wanted("", (), ("psycopg_pool",), "PG_URL"),
    "du01_row_asked_for_again": Wanted(
        "database locked",
        ("`pay`", "3 waits", "`clerk`", "send_statement"),
        ("psycopg",),
        "PG_URL",
    ),
}
