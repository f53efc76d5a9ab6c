import time


def sieve(flags, size):
    count = 0
    for i in range(2, size + 1):
        if flags[i - 1]:
            count += 1
            k = i + i
            while k <= size:
                flags[k - 1] = False
                k += i
    return count


start = time.perf_counter()
for _ in range(300):
    assert sieve([True] * 5000, 5000) == 669
print((time.perf_counter() - start) * 1000)
