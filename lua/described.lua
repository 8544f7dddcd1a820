-- What the messages of a set look like, as JSON Schema (draft 2020-12): read off the trees of shapes and of
-- `schema` declarations, wrapped as the envelope says, beside the protocol's own messages.
--
-- A message's schema says what is there, not what may be added: clients ignore what they do not know, so no
-- object is closed.
local ordered = require("ordered")
local object, add = ordered.object, ordered.add

local DRAFT = "https://json-schema.org/draft/2020-12/schema"

return function(rt)
  local native, envelope = rt.native, rt.envelope
  local described = {}
  local id_pattern = "^-?[0-9]+$"

  local function typed(kind, nullable, with)
    local out = object({ { "type", nullable and { kind, "null" } or kind } })
    for _, pair in ipairs(with or {}) do
      add(out, pair[1], pair[2])
    end
    return out
  end

  local function id(ids_as_text)
    if ids_as_text then return typed("string", false, { { "pattern", id_pattern } }) end
    return typed("integer")
  end

  local kinds = {
    TEXT = function() return typed("string") end,
    ENUM = function(node)
      return object({ { "enum", { node.field.names[0], unpack(node.field.names) } } })
    end,
    BOOL = function(node) return typed("boolean", node.nullable) end,
    INT = function() return typed("integer") end,
    ID = function(_, ids) return id(ids) end,
    MAGIC = function(_, ids) return id(ids) end,
    TIME = function(node) return typed("string", node.nullable, { { "format", "date-time" } }) end,
  }
  kinds.OFFSET = function(node) return typed("integer", node.nullable) end

  local function field(node, ids)
    local kind = kinds[node.field.kind]
    if kind then return kind(node, ids) end
    return typed("number", node.nullable)
  end

  local function with_doc(schema, node)
    local doc = node.is == "field" and node.field.doc
    if doc and doc ~= "" then add(schema, "description", doc) end
    return schema
  end

  local value

  local function members_of(node, ids)
    local properties, required = object({}), {}
    for _, member in ipairs(node.members) do
      add(properties, member.name, value(member.value, ids, member.optional))
      local may_miss = member.tests or member.optional or node.is == "changes"
      if not may_miss then required[#required + 1] = member.name end
    end
    return properties, required
  end

  local function closed(properties, required, rest)
    return object({
      { "type", "object" }, { "properties", properties }, { "required", #required > 0 and required or nil },
      { "additionalProperties", rest },
    })
  end

  -- The kinds that have a difference are those that C writes one for (core/script/shape.c).
  local function change(node, ids)
    local inner = field(node.of, ids)
    local out = closed(object({ { "old", inner }, { "new", inner } }), { "old", "new" })
    local kind = node.of.field.kind
    local decimal = not kinds[kind] or kind == "INT"
    if decimal and node.of.source == "NOW" then
      add(ordered.get(out, "properties"), "diff", typed(kind == "INT" and "integer" or "number"))
    end
    return with_doc(out, node.of)
  end

  local declared = {
    number = function(nullable) return typed("number", nullable) end,
    integer = function(nullable) return typed("integer", nullable) end,
    text = function(nullable) return typed("string", nullable) end,
    boolean = function(nullable) return typed("boolean", nullable) end,
    time = function(nullable) return typed("string", nullable, { { "format", "date-time" } }) end,
    id = function(nullable)
      return object({ { "type", nullable and { "integer", "string", "null" } or { "integer", "string" } } })
    end,
    any = function() return object({}) end,
  }

  local function or_null(schema, nullable)
    if not nullable then return schema end
    return object({ { "anyOf", { schema, typed("null") } } })
  end

  function value(node, ids, optional)
    if node.is == "field" then return with_doc(field(node, ids), node) end
    if node.is == "change" then return change(node, ids) end
    if node.is == "told" then return typed("string") end
    if node.is == "const" then return object({ { "const", ordered.raw(node.json) } }) end
    if node.is == "type" then return declared[node.name](optional) end
    if node.is == "enum" then return or_null(object({ { "enum", node.names } }), optional) end
    if node.is == "list" then
      return or_null(object({ { "type", "array" }, { "items", value(node.of, ids) } }), node.nullable or optional)
    end
    local properties, required = members_of(node, ids)
    local out = closed(properties, required, node.rest and value(node.rest, ids))
    if node.is == "changes" then add(out, "minProperties", 1) end
    return or_null(out, optional)
  end

  -- The trees of a rule's payload: those of its shapes, what it declares, or none (any object).
  local function trees_of(rule)
    if rule.schema then return { rule.schema } end
    local out = {}
    if rule.watch and rule.trees.watch then out[1] = rule.trees.watch end
    for _, moment in ipairs(rule.moments) do
      out[#out + 1] = rule.trees[moment]
    end
    return out
  end

  -- Whether what a rule says is not known: a function makes it, and no `schema` says what.
  local function is_open(rule)
    if rule.schema then return false end
    return rule.payload ~= nil or (rule.detect ~= nil and not rule.spec)
  end

  local function own_members(type_name, numbers)
    local names = envelope.names
    local properties = object({ { names.type, object({ { "const", type_name } }) } })
    local required = { names.type }
    for _, key in ipairs(numbers) do
      add(properties, names[key], typed("integer", false, { { "minimum", 0 } }))
      required[#required + 1] = names[key]
    end
    add(properties, names.timestamp, typed("string", false, { { "format", "date-time" } }))
    required[#required + 1] = names.timestamp
    return properties, required
  end

  -- A message: the gateway's own members, and the payload beside them or in a member of its own.
  local function message(rule_type, numbers, tree, ids, description)
    local properties, required = own_members(rule_type, numbers)
    local own = envelope.names.payload
    if own ~= "" then
      add(properties, own, tree and value(tree, ids) or typed("object"))
      required[#required + 1] = own
    elseif tree then
      local inside, needed = members_of(tree, ids)
      for _, pair in ipairs(inside) do
        properties[#properties + 1] = pair
      end
      for _, name in ipairs(needed) do
        required[#required + 1] = name
      end
    end
    local out = object({ { "title", rule_type }, { "description", description } })
    local rest = tree and tree.rest and own == "" and value(tree.rest, ids) or nil
    for _, pair in ipairs(closed(properties, required, rest)) do
      out[#out + 1] = pair
    end
    return out
  end

  local function one_of(list)
    return #list == 1 and list[1] or object({ { "anyOf", list } })
  end

  local function describe_rule(rule, ids)
    local lane = rule.latest and "rev" or "seq"
    local words = ("%s lane, rule \"%s\" (%s)"):format(rule.latest and "latest" or "ordered", rule.name, rule.where)
    if is_open(rule) then
      return { message(rule.type, { lane }, nil, ids, words .. "; its payload is not declared") }
    end
    local out = {}
    for _, tree in ipairs(trees_of(rule)) do
      out[#out + 1] = message(rule.type, { lane }, tree, ids, words)
    end
    return out
  end

  local function snapshot_of(ids)
    local rule = rt.maker or rt.loader.fallback()
    local out = message("snapshot", { "seq", "rev" }, rule.schema or rule.trees.snapshot, ids, "the whole state")
    add(ordered.get(out, "properties"), "cached", typed("boolean"))
    add(ordered.get(out, "properties"), "cache_age_seconds", typed("integer", true))
    local required = ordered.get(out, "required")
    required[#required + 1] = "cached"
    required[#required + 1] = "cache_age_seconds"
    return out
  end

  -- { set, messages = { { type, lane, schema, declared }, … } (sorted by type), control, client }: everything
  -- that stands in a document.
  function described.all()
    local ids = native.ids_as_text == 1
    local by_type, order = {}, {}
    for _, rule in ipairs(rt.rules) do
      if not rule.is_snapshot then
        local known = by_type[rule.type]
        if not known then
          known = { type = rule.type, lane = rule.latest and "latest" or "ordered", list = {}, declared = true }
          by_type[rule.type] = known
          order[#order + 1] = known
        end
        known.declared = known.declared and not is_open(rule)
        for _, schema in ipairs(describe_rule(rule, ids)) do
          known.list[#known.list + 1] = schema
        end
      end
    end
    for _, known in ipairs(order) do
      known.schema = one_of(known.list)
    end
    order[#order + 1] = {
      type = "snapshot", lane = "both", schema = snapshot_of(ids),
      declared = not (rt.maker and rt.maker.payload and not rt.maker.schema),
    }
    table.sort(order, function(a, b) return a.type < b.type end)
    local protocol = require("protocol_messages")
    return { messages = order, control = protocol.server, client = protocol.client }
  end

  -- Where a definition of the document stands.
  local function ref(name)
    return object({ { "$ref", "#/$defs/" .. name } })
  end

  -- The JSON Schema document: any message that a client may receive.
  function described.json_schema(all)
    local defs, any = object({}), {}
    for _, group in ipairs({ all.messages, all.control }) do
      for _, item in ipairs(group) do
        add(defs, item.type, item.schema)
        any[#any + 1] = ref(item.type)
      end
    end
    return ordered.json(object({
      { "$schema", DRAFT }, { "title", "What a Tidegate client receives" }, { "anyOf", any }, { "$defs", defs },
    }))
  end

  -- One of the documents; with `against`, a JSON Schema document of another set, what clients would notice
  -- instead: a text, and the number of breaking changes.
  local function document(format, against)
    local all = described.all()
    if against then
      local old = native.decode(against)
      if type(old) ~= "table" or type(old["$defs"]) ~= "table" then
        error("it is no JSON Schema document made by `tidegate schema`", 0)
      end
      return require("compat").text(old, native.decode(described.json_schema(all)))
    end
    if format == "json-schema" then return described.json_schema(all), 0 end
    if format == "asyncapi" then return require("asyncapi")(all, native.version), 0 end
    if format == "typescript" then return require("typescript")(all), 0 end
    error(("there is no format \"%s\"; there are json-schema, asyncapi and typescript"):format(format), 0)
  end

  -- The rules whose payload a function makes without saying what: one sentence each.
  local function undeclared()
    local out = {}
    for _, rule in ipairs(rt.rules) do
      local open = is_open(rule) and not (rule.is_snapshot and not rule.payload)
      if open then
        out[#out + 1] = ('%s: rule "%s": a function makes its payload; with `schema` it could be described'):format(
          rule.where, rule.name)
      end
    end
    return table.concat(out, "\n")
  end

  -- For C: the text, the number of breaking changes, and the sentences about what is not declared.
  function described.describe(format, against)
    local text, breaking = document(format, against)
    return text, breaking, undeclared()
  end

  return described
end
