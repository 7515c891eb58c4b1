"""Four parties of about equal work meet at a barrier."""
import threading, time, random
b = threading.Barrier(4)
def sim(n):
    r = random.Random(n)
    for _ in range(20):
        time.sleep(0.04 + r.random() * 0.01); b.wait()
ts = [threading.Thread(target=sim, args=(n,), name=f"party-{n}") for n in range(4)]
for t in ts: t.start()
for t in ts: t.join()
