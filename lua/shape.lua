-- Shapes: payloads that name fields. Here an author's table becomes a tree in which every name is resolved
-- and every mistake is found; `program` makes of the tree what C writes without Lua, and a schema can be
-- read off it.
--
-- A shape is a list of members, in the order in which they are to stand, or a table of them, which stand
-- in the order of their names:
--   { "ticket", { type = "side" }, { price = "price_open" } }        { balance = "balance", equity = "equity" }
-- A member's value is the name of a field, another shape, or made by a word of lua/words.lua.
--
-- The tree. Each node says what it `is`:
--   object  members: { { name, value (a node), tests (nil, or a list of them: the member may be missing) }, … }
--   list    over ("positions" or "orders"), of (a node), tests (nil, or which of them), nullable
--   field   source (whose, as C has it), entity, field (name, kind, names: as C has it), digits (nil: as the
--           kind has it), nullable: null is written when it is not known
--   change  of (a field): an object of old, new and, where the kind has one, diff
--   changes members like an object's, each a `change` that is there only when it changed
--   const   json: its text
--   told    name ("status" or "subject"): a text
-- A test: { source, field, states }; bit i of `states` is set when state i passes. A name (ENUM) has its index
-- for a state, a flag (BOOL) 0 not known, 1 false, 2 true, all else 0 not known or not set, 1 known.
local MAX_DEPTH, MAX_MEMBERS = 16, 2048 -- a member is two steps at least
local decimal = { MONEY = true, PERCENT = true, PRICE = true, LEVEL = true, VOLUME = true }
local never_null = { TEXT = true, ENUM = true, INT = true, ID = true, MAGIC = true, VOLUME = true }

return function(rt)
  local names, words = rt.names, rt.words
  local kind_of = words.kind_of
  local shape = { too_big = "it has more than 4096 steps or 256 KiB of text, or there is no memory" }

  -- Where names are looked for in a payload about a moment of this kind; "watch" is none.
  local scopes = {
    account = { { "account", "NOW" } },
    position = { { "moment", "ABOUT" }, { "position", "POSITION" } },
    deal = { { "moment", "ABOUT" }, { "deal", "DEAL" } },
    order = { { "moment", "ABOUT" }, { "order", "ORDER" } },
    positions = { { "position", "EACH" } },
    orders = { { "order", "EACH_ORDER" } },
  }
  local scope_of = {
    watch = "account", tick = "account", snapshot = "account", source_status = "account",
    client_connected = "account", client_disconnected = "account", position_opened = "position",
    position_modified = "position", position_closed = "position", deal = "deal", balance_operation = "deal",
    order_placed = "order", order_modified = "order", order_removed = "order",
  }
  local told = { source_status = "status", client_connected = "subject", client_disconnected = "subject" }
  shape.told = told -- moments that are about a word, and what it is called

  local function fail(path, text, ...)
    error({ shape = path .. ": " .. text:format(...) }, 0)
  end

  local reader = {}
  reader.__index = reader

  -- A name as a field's node. `account.x` and `was.x` reach the account and what was before.
  function reader:field(name, path)
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
      elseif from == "was" then
        fail(path, "%s: only what is watched, position_modified and order_modified have a before", name)
      end
    end
    local looked = {}
    for i, place in ipairs(scope) do
      local field = names.field(place[1], name)
      if field then
        local nullable = not never_null[field.kind]
        return { is = "field", source = place[2], entity = place[1], field = field, nullable = nullable }
      end
      looked[i] = place[1]
    end
    fail(path, "%s", names.unknown(looked, name))
  end

  -- Which states of a field an author's value means: a name, true or false, or a list of names.
  local function states_of(node, value, path)
    local field = node.field
    if field.kind == "BOOL" then
      if type(value) ~= "boolean" then fail(path, '"%s" is compared with true or false', field.name) end
      return 2 ^ (value and 2 or 1)
    elseif field.kind ~= "ENUM" then
      fail(path, '"%s" is not a name or a flag: it can be known or not, when "%s", and no more', field.name, field.name)
    end
    local bits, list = 0, { unpack(field.names) }
    for _, wanted in ipairs(type(value) == "table" and value or { value }) do
      local index
      for i = 0, #field.names do
        if field.names[i] == wanted then index = i end
      end
      if not index then fail(path, "%s: %s", field.name, names.missing("name", wanted, list)) end
      if bits % 2 ^ (index + 1) < 2 ^ index then bits = bits + 2 ^ index end
    end
    if bits == 0 then fail(path, '"%s" is compared with a name or a list of names', field.name) end
    return bits
  end

  local function all_states(field)
    if field.kind == "ENUM" then return 2 ^ (#field.names + 1) - 1 end
    return field.kind == "BOOL" and 7 or 3
  end

  -- The tests of a condition: a field's name (a flag: it is true; else: it is known), or a table of names of
  -- fields and what they must be.
  function reader:tests(condition, negated, path)
    local out = {}
    local function add(node, states)
      if negated then states = all_states(node.field) - states end
      out[#out + 1] = { source = node.source, field = node.field, states = states }
    end
    if type(condition) == "string" then
      local node = self:field(condition, path)
      add(node, node.field.kind == "BOOL" and 4 or all_states(node.field) - 1)
    elseif type(condition) == "table" and not kind_of(condition) then
      local keys = {}
      for key in pairs(condition) do
        keys[#keys + 1] = key
      end
      table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
      for _, key in ipairs(keys) do
        local node = self:field(key, path)
        add(node, states_of(node, condition[key], path))
      end
      if negated and #out > 1 then fail(path, "unless: one condition at a time") end
    end
    if #out == 0 then fail(path, 'a condition is a field\'s name, or a table such as { side = "buy" }') end
    return out
  end

  local function joined(a, b)
    if not a then return b end
    local out = { unpack(a) }
    for _, test in ipairs(b or {}) do
      out[#out + 1] = test
    end
    return out
  end

  -- Calls add(name, value, tests) for the members of an author's table, in their order. A list's item may be
  -- a field's name, a table of named members, or either of them under a condition.
  function reader:each(spec, path, tests, add)
    local n = #spec
    for i = 1, n do
      self:item(spec[i], i, path, tests, add)
    end
    local sorted = {}
    for key in pairs(spec) do
      if type(key) == "string" then
        sorted[#sorted + 1] = key
      elseif not (type(key) == "number" and key >= 1 and key <= n and key % 1 == 0) then
        fail(path, "a shape is a list of members or a table of named ones")
      end
    end
    table.sort(sorted)
    for _, key in ipairs(sorted) do
      add(key, spec[key], tests)
    end
  end

  function reader:item(item, i, path, tests, add)
    local kind = kind_of(item)
    if type(item) == "string" then
      add(item:match("([^.]+)$") or item, item, tests)
    elseif kind == "round" and type(item.of) == "string" then
      add(item.of:match("([^.]+)$") or item.of, item, tests)
    elseif kind == "when" then
      self:item(item.value, i, path, joined(tests, self:tests(item.condition, item.negated, path)), add)
    elseif type(item) == "table" and not kind then
      self:each(item, path, tests, add)
    else
      fail(path, "item %d is neither a field's name nor { name = … }", i)
    end
  end

  -- The members of a shape: { { name, value, tests }, … }; `read` makes a node of a value.
  function reader:members(spec, path, read)
    if type(spec) ~= "table" or debug.getmetatable(spec) then fail(path, "a shape is a plain table") end
    if self.depth == MAX_DEPTH then fail(path, "nested more than 16 deep, or within itself") end
    self.depth = self.depth + 1
    local out, seen = {}, {}
    self:each(spec, path, nil, function(name, value, tests)
      if seen[name] then fail(path, '"%s" is named twice', name) end
      seen[name] = true
      self.count = self.count + 1
      if self.count > MAX_MEMBERS then fail("payload", "%s", shape.too_big) end
      local inner = path .. "." .. name
      while kind_of(value) == "when" do
        tests = joined(tests, self:tests(value.condition, value.negated, inner))
        value = value.value
      end
      out[#out + 1] = { name = name, value = read(value, inner), tests = tests }
    end)
    self.depth = self.depth - 1
    return out
  end

  -- A field at so many decimals.
  function reader:rounded(mark, path)
    local node = self:field(mark.of, path)
    if not decimal[node.field.kind] then fail(path, 'round: "%s" has no decimals', node.field.name) end
    node.digits = mark.digits
    return node
  end

  function reader:changes(spec, path)
    if self.scope ~= "account" and self.kind ~= "position_modified" and self.kind ~= "order_modified" then
      fail(path, "changes: only what is watched, position_modified and order_modified have a before")
    end
    local members = self:members(spec, path, function(value, inner)
      local node = kind_of(value) == "round" and self:rounded(value, inner) or self:field(value, inner)
      if node.source ~= "NOW" and node.source ~= "POSITION" and node.source ~= "ORDER" then
        fail(inner, "changes: it has no before")
      end
      return { is = "change", of = node }
    end)
    if #members == 0 then fail(path, "changes: no fields") end
    for _, member in ipairs(members) do
      if member.tests then fail(path .. "." .. member.name, "changes: a change has no condition but itself") end
    end
    return { is = "changes", members = members }
  end

  -- An array over the account's positions or pending orders.
  function reader:list(over, mark, path)
    if self.scope == "positions" or self.scope == "orders" then fail(path, "%s within a list", over) end
    local scope = self.scope
    self.scope = over
    local node = { is = "list", over = over, nullable = over == "orders" }
    if mark.condition ~= nil then node.tests = self:tests(mark.condition, false, path) end
    node.of = self:object(mark.members, path)
    self.scope = scope
    return node
  end

  function reader:value(value, path)
    local kind = kind_of(value)
    if kind == "const" then return { is = "const", json = value.text } end
    if kind == "changes" then return self:changes(value.members, path) end
    if kind == "round" then return self:rounded(value, path) end
    if kind then return self:list(kind, value, path) end
    if type(value) == "string" and value == told[self.kind] then return { is = "told", name = value } end
    if type(value) == "string" then return self:field(value, path) end
    if type(value) == "table" then return self:object(value, path) end
    fail(path, "a %s is no field; a constant is const(%s)", type(value), tostring(value))
  end

  function reader:object(spec, path)
    return {
      is = "object",
      members = self:members(spec, path, function(value, inner) return self:value(value, inner) end),
    }
  end

  -- The tree of a shape, for a moment's kind or "watch". Errors are tables { shape = text }.
  function shape.read(spec, kind)
    local self = setmetatable({ kind = kind, scope = scope_of[kind], depth = 0, count = 0 }, reader)
    return self:object(spec, "payload")
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
