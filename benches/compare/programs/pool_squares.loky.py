# Milliseconds for 100,000 squares by workers that have been started before.
import time

from loky import get_reusable_executor


def square(n):
    return n * n


if __name__ == "__main__":
    pool = get_reusable_executor()
    list(pool.map(square, range(1000), chunksize=100))
    start = time.monotonic()
    squares = list(pool.map(square, range(100_000), chunksize=12_500))
    print((time.monotonic() - start) * 1000)
    assert squares[99_999] == 99_999 * 99_999
