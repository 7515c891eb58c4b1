"""Healthy: a pool of two processes computes for a second each; main waits for both."""
from concurrent.futures import ProcessPoolExecutor


def primes(low: int, high: int) -> int:
    return sum(all(n % d for d in range(2, int(n**0.5) + 1)) for n in range(low, high))


def main() -> None:
    with ProcessPoolExecutor(2) as pool:
        print(sum(pool.map(primes, [2, 60_000], [60_000, 100_000])))


if __name__ == "__main__":
    main()
