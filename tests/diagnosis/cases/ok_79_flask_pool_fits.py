"""HEALTHY: a Flask service whose views use the database for moments."""
import threading
import time
import urllib.request

from flask import Flask
from sqlalchemy import create_engine, text
from sqlalchemy.pool import QueuePool
from werkzeug.serving import make_server

app = Flask(__name__)
engine = create_engine("sqlite://", poolclass=QueuePool, pool_size=5,
                       connect_args={"check_same_thread": False})


@app.get("/user/<int:number>")
def user(number):
    with engine.connect() as db:
        found = db.execute(text("select :n"), {"n": number}).scalar()
    time.sleep(0.01)
    return str(found)


server = make_server("127.0.0.1", 0, app, threaded=True)
serving = threading.Thread(target=server.serve_forever)
serving.start()


def use(number):
    for _ in range(20):
        urllib.request.urlopen(f"http://127.0.0.1:{server.port}/user/{number}").read()
        time.sleep(0.01)


clients = [threading.Thread(target=use, args=(n,)) for n in range(4)]
for client in clients:
    client.start()
for client in clients:
    client.join()
server.shutdown()
serving.join()
