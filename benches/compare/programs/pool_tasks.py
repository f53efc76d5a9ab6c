# Microseconds for one task of a pool that hands out one at a time.
import multiprocessing
import time


def same(n):
    return n


if __name__ == "__main__":
    count = 50_000
    with multiprocessing.Pool() as pool:
        pool.map(same, range(100))
        start = time.monotonic()
        pool.map(same, range(count), chunksize=1)
        print((time.monotonic() - start) / count * 1e6)
