# Nanoseconds for one `with lock`, the loop around it included; the argument is the number of processes.
import multiprocessing
import sys
import time

processes = int(sys.argv[1])
count = 1_000_000


def work(lock, times):
    for _ in range(times):
        with lock:
            pass


lock = multiprocessing.Lock()
workers = [multiprocessing.Process(target=work, args=(lock, count // processes)) for _ in range(processes)]
start = time.monotonic()
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
print((time.monotonic() - start) / count * 1e9)
