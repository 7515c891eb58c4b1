"""HEALTHY: a report gives a pool of processes all its pages and charts at once, some by `imap`, and then reads them."""
import time
from multiprocessing import get_context


def page(number):
    time.sleep(0.05)
    return f"page {number}"


def chart(name):
    time.sleep(0.1)
    return f"chart {name}"


def main():
    with get_context("fork").Pool(3) as pool:
        charts = [pool.apply_async(chart, (name,)) for name in range(15)]
        pages = pool.imap(page, range(45))
        print(len([each.get() for each in charts]), len([*pages]))


if __name__ == "__main__":
    main()
