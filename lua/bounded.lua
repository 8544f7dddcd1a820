-- Library functions that run in C, where nothing can stop them: each is refused before it starts when it
-- would take too long. A pattern with q quantifiers on n bytes takes about n^(q+1) steps, one that is
-- anchored n^q, and a step at worst reads all of the pattern, a little faster than a step is made.
local error, type, select, tonumber, tostring, min, huge = error, type, select, tonumber, tostring, math.min, math.huge
local byte, find, match, gmatch, gsub, rep, sub = string.byte, string.find, string.match,
  string.gmatch, string.gsub, string.rep, string.sub
local format, unpack = string.format, unpack
local concat, insert, remove = table.concat, table.insert, table.remove

local STEPS = 1e6 -- of a pattern match: at most some ten milliseconds
local PATTERN = 1000 -- bytes of a pattern
local READ = 8 -- bytes of a pattern that are read in the time of a step
local BYTES = 65536 -- of a text that is made in one call
local ITEMS = 16384 -- of a table that is joined or moved in one call

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

local function prove(name, s, pattern, anchors)
  s, pattern = text_of(s, name), text_of(pattern, name)
  local power = quantifiers(pattern) + (anchors and byte(pattern) == 94 and 0 or 1)
  if #pattern > PATTERN or (#s + 1) ^ power * (1 + #pattern / READ) > STEPS then
    error(("%s: this pattern on a text of %d bytes may take too long"):format(name, #s), 3)
  end
end

function bounded.string.find(s, pattern, init, plain)
  if plain then
    s, pattern = text_of(s, "string.find"), text_of(pattern, "string.find")
    if #s * (#pattern + 1) > 10 * STEPS then error("string.find: this text is too long", 2) end
  else
    prove("string.find", s, pattern, true)
  end
  return find(s, pattern, init, plain)
end

function bounded.string.match(s, pattern, init)
  prove("string.match", s, pattern, true)
  return match(s, pattern, init)
end

function bounded.string.gmatch(s, pattern)
  prove("string.gmatch", s, pattern, false) -- to which ^ is a byte like any other
  return gmatch(s, pattern)
end

-- What a callback's answer puts in the place of `whole`.
local function answer(value, whole)
  if not value then return whole end
  local kind = type(value)
  if kind ~= "string" and kind ~= "number" then
    error("string.gsub: a text is expected as replacement, not a " .. kind, 4)
  end
  return value
end

-- gsub with a callback, in Lua: C would call it on the machine's stack, which ends the process when a
-- callback calls gsub again and again.
local function gsub_by(s, pattern, with, max)
  local out, n, count, at, anchored = {}, 0, 0, 1, byte(pattern) == 94
  local function take(first, last, ...)
    if not first then return end
    local whole = sub(s, first, last)
    count = count + 1
    out[n + 1] = sub(s, at, first - 1)
    if select("#", ...) > 0 then
      out[n + 2] = answer(with(...), whole)
    else
      out[n + 2] = answer(with(whole), whole)
    end
    n = n + 2
    if last < first then -- an empty match: the byte behind it stays
      n = n + 1
      out[n] = sub(s, first, first)
      last = first
    end
    at = last + 1
    return true
  end
  repeat until count >= max or at > #s + 1 or not take(find(s, pattern, at)) or anchored
  out[n + 1] = sub(s, at)
  return concat(out), count
end

function bounded.string.gsub(s, pattern, with, n)
  prove("string.gsub", s, pattern, true)
  if type(with) == "function" then
    return gsub_by(text_of(s, "string.gsub"), text_of(pattern, "string.gsub"), with, tonumber(n) or huge)
  end
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
  if type(last or 0) ~= "number" or type(first or 0) ~= "number" then
    error("table.concat: its range is given by numbers", 2)
  end
  if (last or #t) - (first or 1) >= ITEMS then error(("table.concat: more than %d items"):format(ITEMS), 2) end
  local size = 0
  for i = first or 1, last or #t do
    if type(t[i]) == "string" then size = size + #t[i] end
  end
  if size > 64 * BYTES then error("table.concat: the result is over 4 MiB", 2) end
  return concat(t, separator, first, last)
end

function bounded.table.insert(t, ...)
  if select("#", ...) > 1 then items(t, "table.insert") end
  return insert(t, ...)
end

function bounded.table.remove(t, ...)
  if select("#", ...) > 0 then items(t, "table.remove") end
  return remove(t, ...)
end

local function before(a, b) return a < b end

-- Merges from[first, middle) and from[middle, last) into `to`; what is equal keeps its order.
local function merge(from, to, first, middle, last, less)
  local left, right = first, middle
  for i = first, last - 1 do
    if left < middle and (right >= last or not less(from[right], from[left])) then
      to[i] = from[left]
      left = left + 1
    else
      to[i] = from[right]
      right = right + 1
    end
  end
end

-- Sorting by merging, in Lua and not in C: it can be stopped at any comparison, no order of the items
-- makes it slow, and a comparison that contradicts itself does no harm.
function bounded.table.sort(t, less)
  if type(t) ~= "table" then error("table.sort: a table is expected, not a " .. type(t), 2) end
  if less ~= nil and type(less) ~= "function" then
    error("table.sort: a function is expected to compare with, not a " .. type(less), 2)
  end
  less = less or before
  local n, width, from, to = #t, 1, {}, {}
  for i = 1, n do
    from[i] = t[i]
  end
  while width < n do
    for first = 1, n, 2 * width do
      merge(from, to, first, min(first + width, n + 1), min(first + 2 * width, n + 1), less)
    end
    from, to, width = to, from, 2 * width
  end
  for i = 1, n do
    t[i] = from[i]
  end
end

-- Where a table lies differs from process to process: a message that tells it is another in every replay, and
-- tells its readers about our memory.
local function is_place(value)
  local kind = type(value)
  return kind ~= "string" and kind ~= "number" and kind ~= "boolean" and kind ~= "nil"
end

function bounded.tostring(value)
  local text = tostring(value)
  return is_place(value) and match(text, "^(.-): 0x%x+$") or text
end

function bounded.string.format(form, ...)
  local count = select("#", ...)
  for i = 1, count do
    if is_place((select(i, ...))) then
      local plain = { ... }
      for k = i, count do
        if is_place(plain[k]) then plain[k] = bounded.tostring(plain[k]) end
      end
      local text = format(form, unpack(plain, 1, count)) -- not a tail call: errors name the function
      return text
    end
  end
  local text = format(form, ...)
  return text
end

-- Methods of texts reach the one table behind all of them, whatever a file's own `string` is: that
-- table keeps only what is safe.
function bounded.lock()
  local meta = debug.getmetatable("")
  local safe = {}
  for _, name in ipairs({ "byte", "char", "len", "lower", "upper", "reverse", "sub" }) do
    safe[name] = string[name]
  end
  for name, f in pairs(bounded.string) do
    safe[name] = f
  end
  meta.__index = safe
  meta.__metatable = "locked"
end

return bounded
