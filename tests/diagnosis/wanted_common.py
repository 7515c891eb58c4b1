"""What the first finding must say of cases after common reports of threads, processes and
databases."""

from tests.diagnosis.wanted import Wanted

COMMON: dict[str, Wanted] = {
    "la04_dead_node_is_asked_first": Wanted(
        "wait in vain", ("`Client.query`", "connect", "12 times", "did not answer")
    ),
    "la09_short_queue_of_connections": Wanted(
        "slow answer", ("`client-N`", "`ask`", "queue of connections was full")
    ),
    "la10_memory_kept_for_each_session": Wanted(
        "growing global", ("Memory grows all the time",)
    ),
    "mb06_answer_comes_in_drops": Wanted(
        "slow answer", ("`fetch`", "bit by bit", "time-out"), ("requests",)
    ),
    "mb08_a_new_process_for_each_task": Wanted(
        "idle workers", ("40 jobs", "`predict`", "maxtasksperchild")
    ),
    "nc10_each_request_is_redirected": Wanted(
        "awaits in turn", ("`get_item`", "(39|40) of these answers", "redirect"), ("requests",)
    ),
    "od03_generator_keeps_the_lock": Wanted(
        "lock convoy", ("3 threads `request-N`", "the Lock", r"od03\w+.py:26")
    ),
}
