local sqrt = math.sqrt
local MOST, HIGHEST, RADIUS, VOXEL = 1000.0, 10.0, 1.0, 2.0

local function class()
  local c = {}
  c.__index = c
  return c
end

local Vector2 = class()
local function vector2(x, y) return setmetatable({ x = x, y = y }, Vector2) end
function Vector2:plus(x, y) return vector2(self.x + x, self.y + y) end
function Vector2:compare(other)
  if self.x < other.x then return -1 end
  if self.x > other.x then return 1 end
  if self.y < other.y then return -1 end
  if self.y > other.y then return 1 end
  return 0
end

local Vector3 = class()
local function vector3(x, y, z) return setmetatable({ x = x, y = y, z = z }, Vector3) end
function Vector3:plus(other) return vector3(self.x + other.x, self.y + other.y, self.z + other.z) end
function Vector3:minus(other) return vector3(self.x - other.x, self.y - other.y, self.z - other.z) end
function Vector3:dot(other) return self.x * other.x + self.y * other.y + self.z * other.z end
function Vector3:squared() return self:dot(self) end
function Vector3:times(n) return vector3(self.x * n, self.y * n, self.z * n) end

local CallSign = class()
function CallSign:compare(other) return self.number - other.number end

local Node = class()
function Node:is_left() return self.parent.left == self end

local Tree = class()
local function tree() return setmetatable({ root = nil }, Tree) end
function Tree:get(key)
  local node = self.root
  while node ~= nil do
    local order = key:compare(node.key)
    if order == 0 then return node.value end
    if order < 0 then node = node.left else node = node.right end
  end
  return nil
end
function Tree:put(key, value)
  local above, at, order = nil, self.root, 0
  while at ~= nil do
    above = at
    order = key:compare(at.key)
    if order == 0 then
      local old = at.value
      at.value = value
      return old
    end
    if order < 0 then at = at.left else at = at.right end
  end
  local node = setmetatable({ key = key, value = value, parent = above, left = nil, right = nil, red = true }, Node)
  if above == nil then self.root = node elseif order < 0 then above.left = node else above.right = node end
  self:balance(node)
  return nil
end
function Tree:balance(x)
  while x.parent ~= nil and x.parent.red do
    local grand = x.parent.parent
    local left = x.parent:is_left()
    local uncle
    if left then uncle = grand.right else uncle = grand.left end
    if uncle ~= nil and uncle.red then
      x.parent.red = false
      uncle.red = false
      grand.red = true
      x = grand
    else
      if x:is_left() ~= left then
        x = x.parent
        self:rotate(x, left)
      end
      x.parent.red = false
      grand.red = true
      self:rotate(grand, not left)
    end
  end
  self.root.red = false
end
function Tree:rotate(x, left)
  local y, inner
  if left then y = x.right; inner = y.left; x.right = inner else y = x.left; inner = y.right; x.left = inner end
  if inner ~= nil then inner.parent = x end
  y.parent = x.parent
  if x.parent == nil then self.root = y elseif x:is_left() then x.parent.left = y else x.parent.right = y end
  if left then y.left = x else y.right = x end
  x.parent = y
end
function Tree:each(f) self:visit(self.root, f) end
function Tree:visit(node, f)
  if node == nil then return end
  self:visit(node.left, f)
  f(node.key, node.value)
  self:visit(node.right, f)
end

local Motion = class()
function Motion:delta() return self.to:minus(self.from) end
function Motion:intersection(other)
  local d1, d2 = self:delta(), other:delta()
  local a = d2:minus(d1):squared()
  local apart = self.from:minus(other.from)
  if a == 0.0 then
    if sqrt(apart:squared()) <= RADIUS then return self.from:plus(other.from):times(0.5) end
    return nil
  end
  local b = 2.0 * apart:dot(d1:minus(d2))
  local c = apart:squared() - RADIUS * RADIUS
  local discriminant = b * b - 4.0 * a * c
  if discriminant < 0.0 then return nil end
  local root = sqrt(discriminant)
  local v1 = (0.0 - b - root) / (2.0 * a)
  local v2 = (0.0 - b + root) / (2.0 * a)
  if v1 <= v2 and ((v1 <= 1.0 and 1.0 <= v2) or (v1 <= 0.0 and 0.0 <= v2) or (0.0 <= v1 and v2 <= 1.0)) then
    local v = v1 <= 0.0 and 0.0 or v1
    local result = self.from:plus(d1:times(v)):plus(other.from:plus(d2:times(v))):times(0.5)
    if result.x >= 0.0 and result.x <= MOST and result.y >= 0.0 and result.y <= MOST
      and result.z >= 0.0 and result.z <= HIGHEST then
      return result
    end
  end
  return nil
end

local function span(at, from, delta)
  local low = (at - RADIUS / 2.0 - from) / delta
  local high = (at + VOXEL + RADIUS / 2.0 - from) / delta
  if delta < 0.0 then return { low = high, high = low } end
  return { low = low, high = high }
end

local function is_near(at, from) return at <= from + RADIUS / 2.0 and from - RADIUS / 2.0 <= at + VOXEL end

local function touches(s)
  return (s.low <= 1.0 and 1.0 <= s.high) or (s.low <= 0.0 and 0.0 <= s.high) or (0.0 <= s.low and s.high <= 1.0)
end

local function is_in_voxel(at, motion)
  if at.x > MOST or at.x < 0.0 or at.y > MOST or at.y < 0.0 then return false end
  local from = motion.from
  local dx = motion.to.x - from.x
  local dy = motion.to.y - from.y
  if dx == 0.0 and dy == 0.0 then return is_near(at.x, from.x) and is_near(at.y, from.y) end
  if dx == 0.0 then return is_near(at.x, from.x) and touches(span(at.y, from.y, dy)) end
  local x = span(at.x, from.x, dx)
  if not touches(x) then return false end
  if dy == 0.0 then return is_near(at.y, from.y) end
  local y = span(at.y, from.y, dy)
  return touches(y)
    and ((y.low <= x.high and x.high <= y.high) or (y.low <= x.low and x.low <= y.high) or (x.low <= y.low and y.high <= x.high))
end

local function draw(map, seen, at, motion)
  if not is_in_voxel(at, motion) or seen:put(at, true) ~= nil then return end
  local motions = map:get(at)
  if motions == nil then
    motions = {}
    map:put(at, motions)
  end
  motions[#motions + 1] = motion
  draw(map, seen, at:plus(-VOXEL, 0.0), motion)
  draw(map, seen, at:plus(VOXEL, 0.0), motion)
  draw(map, seen, at:plus(0.0, -VOXEL), motion)
  draw(map, seen, at:plus(0.0, VOXEL), motion)
  draw(map, seen, at:plus(-VOXEL, -VOXEL), motion)
  draw(map, seen, at:plus(-VOXEL, VOXEL), motion)
  draw(map, seen, at:plus(VOXEL, -VOXEL), motion)
  draw(map, seen, at:plus(VOXEL, VOXEL), motion)
end

local function corner(x)
  local whole = x / VOXEL
  if whole < 0 then whole = math.ceil(whole) else whole = math.floor(whole) end
  return VOXEL * whole - (x < 0.0 and VOXEL or 0.0)
end

local Detector = class()
function Detector:frame(aircraft)
  local motions = {}
  local seen = tree()
  for _, plane in ipairs(aircraft) do
    local sign, position = plane[1], plane[2]
    local old = self.state:put(sign, position)
    seen:put(sign, true)
    motions[#motions + 1] = setmetatable({ sign = sign, from = old or position, to = position }, Motion)
  end
  self.state:each(function(sign, _) assert(seen:get(sign)) end)
  local map = tree()
  for _, motion in ipairs(motions) do draw(map, tree(), vector2(corner(motion.from.x), corner(motion.from.y)), motion) end
  local collisions = 0
  map:each(function(_, near)
    for i = 1, #near do
      for j = i + 1, #near do
        if near[i]:intersection(near[j]) ~= nil then collisions = collisions + 1 end
      end
    end
  end)
  return collisions
end

local function benchmark(count)
  local signs = {}
  for i = 0, count - 1 do signs[i] = setmetatable({ number = i }, CallSign) end
  local detector = setmetatable({ state = tree() }, Detector)
  local collisions = 0
  for i = 0, 199 do
    local t = i / 10.0
    local aircraft = {}
    for a = 0, count - 1, 2 do
      aircraft[#aircraft + 1] = { signs[a], vector3(t, math.cos(t) * 2.0 + a * 3.0, 10.0) }
      aircraft[#aircraft + 1] = { signs[a + 1], vector3(t, math.sin(t) * 2.0 + a * 3.0, 10.0) }
    end
    collisions = collisions + detector:frame(aircraft)
  end
  return collisions
end

local start = os.clock()
assert(benchmark(100) == 4305)
print((os.clock() - start) * 1000)
