# Microseconds for the round trip of an int through a pipe.
import multiprocessing
import time

count = 5000


def echo(end):
    for _ in range(count):
        end.send(end.recv())


near, far = multiprocessing.Pipe()
process = multiprocessing.Process(target=echo, args=(far,))
process.start()
near.send(0)
near.recv()
start = time.monotonic()
for i in range(1, count):
    near.send(i)
    near.recv()
took = time.monotonic() - start
process.join()
print(took / (count - 1) * 1e6)
