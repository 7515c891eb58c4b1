"""A calculation is given to eight threads to be faster, in pure Python
(Stack Overflow "ThreadPoolExecutor is not faster than a loop"; https://github.com/ranaroussi/yfinance issues).
truth: 8 threads of the executor compute in `indicator` for 1.6 s of CPU together, one at a time."""
import time
from concurrent.futures import ThreadPoolExecutor


def indicator(symbol):
    end = time.thread_time() + 0.2
    total = 0
    while time.thread_time() < end:
        for n in range(500):
            total = (total + n * symbol) % 1_000_003
    return total


def backtest(symbols):
    with ThreadPoolExecutor(8, thread_name_prefix="calc") as pool:
        return list(pool.map(indicator, symbols))


print(sum(backtest(range(8))))
