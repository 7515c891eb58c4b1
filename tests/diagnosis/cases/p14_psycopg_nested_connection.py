"""A helper takes a second connection of the pool while its caller has one
(https://github.com/aio-libs/aiopg/issues/127).
truth: 3 threads have a connection each in `place_order` and wait 1 s in `audit` for another one."""
import os
import threading

from psycopg_pool import ConnectionPool, PoolTimeout

together = threading.Barrier(3)


class Shop:
    def __init__(self, pool):
        self.pool = pool

    def audit(self, what):
        with self.pool.connection(timeout=1) as connection:
            connection.execute("select %s::text", (what,))

    def place_order(self, number):
        with self.pool.connection() as connection:
            connection.execute("select %s::int", (number,))
            together.wait()
            try:
                self.audit(f"order {number}")
            except PoolTimeout:
                print("time-out")


with ConnectionPool(os.environ["PG_URL"], min_size=3, max_size=3) as pool:
    pool.wait()
    shop = Shop(pool)
    threads = [threading.Thread(target=shop.place_order, args=(n,), name=f"order-{n}") for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
