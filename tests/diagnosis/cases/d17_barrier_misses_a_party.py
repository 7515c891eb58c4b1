"""A barrier for four, but one worker failed before it got there.
truth: three `shard-N` wait 1.2 s in Barrier.wait in `load_shard`."""
import threading

barrier = threading.Barrier(4)


def load_shard(n):
    if n == 3:
        return
    try:
        barrier.wait(timeout=1.2)
    except threading.BrokenBarrierError:
        print("truth broken")


threads = [threading.Thread(target=load_shard, args=(n,), name=f"shard-{n}") for n in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
