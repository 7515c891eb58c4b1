"""All wait at a barrier for the same party.
After https://github.com/Draegerwerk/SDCcc/issues/188 and reports like it.

`shard-0..2` wait at the Barrier in `simulate` for `shard-3`, which sleeps in
`load_block` 0.25 s each round: 3 threads x 8 rounds."""
import threading, time
barrier = threading.Barrier(4)
def load_block(n): time.sleep(0.25 if n == 3 else 0.02)
def simulate(n):
    for _ in range(8):
        load_block(n)
        barrier.wait()
ts = [threading.Thread(target=simulate, args=(n,), name=f"shard-{n}") for n in range(4)]
for t in ts: t.start()
for t in ts: t.join()
print("done")
