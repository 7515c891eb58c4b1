"""What is wanted of programs with threads alone, after public reports."""

from tests.diagnosis.wanted import Wanted

THREADED: dict[str, Wanted] = {
    "dt01_messages_wake_all_devices": Wanted(
        "thundering herd", ("40 threads `device-N`", "wait_for_message", "by `MainThread`")
    ),
    "dt02_first_answer_is_enough": Wanted("slow end", ("MainThread", r"jobs? of it.*probe")),
    "dt03_poller_outlives_its_result": Wanted("slow end", ("ThreadPool", r"Run.poll")),
    "dt04_published_after_the_session": Wanted(
        "wait in vain", ("sensor-N", "wait_for_publish", "network", "Client.loop")
    ),
    "dt05_pool_wakes_all_who_wait": Wanted(
        "pool exhausted",
        ("request-N", "slots of a pool made of a `Condition`", "asleep in `query`"),
    ),
    "dt06_nobody_reads_the_requests": Wanted(
        "slow client", ("MainThread", "Client.call", "socket.sendall")
    ),
    "dt07_reload_waits_for_the_poller": Wanted(
        "slow end", ("MainThread", "Poller.stop", r"asleep in `Poller.poll`")
    ),
    "dt09_token_is_there_but_they_sleep": Wanted(
        "missed wake-up", ("7 threads `request-N`", "Tokens.refresh", "Tokens.request")
    ),
    "dt08_one_client_does_not_read": Wanted(
        "slow client", ("broadcaster", "send_to_all", "socket.sendall")
    ),
    "dr01_export_behind_a_decorator": Wanted(
        "pool exhausted|thread-pool starvation",
        ("all 4", r"`(export|Worktrees.run_git)` \(dr01"),
        ("waitress", "flask"),
    ),
    "dr02_client_lost_in_an_error": Wanted(
        "slots never returned",
        ("4 threads `late-N`", "inner` \\(dr02", "`orders` held one last"),
    ),
    "dr03_views_wait_for_huey": Wanted(
        "thread-pool starvation",
        ("2 workers of huey", "`pdf`", "asleep in `render`", "6 threads `view-N`"),
        ("huey",),
    ),
    "dr04_slow_sink_behind_loguru": Wanted(
        "lock convoy", ("worker-N", "os.write", "loguru-writer", "`Shipper.post`"), ("loguru",)
    ),
    "dr05_timer_for_each_change": Wanted(
        "timers pile up", (r"\b(9\d|100) after", "`Watch.changed`", "Timer.cancel")
    ),
    "dr06_report_delays_all_jobs": Wanted(
        "pool exhausted",
        ("`scheduler`", "`Jobs.report`", "asleep in `Jobs.upload`"),
        ("schedule",),
    ),
    "dr07_cache_lock_is_polled": Wanted(
        "lock convoy",
        (
            "4 threads `loader-N`",
            "diskcache lock",
            "`Prices.load`",
            "asleep in `Prices.fetch`",
        ),
        ("diskcache",),
    ),
    "dr08_handler_uploads_each_file": Wanted(
        "slow consumer",
        ("watchdog", "`Sync.on_modified`", "asleep in `Sync.upload`"),
        ("watchdog",),
    ),
    "dr09_client_lost_in_a_time_out": Wanted(
        "slots never returned",
        ("6 greenlets `later`", "`Clients.borrow`", "`slow` held one last"),
        ("gevent",),
    ),
    "ok_dr6_jobs_in_threads": Wanted("", (), ("schedule",)),
    "ok_dr7_cache_filled_first": Wanted("", (), ("diskcache",)),
    "ok_dr8_handler_hands_over": Wanted("", (), ("watchdog",)),
    "ok_dr3_huey_workers_enough": Wanted("", (), ("huey",)),
    "yb03_ranks_poll_a_file_lock": Wanted(
        "lock convoy",
        ("`rank-1`, `rank-2` and 1 other", "`rank-0` was further on", "asleep in `download`"),
        ("filelock",),
    ),
    "yb07_alter_behind_a_report": Wanted(
        "database locked",
        ("`migrate` and `shop-N`", "`report` kept a transaction", "asleep in `render`"),
        ("psycopg2",),
        "PG_URL",
    ),
    "yb08_audit_takes_a_second_connection": Wanted(
        "deadlock", ("threads `req-N`", "`audit`", "they hold them all"), ("sqlalchemy",)
    ),
    "yb11_flush_retries_a_dead_collector": Wanted(
        "retries", ("`flush`", "all refused", "2 pauses"), ("requests",)
    ),
    "ok_yb3_short_file_lock": Wanted("", (), ("filelock",)),
    "ok_yb7_report_commits_first": Wanted("", (), ("psycopg2",), "PG_URL"),
    "ok_yb8_audit_after_the_request": Wanted("", (), ("sqlalchemy",)),
    "ok_yb11_server_is_still_to_start": Wanted("", (), ("requests",)),
}
