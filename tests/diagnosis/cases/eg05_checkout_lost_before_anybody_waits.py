"""An error path of a thread forgets to close its connection, and the pool of SQLAlchemy is
empty for all who come later.
truth: two jobs `book` fail (ValueError) with a connection each, nobody waits then; later 4 jobs
`show` wait for one (connect in `show`, line 29), 0.5 s each in vain, the same again."""
import time
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import create_engine, pool, text
from sqlalchemy.exc import TimeoutError as NoConnection

engine = create_engine(
    "sqlite:///file:eg05?mode=memory&cache=shared&uri=true",
    poolclass=pool.QueuePool, pool_size=2, max_overflow=0, pool_timeout=0.5,
)
kept = []


def book(seat):
    connection = engine.connect()
    kept.append(connection)
    connection.execute(text("select 1"))
    if seat < 0:
        raise ValueError(f"no seat {seat}")
    connection.close()


def show(page):
    try:
        with engine.connect() as connection:
            connection.execute(text("select 2"))
    except NoConnection:
        return False
    return True


with ThreadPoolExecutor(4, "web") as web:
    booked = [web.submit(book, seat) for seat in (-1, -2)]
    print("truth", [one.exception() for one in booked])
    time.sleep(0.1)
    for _ in range(2):
        print("truth", [*web.map(show, range(4))])
