"""Long messages have all threads of the worker, and quick ones wait behind them
(https://github.com/Bogdanp/dramatiq/issues/122).
truth: both threads of dramatiq's worker are in `encode`, 0.5 s each; `send_mail` waits for up to 1.4 s."""
import time

import dramatiq
from dramatiq.brokers.stub import StubBroker

broker = StubBroker()
dramatiq.set_broker(broker)
late = []


@dramatiq.actor
def encode(video):
    time.sleep(0.5)


@dramatiq.actor
def send_mail(since):
    late.append(time.monotonic() - since)


worker = dramatiq.Worker(broker, worker_timeout=50, worker_threads=2)
worker.start()
for n in range(6):
    encode.send(n)
for _ in range(6):
    send_mail.send(time.monotonic())
    time.sleep(0.1)
broker.join("default")
worker.join()
worker.stop()
print("truth", f"send_mail {max(late):.2f} s late")
