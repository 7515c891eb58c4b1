"""A page that is refreshed takes a connection each time and gives it back only at the end of its function
(https://github.com/FAI-CIVL/FAI-Airscore/issues/147).
truth: `comp_admin` took 5 connections and returned early without `close`; 4 later requests wait 0.5 s each in `session.execute` and fail (QueuePool limit)."""
import http.client
import os
import tempfile
import threading
import time

import flask
import sqlalchemy as sa
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

engine = sa.create_engine("sqlite:///" + os.path.join(tempfile.mkdtemp(), "comps.db"), poolclass=sa.QueuePool,
                          pool_size=3, max_overflow=2, pool_timeout=0.5, connect_args={"check_same_thread": False})
with engine.begin() as db:
    db.execute(sa.text("create table comps(id int, scored int)"))
    db.execute(sa.text("insert into comps values (1, 0)"))
app, kept = flask.Flask(__name__), []


@app.get("/users/comp_admin")
def comp_admin():
    session = Session(engine)
    kept.append(session)
    scored = session.execute(sa.text("select scored from comps")).scalar()
    if not scored:
        return "not scored yet"
    session.close()
    return "scored"


server = make_server("127.0.0.1", 0, app, threaded=True)
threading.Thread(target=server.serve_forever, name="http", daemon=True).start()


def refresh():
    client = http.client.HTTPConnection("127.0.0.1", server.server_port)
    client.request("GET", "/users/comp_admin")
    return client.getresponse().status


import logging  # noqa: E402

logging.disable()
begun = time.perf_counter()
print("truth", [refresh() for _ in range(9)], f"{time.perf_counter() - begun:.2f} s")
server.shutdown()
