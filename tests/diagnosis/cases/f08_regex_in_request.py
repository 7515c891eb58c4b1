"""A regular expression with catastrophic backtracking in one handler stops all
(https://github.com/python/cpython/issues/91264 and security advisories of its kind).
truth: `validate` computes in re.match for over 400 ms on the loop's thread."""
import asyncio
import re

EMAIL = re.compile(r"^(\w+\.?)+@example$")


async def validate(address):
    await asyncio.sleep(0.01)
    return EMAIL.match(address)


async def health():
    while True:
        await asyncio.sleep(0.01)


async def main():
    checks = [asyncio.create_task(health()) for _ in range(5)]
    await validate("a" * 22 + "!")
    for check in checks:
        check.cancel()


asyncio.run(main())
