"""What the first finding of the programs after the third draw of public reports must say."""

from tests.diagnosis.wanted import Wanted

PATH: dict[str, Wanted] = {
    "ha01_slow_clients_take_the_pool": Wanted(
        "thread-pool starvation", ("4 workers", "gthread", "recv", "read_request")
    ),
    "ha02_handler_takes_the_lock": Wanted("deadlock", ("main", "holds itself", "on_alarm")),
    "ha03_forked_with_a_held_lock": Wanted("deadlock", ("load", "forked", "refresher")),
    "ha06_migration_behind_an_open_transaction": Wanted(
        "database locked", ("migrate", "report", "render"), ("psycopg",), "PG_URL"
    ),
    "ha09_results_in_order_behind_a_slow_one": Wanted(
        "slow answer", ("main", "Future.result", "fetch")
    ),
    "ha14_flask_asks_itself": Wanted(
        "deadlock", ("waits for itself", "call_hello"), ("flask", "requests")
    ),
    "ha15_main_ends_but_a_thread_goes_on": Wanted(
        "deadlock|wait in vain|slow end", ("mailer", "deliver", "Queue.get")
    ),
    "ha17_second_program_waits_for_the_lock_file": Wanted(
        "lock convoy", ("register", "flock", "refresh")
    ),
    "ha18_joined_before_it_is_read": Wanted("full pipe", ("main", "Process.join", "pipe")),
    "ka01_documents_indexed_one_by_one": Wanted(
        "awaits in turn", ("index", "answers", "one call after the other"), ("requests",)
    ),
    "ka02_files_uploaded_in_turn": Wanted(
        "awaits in turn", ("upload", "answers", "one call after the other")
    ),
    "ka04_tasks_wait_for_tasks_of_their_pool": Wanted("deadlock", ("runner", "flow", "task")),
    "ka05_hosts_one_after_the_other": Wanted(
        "awaits in turn", ("run", "children", "12 times")
    ),
    "ka08_notified_only_when_full": Wanted(
        "wait in vain|missed wake-up", ("consume", "Condition.wait")
    ),
    "ok_fp2_viewers_of_a_board": Wanted("", (), ("websockets",)),
    "ok_ha3_worker_waits_for_jobs": Wanted("", (), ("redis",), "REDIS_URL"),
}
