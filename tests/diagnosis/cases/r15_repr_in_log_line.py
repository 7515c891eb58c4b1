"""A log line prints an object whose `__repr__` is large, in each request
(after reports of debug lines that make a service slow).
truth: `Basket.__repr__` computes over 30 ms on the loop in each `checkout`; others wait for it."""
import asyncio
import logging

logging.basicConfig(filename="/dev/null", level="DEBUG")
log = logging.getLogger("shop")


class Basket:
    def __init__(self, count):
        self.lines = [{"article": n, "price": n / 7, "tags": ("a", "b")} for n in range(count)]

    def __repr__(self):
        rows = sorted((repr(line) for line in self.lines), reverse=True)
        return "Basket(" + ", ".join(rows) + ")"


async def checkout(number):
    basket = Basket(24_000)
    await asyncio.sleep(0.01)
    log.debug("checkout %d: %r", number, basket)
    await asyncio.sleep(0.01)


async def main():
    async with asyncio.TaskGroup() as group:
        for number in range(14):
            group.create_task(checkout(number))


asyncio.run(main())
