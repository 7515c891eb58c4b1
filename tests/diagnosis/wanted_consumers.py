"""What the first finding must say of consumers, limiters and rounds on plain asyncio."""

from tests.diagnosis.wanted import Wanted

CONSUMERS: dict[str, Wanted] = {
    "as02_pollers_keep_the_connections": Wanted(
        "deadlock", ("4 tasks `foo`", "`Redis.is_locked`", "`Redis.unlock`", r"as02\w+.py:\d+")
    ),
    "as03_task_for_each_send": Wanted(
        "lock held across await", ("send_state", r"as03\w+.py:12", "other side has read")
    ),
    "as05_consumer_stops_itself": Wanted(
        "wait in vain", ("`Consumer.handle` in `Consumer.stop`", r"as05\w+.py:33")
    ),
    "as08_stop_task_in_each_round": Wanted(
        "task leak", ("`Event.wait`", "by `serve`", r"as08\w+.py:13")
    ),
    "as09_all_keys_in_one_partition": Wanted(
        "pool exhausted", ("`worker` serves", "3 tasks `worker` had nothing to do", "`index`")
    ),
    "as14_event_for_an_ended_worker": Wanted(
        "wait in vain", ("3 tasks `client` in `submit`", r"as14\w+.py:36", "3 tasks `worker`")
    ),
    "as15_failed_batch_goes_on": Wanted(
        "pool exhausted", ("3 permits", "`fetch` went on though `main` in `load`")
    ),
    "as17_children_outlive_their_streams": Wanted(
        "workers never exit", ("24 children", "`stream`", "killed together")
    ),
}
