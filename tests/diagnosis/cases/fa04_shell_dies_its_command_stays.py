"""A time-out kills the shell, and not the command that the shell started, which keeps the pipe
(https://github.com/python/cpython/issues/75628).
truth: MainThread waits 1.6 s in communicate in `probe` though its time-out of 0.3 s was over: the shell is dead, its child still has the pipe."""
import subprocess
import time


def probe(host):
    process = subprocess.Popen(f"sleep 1.9; echo {host}", shell=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        return process.communicate(timeout=0.3)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()


def main():
    begun = time.perf_counter()
    print("truth", probe("db-1"), f"after {time.perf_counter() - begun:.2f} s")


main()
