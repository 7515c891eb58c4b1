"""A forked child pauses with an Event; and a pause while a thread failed."""
import os, threading, time
stop = threading.Event()
def bad(): raise ValueError("x")
def pause(): stop.wait(1.2)
pid = os.fork()
if pid == 0:
    pause(); os._exit(0)
t = threading.Thread(target=bad, name="bad"); t.start()
pause()
t.join(); os.waitpid(pid, 0)
