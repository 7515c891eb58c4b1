"""Healthy: a service sets a bad message aside, looks for work before it waits, and waits for all others when it ends.

Truth: one message fails three times, 20 ms apart; rows are written within two commits of 30 ms; `stop` awaits all tasks
but itself and `main`, which end within 0.2 s.
"""

import asyncio
import sys


class Service:
    def __init__(self):
        self.queue, self.dirty, self.stopping = asyncio.Queue(), asyncio.Event(), asyncio.Event()
        self.rows, self.aside, self.lines = [], [], 0

    async def handle(self, message):
        await asyncio.sleep(0.01)
        if message == 10:
            raise ValueError(message)
        await self.save()

    async def consume(self):
        while (message := await self.queue.get()) is not None:
            for attempt in range(3):
                try:
                    await self.handle(message)
                    break
                except ValueError:
                    await asyncio.sleep(0.02)
            else:
                self.aside.append(message)

    async def save(self):
        row = asyncio.get_running_loop().create_future()
        self.rows.append(row)
        self.dirty.set()
        await row

    async def write(self):
        while not self.stopping.is_set():
            self.dirty.clear()
            rows, self.rows = self.rows, []
            if not rows:
                await self.dirty.wait()
                continue
            await asyncio.sleep(0.03)
            for row in rows:
                row.set_result(True)

    async def read_tool(self):
        code = "import sys\nfor n in range(20): print('x' * 100_000)"
        pipe = asyncio.subprocess.PIPE
        tool = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, stdout=pipe, limit=1 << 20
        )
        while await tool.stdout.readline():
            self.lines += 1
        await tool.wait()

    async def stop(self, main):
        self.stopping.set()
        self.dirty.set()
        self.queue.put_nowait(None)
        others = asyncio.all_tasks() - {asyncio.current_task(), main}
        await asyncio.wait(others, timeout=1.0)


async def main():
    service = Service()
    made = [asyncio.create_task(service.consume()), asyncio.create_task(service.write())]
    made.append(asyncio.create_task(service.read_tool()))
    for n in range(40):
        service.queue.put_nowait(n)
        await asyncio.sleep(0.05)
    for _ in range(3):
        await asyncio.gather(*(service.save() for _ in range(5)))
    await asyncio.create_task(service.stop(asyncio.current_task()))
    print("truth", service.aside, service.lines, [task.done() for task in made])


asyncio.run(main())
