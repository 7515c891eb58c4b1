"""The initializer of a pool's workers fails, so the pool makes workers for ever
(https://github.com/python/cpython/issues/87472).
truth: `main` waits 1.2 s in AsyncResult.get; each worker died in `connect`; none ran a job."""
import multiprocessing


def connect():
    raise SystemExit(1)


def resize(number):
    return number


def main():
    pool = multiprocessing.get_context("fork").Pool(2, initializer=connect)
    try:
        pool.map_async(resize, range(4)).get(timeout=1.2)
    except multiprocessing.TimeoutError:
        print("truth nothing came")
    pool.terminate()


if __name__ == "__main__":
    main()
