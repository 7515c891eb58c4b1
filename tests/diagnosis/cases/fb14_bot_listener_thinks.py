"""A bot's listener awaits the model for each message, and its queue of events stands meanwhile
(https://github.com/openclaw/openclaw/issues/36017).
truth: `dispatch` handles 10 messages one after the other, each 250 ms in `infer`; the last event is 2 s old,
and reactions wait behind messages."""
import asyncio
import time

ages = []


async def infer(prompt):
    await asyncio.sleep(0.25)
    return prompt.upper()


async def on_message(content):
    await infer(content)


async def on_reaction(content):
    await asyncio.sleep(0)


LISTENERS = {"message": on_message, "reaction": on_reaction}


async def dispatch(events):
    while True:
        kind, content, made = await events.get()
        ages.append(time.monotonic() - made)
        await LISTENERS[kind](content)
        events.task_done()


async def gateway(reader, events):
    while line := await reader.readline():
        kind, _, content = line.decode().partition(" ")
        events.put_nowait((kind, content, time.monotonic()))


async def discord(reader, writer):
    for number in range(10):
        writer.write(b"message hello %d\nreaction ok\n" % number)
        await asyncio.sleep(0.05)
    writer.close()


async def main():
    server = await asyncio.start_server(discord, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
    events = asyncio.Queue()
    listener = asyncio.create_task(dispatch(events), name="dispatch")
    await gateway(reader, events)
    await events.join()
    listener.cancel()
    print("truth", round(max(ages), 2))
    writer.close()
    server.close()


asyncio.run(main())
