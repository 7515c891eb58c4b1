"""Wanted of programs in which some wait while others are served, in ways of their own."""

from tests.diagnosis.wanted import Wanted

GENERAL: dict[str, Wanted] = {
    "g20_broadcast_one_by_one": Wanted(
        "long waits", ("publish", "hub", r"client.*g20\w+.py:\d")
    ),
    "g21_writer_starves_at_home_made_lock": Wanted("lock convoy", ("insert", "acquire_write")),
    "g22_retries_keep_the_bus": Wanted("lock held across await", ("poll_dead_device",)),
    "g23_handlers_in_turn": Wanted(
        "thread-pool starvation|long waits", ("make_picture", "user")
    ),
    "g24_urgent_behind_long_job": Wanted(
        "thread-pool starvation|long waits", ("run_jobs", "send_alarm")
    ),
    "g25_answers_in_order": Wanted("long waits", ("handle", "compute")),
    "g26_batch_waits_to_be_full": Wanted("missed wake-up", ("collect", "predict")),
    "g27_done_callback_keeps_worker": Wanted("thread-pool starvation", ("upload", "lookup")),
    "g28_request_inside_a_notification": Wanted(
        "long waits|deadlock|thread-pool starvation", ("reader", "request", "Future.result")
    ),
    "g29_lock_given_up_by_all": Wanted("wait in vain", ("infer-N", "leader", "copy_model")),
    "g30_sdk_thread_answers_in_turn": Wanted(
        "thread-pool starvation|long waits", ("sdk", "recv", "read_sensor")
    ),
    "g31_trio_events_answered_in_turn": Wanted(
        "pool exhausted|long waits", ("request", "printer"), ("trio",)
    ),
    "g32_gevent_results_in_turn": Wanted(
        "pool exhausted|long waits", ("request", "mailer"), ("gevent",)
    ),
    "g33_checks_under_the_pools_lock": Wanted("lock convoy", ("serve-N", r"g33\w+.py:\d")),
}
