# Milliseconds for 100,000 squares by workers that have been started before.
import time

from mpire import WorkerPool


def square(n):
    return n * n


if __name__ == "__main__":
    with WorkerPool(keep_alive=True) as pool:
        pool.map(square, range(1000))
        start = time.monotonic()
        squares = pool.map(square, range(100_000))
        print((time.monotonic() - start) * 1000)
    assert squares[99_999] == 99_999 * 99_999
