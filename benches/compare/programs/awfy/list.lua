local Element = {}
Element.__index = Element
function Element:length()
  if self.next == nil then return 1 end
  return 1 + self.next:length()
end

local function make(length)
  if length == 0 then return nil end
  return setmetatable({ value = length, next = make(length - 1) }, Element)
end

local function is_shorter(x, y)
  while y ~= nil do
    if x == nil then return true end
    x = x.next
    y = y.next
  end
  return false
end

local function tail(x, y, z)
  if is_shorter(y, x) then
    return (tail(tail(x.next, y, z), tail(y.next, z, x), tail(z.next, x, y)))
  end
  return z
end

local start = os.clock()
for _ = 1, 100 do assert(tail(make(15), make(10), make(6)):length() == 10) end
print((os.clock() - start) * 1000)
