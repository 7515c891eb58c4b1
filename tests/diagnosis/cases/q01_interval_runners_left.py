"""Each new session starts a thread that looks for messages, and close() does not stop it
(https://github.com/slackapi/python-slack-sdk/issues/1873).
truth: 24 sessions were closed in `reconnect`; 24 threads still poll every 50 ms in `run` at the end."""
import threading
import time
from collections import deque


class IntervalRunner:
    def __init__(self, target, interval):
        self.target, self.interval, self.running = target, interval, True
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while self.running:
            self.target()
            time.sleep(self.interval)


class Session:
    def __init__(self):
        self.messages = deque()
        self.processor = IntervalRunner(self.process, 0.05)

    def process(self):
        while self.messages:
            self.messages.popleft()

    def close(self):
        self.messages.clear()


def reconnect():
    session = Session()
    session.messages.append("hello")
    time.sleep(0.05)
    session.close()


for _ in range(24):
    reconnect()
print(threading.active_count())
