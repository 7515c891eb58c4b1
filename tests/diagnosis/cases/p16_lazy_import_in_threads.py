"""The first calls of all threads import a slow module, and wait for each other in the import
(https://github.com/skypilot-org/skypilot/issues/5151).
truth: 5 of 6 threads wait 0.8 s for the import of `p16_slow_sdk` in `call_api`; one of them imports it."""
import pathlib
import sys
import tempfile
import threading

folder = pathlib.Path(tempfile.mkdtemp())
(folder / "p16_slow_sdk.py").write_text("import time\ntime.sleep(0.8)\ndef call(n): return n\n")
sys.path.insert(0, str(folder))


def call_api(number):
    import p16_slow_sdk

    return p16_slow_sdk.call(number)


threads = [threading.Thread(target=call_api, args=(n,), name=f"job-{n}") for n in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
