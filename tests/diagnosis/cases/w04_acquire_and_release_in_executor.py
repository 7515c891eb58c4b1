"""An asynchronous pool over a blocking one: acquire and release both run in the same executor, whose workers
all wait in acquire (https://github.com/GoodManWEN/cx_Oracle_async/issues/18).
truth: 4 workers wait in Queue.get in `Pool._get` for a connection; both connections' `_put` are queued behind
them, until the gets give up after 1.5 s."""
import asyncio
import queue
from concurrent.futures import ThreadPoolExecutor


class Pool:
    def __init__(self, size):
        self.free, self.executor = queue.Queue(), ThreadPoolExecutor(4, thread_name_prefix="db")
        for n in range(size):
            self.free.put(n)

    def _get(self):
        return self.free.get(timeout=1.5)

    def _put(self, connection):
        self.free.put(connection)

    async def acquire(self):
        return await asyncio.get_running_loop().run_in_executor(self.executor, self._get)

    async def release(self, connection):
        await asyncio.get_running_loop().run_in_executor(self.executor, self._put, connection)


async def handler(pool, done):
    try:
        connection = await pool.acquire()
    except queue.Empty:
        return
    await asyncio.sleep(0.1)
    await pool.release(connection)
    done.append(1)


async def main():
    pool, done = Pool(2), []
    await asyncio.gather(*(handler(pool, done) for _ in range(7)))
    print("truth", len(done), "of 7 served")


asyncio.run(main())
