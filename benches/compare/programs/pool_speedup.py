# How many times faster two workers are than one process, for items of very different length.
import multiprocessing
import time


def work(n):
    total = 0
    for i in range(n):
        total = (total + i * i) % 1_000_003
    return total


if __name__ == "__main__":
    items = [(n * 7919 % 280) ** 2 for n in range(600)]
    serial = parallel = 0.0
    for turn in range(3):
        start = time.monotonic()
        alone = [work(n) for n in items]
        middle = time.monotonic()
        with multiprocessing.Pool(2) as pool:
            together = pool.map(work, items)
        parallel += time.monotonic() - middle
        serial += middle - start
        assert alone == together
    print(serial / parallel)
