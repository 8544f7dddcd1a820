-- `schema`: what a payload that a function makes looks like, in an author's words.
--
--   schema = { zone = { "warn", "call" }, level = "number?", lots = { ["*"] = "number" }, ["why?"] = list { "text" } }
--
-- A type is "number", "integer", "text", "boolean", "time" (ISO 8601), "id" (a whole number, or a text of its
-- digits) or "any"; a list of texts is one of them; list { type } a list; a table of names an object, whose
-- member "*" stands for every other name. A "?" behind a type or a name: it may be missing or null.
--
-- The tree is like a shape's (lua/shape.lua), with these nodes:
--   object  members: { { name, value, optional }, … }, rest (a node, or nil: no other names)
--   list    of (a node)
--   type    name (one of the above)
--   enum    names
local MAX_DEPTH = 16

return function(rt)
  local native, names = rt.native, rt.names
  local schema = {}

  local digits = "^%-?%d+$"
  local checks = {
    number = function(value) return type(value) == "number" end,
    integer = function(value) return type(value) == "number" and value % 1 == 0 end,
    text = function(value) return type(value) == "string" end,
    boolean = function(value) return type(value) == "boolean" end,
    time = function(value) return type(value) == "string" and value:find("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d") ~= nil end,
    id = function(value)
      return type(value) == "number" and value % 1 == 0 or type(value) == "string" and value:find(digits) ~= nil
    end,
    any = function(value) return value ~= nil end,
  }
  local types = {}
  for name in pairs(checks) do
    types[#types + 1] = name
  end
  table.sort(types)
  local list_mark = debug.getmetatable(native.list({}))

  local function fail(path, text, ...)
    error({ schema = path .. ": " .. text:format(...) }, 0)
  end

  local read

  local function read_object(spec, path, depth)
    local node, sorted = { is = "object", members = {} }, {}
    for key in pairs(spec) do
      if type(key) ~= "string" then fail(path, "a table of names, a list of texts or list { … } is expected") end
      sorted[#sorted + 1] = key
    end
    table.sort(sorted)
    for _, key in ipairs(sorted) do
      local name = key:match("^(.-)%??$")
      local value, optional = read(spec[key], path .. "." .. name, depth + 1)
      if name == "*" then
        node.rest = value
      else
        node.members[#node.members + 1] = { name = name, value = value, optional = optional or name ~= key }
      end
    end
    return node
  end

  -- A type as a node, and whether it may be missing.
  function read(spec, path, depth)
    if depth > MAX_DEPTH then fail(path, "nested more than 16 deep, or within itself") end
    if type(spec) == "string" then
      local name = spec:match("^(.-)%??$")
      if not checks[name] then fail(path, "%s", names.missing("type", name, types)) end
      return { is = "type", name = name }, name ~= spec
    elseif type(spec) ~= "table" then
      fail(path, "a type is expected, not a %s", type(spec))
    elseif debug.getmetatable(spec) == list_mark then
      if #spec ~= 1 then fail(path, "list { … } holds one type") end
      return { is = "list", of = (read(spec[1], path .. "[]", depth + 1)) }
    elseif spec[1] ~= nil then
      local node = { is = "enum", names = {} }
      for i, name in ipairs(spec) do
        if type(name) ~= "string" then fail(path, "a list of texts is one of them; a list is list { … }") end
        node.names[i] = name
      end
      return node
    end
    return read_object(spec, path, depth)
  end

  -- A declaration as a tree. Errors are tables { schema = text }.
  function schema.read(spec)
    local node = read(spec, "schema", 0)
    if node.is ~= "object" then fail("schema", "a payload is a table of names") end
    return node
  end

  local differs

  local function object_differs(node, value, path)
    local known = {}
    for _, member in ipairs(node.members) do
      local inner = value[member.name]
      known[member.name] = true
      if inner == nil and not member.optional then return ("%s.%s: the schema expects it"):format(path, member.name) end
      local why = inner ~= nil and differs(member.value, inner, path .. "." .. member.name)
      if why then return why end
    end
    for name, inner in pairs(value) do
      if not known[name] then
        if not node.rest then return ("%s.%s: the schema does not know it"):format(path, tostring(name)) end
        local why = differs(node.rest, inner, path .. "." .. tostring(name))
        if why then return why end
      end
    end
  end

  local function shown(value)
    return native.encode(value, "value") or tostring(value)
  end

  -- Nil, or where a value is not what the node says.
  function differs(node, value, path)
    if node.is == "type" then
      if checks[node.name](value) then return nil end
      return ('%s: the schema says "%s", it is %s'):format(path, node.name, shown(value))
    elseif node.is == "enum" then
      for _, name in ipairs(node.names) do
        if name == value then return nil end
      end
      return ('%s: the schema says one of "%s", it is %s'):format(path, table.concat(node.names, '", "'), shown(value))
    elseif type(value) ~= "table" then
      local kind = node.is == "list" and "a list" or "a table"
      return ("%s: the schema says %s, it is %s"):format(path, kind, shown(value))
    elseif node.is == "list" then
      for i, inner in ipairs(value) do
        local why = differs(node.of, inner, ("%s[%d]"):format(path, i))
        if why then return why end
      end
      return next(value, #value > 0 and #value or nil) and path .. ": the schema says a list, it has names" or nil
    end
    return object_differs(node, value, path)
  end

  -- Nil, or the first place where a payload is not what its rule declares.
  function schema.differs(tree, payload)
    return differs(tree, payload, "payload")
  end

  return schema
end
