"""`sched.scheduler.run` sleeps until the job that was first when it fell asleep; one that another thread enters for an
earlier time is not noticed (https://bugs.python.org/issue20126 and the note on `delayfunc` in the documentation).
truth: MainThread waits 1.4 s in `send_now` for an event; `timers` is asleep in `scheduler.run` until a job that is due in 1.5 s,
though the job of MainThread was due after 0.05 s."""
import sched, threading, time

jobs = sched.scheduler(time.monotonic, time.sleep)


def clean():
    pass


def send(done):
    done.set()


def run_timers():
    jobs.enter(1.5, 1, clean)
    jobs.run()


def send_now():
    done = threading.Event()
    began = time.monotonic()
    jobs.enter(0.05, 1, send, (done,))
    done.wait()
    print("truth: sent after", time.monotonic() - began)


t = threading.Thread(target=run_timers, name="timers")
t.start()
time.sleep(0.1)
send_now()
t.join()
