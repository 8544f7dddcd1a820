-- Programs: a shape's tree as the list of steps that C walks for each event (core/script/shape.h).
local codes = { RAW = 0, CLOSE = 1, FIELD = 2, TOLD = 3, WHEN = 4, CHANGES = 5, CHANGE = 6, PLACES = 7, ORDERS = 8 }
local sources = {
  NOW = 0, WAS = 1, ABOUT = 2, POSITION = 3, POSITION_WAS = 4, DEAL = 5, EACH = 6, ORDER = 7, ORDER_WAS = 8,
  EACH_ORDER = 9,
}

return function(rt)
  local work, native = rt.work, rt.native
  local writer = {}
  writer.__index = writer

  -- A step; arg: the decimals of a field plus one (0: as its kind has it), the states that a WHEN lets pass.
  function writer:op(code, text, node, arg)
    text = text or ""
    local at = work.op(work, self.id, codes[code], sources[node and node.source or "NOW"],
      node and node.field.index or 0, arg or 0, text, #text)
    if at < 0 then error({ shape = "payload: " .. rt.shape.too_big }, 0) end
    self.last = at
    return at
  end

  -- Gives a step the span of all that were added behind it.
  function writer:close(at)
    work.aim(work, self.id, at, self.last - at)
  end

  -- Whatever `body` adds is written only where the tests are passed.
  function writer:guarded(tests, body)
    local open = {}
    for i, test in ipairs(tests or {}) do
      open[i] = self:op("WHEN", nil, test, test.states)
    end
    body()
    for i = #open, 1, -1 do
      self:close(open[i])
    end
  end

  local function key(name)
    return native.encode(name, "name") .. ":"
  end

  local function digits(field)
    return field.digits and field.digits + 1 or 0
  end

  function writer:object(node)
    self:op("RAW", "{")
    for _, member in ipairs(node.members) do
      self:guarded(member.tests, function()
        self:op("RAW", key(member.name))
        self:node(member.value)
      end)
    end
    self:op("CLOSE", "}")
  end

  function writer:changes(node)
    local at = self:op("CHANGES")
    for _, member in ipairs(node.members) do
      self:op("CHANGE", key(member.name), member.value.of, digits(member.value.of))
    end
    self:close(at)
  end

  function writer:list(node)
    local at = self:op(node.over == "orders" and "ORDERS" or "PLACES")
    self:guarded(node.tests, function() self:node(node.of) end)
    self:close(at)
  end

  function writer:const(node) self:op("RAW", node.json) end
  function writer:told() self:op("TOLD") end
  function writer:field(node) self:op("FIELD", nil, node, digits(node)) end

  function writer:node(node)
    self[node.is](self, node)
  end

  -- Writes a tree as a program; its id. Errors are like those of a shape.
  return function(tree)
    local id = work.shape(work)
    if id < 0 then error({ shape = "payload: there is no memory for it" }, 0) end
    setmetatable({ id = id, last = -1 }, writer):node(tree)
    return id
  end
end
