local function count(text)
  local counts = {}
  for word in text:gmatch("%S+") do counts[word] = (counts[word] or 0) + 1 end
  return counts
end

local text = string.rep("the quick brown fox jumps over the lazy dog while the old clock on the wall strikes ten again ", 168421)
local start = os.clock()
assert(count(text)["the"] == 168421 * 4)
print((os.clock() - start) * 1000)
