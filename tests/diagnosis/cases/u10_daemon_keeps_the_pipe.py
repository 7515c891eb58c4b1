"""communicate() waits for a daemon that its child has started, since that has the pipe still
(https://github.com/python/cpython/issues/81605, "subprocess.run(capture_output=True) hangs with daemon").
truth: the child of `start_service` ends after some 10 ms, but `sleep 1.5`, which it left behind, has its
stdout; MainThread stands in communicate (read) 1.5 s, twice."""
import subprocess


def start_service(name):
    done = subprocess.run(
        ["sh", "-c", f"sleep 1.5 & echo started {name}"], capture_output=True, text=True
    )
    return done.stdout.strip()


for name in ("indexer", "mailer"):
    print(start_service(name))
