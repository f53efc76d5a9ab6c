# Microseconds to submit one task to a pool and wait for it.
import time

from loky import get_reusable_executor


def same(n):
    return n


if __name__ == "__main__":
    count = 2000
    pool = get_reusable_executor(max_workers=2)
    pool.submit(same, 0).result()
    start = time.monotonic()
    for i in range(count):
        pool.submit(same, i).result()
    print((time.monotonic() - start) / count * 1e6)
