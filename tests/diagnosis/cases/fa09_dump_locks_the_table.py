"""A dump view locks its table while it builds the file; every other view of the table hangs
(https://github.com/freelawproject/courtlistener/issues/237).
truth: `opinion` waits up to 0.9 s in execute for PostgreSQL: `dump` has LOCK TABLE opinions in its transaction, asleep in `write_archive`."""
import os
import threading
import time
import urllib.request
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from socketserver import ThreadingMixIn

import django
import psycopg
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

URL = os.environ["PG_URL"]
settings.configure(DEBUG=False, ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x", MIDDLEWARE=[])


def write_archive(rows):
    time.sleep(0.9)  # compresses and uploads
    return len(rows)


def dump(request):
    with psycopg.connect(URL) as db:
        db.execute("lock table opinions in access exclusive mode")
        rows = db.execute("select * from opinions").fetchall()
        return HttpResponse(str(write_archive(rows)))


def opinion(request, number):
    with psycopg.connect(URL) as db:
        return HttpResponse(str(db.execute("select text from opinions where id = %s", (number,)).fetchone()))


urlpatterns = [path("dump", dump), path("opinion/<int:number>", opinion)]


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


def get(page):
    begun = time.perf_counter()
    urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/{page}", timeout=10).read()
    took.append((page, round(time.perf_counter() - begun, 2)))


with psycopg.connect(URL) as db:
    db.execute("drop table if exists opinions")
    db.execute("create table opinions(id int primary key, text text)")
    db.execute("insert into opinions select n, repeat('x', 50) from generate_series(1, 200) n")
django.setup()
server = make_server("127.0.0.1", 0, get_wsgi_application(), Server, Quiet)
threading.Thread(target=server.serve_forever, name="server", daemon=True).start()
took = []
for n in range(10):
    get(f"opinion/{n + 1}")
clients = [threading.Thread(target=get, args=(page,)) for page in ["dump"] + [f"opinion/{n}" for n in range(1, 6)]]
for client in clients:
    client.start()
    time.sleep(0.05)
for client in clients:
    client.join()
print("truth", sorted(took, key=lambda one: -one[1])[:6])
server.shutdown()
