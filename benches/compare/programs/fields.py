import time


class Point:
    def __init__(self):
        self.x = self.y = 0


def move(point, n):
    i = 0
    while i < n:
        point.x = point.x + 1
        point.y = point.y + point.x
        i = i + 1
    return point


start = time.monotonic()
assert move(Point(), 5_000_000).x == 5000000
print((time.monotonic() - start) * 1000)
