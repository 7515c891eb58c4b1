"""A client of a bus starts a heartbeat task with each reconnect and forgets the old one
(https://github.com/pnbruckner/ha-life360/issues/101, another leak of tasks).
truth: 40 tasks `heartbeat`, one for each `connect`, all asleep and sending to the end."""
import asyncio


class Bus:
    def __init__(self):
        self.sent = 0
        self.tasks = []

    async def connect(self):
        await asyncio.sleep(0.002)
        self.tasks.append(asyncio.create_task(self.heartbeat(), name=f"heartbeat-{len(self.tasks)}"))

    async def heartbeat(self):
        while True:
            await asyncio.sleep(0.05)
            self.sent += 1

    async def publish(self, n):
        await asyncio.sleep(0.001)


async def run(bus):
    for n in range(40):
        await bus.connect()
        for k in range(5):
            await bus.publish(k)
            await asyncio.sleep(0.008)


async def main():
    bus = Bus()
    await run(bus)
    alive = sum(not task.done() for task in bus.tasks)
    for task in bus.tasks:
        task.cancel()
    print("truth", alive, "heartbeats,", bus.sent, "sent")


asyncio.run(main())
