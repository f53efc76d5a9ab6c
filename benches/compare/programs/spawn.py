# Microseconds for start and join of a process that does nothing.
import multiprocessing
import time


def nothing():
    pass


rounds = 100
start = time.monotonic()
for _ in range(rounds):
    process = multiprocessing.Process(target=nothing)
    process.start()
    process.join()
print((time.monotonic() - start) / rounds * 1e6)
