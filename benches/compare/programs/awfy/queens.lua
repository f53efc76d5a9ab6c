local function filled(count, value)
  local list = {}
  for i = 1, count do list[i] = value end
  return list
end

local Queens = {}
Queens.__index = Queens
function Queens.new()
  return setmetatable({
    free_rows = filled(8, true), free_maxs = filled(16, true), free_mins = filled(16, true), rows = filled(8, -1),
  }, Queens)
end
function Queens:is_free(row, column)
  return self.free_rows[row] and self.free_maxs[column + row] and self.free_mins[column - row + 8]
end
function Queens:mark(row, column, value)
  self.free_rows[row] = value
  self.free_maxs[column + row] = value
  self.free_mins[column - row + 8] = value
end
function Queens:place(column)
  for row = 1, 8 do
    if self:is_free(row, column) then
      self.rows[row] = column
      self:mark(row, column, false)
      if column == 8 or self:place(column + 1) then return true end
      self:mark(row, column, true)
    end
  end
  return false
end

local start = os.clock()
for _ = 1, 1000 do assert(Queens.new():place(1)) end
print((os.clock() - start) * 1000)
