"""Notifications are sent by tasks that nobody awaits; two in three fail, and nobody knows
(https://www.bridgestack.systems/blog/fire-and-forget-asyncio).
truth: 26 tasks of `send`, started in `webhook`, failed with ConnectionError; nobody asked for their results."""
import asyncio

kept = set()


async def send(n):
    await asyncio.sleep(0.02)
    if n % 3:
        raise ConnectionError("refused")


async def webhook(n):
    await asyncio.sleep(0.01)
    kept.add(asyncio.create_task(send(n)))
    return {"ok": True}


async def main():
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    for n in range(40):
        await webhook(n)
    await asyncio.sleep(0.1)
    print("truth failed", sum(n % 3 > 0 for n in range(40)))


asyncio.run(main())
