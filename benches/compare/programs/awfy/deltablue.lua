local REQUIRED, PREFERRED, STRONG_DEFAULT, DEFAULT, WEAKEST = 0, 2, 3, 4, 6
local NOWHERE, FORWARD, BACKWARD = 0, 1, 2

local function class()
  local c = {}
  c.__index = c
  return c
end

local function pop(list)
  local last = list[#list]
  list[#list] = nil
  return last
end

local Variable = class()
local function variable(value)
  return setmetatable({ value = value, constraints = {}, determined_by = nil, mark = 0, walk = WEAKEST, stay = true }, Variable)
end
function Variable:consumers(list)
  local determining = self.determined_by
  for _, constraint in ipairs(self.constraints) do
    if constraint ~= determining and constraint:is_satisfied() then list[#list + 1] = constraint end
  end
end
function Variable:forget(constraint)
  local rest = {}
  for _, other in ipairs(self.constraints) do
    if other ~= constraint then rest[#rest + 1] = other end
  end
  self.constraints = rest
end

local Unary = class()
local function unary(variable, strength, is_input)
  return setmetatable({ variable = variable, strength = strength, is_input = is_input, satisfied = false }, Unary)
end
function Unary:is_satisfied() return self.satisfied end
function Unary:enter()
  local list = self.variable.constraints
  list[#list + 1] = self
  self.satisfied = false
end
function Unary:leave()
  self.variable:forget(self)
  self.satisfied = false
end
function Unary:choose(mark)
  self.satisfied = self.variable.mark ~= mark and self.strength < self.variable.walk
end
function Unary:mark_inputs(_) end
function Unary:inputs_known(_) return true end
function Unary:mark_unsatisfied() self.satisfied = false end
function Unary:output() return self.variable end
function Unary:execute() end
function Unary:recalculate()
  self.variable.walk = self.strength
  self.variable.stay = not self.is_input
end

local Binary = class()
local function binary(first, second, strength, scale, offset)
  return setmetatable({
    first = first, second = second, strength = strength, scale = scale, offset = offset, direction = NOWHERE, is_input = false,
  }, Binary)
end
function Binary:is_satisfied() return self.direction ~= NOWHERE end
function Binary:enter()
  local list = self.first.constraints
  list[#list + 1] = self
  list = self.second.constraints
  list[#list + 1] = self
  if self.scale ~= nil then
    list = self.scale.constraints
    list[#list + 1] = self
    list = self.offset.constraints
    list[#list + 1] = self
  end
  self.direction = NOWHERE
end
function Binary:leave()
  self.first:forget(self)
  self.second:forget(self)
  if self.scale ~= nil then
    self.scale:forget(self)
    self.offset:forget(self)
  end
  self.direction = NOWHERE
end
function Binary:choose(mark)
  local first, second = self.first, self.second
  if first.mark == mark then
    self.direction = (second.mark ~= mark and self.strength < second.walk) and FORWARD or NOWHERE
  elseif second.mark == mark then
    self.direction = self.strength < first.walk and BACKWARD or NOWHERE
  elseif first.walk > second.walk then
    self.direction = self.strength < first.walk and BACKWARD or NOWHERE
  else
    self.direction = self.strength < second.walk and FORWARD or NOWHERE
  end
end
function Binary:input() if self.direction == FORWARD then return self.first else return self.second end end
function Binary:output() if self.direction == FORWARD then return self.second else return self.first end end
function Binary:mark_inputs(mark)
  self:input().mark = mark
  if self.scale ~= nil then
    self.scale.mark = mark
    self.offset.mark = mark
  end
end
function Binary:inputs_known(mark)
  local input = self:input()
  if not (input.mark == mark or input.stay or input.determined_by == nil) then return false end
  if self.scale == nil then return true end
  local scale, offset = self.scale, self.offset
  return (scale.mark == mark or scale.stay or scale.determined_by == nil)
    and (offset.mark == mark or offset.stay or offset.determined_by == nil)
end
function Binary:mark_unsatisfied() self.direction = NOWHERE end
function Binary:execute()
  if self.scale == nil then
    self:output().value = self:input().value
  elseif self.direction == FORWARD then
    self.second.value = self.first.value * self.scale.value + self.offset.value
  else
    self.first.value = (self.second.value - self.offset.value) // self.scale.value
  end
end
function Binary:recalculate()
  local input, output = self:input(), self:output()
  output.walk = self.strength > input.walk and self.strength or input.walk
  output.stay = input.stay and (self.scale == nil or (self.scale.stay and self.offset.stay))
  if output.stay then self:execute() end
end

local Planner = class()
local function planner() return setmetatable({ mark = 0 }, Planner) end
function Planner:new_mark()
  self.mark = self.mark + 1
  return self.mark
end
function Planner:add(constraint)
  constraint:enter()
  self:incremental_add(constraint)
  return constraint
end
function Planner:destroy(constraint)
  if constraint:is_satisfied() then self:incremental_remove(constraint) end
  constraint:leave()
end
function Planner:satisfy(constraint, mark)
  constraint:choose(mark)
  if not constraint:is_satisfied() then
    if constraint.strength == REQUIRED then error("a required constraint cannot be satisfied") end
    return nil
  end
  constraint:mark_inputs(mark)
  local output = constraint:output()
  local overridden = output.determined_by
  if overridden ~= nil then overridden:mark_unsatisfied() end
  output.determined_by = constraint
  if not self:add_propagate(constraint, mark) then error("a cycle of constraints") end
  output.mark = mark
  return overridden
end
function Planner:incremental_add(constraint)
  local mark = self:new_mark()
  local overridden = self:satisfy(constraint, mark)
  while overridden ~= nil do overridden = self:satisfy(overridden, mark) end
end
function Planner:incremental_remove(constraint)
  local output = constraint:output()
  constraint:mark_unsatisfied()
  constraint:leave()
  local unsatisfied = self:remove_propagate(output)
  for strength = REQUIRED, WEAKEST do
    for _, other in ipairs(unsatisfied) do
      if other.strength == strength then self:incremental_add(other) end
    end
  end
end
function Planner:add_propagate(constraint, mark)
  local todo = { constraint }
  while #todo > 0 do
    local next = pop(todo)
    if next:output().mark == mark then
      self:incremental_remove(constraint)
      return false
    end
    next:recalculate()
    next:output():consumers(todo)
  end
  return true
end
function Planner:remove_propagate(output)
  output.determined_by = nil
  output.walk = WEAKEST
  output.stay = true
  local unsatisfied = {}
  local todo = { output }
  while #todo > 0 do
    local variable = pop(todo)
    for _, constraint in ipairs(variable.constraints) do
      if not constraint:is_satisfied() then unsatisfied[#unsatisfied + 1] = constraint end
    end
    local consumers = {}
    variable:consumers(consumers)
    for _, constraint in ipairs(consumers) do
      constraint:recalculate()
      todo[#todo + 1] = constraint:output()
    end
  end
  return unsatisfied
end
function Planner:plan(constraints)
  local todo = {}
  for _, c in ipairs(constraints) do
    if c.is_input and c:is_satisfied() then todo[#todo + 1] = c end
  end
  local mark = self:new_mark()
  local plan = {}
  while #todo > 0 do
    local constraint = pop(todo)
    local output = constraint:output()
    if output.mark ~= mark and constraint:inputs_known(mark) then
      plan[#plan + 1] = constraint
      output.mark = mark
      output:consumers(todo)
    end
  end
  return plan
end
function Planner:change(variable, value)
  local edit = self:add(unary(variable, PREFERRED, true))
  local plan = self:plan({ edit })
  for _ = 1, 10 do
    variable.value = value
    for _, constraint in ipairs(plan) do constraint:execute() end
  end
  self:destroy(edit)
end

local function chain(n)
  local planner = planner()
  local variables = {}
  for i = 0, n do variables[i] = variable(0) end
  for i = 0, n - 1 do planner:add(binary(variables[i], variables[i + 1], REQUIRED)) end
  planner:add(unary(variables[n], STRONG_DEFAULT, false))
  local edit = planner:add(unary(variables[0], PREFERRED, true))
  local plan = planner:plan({ edit })
  for i = 0, 99 do
    variables[0].value = i
    for _, constraint in ipairs(plan) do constraint:execute() end
    assert(variables[n].value == i)
  end
  planner:destroy(edit)
end

local function projection(n)
  local planner = planner()
  local scale, offset = variable(10), variable(1000)
  local sources, targets = {}, {}
  for i = 0, n - 1 do
    sources[i] = variable(i)
    targets[i] = variable(i)
    planner:add(unary(sources[i], DEFAULT, false))
    planner:add(binary(sources[i], targets[i], REQUIRED, scale, offset))
  end
  planner:change(sources[n - 1], 17)
  assert(targets[n - 1].value == 1170)
  planner:change(targets[n - 1], 1050)
  assert(sources[n - 1].value == 5)
  planner:change(scale, 5)
  for i = 0, n - 2 do assert(targets[i].value == i * 5 + 1000) end
  planner:change(offset, 2000)
  for i = 0, n - 2 do assert(targets[i].value == i * 5 + 2000) end
end

local start = os.clock()
for _ = 1, 3 do
  chain(2000)
  projection(2000)
end
print((os.clock() - start) * 1000)
