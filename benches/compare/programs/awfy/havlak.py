import sys
import time

UNVISITED = -1
PLAIN, REDUCIBLE, SELF, IRREDUCIBLE = 1, 2, 3, 4


class Block:
    def __init__(self, name):
        self.name, self.inputs, self.outputs = name, [], []


class Graph:
    def __init__(self):
        self.blocks = []

    def node(self, name):
        while len(self.blocks) <= name:
            self.blocks.append(Block(len(self.blocks)))
        return self.blocks[name]

    def edge(self, source, target):
        a, b = self.node(source), self.node(target)
        a.outputs.append(b)
        b.inputs.append(a)

    def straight(self, start, n):
        for i in range(n):
            self.edge(start + i, start + i + 1)
        return start + n

    def diamond(self, start):
        self.edge(start, start + 1)
        self.edge(start, start + 2)
        self.edge(start + 1, start + 3)
        self.edge(start + 2, start + 3)
        return start + 3

    def base_loop(self, start):
        header = self.straight(start, 1)
        first = self.diamond(header)
        middle = self.straight(first, 1)
        second = self.diamond(middle)
        footer = self.straight(second, 1)
        self.edge(middle, first)
        self.edge(second, header)
        self.edge(footer, start)
        return self.straight(footer, 1)


class Loop:
    def __init__(self, number, header, is_reducible):
        self.number, self.header, self.is_reducible = number, header, is_reducible
        self.parent, self.is_root = None, False
        self.nesting = self.depth = 0
        self.blocks = [] if header is None else [header]
        self.children = []

    def set_parent(self, parent):
        self.parent = parent
        parent.children.append(self)


class Loops:
    def __init__(self):
        self.all = []
        self.make(None, True).is_root = True

    def make(self, header, is_reducible):
        loop = Loop(len(self.all), header, is_reducible)
        self.all.append(loop)
        return loop

    def calculate(self):
        root = self.all[0]
        for loop in self.all:
            if not loop.is_root and loop.parent is None:
                loop.set_parent(root)
        self.nest(root, 0)

    def nest(self, loop, depth):
        loop.depth = depth
        for child in loop.children:
            self.nest(child, depth + 1)
            loop.nesting = max(loop.nesting, 1 + child.nesting)


class Node:
    def __init__(self, block, number):
        self.block, self.number = block, number
        self.parent, self.loop = self, None

    def find(self):
        path = []
        node = self
        while node.parent is not node:
            if node.parent is not node.parent.parent:
                path.append(node)
            node = node.parent
        for other in path:
            other.parent = node.parent
        return node


class Finder:
    def __init__(self, graph, loops):
        size = len(graph.blocks)
        self.graph, self.loops = graph, loops
        self.numbers = [UNVISITED] * size
        self.nodes = [None] * size
        self.last = [0] * size
        self.headers = [0] * size
        self.types = [PLAIN] * size
        self.back = [[] for _ in range(size)]
        self.others = [[] for _ in range(size)]

    def is_ancestor(self, w, v):
        return w <= v <= self.last[w]

    def search(self, block, number):
        self.nodes[number] = Node(block, number)
        self.numbers[block.name] = number
        latest = number
        for target in block.outputs:
            if self.numbers[target.name] == UNVISITED:
                latest = self.search(target, latest + 1)
        self.last[number] = latest
        return latest

    def find(self):
        if not self.graph.blocks:
            return
        count = self.search(self.graph.blocks[0], 0) + 1
        for w in range(count):
            for block in self.nodes[w].block.inputs:
                v = self.numbers[block.name]
                if v != UNVISITED:
                    (self.back if self.is_ancestor(w, v) else self.others)[w].append(v)
        for w in range(count - 1, -1, -1):
            self.step(w)

    def step(self, w):
        pool = []
        node = self.nodes[w]
        for v in self.back[w]:
            if v != w:
                pool.append(self.nodes[v].find())
            else:
                self.types[w] = SELF
        if pool:
            self.types[w] = REDUCIBLE
        known = {member.number for member in pool}
        for x in pool:
            for y in self.others[x.number]:
                found = self.nodes[y].find()
                if not self.is_ancestor(w, found.number):
                    self.types[w] = IRREDUCIBLE
                    self.others[w].append(found.number)
                elif found.number != w and found.number not in known:
                    known.add(found.number)
                    pool.append(found)
        if pool or self.types[w] == SELF:
            loop = self.loops.make(node.block, self.types[w] != IRREDUCIBLE)
            node.loop = loop
            for member in pool:
                self.headers[member.number] = w
                member.parent = node
                if member.loop is not None:
                    member.loop.set_parent(loop)
                else:
                    loop.blocks.append(member.block)


def benchmark(dummies):
    graph = Graph()
    graph.node(0)
    graph.base_loop(0)
    graph.node(1)
    graph.edge(0, 2)
    loops = Loops()
    for _ in range(dummies):
        Finder(graph, loops).find()
    n = 2
    for _ in range(10):
        graph.edge(2, n + 1)
        n += 1
        for _ in range(10):
            outer = n
            n = graph.straight(n, 1)
            for _ in range(5):
                n = graph.base_loop(n)
            bottom = graph.straight(n, 1)
            graph.edge(n, outer)
            n = bottom
        graph.edge(n, 1)
    Finder(graph, loops).find()
    for _ in range(50):
        Finder(graph, Loops()).find()
    loops.calculate()
    return len(loops.all), len(graph.blocks)


# The search goes as deep as the graph is long.
sys.setrecursionlimit(20000)
start = time.perf_counter()
assert benchmark(1) == (1605, 5213)
print((time.perf_counter() - start) * 1000)
