"""A permit is released at the end of a function that returns early for a bad record
(https://github.com/python/cpython/issues/90155 is one of many semaphores that stay empty).
truth: 3 bad records took a permit each in `import_record` and ended; 10 tasks wait until the time-out."""
import asyncio

permits = asyncio.Semaphore(3)


async def import_record(number):
    await permits.acquire()
    await asyncio.sleep(0.02)
    if number % 7 == 3:
        return None  # not for us
    await asyncio.sleep(0.02)
    permits.release()
    return number


async def main():
    jobs = [asyncio.create_task(import_record(number)) for number in range(32)]
    done, pending = await asyncio.wait(jobs, timeout=1.5)
    print("truth", len(done), "done,", len(pending), "stuck")
    for job in pending:
        job.cancel()
    await asyncio.gather(*pending, return_exceptions=True)


asyncio.run(main())
