local sub = string.sub

local Parser = {}
Parser.__index = Parser
function Parser.new(text)
  return setmetatable({ text = text, at = 0, current = nil, line = 1, column = 0, capture = "", start = -1 }, Parser)
end
function Parser:read()
  if self.current == "\n" then
    self.line = self.line + 1
    self.column = 0
  end
  self.at = self.at + 1
  self.column = self.column + 1
  if self.at <= #self.text then self.current = sub(self.text, self.at, self.at) else self.current = nil end
end
function Parser:read_char(c)
  if self.current ~= c then return false end
  self:read()
  return true
end
function Parser:expect(c)
  if not self:read_char(c) then self:fail("expected " .. c) end
end
function Parser:fail(message) error(message .. " at " .. self.line .. ":" .. self.column) end
function Parser:skip()
  while self.current == " " or self.current == "\t" or self.current == "\n" or self.current == "\r" do self:read() end
end
function Parser:begin() self.start = self.at end
function Parser:finish()
  local part = sub(self.text, self.start, self.at - 1)
  self.start = -1
  if self.capture == "" then return part end
  local all = self.capture .. part
  self.capture = ""
  return all
end
local null = {}
function Parser:value()
  local c = self.current
  if c == "n" then return self:word("null", null)
  elseif c == "t" then return self:word("true", true)
  elseif c == "f" then return self:word("false", false)
  elseif c == '"' then return self:string()
  elseif c == "[" then return self:array()
  elseif c == "{" then return self:object()
  else return self:number() end
end
function Parser:word(letters, value)
  for i = 1, #letters do self:expect(sub(letters, i, i)) end
  return value
end
function Parser:array()
  self:read()
  local list = {}
  self:skip()
  if self:read_char("]") then return list end
  while true do
    self:skip()
    list[#list + 1] = self:value()
    self:skip()
    if not self:read_char(",") then break end
  end
  self:expect("]")
  return list
end
function Parser:object()
  self:read()
  local map = {}
  self:skip()
  if self:read_char("}") then return map end
  while true do
    self:skip()
    if self.current ~= '"' then self:fail("expected a name") end
    local name = self:string()
    self:skip()
    self:expect(":")
    self:skip()
    map[name] = self:value()
    self:skip()
    if not self:read_char(",") then break end
  end
  self:expect("}")
  return map
end
function Parser:string()
  self:read()
  self:begin()
  while self.current ~= '"' do
    if self.current == nil then self:fail("expected the end of a string") end
    if self.current == "\\" then
      self.capture = self.capture .. sub(self.text, self.start, self.at - 1)
      self:read()
      self.capture = self.capture .. self:escape()
      self:read()
      self:begin()
    else
      self:read()
    end
  end
  local text = self:finish()
  self:read()
  return text
end
function Parser:escape()
  local c = self.current
  if c == "n" then return "\n"
  elseif c == "t" then return "\t"
  elseif c == "r" then return "\r"
  elseif c == '"' or c == "/" or c == "\\" then return c
  else self:fail("expected an escape") end
end
function Parser:digits()
  local first = self.at
  while self.current ~= nil and self.current >= "0" and self.current <= "9" do self:read() end
  if self.at == first then self:fail("expected a digit") end
end
function Parser:number()
  self:begin()
  self:read_char("-")
  self:digits()
  if self:read_char(".") then self:digits() end
  if self:read_char("e") or self:read_char("E") then
    local _ = self:read_char("+") or self:read_char("-")
    self:digits()
  end
  return tonumber(self:finish())
end
function Parser:parse()
  self:read()
  self:skip()
  local result = self:value()
  self:skip()
  if self.current ~= nil then self:fail("expected the end") end
  return result
end

local function operation(i)
  local text = '["create","w' .. i .. '","rwt.widgets.Composite",{"parent":"w' .. i // 2 .. '","style":["NONE"],'
  text = text .. '"bounds":[' .. i * 3 .. ", " .. i * 5 % 71 .. ",640,-" .. i .. '],"enabled":' .. (i % 2 == 0 and "true" or "false") .. ","
  return text .. '"text":"A \\"label\\" of ' .. i .. '\\n","opacity":' .. i .. '.5e-1,"data":null}]'
end

local operations = {}
for i = 0, 155 do operations[i + 1] = operation(i) end
local text = '{"head":{"requestCounter":4, "version":"2.0"},"operations":[' .. table.concat(operations, ",\n ") .. "]}"
local start = os.clock()
for _ = 1, 30 do
  local result = Parser.new(text):parse()
  assert(result.head.requestCounter == 4 and #result.operations == 156)
  assert(result.operations[156][4].text == 'A "label" of 155\n')
end
print((os.clock() - start) * 1000)
