# KiB of memory that one more idle child has to itself.
import multiprocessing
import time

children = [multiprocessing.Process(target=time.sleep, args=(60,)) for _ in range(10)]
for child in children:
    child.start()
time.sleep(0.3)
total = 0
for child in children:
    with open(f"/proc/{child.pid}/smaps_rollup") as report:
        total += sum(int(line.split()[1]) for line in report if line.startswith("Private_"))
for child in children:
    child.kill()
print(total / len(children))
