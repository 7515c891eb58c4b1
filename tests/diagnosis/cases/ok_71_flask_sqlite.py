"""HEALTHY: a Flask service with a thread for each request, which writes short transactions."""
import sqlite3
import tempfile
import threading
import time
import urllib.request
from contextlib import closing

from flask import Flask
from werkzeug.serving import make_server

PATH = tempfile.mkdtemp() + "/notes.db"
app = Flask(__name__)


@app.post("/notes/<int:n>")
def save(n):
    with closing(sqlite3.connect(PATH, timeout=5)) as db, db:
        db.execute("insert into notes values (?)", (n,))
    return "saved"


@app.get("/notes")
def notes():
    with closing(sqlite3.connect(PATH, timeout=5)) as db:
        return str(db.execute("select count(*) from notes").fetchone()[0])


with closing(sqlite3.connect(PATH)) as db:
    db.execute("pragma journal_mode=wal")
    db.execute("create table notes (n)")
server = make_server("127.0.0.1", 0, app, threaded=True)
serving = threading.Thread(target=server.serve_forever, name="server")
serving.start()
URL = f"http://127.0.0.1:{server.port}/notes"


def use(n):
    for step in range(10):
        urllib.request.urlopen(urllib.request.Request(f"{URL}/{n}", method="POST")).read()
        urllib.request.urlopen(URL).read()
        time.sleep(0.02)


clients = [threading.Thread(target=use, args=(n,), name=f"client-{n}") for n in range(3)]
for client in clients:
    client.start()
for client in clients:
    client.join()
server.shutdown()
serving.join()
