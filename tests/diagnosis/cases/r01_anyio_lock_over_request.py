"""A client refreshes its token under anyio's lock, for each caller, on trio
(after https://github.com/agronholm/anyio/issues about tasks that wait for a lock for long).
truth: `headers` has the lock while it awaits `ask_token` for 90 ms; 9 others wait up to 0.8 s."""
import anyio


class Client:
    def __init__(self):
        self.lock = anyio.Lock()

    async def ask_token(self):
        await anyio.sleep(0.06)
        await anyio.sleep(0.03)
        return "token"

    async def headers(self):
        async with self.lock:
            return {"Authorization": await self.ask_token()}

    async def call(self, path):
        await self.headers()
        await anyio.sleep(0.01)


async def main():
    client = Client()
    async with anyio.create_task_group() as group:
        for n in range(10):
            group.start_soon(client.call, f"/items/{n}")


anyio.run(main, backend="trio")
