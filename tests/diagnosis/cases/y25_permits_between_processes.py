"""A semaphore between processes lets two of them download at a time
(https://github.com/meridianlabs-ai/inspect_scout/pull/1).
truth: 6 processes `get-N` want one of 2 permits in `fetch`; each has it 0.3 s, asleep in `download`; the others wait up to 0.6 s."""
import multiprocessing as mp, time


def download():
    time.sleep(0.3)


def fetch(permits):
    permits.acquire()
    try:
        download()
    finally:
        permits.release()


if __name__ == "__main__":
    c = mp.get_context("fork")
    permits = c.Semaphore(2)
    ps = [c.Process(target=fetch, args=(permits,), name=f"get-{i}") for i in range(6)]
    began = time.monotonic()
    for p in ps:
        p.start()
    for p in ps:
        p.join()
    print("truth: took", time.monotonic() - began)
