"""Finalisers of objects in cycles wait within collections.
After reports of `__del__` that closes connections.

truth: collections last 0.2 to 0.5 s, asleep in `Cursor.close`, called by `Cursor.__del__`."""
import gc, time
class Cursor:
    def __init__(self): self.me = self
    def close(self): time.sleep(0.01)
    def __del__(self): self.close()
def handle():
    Cursor(); [[] for _ in range(300)]
    time.sleep(0.001)
gc.set_threshold(3000, 5, 5)
keep = []
for i in range(150):
    handle(); keep.append([[] for _ in range(60)])
