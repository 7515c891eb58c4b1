"""A child is read by select to its end, then waited for."""
import os, selectors, time
r, w = os.pipe(); pid = os.fork()
if pid == 0:
    os.close(r)
    for i in range(10): os.write(w, b"x" * 3000); time.sleep(0.1)
    os._exit(0)
os.close(w); sel = selectors.DefaultSelector(); sel.register(r, selectors.EVENT_READ)
while sel.get_map():
    for k, _ in sel.select():
        if not os.read(k.fd, 65536): sel.unregister(k.fd)
os.waitpid(pid, 0)
