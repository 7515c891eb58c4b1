"""Threads for computing made the program slower, not faster
(https://www.andybravo.tech/post/threads-made-me-slower-what-python-taught-me-about-concurrency).
truth: 6 threads compute in `count_primes` and share one GIL: each waited for most of its time; use processes."""
import threading
import time


def count_primes(low, high):
    found = 0
    for number in range(max(low, 2), high):
        for divisor in range(2, int(number**0.5) + 1):
            if number % divisor == 0:
                break
        else:
            found += 1
    return found


def main():
    begun = time.perf_counter()
    threads = [threading.Thread(target=count_primes, args=(n * 70_000, (n + 1) * 70_000)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"truth {time.perf_counter() - begun:.2f} s, CPU {time.process_time():.2f} s")


main()
