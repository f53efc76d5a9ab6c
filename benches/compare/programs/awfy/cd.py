import time
from math import ceil, cos, floor, sin, sqrt

MOST, HIGHEST, RADIUS, VOXEL = 1000.0, 10.0, 1.0, 2.0


class Vector2:
    __slots__ = ("x", "y")

    def __init__(self, x, y):
        self.x, self.y = x, y

    def plus(self, x, y):
        return Vector2(self.x + x, self.y + y)

    def compare(self, other):
        if self.x != other.x:
            return -1 if self.x < other.x else 1
        if self.y != other.y:
            return -1 if self.y < other.y else 1
        return 0


class Vector3:
    __slots__ = ("x", "y", "z")

    def __init__(self, x, y, z):
        self.x, self.y, self.z = x, y, z

    def plus(self, other):
        return Vector3(self.x + other.x, self.y + other.y, self.z + other.z)

    def minus(self, other):
        return Vector3(self.x - other.x, self.y - other.y, self.z - other.z)

    def dot(self, other):
        return self.x * other.x + self.y * other.y + self.z * other.z

    def squared(self):
        return self.dot(self)

    def times(self, n):
        return Vector3(self.x * n, self.y * n, self.z * n)


class CallSign:
    __slots__ = ("number",)

    def __init__(self, number):
        self.number = number

    def compare(self, other):
        return self.number - other.number


class Node:
    __slots__ = ("key", "value", "parent", "left", "right", "red")

    def __init__(self, key, value, parent):
        self.key, self.value, self.parent = key, value, parent
        self.left = self.right = None
        self.red = True

    def is_left(self):
        return self.parent.left is self


class Tree:
    def __init__(self):
        self.root = None

    def get(self, key):
        node = self.root
        while node is not None:
            order = key.compare(node.key)
            if order == 0:
                return node.value
            node = node.left if order < 0 else node.right
        return None

    def put(self, key, value):
        above, at, order = None, self.root, 0
        while at is not None:
            above = at
            order = key.compare(at.key)
            if order == 0:
                old, at.value = at.value, value
                return old
            at = at.left if order < 0 else at.right
        node = Node(key, value, above)
        if above is None:
            self.root = node
        elif order < 0:
            above.left = node
        else:
            above.right = node
        self.balance(node)
        return None

    def balance(self, x):
        while x.parent is not None and x.parent.red:
            grand = x.parent.parent
            left = x.parent.is_left()
            uncle = grand.right if left else grand.left
            if uncle is not None and uncle.red:
                x.parent.red = uncle.red = False
                grand.red = True
                x = grand
            else:
                if x.is_left() != left:
                    x = x.parent
                    self.rotate(x, left)
                x.parent.red = False
                grand.red = True
                self.rotate(grand, not left)
        self.root.red = False

    def rotate(self, x, left):
        if left:
            y = x.right
            inner = x.right = y.left
        else:
            y = x.left
            inner = x.left = y.right
        if inner is not None:
            inner.parent = x
        y.parent = x.parent
        if x.parent is None:
            self.root = y
        elif x.is_left():
            x.parent.left = y
        else:
            x.parent.right = y
        if left:
            y.left = x
        else:
            y.right = x
        x.parent = y

    def each(self, f):
        self.visit(self.root, f)

    def visit(self, node, f):
        if node is None:
            return
        self.visit(node.left, f)
        f(node.key, node.value)
        self.visit(node.right, f)


class Motion:
    __slots__ = ("sign", "start", "end")

    def __init__(self, sign, start, end):
        self.sign, self.start, self.end = sign, start, end

    def delta(self):
        return self.end.minus(self.start)

    def intersection(self, other):
        d1, d2 = self.delta(), other.delta()
        a = d2.minus(d1).squared()
        apart = self.start.minus(other.start)
        if a == 0.0:
            if sqrt(apart.squared()) <= RADIUS:
                return self.start.plus(other.start).times(0.5)
            return None
        b = 2.0 * apart.dot(d1.minus(d2))
        c = apart.squared() - RADIUS * RADIUS
        discriminant = b * b - 4.0 * a * c
        if discriminant < 0.0:
            return None
        root = sqrt(discriminant)
        v1 = (0.0 - b - root) / (2.0 * a)
        v2 = (0.0 - b + root) / (2.0 * a)
        if v1 <= v2 and (v1 <= 1.0 <= v2 or v1 <= 0.0 <= v2 or (0.0 <= v1 and v2 <= 1.0)):
            v = max(v1, 0.0)
            result = self.start.plus(d1.times(v)).plus(other.start.plus(d2.times(v))).times(0.5)
            if 0.0 <= result.x <= MOST and 0.0 <= result.y <= MOST and 0.0 <= result.z <= HIGHEST:
                return result
        return None


def span(at, start, delta):
    low = (at - RADIUS / 2.0 - start) / delta
    high = (at + VOXEL + RADIUS / 2.0 - start) / delta
    return (high, low) if delta < 0.0 else (low, high)


def is_near(at, start):
    return at <= start + RADIUS / 2.0 and start - RADIUS / 2.0 <= at + VOXEL


def touches(low, high):
    return low <= 1.0 <= high or low <= 0.0 <= high or (0.0 <= low and high <= 1.0)


def is_in_voxel(at, motion):
    if at.x > MOST or at.x < 0.0 or at.y > MOST or at.y < 0.0:
        return False
    start = motion.start
    dx = motion.end.x - start.x
    dy = motion.end.y - start.y
    if dx == 0.0 and dy == 0.0:
        return is_near(at.x, start.x) and is_near(at.y, start.y)
    if dx == 0.0:
        return is_near(at.x, start.x) and touches(*span(at.y, start.y, dy))
    x_low, x_high = span(at.x, start.x, dx)
    if not touches(x_low, x_high):
        return False
    if dy == 0.0:
        return is_near(at.y, start.y)
    y_low, y_high = span(at.y, start.y, dy)
    return touches(y_low, y_high) and (
        y_low <= x_high <= y_high or y_low <= x_low <= y_high or (x_low <= y_low and y_high <= x_high)
    )


STEPS = [
    (-VOXEL, 0.0), (VOXEL, 0.0), (0.0, -VOXEL), (0.0, VOXEL),
    (-VOXEL, -VOXEL), (-VOXEL, VOXEL), (VOXEL, -VOXEL), (VOXEL, VOXEL),
]


def draw(map, seen, at, motion):
    if not is_in_voxel(at, motion) or seen.put(at, True) is not None:
        return
    motions = map.get(at)
    if motions is None:
        motions = []
        map.put(at, motions)
    motions.append(motion)
    for x, y in STEPS:
        draw(map, seen, at.plus(x, y), motion)


def corner(x):
    whole = x / VOXEL
    whole = ceil(whole) if whole < 0 else floor(whole)
    return VOXEL * whole - (VOXEL if x < 0.0 else 0.0)


class Detector:
    def __init__(self):
        self.state = Tree()

    def frame(self, aircraft):
        motions = []
        seen = Tree()
        for sign, position in aircraft:
            old = self.state.put(sign, position)
            seen.put(sign, True)
            motions.append(Motion(sign, old or position, position))

        def check(sign, _):
            assert seen.get(sign)

        self.state.each(check)
        map = Tree()
        for motion in motions:
            draw(map, Tree(), Vector2(corner(motion.start.x), corner(motion.start.y)), motion)
        collisions = 0

        def count(_, near):
            nonlocal collisions
            for i, motion in enumerate(near):
                for j in range(i + 1, len(near)):
                    if motion.intersection(near[j]) is not None:
                        collisions += 1

        map.each(count)
        return collisions


def benchmark(count):
    signs = [CallSign(i) for i in range(count)]
    detector = Detector()
    collisions = 0
    for i in range(200):
        t = i / 10.0
        aircraft = []
        for a in range(0, count, 2):
            aircraft.append((signs[a], Vector3(t, cos(t) * 2.0 + a * 3.0, 10.0)))
            aircraft.append((signs[a + 1], Vector3(t, sin(t) * 2.0 + a * 3.0, 10.0)))
        collisions += detector.frame(aircraft)
    return collisions


start = time.perf_counter()
assert benchmark(100) == 4305
print((time.perf_counter() - start) * 1000)
