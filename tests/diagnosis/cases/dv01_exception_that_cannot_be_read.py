"""Jobs of a process pool fail with an exception that cannot be unpickled
(https://github.com/python/cpython/issues/103061).
truth: `MainThread` waited 4 s in `AsyncResult.get` in `collect`: the pool's thread that reads
results had failed (TypeError)."""

import multiprocessing
import time


class PartnerError(Exception):
    def __init__(self, status, body):
        super().__init__(f"partner said {status}: {body}")
        self.status = status
        self.body = body


def fetch_invoice(number):
    time.sleep(0.05)
    if number == 7:
        raise PartnerError(502, "bad gateway")
    return {"invoice": number, "total": number * 10}


def collect(pool, numbers):
    pending = [pool.apply_async(fetch_invoice, (number,)) for number in numbers]
    invoices = []
    for result in pending:
        try:
            invoices.append(result.get(timeout=4))
        except multiprocessing.TimeoutError:
            print("no answer, giving up")
            break
    return invoices


def main():
    started = time.monotonic()
    with multiprocessing.Pool(3) as pool:
        invoices = collect(pool, range(30))
    print(f"{len(invoices)} invoices in {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    main()
