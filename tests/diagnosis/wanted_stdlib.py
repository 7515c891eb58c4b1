"""What the first finding of each case must say: cases of the standard library alone."""

from tests.diagnosis.wanted import Wanted

STDLIB: dict[str, Wanted] = {
    "m01_enqueuer_thread_died": Wanted(
        "wait in vain", ("MainThread", "collect", "enqueuer", "KeyError", r"read_tiles.*py:17")
    ),
    "m02_sched_slow_job": Wanted(
        "pool exhausted", ("`scheduler`", "`backup`", "asleep in `copy_files`", "late")
    ),
    "m05_child_failed_before_send": Wanted(
        "wait in vain", ("MainThread", "`ask`", "`model` had ended with exit code 1")
    ),
    "m08_hosts_checked_in_turn": Wanted("awaits in turn", ("check", "refresh", "28 times")),
    "m09_one_slow_host_of_eight": Wanted(
        "slow answer", ("MainThread", "status_page", "`probe`", "socket.recv", "others took")
    ),
    "m10_time_out_waits_for_cleanup": Wanted(
        "wait in vain", ("`call`", "wait_for", "`sleep` in `close_session`", "clean-up")
    ),
    "m04_permit_lost_on_early_return": Wanted("slots never returned", ("img-N", "resize")),
    "m06_done_callback_keeps_worker": Wanted(
        "thread-pool starvation", ("2 workers", "asleep in `store`", "download")
    ),
    "m07_loader_thread_failed_under_asyncio": Wanted(
        "wait in vain", ("handle", "get_model", "loader", "FileNotFoundError", "read_weights")
    ),
    "m11_download_under_condition": Wanted("lock convoy", ("reader-N", r"sleep|download")),
    "m12_fetchers_die_one_by_one": Wanted(
        "wait in vain", ("MainThread", "feed", "3 threads `fetcher-N`", "ValueError", "parse")
    ),
    "m13_sqlite_report_under_lock": Wanted("lock convoy", ("asyncio_N", "execute", "py:25")),
    "m15_server_thread_cannot_bind": Wanted(
        "wait in vain", ("start_server", "`server` had failed", "OSError", r"serve.*py:14")
    ),
    "n01_thread_failed_with_the_lock": Wanted(
        "slots never returned", ("api-N", "lookup", "`sync` failed", "ValueError", "parse")
    ),
    "n02_gather_waits_for_one": Wanted(
        "slow answer", ("`main`", "page", "gather", "`fetch`", "asleep in `query`")
    ),
    "n03_threads_joined_one_is_slow": Wanted(
        "slow answer", ("collect", "Thread.join", "node-4", "socket.recv", "ask")
    ),
    "n06_thread_waits_for_blocked_loop": Wanted(
        "loop blocked", ("reindex", "`sleep`", "a thread waited for what it had given")
    ),
    "n07_barrier_waits_for_slow_party": Wanted(
        "uneven workers", ("shard-N", "simulate", "`shard-3`", "asleep in `load_block`")
    ),
    "n10_pool_of_a_list_and_a_condition": Wanted(
        "thread-pool starvation", ("2 workers of `thumb-N`", "asleep in `resize`", r"py:\d+")
    ),
    "n11_promise_that_is_never_kept": Wanted(
        "wait in vain", ("MainThread", "Promise.get", "`db`", "went back to wait for more")
    ),
    "n12_child_ends_with_the_permit": Wanted(
        "slots never returned", ("`dl-1` and `dl-2` in `fetch`", "`dl-0` had ended", "code 9")
    ),
    "n13_barrier_of_processes_misses_a_party": Wanted(
        "wait in vain",
        ("`rank-[01]` and `rank-[01]` in `sync`", "Barrier.wait", "`rank-2` had"),
    ),
    "n14_chunk_of_long_items": Wanted(
        "uneven workers", ("last job of `render`", "3 other workers", "chunksize")
    ),
    "n15_children_reaped_in_order": Wanted(
        "slow answer", ("`MainThread` in `reap`", "os.waitpid", "asleep in `work`")
    ),
    "n16_timer_keeps_the_program": Wanted(
        "slow end", ("threading.Timer", "`start_watchdog`", "cancelled")
    ),
    "n17_finalisers_sleep": Wanted(
        "GC in the hot path", ("Cursor.__del__", r"sleep` \(n17.*py:\d+", "MainThread")
    ),
    "n18_shutdown_from_a_handler": Wanted(
        "deadlock", ("`http` in `H.stop`", "BaseServer.shutdown", "serve_forever")
    ),
    "n19_worker_joins_its_queue": Wanted(
        "deadlock", ("`worker-0` in `flush`", "Queue.join", r"`worker` \(n19")
    ),
    "n20_answer_without_length": Wanted(
        "deadlock", ("`MainThread` in `get`", "rest of a response", "next request")
    ),
    "n21_retries_of_a_locked_database": Wanted(
        "database locked", ("save", "`importer`", "asleep in `convert`")
    ),
    "n22_reaped_before_it_is_read": Wanted(
        "full pipe", ("`MainThread` in `collect`", "os.waitpid", "os.write", "nobody reads")
    ),
    "n23_one_sentinel_for_three": Wanted(
        "wait in vain", ("`MainThread` in `stop`", "Process.join", "consumer-", "last item")
    ),
    "n24_both_receive_first": Wanted(
        "deadlock", ("`server` in `serve`", "waits in `ask`", "nobody sends")
    ),
    "n25_results_asked_for_at_once": Wanted(
        "awaits in turn", ("`download_all`", "job `download`", "10 times")
    ),
    "n26_threads_joined_at_once": Wanted(
        "awaits in turn", ("`fetch_all`", r"Thread-N \(fetch\)", "10 times")
    ),
    "n27_tools_one_by_one": Wanted("awaits in turn", ("`probe`", "children 8 times")),
    "n28_apply_in_a_loop": Wanted("awaits in turn", ("`main`", "job `resize`", "12 times")),
    "n29_pipe_at_its_end": Wanted("busy loop", ("`logs`", "`pump`", "unregister")),
    "n30_permits_given_back_afterwards": Wanted(
        "slots never returned|deadlock", ("`MainThread`", "`submit_all`", "permit")
    ),
    "n31_listener_in_a_pool": Wanted(
        "slow end", ("`MainThread` in `main`", "`listen`", "Queue.get")
    ),
    "n32_job_calls_its_own_pool": Wanted(
        "deadlock", ("2 threads `io-N`", "`call`", "only they would run")
    ),
    "n33_tokens_in_a_full_queue": Wanted(
        "pool exhausted", ("8 threads `job-N`", "2 slots", "asleep in `upload`")
    ),
    "n34_select_loop_sends_all": Wanted(
        "pool exhausted", ("`reactor`", "socket.sendall", "`send_all`", "3 threads `ping-N`")
    ),
    "y11_downloads_under_a_process_lock": Wanted(
        "lock convoy", ("tile-", "fetch_tile", "asleep in `download`")
    ),
    "y12_ledger_locked_by_a_sibling": Wanted(
        "lock convoy", ("in `record`", "`reaper` held it", "asleep in `ask_service`")
    ),
    "y13_each_pixel_asks_the_manager": Wanted(
        "awaits in turn", ("count-", "`tally`", "[Mm]anager", r"\d,\d{3} times")
    ),
    "y14_listener_waits_for_a_key": Wanted(
        "handshake in accept", ("`publisher` in `serve`", "Listener.accept|challenge")
    ),
    "y15_forking_server_is_full": Wanted(
        "pool exhausted", ("`server`", "3 children", "asleep in `convert`", "client-N")
    ),
    "y16_scheduler_sleeps_over_an_earlier_job": Wanted(
        "missed wake-up",
        ("`MainThread` in `send_now`", "`timers`", "scheduler.run"),
    ),
    "y17_tool_does_not_flush": Wanted(
        "wait in vain",
        ("`MainThread` in `follow`", "buffer", "flush"),
    ),
    "y18_close_joins_idle_connections": Wanted(
        "slow end",
        ("`MainThread` in `stop`", "server_close", "client", "readline|recv"),
    ),
    "y19_wait_closed_waits_for_a_client": Wanted(
        "slow end", ("`main` in `stop`", "wait_closed", "`handle`", "socket")
    ),
    "y20_debounce_puts_off_for_ever": Wanted(
        "missed wake-up", ("`viewer` in `wait_for_save`", "changed`", "29 timers", "cancelled")
    ),
    "y21_stop_waits_for_the_log": Wanted(
        "slow end",
        ("`MainThread` in `shut_down`", "QueueListener.stop", "asleep in `Post.emit`"),
    ),
    "y22_flush_waits_for_a_dead_worker": Wanted(
        "wait in vain|slow end",
        ("`MainThread` in `Exporter.flush`", "`exporter` had ended"),
    ),
    "y23_analytics_sent_at_exit": Wanted(
        "slow end", ("`MainThread`", "`flush_at_exit`", "asleep in `send`")
    ),
    "y24_read_until_the_end": Wanted(
        "deadlock|wait in vain", ("`ask`", "read", "`handle`", "end|close")
    ),
    "y25_permits_between_processes": Wanted(
        "pool exhausted|lock convoy",
        ("get-", "`fetch`", "2 (slots|permits)", "asleep in `download`"),
    ),
    "y26_always_ready_to_write": Wanted(
        "busy loop", ("`relay`", "`serve`", "EVENT_WRITE|ready")
    ),
    "y27_handler_writes_a_report": Wanted(
        "loop blocked", ("`dump` .*handler of a signal", "asleep in `write_report`", "overdue")
    ),
}
