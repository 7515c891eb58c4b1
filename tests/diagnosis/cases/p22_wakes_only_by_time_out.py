"""A worker looks for jobs once in 0.4 s, since nobody notifies it
(https://github.com/ggozad/haiku.rag/pull/391).
truth: `sender` sleeps to its time-out in `take` 4 times though a mail is there; each `send_mail` waits up to 0.4 s."""
import threading
import time
from collections import deque


class Outbox:
    def __init__(self):
        self.changed = threading.Condition()
        self.mails = deque()

    def put(self, mail):
        with self.changed:
            self.mails.append(mail)

    def take(self):
        with self.changed:
            while not self.mails:
                self.changed.wait(0.4)
            return self.mails.popleft()


outbox = Outbox()


def send_mail(text):
    sent = threading.Event()
    outbox.put((text, sent))
    sent.wait()


def run():
    while (mail := outbox.take())[0]:
        mail[1].set()


sender = threading.Thread(target=run, name="sender")
sender.start()
for number in range(4):
    time.sleep(0.05)
    send_mail(f"mail {number}")
outbox.put(("", None))
sender.join()
