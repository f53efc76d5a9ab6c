local function sieve(flags, size)
  local count = 0
  for i = 2, size do
    if flags[i] then
      count = count + 1
      local k = i + i
      while k <= size do
        flags[k] = false
        k = k + i
      end
    end
  end
  return count
end

local start = os.clock()
for _ = 1, 300 do
  local flags = {}
  for i = 1, 5000 do flags[i] = true end
  assert(sieve(flags, 5000) == 669)
end
print((os.clock() - start) * 1000)
