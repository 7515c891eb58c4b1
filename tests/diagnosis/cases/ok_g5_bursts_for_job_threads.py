"""HEALTHY: three job threads, and two producers with bursts of jobs of 5 to 60 ms."""
import queue, threading, time, random
q = queue.Queue(); rnd = random.Random(3)
def small(): time.sleep(0.005)
def big(): time.sleep(0.06)
def work():
    while (j := q.get()) is not None: j()
ws = [threading.Thread(target=work, name=f"job-{i}") for i in range(3)]
[w.start() for w in ws]
def produce(n):
    for _ in range(7):
        for _ in range(rnd.randint(3, 6)): q.put(rnd.choice([small, small, big]))
        time.sleep(0.4)
ps = [threading.Thread(target=produce, args=(i,), name=f"producer-{i}") for i in range(2)]
[p.start() for p in ps]; [p.join() for p in ps]
for _ in ws: q.put(None)
[w.join() for w in ws]
