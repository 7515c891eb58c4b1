"""After github.com/dewet22/givenergy-modbus/pull/54 and others: frames go through a queue to one sender, whose task has failed.

Truth: `sender` fails with ValueError at frame 12 (0.5 s); `send` waits for `sent` of each frame after that, 1 s each,
tries twice, and everything is late or lost for 3 s; nobody looks at the task.
"""

import asyncio


class Client:
    def __init__(self):
        self.frames = asyncio.Queue(maxsize=40)
        self.sent = 0

    def encode(self, frame):
        if frame["register"] > 255:
            raise ValueError(frame["register"])
        return bytes([frame["register"]])

    async def sender(self):
        while True:
            frame, future = await self.frames.get()
            raw = self.encode(frame)
            await asyncio.sleep(0.01 + len(raw) / 1000)
            self.sent += 1
            future.set_result(None)

    async def send(self, register):
        for _ in range(2):
            sent = asyncio.get_running_loop().create_future()
            await self.frames.put(({"register": register}, sent))
            try:
                return await asyncio.wait_for(sent, 1.0)
            except TimeoutError:
                continue
        return "lost"


async def poll(client, number):
    answers = []
    for n in range(4):
        register = 300 if number == 2 and n == 2 else number * 10 + n
        answers.append(await client.send(register))
        await asyncio.sleep(0.1)
    return answers


async def main():
    client = Client()
    task = asyncio.create_task(client.sender(), name="sender")
    answers = await asyncio.gather(*(poll(client, number) for number in range(4)))
    print("truth", client.sent, "sent,", sum(a == "lost" for one in answers for a in one), "lost,", task.done())


asyncio.run(main())
