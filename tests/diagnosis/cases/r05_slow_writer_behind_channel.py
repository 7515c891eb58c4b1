"""Requests hand their records to one writer through a channel without buffer, on trio
(after reports of requests that are as slow as their log).
truth: 12 `request` wait up to 0.4 s in send; `writer` alone receives, 30 ms per record."""
import trio


async def writer(records):
    async for record in records:
        await trio.sleep(0.03)


async def request(number, records):
    await trio.sleep(0.001 * number)
    for _ in range(2):
        await records.send({"request": number})


async def main():
    send, receive = trio.open_memory_channel(0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(writer, receive)
        async with send:
            async with trio.open_nursery() as requests:
                for number in range(12):
                    requests.start_soon(request, number, send)


trio.run(main)
