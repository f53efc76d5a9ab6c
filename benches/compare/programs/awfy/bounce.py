import time


class Random:
    def __init__(self):
        self.seed = 74755

    def next(self):
        self.seed = (self.seed * 1309 + 13849) & 65535
        return self.seed


class Ball:
    __slots__ = ("x", "y", "dx", "dy")

    def __init__(self, random):
        self.x, self.y = random.next() % 500, random.next() % 500
        self.dx, self.dy = random.next() % 300 - 150, random.next() % 300 - 150

    def bounce(self):
        bounced = False
        self.x += self.dx
        self.y += self.dy
        if self.x > 500:
            self.x, self.dx, bounced = 500, -abs(self.dx), True
        if self.x < 0:
            self.x, self.dx, bounced = 0, abs(self.dx), True
        if self.y > 500:
            self.y, self.dy, bounced = 500, -abs(self.dy), True
        if self.y < 0:
            self.y, self.dy, bounced = 0, abs(self.dy), True
        return bounced


def benchmark():
    random = Random()
    bounces = 0
    balls = [Ball(random) for _ in range(100)]
    for _ in range(50):
        for ball in balls:
            if ball.bounce():
                bounces += 1
    return bounces


start = time.perf_counter()
for _ in range(150):
    assert benchmark() == 1331
print((time.perf_counter() - start) * 1000)
