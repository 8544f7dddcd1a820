-- Who holds the memory: asked only when it is used up, because the answer costs a walk over all of it.
local getmetatable, getupvalue, getfenv = debug.getmetatable, debug.getupvalue, debug.getfenv

return function(rt)
  local rules = rt.rules
  local weigh = {}

  -- Bytes, about, that can be reached from the roots and that nobody was charged for before.
  local function reach(roots, seen)
    local bytes, stack, n = 0, {}, 0
    local function push(value)
      local kind = type(value)
      if (kind ~= "table" and kind ~= "function" and kind ~= "string") or seen[value] then return end
      seen[value] = true
      if kind == "string" then
        bytes = bytes + 24 + #value
      else
        n = n + 1
        stack[n] = value
      end
    end
    for _, root in ipairs(roots) do
      push(root)
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
        bytes = bytes + 64
        push(getmetatable(value))
        for key, held in next, value do
          bytes = bytes + 24
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
    reach({ debug.getregistry() }, seen)
    for i, rule in ipairs(rules) do
      local bytes = reach({ rule.memories, rule.spans, rule.env, rule.only, rule.detect, rule.payload, rule.to }, seen)
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
