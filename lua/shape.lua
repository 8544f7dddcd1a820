-- Shapes: payloads that name fields, compiled to steps that C writes without Lua.
--
-- A shape is a list of members, in the order in which they are to stand, or a table of them, which stand
-- in the order of their names:
--   { "ticket", { type = "side" }, { price = "price_open" } }        { balance = "balance", equity = "equity" }
-- A member's value is the name of a field, another shape, or one of const, changes, positions, orders, when.
local codes = { RAW = 0, CLOSE = 1, FIELD = 2, TOLD = 3, WHEN = 4, CHANGES = 5, CHANGE = 6, PLACES = 7, ORDERS = 8 }
local sources = {
  NOW = 0, WAS = 1, ABOUT = 2, POSITION = 3, POSITION_WAS = 4, DEAL = 5, EACH = 6, ORDER = 7, ORDER_WAS = 8,
  EACH_ORDER = 9,
}
local MAX_DEPTH = 16

return function(rt)
  local work, native, names = rt.work, rt.native, rt.names
  local shape = {}

  -- Marks. Each is a table of its own kind, so that an author's table is never taken for one.
  local kinds = {}
  local function mark(kind, fields)
    return setmetatable(fields, kinds[kind])
  end
  for _, kind in ipairs({ "const", "changes", "positions", "orders", "when" }) do
    kinds[kind] = { kind = kind, __metatable = false }
  end

  function shape.const(value)
    local text, why = native.encode(value, "const")
    if not text then error(why, 2) end
    return mark("const", { text = text })
  end

  function shape.changes(members) return mark("changes", { members = members }) end

  function shape.positions(members) return mark("positions", { members = members }) end

  function shape.orders(members) return mark("orders", { members = members }) end

  -- when("synthetic", value): the member is there only while the field is true. Without a value, its own.
  function shape.when(flag, value) return mark("when", { flag = flag, value = value == nil and flag or value }) end

  local function kind_of(value)
    local meta = type(value) == "table" and debug.getmetatable(value)
    return meta and meta.kind
  end

  -- Where names are looked for in a payload about a moment of this kind; "watch" is none.
  local scopes = {
    account = { { "account", "NOW" } },
    position = { { "moment", "ABOUT" }, { "position", "POSITION" } },
    deal = { { "moment", "ABOUT" }, { "deal", "DEAL" } },
    order = { { "moment", "ABOUT" }, { "order", "ORDER" } },
    each = { { "position", "EACH" } },
    each_order = { { "order", "EACH_ORDER" } },
  }
  local scope_of = {
    watch = "account", tick = "account", snapshot = "account", source_status = "account",
    client_connected = "account", client_disconnected = "account", position_opened = "position",
    position_modified = "position", position_closed = "position", deal = "deal", balance_operation = "deal",
    order_placed = "order", order_modified = "order", order_removed = "order",
  }
  local told = { source_status = "status", client_connected = "subject", client_disconnected = "subject" }
  shape.told = told -- moments that are about a word, and what it is called

  local function fail(path, why)
    error({ shape = ("%s: %s"):format(path, why) }, 0)
  end

  local compiler = {}
  compiler.__index = compiler

  function compiler:op(code, source, field, text)
    text = text or ""
    local at = work.op(work, self.id, codes[code], sources[source or "NOW"], field or 0, text, #text)
    if at < 0 then fail("payload", "it has more than 4096 steps or 256 KiB of text, or there is no memory") end
    self.last = at
    return at
  end

  -- Gives a step the span of all that were added behind it.
  function compiler:close(at)
    work.aim(work, self.id, at, self.last - at)
  end

  -- A name as source and field. `account.x` and `was.x` reach the account and the position before.
  function compiler:resolve(name, path)
    local scope = scopes[self.scope]
    if type(name) == "string" then
      local from, rest = name:match("^(%l+)%.(.+)$")
      if from == "account" then
        scope, name = scopes.account, rest
      elseif from == "was" and self.kind == "position_modified" then
        scope, name = { { "position", "POSITION_WAS" } }, rest
      elseif from == "was" and self.kind == "order_modified" then
        scope, name = { { "order", "ORDER_WAS" } }, rest
      elseif from == "was" and self.scope == "account" then
        scope, name = { { "account", "WAS" } }, rest
      end
    end
    local looked = {}
    for i, place in ipairs(scope) do
      local field = names.field(place[1], name)
      if field then return place[2], field end
      looked[i] = place[1]
    end
    fail(path, names.unknown(looked, name))
  end

  function compiler:flag(name, path)
    local source, field = self:resolve(name, path)
    if field.kind ~= "BOOL" then fail(path, ('when: "%s" is neither true nor false'):format(name)) end
    return source, field
  end

  -- The members of a shape in their order: { {name, value}, … }.
  local function members_of(spec, path)
    if type(spec) ~= "table" or kind_of(spec) then fail(path, "a shape is a table") end
    local out, seen = {}, {}
    local function add(name, value)
      if type(name) ~= "string" then fail(path, "a member's name is a text") end
      if seen[name] then fail(path, ('"%s" is named twice'):format(name)) end
      seen[name] = true
      out[#out + 1] = { name, value }
    end
    local function add_named(from, skip)
      local sorted = {}
      for key in pairs(from) do
        if type(key) == "string" then
          sorted[#sorted + 1] = key
        elseif not (skip and type(key) == "number" and key >= 1 and key <= skip and key % 1 == 0) then
          fail(path, "a shape is a list of members or a table of named ones")
        end
      end
      table.sort(sorted)
      for _, key in ipairs(sorted) do
        add(key, from[key])
      end
    end
    local n = #spec
    for i = 1, n do
      local item = spec[i]
      if type(item) == "string" then
        add(item:match("([^.]+)$") or item, item)
      elseif kind_of(item) == "when" and type(item.value) == "string" then
        add(item.value, item)
      elseif type(item) == "table" and not kind_of(item) then
        add_named(item)
      else
        fail(path, ("item %d is neither a field's name nor { name = … }"):format(i))
      end
    end
    add_named(spec, n)
    return out
  end

  function compiler:changes(spec, path)
    if self.scope ~= "account" and self.kind ~= "position_modified" and self.kind ~= "order_modified" then
      fail(path, "changes: only what is watched, position_modified and order_modified have a before")
    end
    local at = self:op("CHANGES")
    local members = members_of(spec, path)
    if #members == 0 then fail(path, "changes: no fields") end
    for _, member in ipairs(members) do
      local source, field = self:resolve(member[2], path .. "." .. member[1])
      if source ~= "NOW" and source ~= "POSITION" and source ~= "ORDER" then
        fail(path, "changes: " .. member[1] .. " has no before")
      end
      self:op("CHANGE", source, field.index, native.encode(member[1], "name") .. ":")
    end
    self:close(at)
  end

  -- An array over the account's positions or pending orders.
  function compiler:rows(what, code, each, spec, path)
    if self.scope:find("^each") then fail(path, what .. " within a list") end
    local at, scope = self:op(code), self.scope
    self.scope = each
    self:object(spec, path)
    self.scope = scope
    self:close(at)
  end

  function compiler:value(value, path)
    local kind = kind_of(value)
    if kind == "const" then
      self:op("RAW", nil, nil, value.text)
    elseif kind == "changes" then
      self:changes(value.members, path)
    elseif kind == "positions" then
      self:rows("positions", "PLACES", "each", value.members, path)
    elseif kind == "orders" then
      self:rows("orders", "ORDERS", "each_order", value.members, path)
    elseif kind then
      fail(path, "when cannot stand here")
    elseif type(value) == "string" and value == told[self.kind] then
      self:op("TOLD")
    elseif type(value) == "string" then
      local source, field = self:resolve(value, path)
      self:op("FIELD", source, field.index)
    elseif type(value) == "table" then
      self:object(value, path)
    else
      fail(path, ("a %s is no field; a constant is const(%s)"):format(type(value), tostring(value)))
    end
  end

  function compiler:object(spec, path)
    if self.depth == MAX_DEPTH then fail(path, "nested more than 16 deep, or within itself") end
    self.depth = self.depth + 1
    self:op("RAW", nil, nil, "{")
    for _, member in ipairs(members_of(spec, path)) do
      local name, value, at = member[1], member[2], nil
      local inner = path .. "." .. name
      if kind_of(value) == "when" then
        local source, field = self:flag(value.flag, inner)
        at = self:op("WHEN", source, field.index)
        value = value.value
      end
      self:op("RAW", nil, nil, native.encode(name, "name") .. ":")
      self:value(value, inner)
      if at then self:close(at) end
    end
    self:op("CLOSE", nil, nil, "}")
    self.depth = self.depth - 1
  end

  -- Compiles a shape for a moment's kind or "watch"; the program's id. Errors are tables { shape = text }.
  function shape.compile(spec, kind)
    local id = work.shape(work)
    if id < 0 then error("not enough memory", 0) end
    local self = setmetatable({ id = id, kind = kind, scope = scope_of[kind], depth = 0, last = -1 }, compiler)
    self:object(spec, "payload")
    return id
  end

  -- The names that stand in a shape's outermost object.
  function shape.top_names(spec)
    local out = {}
    for i, member in ipairs(members_of(spec, "payload")) do
      out[i] = member[1]
    end
    return out
  end

  -- What a rule without a payload says: the watched fields, or the essentials of its moment.
  function shape.default(kind, watched)
    if kind == "watch" then return watched end
    if told[kind] then return { told[kind] } end
    if scope_of[kind] == "position" then
      return { "ticket", "position_id", "symbol", "side", "volume", "price_open", "profit" }
    end
    if scope_of[kind] == "order" then
      return {
        "ticket", "symbol", { order_type = "type" }, "state", "volume_initial", "volume_current", "price_open",
      }
    end
    if scope_of[kind] == "deal" then
      return { "ticket", "position_id", "symbol", "action", "volume", "price", "profit" }
    end
    return {}
  end

  return shape
end
