local UNVISITED = -1
local PLAIN, REDUCIBLE, SELF, IRREDUCIBLE = 1, 2, 3, 4

local function class()
  local c = {}
  c.__index = c
  return c
end

local Graph = class()
function Graph:node(name)
  while self.count <= name do
    self.blocks[self.count] = { name = self.count, inputs = {}, outputs = {} }
    self.count = self.count + 1
  end
  return self.blocks[name]
end
function Graph:edge(source, target)
  local a, b = self:node(source), self:node(target)
  a.outputs[#a.outputs + 1] = b
  b.inputs[#b.inputs + 1] = a
end
function Graph:straight(start, n)
  for i = 0, n - 1 do self:edge(start + i, start + i + 1) end
  return start + n
end
function Graph:diamond(start)
  self:edge(start, start + 1)
  self:edge(start, start + 2)
  self:edge(start + 1, start + 3)
  self:edge(start + 2, start + 3)
  return start + 3
end
function Graph:base_loop(start)
  local header = self:straight(start, 1)
  local first = self:diamond(header)
  local middle = self:straight(first, 1)
  local second = self:diamond(middle)
  local footer = self:straight(second, 1)
  self:edge(middle, first)
  self:edge(second, header)
  self:edge(footer, start)
  return self:straight(footer, 1)
end

local Loop = class()
function Loop:set_parent(parent)
  self.parent = parent
  parent.children[#parent.children + 1] = self
end

local Loops = class()
local function new_loops()
  local loops = setmetatable({ all = {} }, Loops)
  return loops
end
function Loops:make(header, is_reducible)
  local loop = setmetatable({
    number = #self.all, header = header, is_reducible = is_reducible, parent = nil, is_root = false,
    nesting = 0, depth = 0, blocks = {}, children = {},
  }, Loop)
  if header ~= nil then loop.blocks[1] = header end
  self.all[#self.all + 1] = loop
  return loop
end
function Loops:init() self:make(nil, true).is_root = true end
function Loops:calculate()
  local root = self.all[1]
  for _, loop in ipairs(self.all) do
    if not loop.is_root and loop.parent == nil then loop:set_parent(root) end
  end
  self:nest(root, 0)
end
function Loops:nest(loop, depth)
  loop.depth = depth
  for _, child in ipairs(loop.children) do
    self:nest(child, depth + 1)
    loop.nesting = math.max(loop.nesting, 1 + child.nesting)
  end
end

local Node = class()
function Node:find()
  local path = {}
  local node = self
  while node.parent ~= node do
    if node.parent ~= node.parent.parent then path[#path + 1] = node end
    node = node.parent
  end
  for _, other in ipairs(path) do other.parent = node.parent end
  return node
end

local Finder = class()
function Finder:is_ancestor(w, v) return w <= v and v <= self.last[w] end
function Finder:search(block, number)
  local node = setmetatable({ block = block, number = number, parent = nil, loop = nil }, Node)
  self.nodes[number] = node
  node.parent = node
  self.numbers[block.name] = number
  local latest = number
  for _, target in ipairs(block.outputs) do
    if self.numbers[target.name] == UNVISITED then latest = self:search(target, latest + 1) end
  end
  self.last[number] = latest
  return latest
end
function Finder:find()
  local size = self.graph.count
  if size == 0 then return end
  for i = 0, size - 1 do
    self.numbers[i] = UNVISITED
    self.last[i] = 0
    self.headers[i] = 0
    self.types[i] = PLAIN
    self.back[i] = {}
    self.others[i] = {}
  end
  local count = self:search(self.graph.blocks[0], 0) + 1
  for w = 0, count - 1 do
    for _, block in ipairs(self.nodes[w].block.inputs) do
      local v = self.numbers[block.name]
      if v ~= UNVISITED then
        local list
        if self:is_ancestor(w, v) then list = self.back[w] else list = self.others[w] end
        list[#list + 1] = v
      end
    end
  end
  for w = count - 1, 0, -1 do self:step(w) end
end
function Finder:step(w)
  local pool = {}
  local node = self.nodes[w]
  for _, v in ipairs(self.back[w]) do
    if v ~= w then pool[#pool + 1] = self.nodes[v]:find() else self.types[w] = SELF end
  end
  if #pool > 0 then self.types[w] = REDUCIBLE end
  local known = {}
  for _, member in ipairs(pool) do known[member.number] = true end
  local at = 1
  while at <= #pool do
    local x = pool[at]
    at = at + 1
    local others = self.others[x.number]
    for _, y in ipairs(others) do
      local found = self.nodes[y]:find()
      if not self:is_ancestor(w, found.number) then
        self.types[w] = IRREDUCIBLE
        local list = self.others[w]
        list[#list + 1] = found.number
      elseif found.number ~= w and not known[found.number] then
        known[found.number] = true
        pool[#pool + 1] = found
      end
    end
  end
  if #pool > 0 or self.types[w] == SELF then
    local loop = self.loops:make(node.block, self.types[w] ~= IRREDUCIBLE)
    node.loop = loop
    for _, member in ipairs(pool) do
      self.headers[member.number] = w
      member.parent = node
      if member.loop ~= nil then member.loop:set_parent(loop) else loop.blocks[#loop.blocks + 1] = member.block end
    end
  end
end

local function find_loops(graph, loops)
  setmetatable({
    graph = graph, loops = loops, numbers = {}, nodes = {}, last = {}, headers = {}, types = {}, back = {}, others = {},
  }, Finder):find()
end

local function benchmark(dummies)
  local graph = setmetatable({ blocks = {}, count = 0 }, Graph)
  graph:node(0)
  graph:base_loop(0)
  graph:node(1)
  graph:edge(0, 2)
  local loops = new_loops()
  loops:init()
  for _ = 1, dummies do find_loops(graph, loops) end
  local n = 2
  for _ = 1, 10 do
    graph:edge(2, n + 1)
    n = n + 1
    for _ = 1, 10 do
      local outer = n
      n = graph:straight(n, 1)
      for _ = 1, 5 do n = graph:base_loop(n) end
      local bottom = graph:straight(n, 1)
      graph:edge(n, outer)
      n = bottom
    end
    graph:edge(n, 1)
  end
  find_loops(graph, loops)
  for _ = 1, 50 do
    local other = new_loops()
    other:init()
    find_loops(graph, other)
  end
  loops:calculate()
  return #loops.all, graph.count
end

local start = os.clock()
local found, blocks = benchmark(1)
assert(found == 1605 and blocks == 5213)
print((os.clock() - start) * 1000)
