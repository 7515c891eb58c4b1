"""What the first finding of each case must say: its kind, and whom and which line it names."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wanted:
    """`finding` is a kind, or several with `|` between; "" for healthy programs. `says` are
    expressions that its text must match; `needs` are modules that the case imports."""

    finding: str
    says: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


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
}
