"""Pool.map gives one worker all the long items.
After https://stackoverflow.com/questions/53751050.

truth: one worker computes 1.6 s in `render`; three others have nothing to do after 0.1 s."""
import multiprocessing as mp, time
def render(n):
    end = time.thread_time() + n
    while time.thread_time() < end: pass
    return n
def main():
    sizes = [0.4] * 4 + [0.01] * 12
    with mp.get_context("fork").Pool(4) as pool:
        pool.map(render, sizes, chunksize=4)
if __name__ == "__main__":
    main()
