"""HEALTHY: hosts are probed by a shell command each; the one that takes too long is ended with its whole group."""
import os
import signal
import subprocess
import threading


def probe(host, seconds):
    process = subprocess.Popen(f"sleep {seconds}; echo {host}", shell=True, stdout=subprocess.PIPE, start_new_session=True)
    try:
        return process.communicate(timeout=0.4)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.communicate()[0]


def prober(hosts):
    for host, seconds in hosts:
        results[host] = probe(host, seconds)


results = {}
hosts = [(f"db-{n}", 0.05 if n != 5 else 3) for n in range(12)]
threads = [threading.Thread(target=prober, args=(hosts[n::3],), name=f"prober-{n}") for n in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(sum(map(bool, results.values())))
