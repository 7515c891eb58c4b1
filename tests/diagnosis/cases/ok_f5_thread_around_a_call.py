"""A thread around a call now and then."""
import threading, time
def call(): time.sleep(0.02)
for n in range(8):
    t = threading.Thread(target=call); t.start(); t.join(1); time.sleep(0.2)
