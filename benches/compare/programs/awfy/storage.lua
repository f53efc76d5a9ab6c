local Random = {}
Random.__index = Random
function Random.new() return setmetatable({ seed = 74755 }, Random) end
function Random:next()
  self.seed = (self.seed * 1309 + 13849) & 65535
  return self.seed
end

local Storage = {}
Storage.__index = Storage
function Storage:tree(depth, random)
  self.count = self.count + 1
  if depth == 1 then return table.pack(table.unpack({}, 1, random:next() % 10 + 1)) end
  local list = {}
  for i = 1, 4 do list[i] = self:tree(depth - 1, random) end
  return list
end

local start = os.clock()
for _ = 1, 100 do
  local storage = setmetatable({ count = 0 }, Storage)
  storage:tree(7, Random.new())
  assert(storage.count == 5461)
end
print((os.clock() - start) * 1000)
