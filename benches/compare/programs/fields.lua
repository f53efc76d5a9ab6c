local function move(point, n)
  local i = 0
  while i < n do
    point.x = point.x + 1
    point.y = point.y + point.x
    i = i + 1
  end
  return point
end

local start = os.clock()
assert(move({ x = 0, y = 0 }, 5000000).x == 5000000)
print((os.clock() - start) * 1000)
