-- Who holds the memory: asked only when it is used up, because the answer costs a walk over all of it.
local ffi = require("ffi")
local getmetatable, getupvalue, getfenv = debug.getmetatable, debug.getupvalue, debug.getfenv
local format, tonumber, type = string.format, tonumber, type

local weighs = { table = true, ["function"] = true, string = true, cdata = true }

-- What a table takes beside its entries' own values: a table that was filled and emptied still takes it,
-- and only LuaJIT's own record of it says so. Where that record lies is tried on a table of known size;
-- without it, entries are counted.
local ASIZE, HMASK, SLOT, NODE = 12, 13, 8, 24 -- 32-bit words; bytes

local function words_of(t)
  return ffi.cast("const uint32_t *", tonumber(format("%p", t)))
end

local probe = require("table.new")(100, 60)
local exact = ffi.abi("gc64") and words_of(probe)[ASIZE] == 101 and words_of(probe)[HMASK] == 63

local function room_of(t)
  local words = words_of(t)
  return words[ASIZE] * SLOT + (words[HMASK] + 1) * NODE
end

return function(rt)
  local rules = rt.rules
  local weigh = {}

  -- Bytes, about, that can be reached from the roots and that nobody was charged for before.
  local function reach(seen, ...)
    local bytes, stack, n = 0, {}, 0
    local function push(value)
      local kind = type(value)
      if not weighs[kind] or seen[value] then return end
      seen[value] = true
      if kind == "string" then
        bytes = bytes + 24 + #value
      elseif kind == "cdata" then -- a view
        bytes = bytes + 16 + ffi.sizeof(value)
      else
        n = n + 1
        stack[n] = value
      end
    end
    for i = 1, select("#", ...) do -- there are nils among them
      push((select(i, ...)))
    end
    while n > 0 do
      local value = stack[n]
      stack[n] = nil
      n = n - 1
      if type(value) == "function" then
        bytes = bytes + 40
        push(getfenv(value))
        for i = 1, 255 do
          local name, held = getupvalue(value, i)
          if not name then break end
          push(held)
        end
      else
        bytes = bytes + 64 + (exact and room_of(value) or 0)
        push(getmetatable(value))
        for key, held in next, value do
          bytes = bytes + (exact and 0 or NODE)
          push(key)
          push(held)
        end
      end
    end
    return bytes
  end

  -- The index of the rule that holds most. What the runtime itself holds is nobody's.
  function weigh.heaviest()
    local seen, most, index = { [rules] = true }, -1, 0
    for _, rule in ipairs(rules) do
      seen[rule] = true
    end
    reach(seen, debug.getregistry())
    for i, rule in ipairs(rules) do
      local bytes = reach(seen, rule.memories, rule.spans, rule.env, rule.only, rule.detect, rule.payload, rule.to,
        rule.migrate)
      if bytes > most then most, index = bytes, i - 1 end
    end
    return index
  end

  -- Lets go of all that a rule (and its file) holds. The rule is muted: nothing calls it any more.
  function weigh.drop(index)
    local rule = rules[index + 1]
    rule.memories, rule.rests, rule.spans = {}, {}, {}
    rule.only, rule.detect, rule.payload, rule.to, rule.migrate = nil, nil, nil, nil, nil
    rule.env = nil
  end

  return weigh
end
