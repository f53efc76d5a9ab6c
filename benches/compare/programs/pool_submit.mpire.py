# Microseconds to submit one task to a pool and wait for it.
import time

from mpire import WorkerPool


def same(n):
    return n


if __name__ == "__main__":
    count = 500
    with WorkerPool(2, keep_alive=True) as pool:
        pool.apply(same, (0,))
        start = time.monotonic()
        for i in range(count):
            pool.apply(same, (i,))
        print((time.monotonic() - start) / count * 1e6)
