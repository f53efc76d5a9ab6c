local Towers = {}
Towers.__index = Towers
function Towers.new() return setmetatable({ piles = {}, moved = 0 }, Towers) end
function Towers:push(disk, pile)
  local top = self.piles[pile]
  if top ~= nil and disk.size >= top.size then error("a big disk cannot stand on a small one") end
  disk.next = top
  self.piles[pile] = disk
end
function Towers:pop(pile)
  local top = self.piles[pile]
  if top == nil then error("there is no disk to take") end
  self.piles[pile] = top.next
  top.next = nil
  return top
end
function Towers:move_top(source, target)
  self:push(self:pop(source), target)
  self.moved = self.moved + 1
end
function Towers:build(pile, disks)
  for i = disks, 0, -1 do self:push({ size = i, next = nil }, pile) end
end
function Towers:move(disks, source, target)
  if disks == 1 then
    self:move_top(source, target)
    return
  end
  local other = 6 - source - target
  self:move(disks - 1, source, other)
  self:move_top(source, target)
  self:move(disks - 1, other, target)
end

local start = os.clock()
for _ = 1, 60 do
  local towers = Towers.new()
  towers:build(1, 13)
  towers:move(13, 1, 2)
  assert(towers.moved == 8191)
end
print((os.clock() - start) * 1000)
