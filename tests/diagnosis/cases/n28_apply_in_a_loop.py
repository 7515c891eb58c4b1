"""Pool.apply in a loop: one job at a time.
After https://github.com/Wireless-Innovation-Forum/Spectrum-Access-System/pull/731 and questions like it.

truth: `main` gives a pool of 4 processes 12 jobs of 120 ms one by one."""
import multiprocessing as mp, time
def resize(n): time.sleep(0.12); return n
def main():
    with mp.get_context("fork").Pool(4) as p:
        return [p.apply(resize, (n,)) for n in range(12)]
if __name__ == "__main__": main()
