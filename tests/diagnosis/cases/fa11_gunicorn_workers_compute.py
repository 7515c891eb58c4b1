"""A few requests take all workers of gunicorn with computing; the others wait
(https://github.com/benoitc/gunicorn/issues/1693).
truth: both workers compute in `build_report` (0.25 s of CPU a request); `ping` waits up to 1 s for one of them."""
import os
import threading
import time
import urllib.request

from gunicorn.app.base import BaseApplication

PORT = 20000 + os.getpid() % 2000


def build_report(seconds=0.25):
    end, total = time.process_time() + seconds, 0
    while time.process_time() < end:
        total += sum(n * n for n in range(2000))
    return total


def app(environ, start_response):
    body = b"pong" if environ["PATH_INFO"] == "/ping" else str(build_report()).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


class Server(BaseApplication):
    def load_config(self):
        for key, value in {"bind": f"127.0.0.1:{PORT}", "workers": 2, "worker_class": "sync",
                           "loglevel": "critical", "timeout": 60, "graceful_timeout": 1}.items():
            self.cfg.set(key, value)

    def load(self):
        return app


def clients(parent):
    took = []

    def get(page):
        begun = time.perf_counter()
        urllib.request.urlopen(f"http://127.0.0.1:{PORT}/{page}", timeout=20).read()
        took.append((page, round(time.perf_counter() - begun, 2)))

    for _ in range(200):
        try:
            get("ping")
            break
        except OSError:
            time.sleep(0.05)
    threads = [threading.Thread(target=get, args=(page,)) for page in ["report"] * 6 + ["ping"] * 6]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("truth", took, flush=True)
    os.kill(parent, 15)
    os._exit(0)


if __name__ == "__main__":
    parent = os.getpid()
    if os.fork() == 0:
        clients(parent)
    Server().run()
