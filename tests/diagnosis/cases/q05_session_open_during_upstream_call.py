"""A view keeps its database session open while it asks another service
(https://github.com/gpustack/gpustack/issues/1835).
truth: 2 connections of SQLAlchemy's pool; each is kept 0.2 s in `recv` in `ask_upstream`; the others wait in `order`."""
import socket
import threading
import time
import urllib.request

from flask import Flask
from sqlalchemy import create_engine, text
from sqlalchemy.pool import QueuePool
from werkzeug.serving import make_server

app = Flask(__name__)
engine = create_engine("sqlite://", poolclass=QueuePool, pool_size=2, max_overflow=0, pool_timeout=10,
                       connect_args={"check_same_thread": False})
upstream = socket.create_server(("127.0.0.1", 0))


def answer(connection):
    connection.recv(10)
    time.sleep(0.2)
    connection.sendall(b"ok")
    connection.close()


def serve_upstream():
    while True:
        connection, _ = upstream.accept()
        threading.Thread(target=answer, args=(connection,), daemon=True).start()


def ask_upstream(number):
    with socket.create_connection(upstream.getsockname()) as connection:
        connection.sendall(b"?")
        return connection.recv(10)


@app.get("/order/<int:number>")
def order(number):
    with engine.connect() as db:
        found = db.execute(text("select :n"), {"n": number}).scalar()
        ask_upstream(found)
    return str(found)


threading.Thread(target=serve_upstream, daemon=True).start()
server = make_server("127.0.0.1", 0, app, threaded=True)
serving = threading.Thread(target=server.serve_forever)
serving.start()
clients = [
    threading.Thread(target=urllib.request.urlopen, args=(f"http://127.0.0.1:{server.port}/order/{n}",))
    for n in range(8)
]
for client in clients:
    client.start()
for client in clients:
    client.join()
server.shutdown()
serving.join()
