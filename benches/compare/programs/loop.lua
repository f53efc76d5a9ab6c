local function count(n)
  local sum, i = 0, 0
  while i < n do
    sum = sum + i % 7
    i = i + 1
  end
  return sum
end

local start = os.clock()
assert(count(30000000) == 89999995)
print((os.clock() - start) * 1000)
