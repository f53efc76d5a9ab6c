local function mandelbrot(size)
  local sum, byte, bits = 0, 0, 0
  for y = 0, size - 1 do
    local ci = 2.0 * y / size - 1.0
    for x = 0, size - 1 do
      local cr = 2.0 * x / size - 1.5
      local zrzr, zi, zizi = 0.0, 0.0, 0.0
      local escape = 0
      local z = 0
      while z < 50 do
        local zr = zrzr - zizi + cr
        zi = 2.0 * zr * zi + ci
        zrzr = zr * zr
        zizi = zi * zi
        if zrzr + zizi > 4.0 then
          escape = 1
          break
        end
        z = z + 1
      end
      byte = (byte << 1) + escape
      bits = bits + 1
      if bits == 8 or x == size - 1 then
        sum = sum ~ (byte << (8 - bits))
        byte, bits = 0, 0
      end
    end
  end
  return sum
end

local start = os.clock()
assert(mandelbrot(500) == 191)
print((os.clock() - start) * 1000)
