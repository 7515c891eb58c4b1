"""A signal handler that writes a report runs in the main thread, in the middle of the loop's poll: nobody is answered meanwhile
(after https://github.com/odoo/odoo/pull/30688, a stack dump by signal, and the note at `loop.add_signal_handler`).
truth: `dump` keeps the loop of MainThread 0.12 s each time, asleep in `write_report`; 4 tasks `answer` that sleep 20 ms are late."""
import asyncio, signal, time


def dump(signum, frame):
    write_report()


def write_report():
    time.sleep(0.12)


async def answer():
    for _ in range(60):
        await asyncio.sleep(0.02)


async def main():
    signal.signal(signal.SIGALRM, dump)
    signal.setitimer(signal.ITIMER_REAL, 0.1, 0.25)
    began = time.monotonic()
    await asyncio.gather(*(answer() for _ in range(4)))
    print("truth: took", time.monotonic() - began, "instead of 1.2")
    signal.setitimer(signal.ITIMER_REAL, 0)


asyncio.run(main())
