"""HEALTHY: a dump view reads its table in short queries and builds the file after the connection is given back; other views go on."""
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


def dump(request):
    with psycopg.connect(URL) as db:
        rows = db.execute("select * from opinions").fetchall()
    time.sleep(0.5)  # compresses and uploads
    return HttpResponse(str(len(rows)))


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
    urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/{page}", timeout=10).read()


with psycopg.connect(URL) as db:
    db.execute("drop table if exists opinions")
    db.execute("create table opinions(id int primary key, text text)")
    db.execute("insert into opinions select n, repeat('x', 50) from generate_series(1, 200) n")
django.setup()
server = make_server("127.0.0.1", 0, get_wsgi_application(), Server, Quiet)
threading.Thread(target=server.serve_forever, name="server", daemon=True).start()
for n in range(10):
    get(f"opinion/{n + 1}")
clients = [threading.Thread(target=get, args=(page,)) for page in ["dump"] + [f"opinion/{n}" for n in range(1, 6)]]
for client in clients:
    client.start()
    time.sleep(0.05)
for client in clients:
    client.join()
server.shutdown()
