import time


def sieve(n):
    prime = [True] * (n + 1)
    found = 0
    for i in range(2, n + 1):
        if prime[i]:
            found = found + 1
            j = i * i
            while j <= n:
                prime[j] = False
                j = j + i
    return found


start = time.monotonic()
assert sieve(2_000_000) == 148933
print((time.monotonic() - start) * 1000)
