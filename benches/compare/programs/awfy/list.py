import time


class Element:
    __slots__ = ("value", "next")

    def __init__(self, value, next):
        self.value, self.next = value, next

    def length(self):
        return 1 if self.next is None else 1 + self.next.length()


def make(length):
    return None if length == 0 else Element(length, make(length - 1))


def is_shorter(x, y):
    while y is not None:
        if x is None:
            return True
        x, y = x.next, y.next
    return False


def tail(x, y, z):
    if is_shorter(y, x):
        return tail(tail(x.next, y, z), tail(y.next, z, x), tail(z.next, x, y))
    return z


start = time.perf_counter()
for _ in range(100):
    assert tail(make(15), make(10), make(6)).length() == 10
print((time.perf_counter() - start) * 1000)
