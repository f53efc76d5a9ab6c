import time


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


start = time.monotonic()
assert fib(32) == 2178309
print((time.monotonic() - start) * 1000)
