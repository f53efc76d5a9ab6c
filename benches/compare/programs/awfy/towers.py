import time


class Disk:
    __slots__ = ("size", "next")

    def __init__(self, size):
        self.size, self.next = size, None


class Towers:
    def __init__(self):
        self.piles = [None, None, None]
        self.moved = 0

    def push(self, disk, pile):
        top = self.piles[pile]
        if top is not None and disk.size >= top.size:
            raise ValueError("a big disk cannot stand on a small one")
        disk.next = top
        self.piles[pile] = disk

    def pop(self, pile):
        top = self.piles[pile]
        if top is None:
            raise ValueError("there is no disk to take")
        self.piles[pile] = top.next
        top.next = None
        return top

    def move_top(self, source, target):
        self.push(self.pop(source), target)
        self.moved += 1

    def build(self, pile, disks):
        for i in range(disks, -1, -1):
            self.push(Disk(i), pile)

    def move(self, disks, source, target):
        if disks == 1:
            self.move_top(source, target)
            return
        other = 3 - source - target
        self.move(disks - 1, source, other)
        self.move_top(source, target)
        self.move(disks - 1, other, target)


start = time.perf_counter()
for _ in range(60):
    towers = Towers()
    towers.build(0, 13)
    towers.move(13, 0, 1)
    assert towers.moved == 8191
print((time.perf_counter() - start) * 1000)
