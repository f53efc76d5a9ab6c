local IDLER, WORKER, HANDLER_A, HANDLER_B, DEVICE_A, DEVICE_B = 0, 1, 2, 3, 4, 5
local DEVICE_PACKET, WORK_PACKET = 0, 1

local function class()
  local c = {}
  c.__index = c
  return c
end

local function packet(link, identity, kind)
  return { link = link, identity = identity, kind = kind, datum = 0, data = { 0, 0, 0, 0 } }
end

local function append(packet, head)
  packet.link = nil
  if head == nil then return packet end
  local last = head
  while last.link ~= nil do last = last.link end
  last.link = packet
  return head
end

local Task = class()
function Task:is_idle() return self.holding or (not self.pending and self.waiting) end
function Task:add_input(packet, other)
  if self.input == nil then
    self.input = packet
    self.pending = true
    if self.priority > other.priority then return self end
  else
    append(packet, self.input)
  end
  return other
end
function Task:run(scheduler)
  local message = nil
  if self.pending and self.waiting and not self.holding then
    message = self.input
    self.input = message.link
    self.pending = self.input ~= nil
    self.waiting = false
    self.holding = false
  end
  return self.work:run(message, scheduler)
end

local Idler = class()
function Idler:run(_, scheduler)
  self.count = self.count - 1
  if self.count == 0 then return scheduler:hold() end
  if self.control & 1 == 0 then
    self.control = self.control // 2
    return scheduler:release(DEVICE_A)
  end
  self.control = self.control // 2 ~ 53256
  return scheduler:release(DEVICE_B)
end

local Worker = class()
function Worker:run(packet, scheduler)
  if packet == nil then return scheduler:wait() end
  self.destination = self.destination == HANDLER_A and HANDLER_B or HANDLER_A
  packet.identity = self.destination
  packet.datum = 0
  for i = 1, 4 do
    self.count = self.count + 1
    if self.count > 26 then self.count = 1 end
    packet.data[i] = 65 + self.count - 1
  end
  return scheduler:queue_packet(packet)
end

local Handler = class()
function Handler:run(packet, scheduler)
  if packet ~= nil then
    if packet.kind == WORK_PACKET then
      self.work_in = append(packet, self.work_in)
    else
      self.device_in = append(packet, self.device_in)
    end
  end
  local work = self.work_in
  if work == nil then return scheduler:wait() end
  local count = work.datum
  if count >= 4 then
    self.work_in = work.link
    return scheduler:queue_packet(work)
  end
  local device = self.device_in
  if device == nil then return scheduler:wait() end
  self.device_in = device.link
  device.datum = work.data[count + 1]
  work.datum = count + 1
  return scheduler:queue_packet(device)
end

local Device = class()
function Device:run(packet, scheduler)
  if packet ~= nil then
    self.pending = packet
    return scheduler:hold()
  end
  local work = self.pending
  if work == nil then return scheduler:wait() end
  self.pending = nil
  return scheduler:queue_packet(work)
end

local Scheduler = class()
function Scheduler:add(identity, priority, input, work, pending, waiting)
  local task = setmetatable({
    link = self.tasks, identity = identity, priority = priority, input = input, work = work,
    pending = pending, waiting = waiting, holding = false,
  }, Task)
  self.tasks = task
  self.table[identity] = task
end
function Scheduler:hold()
  self.held = self.held + 1
  self.current.holding = true
  return self.current.link
end
function Scheduler:wait()
  self.current.waiting = true
  return self.current
end
function Scheduler:release(identity)
  local task = self.table[identity]
  task.holding = false
  if task.priority > self.current.priority then return task end
  return self.current
end
function Scheduler:queue_packet(packet)
  local task = self.table[packet.identity]
  self.queued = self.queued + 1
  packet.link = nil
  packet.identity = self.identity
  return task:add_input(packet, self.current)
end
function Scheduler:schedule()
  self.current = self.tasks
  while self.current ~= nil do
    if self.current:is_idle() then
      self.current = self.current.link
    else
      self.identity = self.current.identity
      self.current = self.current:run(self)
    end
  end
end

local function benchmark()
  local scheduler = setmetatable({ identity = IDLER, table = {}, queued = 0, held = 0 }, Scheduler)
  scheduler:add(IDLER, 0, nil, setmetatable({ control = 1, count = 10000 }, Idler), false, false)
  local packets = packet(packet(nil, WORKER, WORK_PACKET), WORKER, WORK_PACKET)
  scheduler:add(WORKER, 1000, packets, setmetatable({ destination = HANDLER_A, count = 0 }, Worker), true, true)
  packets = nil
  for _ = 1, 3 do packets = packet(packets, DEVICE_A, DEVICE_PACKET) end
  scheduler:add(HANDLER_A, 2000, packets, setmetatable({}, Handler), true, true)
  packets = nil
  for _ = 1, 3 do packets = packet(packets, DEVICE_B, DEVICE_PACKET) end
  scheduler:add(HANDLER_B, 3000, packets, setmetatable({}, Handler), true, true)
  scheduler:add(DEVICE_A, 4000, nil, setmetatable({}, Device), false, true)
  scheduler:add(DEVICE_B, 5000, nil, setmetatable({}, Device), false, true)
  scheduler:schedule()
  assert(scheduler.queued == 23246 and scheduler.held == 9297)
end

local start = os.clock()
for _ = 1, 5 do benchmark() end
print((os.clock() - start) * 1000)
