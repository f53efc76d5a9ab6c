import time


def count(text):
    counts = {}
    for word in text.split():
        counts[word] = counts.get(word, 0) + 1
    return counts


text = "the quick brown fox jumps over the lazy dog while the old clock on the wall strikes ten again " * 168_421
start = time.monotonic()
assert count(text)["the"] == 168421 * 4
print((time.monotonic() - start) * 1000)
