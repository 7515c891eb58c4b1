"""A pipe at its end stays ready, and the loop never unregisters it.
After https://github.com/python/cpython/pull/156345.

truth: `logs` spins in `pump` for 1.2 s: select returns at once, read brings nothing."""
import os, selectors, threading, time
r, w = os.pipe(); stop = False
def pump():
    sel = selectors.DefaultSelector(); sel.register(r, selectors.EVENT_READ)
    while not stop:
        for key, _ in sel.select(1):
            data = os.read(key.fd, 4096)
            if data: time.sleep(0.001)
t = threading.Thread(target=pump, name="logs"); t.start()
for i in range(5): os.write(w, b"line\n"); time.sleep(0.05)
os.close(w); time.sleep(1.2); stop = True; t.join()
