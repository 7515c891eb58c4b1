"""`result(timeout=…)` gives up, and the end of `with ThreadPoolExecutor` waits for the job all the same
(https://github.com/steveyeow/Feynman/pull/136, https://github.com/marin-community/marin/pull/2769).
truth: `result(timeout=0.3)` gives up, but leaving `with ThreadPoolExecutor` in `fetch_all` waits for
`call_api`, asleep for 2 s. (python: "concurrent.futures timeout does not work")"""
import concurrent.futures
import time


def call_api(n):
    time.sleep(2 if n == 3 else 0.05)
    return n


def fetch_all():
    results, failed = [], 0
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(call_api, n) for n in range(8)]
        for f in futures:
            try:
                results.append(f.result(timeout=0.3))
            except TimeoutError:
                failed += 1
    return results, failed


def summarize(results):
    return sum(n * k for n in results for k in range(2000))


t = time.monotonic()
results, failed = fetch_all()
print(summarize(results), failed, "failed; took", round(time.monotonic() - t, 2))
