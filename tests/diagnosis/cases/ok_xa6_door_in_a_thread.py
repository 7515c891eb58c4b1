"""A synchronous door into a library's loop, used in a thread: the application's loop is free for what it needs."""
import asyncio
import concurrent.futures
import threading


class LoopThread:
    def __init__(self, name):
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, name=name, daemon=True).start()
    def call(self, coro, timeout):
        return asyncio.run_coroutine_threadsafe(coro, self.loop).result(timeout)


class Library:
    """Belongs to the application's loop."""
    def __init__(self, loop): self.loop, self.nodes = loop, {}
    async def load(self):
        await asyncio.sleep(0.02)
        self.nodes["echo"] = 1
        return self.nodes


class Requests:
    def __init__(self, side, library): self.side, self.library = side, library
    async def list_workflows(self):
        loading = asyncio.run_coroutine_threadsafe(self.library.load(), self.library.loop)
        return sorted(await asyncio.wrap_future(loading))
    def handle_request(self, name):
        try:
            return self.side.call(getattr(self, name)(), 1.5)
        except concurrent.futures.TimeoutError:
            return None


class Editor:
    def __init__(self, requests): self.requests = requests
    async def open(self):
        await asyncio.sleep(0.1)
        return await asyncio.to_thread(self.requests.handle_request, "list_workflows")


async def heartbeat():
    while True:
        await asyncio.sleep(0.1)


async def main():
    side = LoopThread("engine-loop")
    editor = Editor(Requests(side, Library(asyncio.get_running_loop())))
    beats = [asyncio.create_task(heartbeat(), name=f"heartbeat-{i}") for i in range(5)]
    for _ in range(2):
        await editor.open()
        await asyncio.sleep(0.3)
    for b in beats: b.cancel()


asyncio.run(main())
