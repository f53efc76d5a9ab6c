import time


class Permute:
    def __init__(self):
        self.count = 0
        self.items = list(range(6))

    def swap(self, i, j):
        items = self.items
        items[i], items[j] = items[j], items[i]

    def permute(self, n):
        self.count += 1
        if n != 0:
            last = n - 1
            self.permute(last)
            for i in range(last, -1, -1):
                self.swap(last, i)
                self.permute(last)
                self.swap(last, i)


start = time.perf_counter()
for _ in range(100):
    state = Permute()
    state.permute(6)
    assert state.count == 8660
print((time.perf_counter() - start) * 1000)
