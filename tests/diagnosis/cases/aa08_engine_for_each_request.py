"""`create_engine` in each request: no connection is ever used twice, and the engines keep theirs
(https://github.com/hackforla/311-data/issues/550).
truth: 88 `handle` make an engine each and connect; 88 connections stay open."""
import os
import threading
import time

from sqlalchemy import create_engine, text

URL = os.environ["PG_URL"].replace("postgresql://", "postgresql+psycopg://")
engines = []
create_engine(URL).dispose()  # imports what the threads need


def get_engine():
    engine = create_engine(URL)
    engines.append(engine)  # as a cache of sessions does
    return engine


def handle():
    with get_engine().connect() as connection:
        connection.execute(text("select 1")).scalar()
    time.sleep(0.04)  # the page is sent


def serve():
    for _ in range(22):
        handle()


threads = [threading.Thread(target=serve, name=f"web-{n}") for n in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("truth:", len(engines), "engines")
