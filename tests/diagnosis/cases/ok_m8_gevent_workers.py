"""CLEAN: gevent workers on a queue that come from a feeder; results in another."""
from gevent import monkey; monkey.patch_all()
import gevent, time
from gevent.queue import Queue
todo, done = Queue(20), Queue()
def worker():
    while (x := todo.get()) is not None: time.sleep(0.01); done.put(x)
def feeder():
    for i in range(300): todo.put(i)
    for _ in range(5): todo.put(None)
gs = [gevent.spawn(worker) for _ in range(5)]; f = gevent.spawn(feeder)
gevent.joinall([f, *gs]); print(done.qsize())
