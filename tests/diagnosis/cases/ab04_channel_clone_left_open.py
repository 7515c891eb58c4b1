"""A receiver goes on for ever since one clone of the sending end was never closed
(after the section about several producers in the documentation of trio).
truth: both `produce` ended after 0.1 s; `consume` waits 1.2 s in receive since `main` kept its own send channel."""
import trio


async def produce(send, n):
    async with send:
        for k in range(3):
            await send.send((n, k))
            await trio.sleep(0.03)


async def consume(receive, got):
    async for item in receive:
        got.append(item)


async def main():
    got = []
    send, receive = trio.open_memory_channel(0)
    with trio.move_on_after(1.3):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(consume, receive, got)
            for n in range(2):
                nursery.start_soon(produce, send.clone(), n)
    print("truth got", len(got))


trio.run(main)
