"""What is wanted of programs that were judged once before anything was built for them."""

from tests.diagnosis.wanted import Wanted

UNSEEN: dict[str, Wanted] = {
    "fr01_stop_leaves_the_iterator": Wanted(
        "wait in vain", ("4 tasks `read`", "`Consumer.fetch`, had ended")
    ),
    "fr02_feed_writes_without_drain": Wanted("slow client", ("`feed`", "`drain`", "memory")),
    "fr03_cleanup_is_shielded": Wanted(
        "wait in vain",
        ("6 tasks `__main__.job`", r"Peer.goodbye` \(fr03\w+.py:18"),
        ("anyio",),
    ),
    "fr05_brpop_on_the_shared_connection": Wanted(
        "lock held across await", ("next_job", r"fr05\w+.py:28"), ("redis",)
    ),
    "fr08_executor_of_one_in_finally": Wanted(
        "thread-pool starvation", ("only worker", "`release`", "tasks `confirm`")
    ),
    "fr09_deadline_shorter_than_the_work": Wanted(
        "time-outs", ("`flash`", r"download` \(fr09\w+.py:15", "12 of 12 attempts"), ("grpc",)
    ),
    "fr12_first_insert_connects_again": Wanted(
        "new connections", ("`main` in `store`", "connected 12 times"), ("asyncpg",), "PG_URL"
    ),
    "fr13_writers_give_up_on_sqlite": Wanted(
        "database locked", ("3 tasks `annotate`", "bulk_insert"), ("aiosqlite",)
    ),
    "fr14_streams_left_open": Wanted(
        "slots never returned", ("tasks `probe`", r"fr14\w+.py:27"), ("httpx",)
    ),
    "fr15_gather_of_everything_gets_429": Wanted(
        "busy loop",
        ("tasks `fetch`", "`HTTP 429` .* times", "at once"),
        ("aiohttp",),
    ),
    "fs01_stream_reopens_the_session": Wanted(
        "slots never returned",
        ("6 tasks `request`", "SQLAlchemy"),
        ("sqlalchemy", "aiosqlite"),
    ),
    "fs03_proxy_stuck_at_a_client": Wanted(
        "pool exhausted|slow client", ("`proxy`", r"fs03\w+.py:26"), ("aiohttp",)
    ),
    "fs04_poll_sleeps_past_what_is_due": Wanted(
        "missed wake-up", ("Consumer.run", "Consumer.poll", "Consumer.commit"), ("anyio",)
    ),
    "fs05_redlock_asks_node_by_node": Wanted(
        "awaits in turn",
        ("acquire_node",),
        ("redis",),
    ),
    "fs06_close_waits_for_the_peer": Wanted(
        "wait in vain", ("`disconnect`", "Connection.close", "4 times"), ("websockets",)
    ),
    "fs07_amenities_one_after_the_other": Wanted(
        "awaits in turn", ("`find_nearby`", "18 times", "`discover`"), ("httpx",)
    ),
    "fs08_parked_pipe_readers": Wanted(
        "thread-pool starvation", ("all 3 workers", "`read_all`", "`lookup`")
    ),
    "ok_fr1_gateway_with_heartbeats": Wanted("", (), ("websockets",)),
    "ok_fr3_one_writer_for_sqlite": Wanted("", (), ("aiosqlite",)),
    "ok_fr7_gather_within_the_limit": Wanted("", (), ("aiohttp",)),
    "ok_fr4_anyio_pipeline": Wanted("", (), ("anyio",)),
    "xa01_both_layers_take_the_permit": Wanted(
        "deadlock", ("Semaphore", r"xa01\w+.py:\d+", "3 tasks `portfolio-N` hold them all")
    ),
    "xa02_view_asks_for_each_row": Wanted(
        "awaits in turn",
        ("`list_orders`", "`Customers.get`", "15 times"),
        ("fastapi", "uvicorn", "httpx", "tenacity"),
    ),
    "xa03_stream_keeps_the_session": Wanted(
        "pool exhausted",
        ("3 connections", "`chat_stream`", "asleep in `Model.tokens`"),
        ("fastapi", "uvicorn", "sqlalchemy", "asyncpg"),
        "PG_URL",
    ),
    "xa04_pubsub_of_each_visitor": Wanted(
        "slots never returned",
        ("`Profiles.load`", "4 tasks `visit-N` held one last in `Rooms.join`"),
        ("redis",),
        "REDIS_URL",
    ),
    "xa05_receiver_never_waits": Wanted(
        "busy loop", (r"`Receiver.run` \(xa05\w+.py:\d+\) polls(:| in `Receiver)",), ("trio",)
    ),
    "xa06_door_into_another_loop": Wanted(
        "deadlock",
        (
            r"`MainThread` in `LoopThread.call` \(xa06\w+.py:\d+\)",
            "list_workflows",
            "the loop of",
        ),
    ),
    "xa07_connection_of_each_call": Wanted(
        "descriptors pile up|workers never exit",
        ("`Database.connect`", r"called `sqlite3.connect` \d\d times"),
        ("aiosqlite",),
    ),
    "ok_xa1_a_permit_for_each_layer": Wanted(""),
    "ok_xa2_view_asks_for_all": Wanted("", (), ("fastapi", "uvicorn", "httpx", "tenacity")),
    "ok_xa3_stream_without_a_session": Wanted(
        "", (), ("fastapi", "uvicorn", "sqlalchemy", "asyncpg"), "PG_URL"
    ),
    "ok_xa4_pubsub_closed": Wanted("", (), ("redis",), "REDIS_URL"),
    "ok_xa6_door_in_a_thread": Wanted(""),
}
