"""One task owns the device and takes commands from an inbox; every caller waits for its own future
(https://github.com/transformerlab/transformerlab-app/pull/1553).
truth: `bridge` serves 6 `poll_sensor` in turn, each request 80 ms asleep in `talk`; callers wait 400 ms in `ask`."""
import asyncio
import time


class Bridge:
    def __init__(self):
        self.inbox = asyncio.Queue()

    async def talk(self, command):
        await asyncio.sleep(0.08)
        return command * 2

    async def run(self):
        while True:
            command, answer = await self.inbox.get()
            result = await self.talk(command)
            if not answer.done():
                answer.set_result(result)

    async def ask(self, command):
        answer = asyncio.get_running_loop().create_future()
        await self.inbox.put((command, answer))
        return await answer


async def poll_sensor(bridge, n, late):
    for k in range(5):
        since = time.monotonic()
        await bridge.ask(n * 10 + k)
        late.append(time.monotonic() - since)
        await asyncio.sleep(0.02)


async def main():
    bridge, late = Bridge(), []
    one = asyncio.create_task(bridge.run(), name="bridge")
    await asyncio.gather(*(poll_sensor(bridge, n, late) for n in range(6)))
    one.cancel()
    print("truth", f"{max(late):.2f}")


asyncio.run(main())
