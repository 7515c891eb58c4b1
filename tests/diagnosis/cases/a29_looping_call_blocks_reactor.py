"""A LoopingCall collects metrics with a blocking call in the reactor (https://github.com/twisted/twisted/issues/8090).
wanted: the reactor is blocked 0.25 s each time in sleep from `collect`; `tick` is late"""
import time
from twisted.internet import reactor, task


def read_sensor():
    time.sleep(0.25)
    return 1


def collect(out):
    out.append(read_sensor())


late, last = [], [time.monotonic()]
def tick():
    now = time.monotonic(); late.append(now - last[0] - 0.02); last[0] = now

out = []
task.LoopingCall(tick).start(0.02)
task.LoopingCall(collect, out).start(0.5)
reactor.callLater(2.2, reactor.stop)
reactor.run()
print("truth", max(late))
