local function sieve(n)
  local prime, found = {}, 0
  for i = 0, n do prime[i] = true end
  for i = 2, n do
    if prime[i] then
      found = found + 1
      local j = i * i
      while j <= n do
        prime[j] = false
        j = j + i
      end
    end
  end
  return found
end

local start = os.clock()
assert(sieve(2000000) == 148933)
print((os.clock() - start) * 1000)
