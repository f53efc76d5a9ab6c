# Nanoseconds for `total.value += 1` under its lock by two processes at once.
import multiprocessing
import time

count = 200_000


def work(total):
    for _ in range(count // 2):
        with total.get_lock():
            total.value += 1


total = multiprocessing.Value("q", 0)
workers = [multiprocessing.Process(target=work, args=(total,)) for _ in range(2)]
start = time.monotonic()
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
assert total.value == count
print((time.monotonic() - start) / count * 1e9)
