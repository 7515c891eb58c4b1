"""A lock around an external tool makes all requests wait for each other
(after reports of converters that handle one document at a time).
truth: 5 threads `convert-N` wait for the Lock in `convert`; its holder waits in `run` for a child, 0.2 s."""
import subprocess
import threading

office = threading.Lock()


def convert(document):
    with office:
        subprocess.run(["sleep", "0.2"], check=True)
    return document


threads = [threading.Thread(target=convert, args=(n,), name=f"convert-{n}") for n in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
