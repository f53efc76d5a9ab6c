import time


def count(n):
    total = i = 0
    while i < n:
        total = total + i % 7
        i = i + 1
    return total


start = time.monotonic()
assert count(30_000_000) == 89999995
print((time.monotonic() - start) * 1000)
