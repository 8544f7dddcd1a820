-- Documents whose members keep their order: a schema is read by people, too.
local buffer = require("string.buffer")

local ordered = {}
local Object = {}
ordered.Object = Object

-- An object of pairs: ordered.object({ { "type", "string" }, … }); pairs whose value is nil are left out.
function ordered.object(pairs_of)
  local self = setmetatable({}, Object)
  for i = 1, #pairs_of do
    local pair = pairs_of[i]
    if pair[2] ~= nil then self[#self + 1] = pair end
  end
  return self
end

function ordered.is_object(value)
  return getmetatable(value) == Object
end

-- Adds a member; nil is left out. The object.
function ordered.add(object, name, value)
  if value ~= nil then object[#object + 1] = { name, value } end
  return object
end

-- The value of a member, or nil.
function ordered.get(object, name)
  for _, pair in ipairs(object) do
    if pair[1] == name then return pair[2] end
  end
end

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r" }

local function quoted(text)
  return '"' .. text:gsub('[%c"\\]', function(c) return escapes[c] or ("\\u%04x"):format(c:byte()) end) .. '"'
end
ordered.quoted = quoted

-- Text that is JSON already, such as a constant's.
local Raw = {}
function ordered.raw(text)
  return setmetatable({ text }, Raw)
end

local write

local function block(out, open, close, n, indent, item)
  local inner = indent .. "  "
  out:put(open)
  for i = 1, n do
    out:put((i > 1 and "," or "") .. "\n" .. inner)
    item(i, inner)
  end
  out:put("\n" .. indent .. close)
end

local function plain(value)
  if getmetatable(value) == Raw then return value[1] end
  if type(value) == "table" then return nil end
  return type(value) == "string" and quoted(value) or tostring(value)
end

-- A list or object of plain values stands on one line while it is short; nil when it does not.
local function one_line(value)
  local is_object, out, len = getmetatable(value) == Object, {}, 0
  for i, item in ipairs(value) do
    local text = plain(is_object and item[2] or item)
    if not text and not is_object then return nil end
    text = text or one_line(item[2])
    if not text then return nil end
    out[i] = is_object and quoted(item[1]) .. ": " .. text or text
    len = len + #out[i] + 2
  end
  if len > 84 then return nil end
  local inside = table.concat(out, ", ")
  if not is_object then return "[" .. inside .. "]" end
  return len == 0 and "{}" or "{ " .. inside .. " }"
end

function write(out, value, indent)
  local meta = getmetatable(value)
  local text = plain(value) or one_line(value)
  if text then
    out:put(text)
  elseif meta == Object then
    block(out, "{", "}", #value, indent, function(i, inner)
      out:put(quoted(value[i][1]) .. ": ")
      write(out, value[i][2], inner)
    end)
  else
    block(out, "[", "]", #value, indent, function(i, inner) write(out, value[i], inner) end)
  end
end

-- The document as indented JSON text, with a newline at its end.
function ordered.json(value)
  local out = buffer.new()
  write(out, value, "")
  out:put("\n")
  return out:tostring()
end

return ordered
