# GiB per second of 1 MiB bytes through a queue, one process to one.
import multiprocessing
import time

count = 200


def produce(queue):
    block = b"x" * (1 << 20)
    for _ in range(count):
        queue.put(block)
    queue.put(None)


queue = multiprocessing.Queue(16)
start = time.monotonic()
producer = multiprocessing.Process(target=produce, args=(queue,))
producer.start()
total = 0
while (item := queue.get()) is not None:
    total += len(item)
took = time.monotonic() - start
producer.join()
assert total == count << 20
print(total / took / (1 << 30))
