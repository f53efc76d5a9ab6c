local abs = math.abs

local Random = {}
Random.__index = Random
function Random.new() return setmetatable({ seed = 74755 }, Random) end
function Random:next()
  self.seed = (self.seed * 1309 + 13849) & 65535
  return self.seed
end

local Ball = {}
Ball.__index = Ball
function Ball.new(random)
  local x, y = random:next() % 500, random:next() % 500
  local dx, dy = random:next() % 300 - 150, random:next() % 300 - 150
  return setmetatable({ x = x, y = y, dx = dx, dy = dy }, Ball)
end
function Ball:bounce()
  local bounced = false
  self.x = self.x + self.dx
  self.y = self.y + self.dy
  if self.x > 500 then self.x = 500; self.dx = -abs(self.dx); bounced = true end
  if self.x < 0 then self.x = 0; self.dx = abs(self.dx); bounced = true end
  if self.y > 500 then self.y = 500; self.dy = -abs(self.dy); bounced = true end
  if self.y < 0 then self.y = 0; self.dy = abs(self.dy); bounced = true end
  return bounced
end

local function benchmark()
  local random = Random.new()
  local bounces = 0
  local balls = {}
  for i = 1, 100 do balls[i] = Ball.new(random) end
  for _ = 1, 50 do
    for _, ball in ipairs(balls) do
      if ball:bounce() then bounces = bounces + 1 end
    end
  end
  return bounces
end

local start = os.clock()
for _ = 1, 150 do assert(benchmark() == 1331) end
print((os.clock() - start) * 1000)
