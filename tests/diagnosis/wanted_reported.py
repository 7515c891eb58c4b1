"""What the first finding must say of async programs drawn from reports, by round."""

from tests.diagnosis.wanted import Wanted

REPORTED: dict[str, Wanted] = {
    "fh01_sync_sdk_streams_tokens": Wanted(
        "loop blocked", ("`chat", "recv", r"fh01\w+.py:45"), ("starlette", "httpx")
    ),
    "fh02_rows_hop_through_threads": Wanted(
        "awaits in turn", ("iterate_in_threadpool", "12,001 jobs"), ("starlette", "httpx")
    ),
    "fh03_tasks_are_collected": Wanted("orphaned task", ("`refresh`", "garbage", "`main`")),
    "fh05_buffer_copied_at_each_chunk": Wanted(
        "loop overloaded", ("_read_ready", "Answer.data_received", r"fh05\w+.py:20")
    ),
    "fh08_keys_asked_one_by_one": Wanted(
        "awaits in turn",
        ("`load_profiles`", "8,000 times", "pipeline"),
        ("redis",),
        "REDIS_URL",
    ),
    "fh10_debug_mode_left_on": Wanted("loop overloaded", ("debug mode", "MainThread")),
    "fi01_time_out_runs_out_in_the_queue": Wanted(
        "pool exhausted", ("`fetch`", "8 connections", "aiohttp"), ("aiohttp",)
    ),
    "fi03_ffmpeg_waits_for_the_radio": Wanted(
        "loop blocked|wait in vain", (r"fi03\w+.py:20", "BufferedReader.read")
    ),
    "fi04_executor_keeps_the_loop_from_ending": Wanted(
        "slow end", ("event loop", "executor", "asleep in `poll_sensor`")
    ),
    "fi05_commit_for_each_row": Wanted(
        "awaits in turn",
        ("`import_rows`", "jobs of a thread pool", "the round trip"),
        ("sqlalchemy", "aiosqlite"),
    ),
    "fi10_seen_is_a_list": Wanted(
        "loop overloaded", ("`consume`", "`on_message`", "longer and longer")
    ),
    "fj01_gather_of_blocking_requests": Wanted(
        "loop blocked", ("`fetch`", r"fj01\w+.py:29", "recv")
    ),
    "fj03_sqlite_report_under_gevent": Wanted(
        "loop blocked", ("hub", r"sqlite3.Connection.execute` \(fj03\w+.py:20"), ("gevent",)
    ),
    "fj04_queue_outlives_its_connection": Wanted(
        "wait in vain", ("`consume`", "Queue.get", "`read_loop`")
    ),
    "fj05_pages_fetched_in_a_loop": Wanted(
        "awaits in turn", ("`crawl`", "15 times", "gather"), ("aiohttp",)
    ),
    "fj06_gather_of_computations": Wanted("loop blocked", ("computing in `simulate`",)),
    "fj09_cache_without_bound": Wanted("growing global", ("Memory grows all the time",)),
    "fj10_signal_handler_sleeps": Wanted("loop blocked", ("`on_hup`", "sleep")),
    "fk05_thread_for_each_line": Wanted(
        "awaits in turn", ("`index`", "12,000 jobs", "round trip"), ("anyio",)
    ),
    "fk06_insert_for_each_row": Wanted(
        "awaits in turn",
        ("`save_all`", "6,00[01] times", "executemany"),
        ("psycopg",),
        "PG_URL",
    ),
    "ok_fh1_catalogue_with_pool": Wanted("", (), ("starlette", "httpx")),
    "dp02_header_read_byte_by_byte": Wanted(
        "busy loop", ("`Client.read_line`", "tiny pieces", "buffer")
    ),
    "dp03_imports_in_each_work_horse": Wanted(
        "slow start", ("14 children", "`fork_and_perform`", "`reports`", r"dp03\w+.py:23")
    ),
    "dp04_sibling_keeps_the_pipe_open": Wanted(
        "wait in vain", ("`finish`", "`agent`", r"`main` \(dp04\w+.py:29", "pipes")
    ),
    "dp07_child_ignores_the_end": Wanted(
        "slow end", ("`stop_all`", "`feed-", "asleep in `poll_feed`", "signal")
    ),
    "dp08_lock_file_of_a_dead_process": Wanted(
        "slots never returned", (r"FileLock.__enter__` \(dp08\w+.py:34", "`first` was killed")
    ),
    "dp12_ftp_answer_after_the_upload": Wanted(
        "wait in vain", ("`backup` in `upload`", "FTP.storbinary", "TimeoutError")
    ),
    "dq01_length_in_characters": Wanted(
        "wait in vain", ("`Client.call`", "`server` in `recv_exactly`")
    ),
    "dq02_supervisor_restarts_at_once": Wanted(
        "busy loop", ("starts children again", "`keep_running`", "exit code 1")
    ),
    "dq05_client_that_sends_no_newline": Wanted(
        "pool exhausted|slow client", ("`control`", "recv", "`read_command`")
    ),
    "ok_dp02_rows_through_a_buffer": Wanted(""),
    "ok_dp04_filter_beside_an_agent": Wanted(""),
    "ok_dp07_children_end_when_told": Wanted(""),
    "ok_dq1_supervisor_backs_off": Wanted(""),
    "ok_dq2_polls_with_a_time_limit": Wanted(""),
    "ok_fh2_gevent_crawl_ends_well": Wanted("", (), ("gevent",)),
    "ok_fi1_chat_over_websockets": Wanted("", (), ("aiohttp",)),
    "ok_fi2_trio_with_deadlines": Wanted("", (), ("trio",)),
    "ok_fk1_udp_collector": Wanted(""),
    "ok_fk2_stop_event_ends_pollers": Wanted(""),
    "ok_fj1_grpc_prices": Wanted("", (), ("grpc",)),
    "ok_fj2_workers_with_pipelines": Wanted("", (), ("redis",), "REDIS_URL"),
}
