"""An event as a pause of the main thread, once."""
import threading
def wait_a_bit(): threading.Event().wait(1.3)
print("start"); wait_a_bit(); print("end")
