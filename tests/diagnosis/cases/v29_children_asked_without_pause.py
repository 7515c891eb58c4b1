"""A supervisor asks three children whether they are alive, without a pause.
truth: `supervisor` computes all the time in `watch`, in is_alive."""
import asyncio
import multiprocessing
import threading
import time


def job(seconds):
    time.sleep(seconds)


def watch(workers, finished):
    alive = list(workers)
    while alive:
        for worker in list(alive):
            if not worker.is_alive():
                alive.remove(worker)
                finished.append(worker.name)


async def status(reader, writer, finished):
    while await reader.readline():
        writer.write(b"%d done\n" % len(finished))
        await writer.drain()
    writer.close()


async def client(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(40):
        writer.write(b"status\n")
        await reader.readline()
        await asyncio.sleep(0.03)
    writer.close()


async def main(finished):
    server = await asyncio.start_server(lambda r, w: status(r, w, finished), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await asyncio.gather(*(client(port) for _ in range(3)))
    server.close()


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=job, args=(1.5 + n * 0.2,), name=f"job-{n}") for n in range(3)]
    for worker in workers:
        worker.start()
    finished = []
    thread = threading.Thread(target=watch, args=(workers, finished), name="supervisor")
    thread.start()
    asyncio.run(main(finished))
    thread.join()
