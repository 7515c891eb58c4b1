"""Pure Python work is spread over the threads of an executor and is no quicker
(after questions why threads do not use all cores).
truth: 4 threads `thumb` compute in `blur` and share one GIL, some 1.6 s of computing in all."""
import time
from concurrent.futures import ThreadPoolExecutor


def blur(pixels):
    end = time.thread_time() + 0.1
    while time.thread_time() < end:
        pixels = [(a + b) // 2 for a, b in zip(pixels, pixels[1:] + pixels[:1])]
    return sum(pixels)


with ThreadPoolExecutor(4, "thumb") as pool:
    print(len(list(pool.map(blur, [list(range(2000))] * 16))))
