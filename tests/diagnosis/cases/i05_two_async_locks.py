"""Two tasks take two asyncio locks in opposite order.
truth: `transfer` has accounts and waits for journal; `audit` has journal and waits for accounts; 1 s."""
import asyncio


async def transfer(accounts, journal):
    async with accounts:
        await asyncio.sleep(0.05)
        async with journal:
            pass


async def audit(accounts, journal):
    async with journal:
        await asyncio.sleep(0.05)
        async with accounts:
            pass


async def main():
    accounts, journal = asyncio.Lock(), asyncio.Lock()
    both = asyncio.gather(transfer(accounts, journal), audit(accounts, journal))
    try:
        await asyncio.wait_for(both, 1.1)
    except TimeoutError:
        print("truth both waited")


asyncio.run(main())
