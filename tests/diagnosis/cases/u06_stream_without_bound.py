"""Events go through an anyio stream whose buffer has no bound; the database is slower
(https://github.com/agronholm/anyio/issues/371).
truth: about 450 events wait in the stream after 1.6 s; `store` takes 150 a second, `sensor` sends 430."""
import math

import anyio


async def store(stream):
    async for _event in stream:
        await anyio.sleep(0.006)  # an insert


async def sensor(stream):
    for n in range(150):
        await stream.send(n)
        await anyio.sleep(0.01)


async def main():
    send, receive = anyio.create_memory_object_stream(math.inf)
    async with anyio.create_task_group() as group:
        group.start_soon(store, receive)
        async with anyio.create_task_group() as sensors:
            for _ in range(5):
                sensors.start_soon(sensor, send)
        print("truth", receive.statistics().current_buffer_used, "events wait")
        group.cancel_scope.cancel()


anyio.run(main)
