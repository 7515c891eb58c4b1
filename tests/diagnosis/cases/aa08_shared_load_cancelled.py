"""Requests share one task per key without a shield: the time-out of one cancels it for all
(https://github.com/vllm-project/vllm-omni/issues/7070).
truth: `encode` (0.3 s) is begun 5 times and cancelled 4 times by the time-out (0.15 s) of one impatient
`request`; the patient ones, cancelled with it, begin anew and wait 1 s for 0.3 s of work."""
import asyncio

running = {}
begun = []


async def encode(key):
    begun.append(key)
    await asyncio.sleep(0.3)
    return key.upper()


async def shared(key):
    while True:
        if key not in running or running[key].done():
            running[key] = asyncio.create_task(encode(key))
        try:
            return await running[key]
        except asyncio.CancelledError:
            if asyncio.current_task().cancelling():
                raise


async def request(key, patience):
    try:
        async with asyncio.timeout(patience):
            return await shared(key)
    except TimeoutError:
        return None


async def main():
    async with asyncio.TaskGroup() as group:
        patient = [group.create_task(request("voice", 5)) for _ in range(8)]
        for _ in range(4):
            await asyncio.sleep(0.05)
            group.create_task(request("voice", 0.15))
            await asyncio.sleep(0.16)
    print("truth begun", len(begun), {t.result() for t in patient})


asyncio.run(main())
