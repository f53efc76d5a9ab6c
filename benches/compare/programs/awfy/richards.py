import time

IDLER, WORKER, HANDLER_A, HANDLER_B, DEVICE_A, DEVICE_B = range(6)
DEVICE_PACKET, WORK_PACKET = 0, 1


class Packet:
    def __init__(self, link, identity, kind):
        self.link, self.identity, self.kind = link, identity, kind
        self.datum = 0
        self.data = [0, 0, 0, 0]


def append(packet, head):
    packet.link = None
    if head is None:
        return packet
    last = head
    while last.link is not None:
        last = last.link
    last.link = packet
    return head


class Task:
    def __init__(self, link, identity, priority, input, work, pending, waiting):
        self.link, self.identity, self.priority = link, identity, priority
        self.input, self.work = input, work
        self.pending, self.waiting, self.holding = pending, waiting, False

    def is_idle(self):
        return self.holding or (not self.pending and self.waiting)

    def add_input(self, packet, other):
        if self.input is None:
            self.input = packet
            self.pending = True
            if self.priority > other.priority:
                return self
        else:
            append(packet, self.input)
        return other

    def run(self, scheduler):
        message = None
        if self.pending and self.waiting and not self.holding:
            message = self.input
            self.input = message.link
            self.pending = self.input is not None
            self.waiting = self.holding = False
        return self.work.run(message, scheduler)


class Idler:
    def __init__(self):
        self.control, self.count = 1, 10000

    def run(self, _, scheduler):
        self.count -= 1
        if self.count == 0:
            return scheduler.hold()
        if self.control & 1 == 0:
            self.control //= 2
            return scheduler.release(DEVICE_A)
        self.control = self.control // 2 ^ 53256
        return scheduler.release(DEVICE_B)


class Worker:
    def __init__(self):
        self.destination, self.count = HANDLER_A, 0

    def run(self, packet, scheduler):
        if packet is None:
            return scheduler.wait()
        self.destination = HANDLER_B if self.destination == HANDLER_A else HANDLER_A
        packet.identity = self.destination
        packet.datum = 0
        for i in range(4):
            self.count += 1
            if self.count > 26:
                self.count = 1
            packet.data[i] = 65 + self.count - 1
        return scheduler.queue_packet(packet)


class Handler:
    def __init__(self):
        self.work_in = self.device_in = None

    def run(self, packet, scheduler):
        if packet is not None:
            if packet.kind == WORK_PACKET:
                self.work_in = append(packet, self.work_in)
            else:
                self.device_in = append(packet, self.device_in)
        work = self.work_in
        if work is None:
            return scheduler.wait()
        count = work.datum
        if count >= 4:
            self.work_in = work.link
            return scheduler.queue_packet(work)
        device = self.device_in
        if device is None:
            return scheduler.wait()
        self.device_in = device.link
        device.datum = work.data[count]
        work.datum = count + 1
        return scheduler.queue_packet(device)


class Device:
    def __init__(self):
        self.pending = None

    def run(self, packet, scheduler):
        if packet is not None:
            self.pending = packet
            return scheduler.hold()
        work = self.pending
        if work is None:
            return scheduler.wait()
        self.pending = None
        return scheduler.queue_packet(work)


class Scheduler:
    def __init__(self):
        self.identity = IDLER
        self.tasks = self.current = None
        self.table = [None] * 6
        self.queued = self.held = 0

    def add(self, identity, priority, input, work, pending, waiting):
        self.tasks = Task(self.tasks, identity, priority, input, work, pending, waiting)
        self.table[identity] = self.tasks

    def hold(self):
        self.held += 1
        self.current.holding = True
        return self.current.link

    def wait(self):
        self.current.waiting = True
        return self.current

    def release(self, identity):
        task = self.table[identity]
        task.holding = False
        return task if task.priority > self.current.priority else self.current

    def queue_packet(self, packet):
        task = self.table[packet.identity]
        self.queued += 1
        packet.link = None
        packet.identity = self.identity
        return task.add_input(packet, self.current)

    def schedule(self):
        self.current = self.tasks
        while self.current is not None:
            if self.current.is_idle():
                self.current = self.current.link
            else:
                self.identity = self.current.identity
                self.current = self.current.run(self)


def packets(count, identity, kind):
    head = None
    for _ in range(count):
        head = Packet(head, identity, kind)
    return head


def benchmark():
    scheduler = Scheduler()
    scheduler.add(IDLER, 0, None, Idler(), False, False)
    scheduler.add(WORKER, 1000, packets(2, WORKER, WORK_PACKET), Worker(), True, True)
    scheduler.add(HANDLER_A, 2000, packets(3, DEVICE_A, DEVICE_PACKET), Handler(), True, True)
    scheduler.add(HANDLER_B, 3000, packets(3, DEVICE_B, DEVICE_PACKET), Handler(), True, True)
    scheduler.add(DEVICE_A, 4000, None, Device(), False, True)
    scheduler.add(DEVICE_B, 5000, None, Device(), False, True)
    scheduler.schedule()
    assert scheduler.queued == 23246 and scheduler.held == 9297


start = time.perf_counter()
for _ in range(5):
    benchmark()
print((time.perf_counter() - start) * 1000)
