"""What was not sent yet is sent when the program is over, one try after the other, with pauses
(https://github.com/mindsdb/anton/pull/353, https://github.com/dpkp/kafka-python/pull/1126).
truth: the program is over, and its exit handler `flush_at_exit` keeps it for another 1.5 s, asleep in `send` between attempts."""
import atexit, time

pending = list(range(5))


def send(event):
    for attempt in range(3):
        time.sleep(0.1)


def flush_at_exit():
    began = time.monotonic()
    for event in pending:
        send(event)
    print("truth: the exit took", time.monotonic() - began)


atexit.register(flush_at_exit)
time.sleep(0.2)
