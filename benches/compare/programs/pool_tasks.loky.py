# Microseconds for one task of workers that take one at a time.
import time

from loky import get_reusable_executor


def same(n):
    return n


if __name__ == "__main__":
    count = 5_000
    pool = get_reusable_executor()
    list(pool.map(same, range(100)))
    start = time.monotonic()
    list(pool.map(same, range(count), chunksize=1))
    print((time.monotonic() - start) / count * 1e6)
