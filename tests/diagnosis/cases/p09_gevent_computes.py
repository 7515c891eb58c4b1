"""A greenlet computes and does not yield; the heartbeats of the others are late
(after reports of workers that miss heartbeats under load).
truth: `build_report` computes 3 times for 0.3 s; 6 greenlets `heartbeat` are late."""
import time

import gevent
from gevent import monkey

monkey.patch_all()


def render(rows):
    end = time.thread_time() + 0.3
    total = 0
    while time.thread_time() < end:
        total += sum(row * row for row in range(rows))
    return total


def build_report():
    for _ in range(3):
        render(500)
        time.sleep(0.02)


def heartbeat():
    for _ in range(40):
        time.sleep(0.02)


gevent.joinall([gevent.spawn(build_report), *(gevent.spawn(heartbeat) for _ in range(6))])
