# Milliseconds for 100,000 squares by a pool that has been started before.
import multiprocessing
import time


def square(n):
    return n * n


if __name__ == "__main__":
    with multiprocessing.Pool() as pool:
        pool.map(square, range(1000))
        start = time.monotonic()
        squares = pool.map(square, range(100_000))
        print((time.monotonic() - start) * 1000)
    assert squares[99_999] == 99_999 * 99_999
