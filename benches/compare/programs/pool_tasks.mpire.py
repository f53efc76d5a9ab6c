# Microseconds for one task of a pool that hands out one at a time.
import time

from mpire import WorkerPool


def same(n):
    return n


if __name__ == "__main__":
    count = 5_000
    with WorkerPool(keep_alive=True) as pool:
        pool.map(same, range(100))
        start = time.monotonic()
        pool.map(same, range(count), chunk_size=1)
        print((time.monotonic() - start) / count * 1e6)
