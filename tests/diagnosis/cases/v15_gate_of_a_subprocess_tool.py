"""Jobs for a tool go through a semaphore of 2 permits, and each keeps its permit while it uploads
the result (https://github.com/opendatalab/MinerU/pull/4046 bounds the same).
truth: 2 permits, kept 0.25 s each by `convert`, 0.2 s of that asleep in `upload`; others wait."""
import subprocess
import sys
import threading
import time

gate = threading.BoundedSemaphore(2)
late = []


def run_tool(n):
    subprocess.run([sys.executable, "-S", "-c", "pass"], check=True)


def upload(n):
    time.sleep(0.2)


def convert(n):
    since = time.monotonic()
    with gate:
        late.append(time.monotonic() - since)
        run_tool(n)
        upload(n)


def request(n):
    for _ in range(2):
        convert(n)
        time.sleep(0.02)


def main():
    requests = [threading.Thread(target=request, args=(n,), name=f"http-{n}") for n in range(8)]
    for n, one in enumerate(requests):
        one.start()
        time.sleep(0.03)
    for one in requests:
        one.join()
    print("truth", f"{max(late):.2f} s")


main()
