"""A worker has more threads than its pool has connections
(https://github.com/dannyvfilms/Floppy/issues/341).
truth: 6 threads of gunicorn share 2 connections, which `report` keeps for 120 ms, asleep in `render`."""
import os
import tempfile
import threading
import time
import urllib.request

import sqlalchemy
from gunicorn.app.base import BaseApplication

PORT = 18000 + os.getpid() % 2000
engine = sqlalchemy.create_engine(
    "sqlite:///" + os.path.join(tempfile.mkdtemp(), "shop.db"),
    poolclass=sqlalchemy.QueuePool,
    pool_size=2,
    max_overflow=0,
    pool_timeout=30,
    connect_args={"check_same_thread": False},
)


def render(rows):
    time.sleep(0.12)  # asks another service
    return str(rows).encode()


def report():
    with engine.connect() as connection:
        rows = connection.execute(sqlalchemy.text("select 1")).all()
        return render(rows)


def app(environ, start_response):
    body = report()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


class Server(BaseApplication):
    def load_config(self):
        for key, value in {"bind": f"127.0.0.1:{PORT}", "workers": 1, "threads": 6,
                           "worker_class": "gthread", "loglevel": "critical", "graceful_timeout": 1}.items():
            self.cfg.set(key, value)

    def load(self):
        return app


def clients(parent):
    def one():
        for _ in range(4):
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/", timeout=20).read()

    for _ in range(200):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/", timeout=20).read()
            break
        except OSError:
            time.sleep(0.05)
    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.kill(parent, 15)
    os._exit(0)


if __name__ == "__main__":
    parent = os.getpid()
    if os.fork() == 0:
        clients(parent)
    Server().run()
