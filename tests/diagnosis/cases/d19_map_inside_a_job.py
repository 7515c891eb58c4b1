"""A job of a pool maps over the same pool and waits (as langchain-ai/langchain#10638).
truth: both workers of `crawl` wait in `crawl_site` for `fetch_page` queued in the same pool."""
import concurrent.futures as cf
import time

pool = cf.ThreadPoolExecutor(2, thread_name_prefix="crawl")


def fetch_page(n):
    return n


def crawl_site(n):
    time.sleep(0.05)
    try:
        return list(pool.map(fetch_page, range(3), timeout=1.0))
    except TimeoutError:
        return "timed out"


print("truth", [job.result() for job in [pool.submit(crawl_site, n) for n in range(2)]])
