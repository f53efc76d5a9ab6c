# Millions of small ints per second through a queue, one process to one.
import multiprocessing
import time

count = 100_000


def produce(queue):
    for i in range(count):
        queue.put(i)
    queue.put(None)


queue = multiprocessing.Queue()
start = time.monotonic()
producer = multiprocessing.Process(target=produce, args=(queue,))
producer.start()
total = 0
while (item := queue.get()) is not None:
    total += item
took = time.monotonic() - start
producer.join()
assert total == count * (count - 1) // 2
print(count / took / 1e6)
