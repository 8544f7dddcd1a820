-- Whether clients of one set can live with another: the two JSON Schema documents are compared, member by
-- member. A change is breaking when a message of the new set may be what the old one's schema does not
-- allow, or when something that clients may rely on is gone. New messages and new members break nothing:
-- clients ignore what they do not know.
local function set_of(list)
  local out = {}
  for _, item in ipairs(list) do
    out[item] = true
  end
  return out
end

local function sorted_keys(t)
  local out = {}
  for key in pairs(t) do
    out[#out + 1] = key
  end
  table.sort(out)
  return out
end

-- The alternatives of a schema: one without a choice is its own.
local function alternatives(schema)
  return schema.anyOf or { schema }
end

local function types_of(schema)
  if type(schema.type) == "table" then return set_of(schema.type) end
  if schema.type then return { [schema.type] = true } end
  return nil -- any
end

-- The values that a schema allows, if it lists them.
local function values_of(schema)
  if schema.const ~= nil then return { schema.const } end
  return schema.enum
end

local function shown(schema)
  local values = values_of(schema)
  if values then
    local out = {}
    for i, value in ipairs(values) do
      out[i] = type(value) == "string" and '"' .. value .. '"' or tostring(value)
    end
    return table.concat(out, " | ")
  end
  local kind = schema.type
  if type(kind) == "table" then return table.concat(kind, " | ") end
  return kind or schema.anyOf and "one of several" or "anything"
end

local compare

local function compare_types(old, new, path, found)
  local was, is = types_of(old), types_of(new)
  if not was then return end
  if not is then
    if not values_of(new) then found(path, "was %s, may be anything now", shown(old)) end
    return
  end
  for _, kind in ipairs(sorted_keys(is)) do
    local allowed = was[kind] or (kind == "integer" and was.number)
    if not allowed then return found(path, "was %s, may be %s now", shown(old), shown(new)) end
  end
end

local function compare_values(old, new, path, found)
  local was, is = values_of(old), values_of(new)
  if not was then
    if is and old.type == "string" then return end -- fewer values than before
    return
  end
  if not is then return found(path, "was %s, may be %s now", shown(old), shown(new)) end
  local known = set_of(was)
  for _, value in ipairs(is) do
    if not known[value] then found(path, 'may be "%s" now, which it never was', tostring(value)) end
  end
end

local function compare_members(old, new, path, found)
  local was, is = old.properties or {}, new.properties or {}
  local needed = set_of(new.required or {})
  for _, name in ipairs(sorted_keys(was)) do
    local inner = path .. "." .. name
    if not is[name] then
      found(inner, "is gone")
    else
      local was_needed = set_of(old.required or {})[name]
      if was_needed and not needed[name] then found(inner, "was always there, may be missing now") end
      compare(was[name], is[name], inner, found)
    end
  end
  if type(old.additionalProperties) == "table" and type(new.additionalProperties) == "table" then
    compare(old.additionalProperties, new.additionalProperties, path .. ".*", found)
  elseif type(old.additionalProperties) == "table" then
    found(path .. ".*", "is gone")
  end
end

-- Every alternative of the new must fit one of the old.
local function compare_choices(old, new, path, found)
  for _, choice in ipairs(alternatives(new)) do
    local fits, faults
    for _, known in ipairs(alternatives(old)) do
      local these = {}
      compare(known, choice, path, function(...) these[#these + 1] = { ... } end)
      fits = fits or #these == 0
      if not faults or #these < #faults then faults = these end
    end
    if not fits then
      for _, fault in ipairs(faults or {}) do
        found(unpack(fault))
      end
    end
  end
end

function compare(old, new, path, found)
  if old.anyOf or new.anyOf then return compare_choices(old, new, path, found) end
  local count = 0
  local function counted(...)
    count = count + 1
    found(...)
  end
  if values_of(old) then
    compare_values(old, new, path, counted)
  else
    compare_types(old, new, path, counted)
  end
  if count > 0 then return end
  if old.properties or old.additionalProperties then compare_members(old, new, path, found) end
  if old.items and new.items then compare(old.items, new.items, path .. "[]", found) end
end

local compat = {}

-- Two decoded documents; { breaking = { sentence, … }, added = { sentence, … } }.
function compat.compare(old, new)
  local out = { breaking = {}, added = {} }
  local was, is = old["$defs"], new["$defs"]
  for _, name in ipairs(sorted_keys(was)) do
    if is[name] then
      compare(was[name], is[name], name, function(path, text, ...)
        out.breaking[#out.breaking + 1] = ("%s " .. text):format(path, ...)
      end)
    else
      out.breaking[#out.breaking + 1] = name .. " is gone: no rule sends it"
    end
  end
  for _, name in ipairs(sorted_keys(is)) do
    if not was[name] then out.added[#out.added + 1] = name .. " is new" end
    for member in pairs(was[name] and is[name].properties or {}) do
      if not (was[name].properties or {})[member] then
        out.added[#out.added + 1] = ("%s.%s is new"):format(name, member)
      end
    end
  end
  table.sort(out.added)
  return out
end

-- The same as lines, and the number of breaking changes.
function compat.text(old, new)
  local changes, out = compat.compare(old, new), {}
  for _, sentence in ipairs(changes.breaking) do
    out[#out + 1] = "breaking  " .. sentence
  end
  for _, sentence in ipairs(changes.added) do
    out[#out + 1] = "new       " .. sentence
  end
  if #out == 0 then out[1] = "nothing that clients would notice" end
  return table.concat(out, "\n") .. "\n", #changes.breaking
end

return compat
