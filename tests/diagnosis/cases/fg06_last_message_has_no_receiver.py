"""The clean-up of a cancelled scope sends to a stream of anyio whose receiver was cancelled with it
(https://github.com/agronholm/anyio/issues/771).
truth: `Client.stop` waits 1.5 s in MemoryObjectSendStream.send: `pump`, its only receiver, was cancelled before."""
import anyio


class Client:
    def __init__(self):
        self.send, self.receive = anyio.create_memory_object_stream(0)
        self.seen = []

    async def pump(self):
        async for message in self.receive:
            self.seen.append(message)
            await anyio.sleep(0.01)

    async def stop(self):
        with anyio.move_on_after(1.5, shield=True):
            await self.send.send("bye")


async def session(client):
    try:
        for number in range(100):
            await client.send.send(number)
            await anyio.sleep(0.02)
    finally:
        await client.stop()


async def main():
    client = Client()
    began = anyio.current_time()
    with anyio.move_on_after(0.4):
        async with anyio.create_task_group() as group:
            group.start_soon(client.pump)
            group.start_soon(session, client)
    print("truth", round(anyio.current_time() - began, 2), client.seen[-1])


anyio.run(main)
