"""`map` gives the results in order: one slow item at the front holds back all that are done
(https://github.com/ebonnal/streamable/pull/19).

truth: the consumer in `main` waits 1.2 s for the result of the first item while the other eleven are long done; take
them as they complete (`as_completed`).
"""
import time
from concurrent.futures import ThreadPoolExecutor


def fetch(number: int) -> int:
    time.sleep(1.2 if number == 0 else 0.05)
    return number


def store(number: int) -> None:
    time.sleep(0.1)


def main() -> None:
    with ThreadPoolExecutor(4) as pool:
        for number in pool.map(fetch, range(12)):
            store(number)


main()
