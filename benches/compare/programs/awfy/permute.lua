local Permute = {}
Permute.__index = Permute
function Permute.new()
  local items = {}
  for i = 0, 5 do items[i + 1] = i end
  return setmetatable({ count = 0, items = items }, Permute)
end
function Permute:swap(i, j)
  local items = self.items
  local item = items[i]
  items[i] = items[j]
  items[j] = item
end
function Permute:permute(n)
  self.count = self.count + 1
  if n ~= 0 then
    local last = n - 1
    self:permute(last)
    for i = last, 0, -1 do
      self:swap(last + 1, i + 1)
      self:permute(last)
      self:swap(last + 1, i + 1)
    end
  end
end

local start = os.clock()
for _ = 1, 100 do
  local state = Permute.new()
  state:permute(6)
  assert(state.count == 8660)
end
print((os.clock() - start) * 1000)
