# Microseconds to submit one task to a pool and wait for it.
import multiprocessing
import time


def same(n):
    return n


if __name__ == "__main__":
    count = 2000
    with multiprocessing.Pool(2) as pool:
        pool.apply(same, (0,))
        start = time.monotonic()
        for i in range(count):
            pool.apply(same, (i,))
        print((time.monotonic() - start) / count * 1e6)
