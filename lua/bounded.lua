-- Library functions that run in C, where nothing can stop them: each is refused before it starts when it
-- would take too long. The cost of a pattern with q quantifiers on n bytes is about n^(q+1) steps, of
-- one that is anchored n^q; a million steps are at most three milliseconds.
local error, type, select, tostring = error, type, select, tostring
local byte, find, match, gmatch, gsub, rep = string.byte, string.find, string.match,
  string.gmatch, string.gsub, string.rep
local concat, insert, sort = table.concat, table.insert, table.sort

local STEPS = 1e6 -- of a pattern match
local BYTES = 65536 -- of a text that is made in one call
local ITEMS = 16384 -- of a table that is sorted, joined or moved in one call

local bounded = { string = {}, table = {} }

-- Quantifiers of a pattern, with %b, %f and back references as one each.
local function quantifiers(pattern)
  local i, n, count = 1, #pattern, 0
  while i <= n do
    local c = byte(pattern, i)
    if c == 37 then -- %
      local class = byte(pattern, i + 1)
      i = i + 2
      if class == 98 then -- %bxy
        count = count + 1
        i = i + 2
      elseif class == 102 or (class and class >= 48 and class <= 57) then -- %f[ and %1
        count = count + 1
      end
    elseif c == 91 then -- [set]
      i = i + 1
      if byte(pattern, i) == 94 then i = i + 1 end
      repeat
        if byte(pattern, i) == 37 then i = i + 1 end
        i = i + 1
      until i > n or byte(pattern, i) == 93
      i = i + 1
    else
      i = i + 1
    end
    local after = byte(pattern, i)
    if c ~= 40 and c ~= 41 and (after == 42 or after == 43 or after == 45 or after == 63) then
      count = count + 1
      i = i + 1
    end
  end
  return count
end

local function text_of(value, name)
  if type(value) == "number" then return tostring(value) end
  if type(value) ~= "string" then error(name .. ": a text is expected, not a " .. type(value), 3) end
  return value
end

local function prove(name, s, pattern)
  s, pattern = text_of(s, name), text_of(pattern, name)
  local power = quantifiers(pattern) + (byte(pattern) == 94 and 0 or 1)
  if (#s + 1) ^ power > STEPS or #pattern > 1000 then
    error(("%s: this pattern on a text of %d bytes may take too long"):format(name, #s), 3)
  end
end

function bounded.string.find(s, pattern, init, plain)
  if plain then
    s, pattern = text_of(s, "string.find"), text_of(pattern, "string.find")
    if #s * (#pattern + 1) > 10 * STEPS then error("string.find: this text is too long", 2) end
  else
    prove("string.find", s, pattern)
  end
  return find(s, pattern, init, plain)
end

function bounded.string.match(s, pattern, init)
  prove("string.match", s, pattern)
  return match(s, pattern, init)
end

function bounded.string.gmatch(s, pattern)
  prove("string.gmatch", s, pattern)
  return gmatch(s, pattern)
end

function bounded.string.gsub(s, pattern, with, n)
  prove("string.gsub", s, pattern)
  if type(with) == "string" and (#text_of(s, "string.gsub") + 1) * #with > 64 * BYTES then
    error("string.gsub: the result may be too long", 2)
  end
  return gsub(s, pattern, with, n)
end

function bounded.string.rep(s, n, separator)
  local size = #text_of(s, "string.rep") + (separator and #text_of(separator, "string.rep") or 0)
  if type(n) ~= "number" then error("string.rep: a number is expected, not a " .. type(n), 2) end
  if n > 0 and size * n > BYTES then error("string.rep: the result is over 64 KiB", 2) end
  if n > BYTES then n = BYTES end
  return rep(s, n, separator)
end

local function items(t, name)
  if type(t) ~= "table" then error(name .. ": a table is expected, not a " .. type(t), 3) end
  if #t > ITEMS then error(("%s: more than %d items"):format(name, ITEMS), 3) end
end

function bounded.table.concat(t, separator, first, last)
  items(t, "table.concat")
  if separator ~= nil and #text_of(separator, "table.concat") * (#t + 1) > 64 * BYTES then
    error("table.concat: the result may be too long", 2)
  end
  return concat(t, separator, first, last)
end

function bounded.table.sort(t, less)
  items(t, "table.sort")
  return sort(t, less)
end

function bounded.table.insert(t, ...)
  if select("#", ...) > 1 then items(t, "table.insert") end
  return insert(t, ...)
end

-- Methods of texts reach the one table behind all of them, whatever a file's own `string` is: that
-- table keeps only what is safe.
function bounded.lock()
  local meta = debug.getmetatable("")
  local safe = {}
  for _, name in ipairs({ "byte", "char", "format", "len", "lower", "upper", "reverse", "sub" }) do
    safe[name] = string[name]
  end
  for name, f in pairs(bounded.string) do
    safe[name] = f
  end
  meta.__index = safe
  meta.__metatable = "locked"
end

return bounded
