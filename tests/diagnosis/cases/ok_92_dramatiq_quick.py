"""HEALTHY: dramatiq's worker has short messages, and enough threads for them."""
import time

import dramatiq
from dramatiq.brokers.stub import StubBroker

broker = StubBroker()
dramatiq.set_broker(broker)


@dramatiq.actor
def touch(n):
    time.sleep(0.005)


worker = dramatiq.Worker(broker, worker_timeout=50, worker_threads=4)
worker.start()
for n in range(60):
    touch.send(n)
    time.sleep(0.02)
broker.join("default")
worker.join()
worker.stop()
