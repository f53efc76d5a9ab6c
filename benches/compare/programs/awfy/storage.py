import time


class Random:
    def __init__(self):
        self.seed = 74755

    def next(self):
        self.seed = (self.seed * 1309 + 13849) & 65535
        return self.seed


class Storage:
    def __init__(self):
        self.count = 0

    def tree(self, depth, random):
        self.count += 1
        if depth == 1:
            return [None] * (random.next() % 10 + 1)
        return [self.tree(depth - 1, random) for _ in range(4)]


start = time.perf_counter()
for _ in range(100):
    storage = Storage()
    storage.tree(7, Random())
    assert storage.count == 5461
print((time.perf_counter() - start) * 1000)
