-- expect "rule" { … }: an author's examples, run before the file may go live. Here are its words and its
-- keys; `scene` builds what an example shows to the rule, `proof` runs it.
--
--   expect "margin_zone" { was = { margin_level = 160 }, now = { margin_level = 140 }, gives = { zone = "warn" } }
--
-- One step, or a list of steps that follow each other; what stands beside a list holds for all of it.
local steps_keys = {
  was = "table", now = "table", moment = "table", client = "table", remembers = "table",
  at = "any", after = "number", gives = "any", reaches = "boolean",
}
local whole_keys = { memory = "table", options = "table" }

return function(rt)
  local names = rt.names
  local expect = { declared = {} }

  -- Marks: words that stand where a value is expected.
  local kinds = {}
  for _, kind in ipairs({ "nothing", "any", "including" }) do
    local function refuse_write() error(kind .. " cannot be changed", 2) end
    kinds[kind] = { kind = kind, __metatable = false, __newindex = refuse_write }
  end

  -- What kind of mark a value is, or nil.
  function expect.mark_of(value)
    local meta = type(value) == "table" and debug.getmetatable(value)
    return meta and kinds[meta.kind] == meta and meta.kind or nil
  end

  expect.nothing = setmetatable({}, kinds.nothing) -- no event; of a field: not known
  expect.any = setmetatable({}, kinds.any) -- some value, whichever

  -- A table that may have more members than are named.
  local members_of = setmetatable({}, { __mode = "k" })
  function expect.including(members)
    if type(members) ~= "table" or expect.mark_of(members) then error("including: a table is expected", 2) end
    local mark = setmetatable({}, kinds.including)
    members_of[mark] = members
    return mark
  end
  function expect.members(mark) return members_of[mark] end

  -- The word `expect` for a file. What it returns may stand in the list that a file returns.
  function expect.word(file)
    return function(name)
      if not rt.rule.is_name(name) then error("expect: the name of a rule is expected", 2) end
      local info = debug.getinfo(2, "Sl")
      local new = { rule = name, file = file, where = info.short_src .. ":" .. info.currentline }
      return function(spec)
        if type(spec) ~= "table" then error(('%s: expect "%s": a table is expected'):format(new.where, name), 0) end
        new.spec = spec
        if not file.copied then expect.declared[#expect.declared + 1] = new end
        local handle = setmetatable({}, { __metatable = false, __tostring = function() return "expect " .. name end })
        file.examples[handle] = true
        return handle
      end
    end
  end

  function expect.refuse(new, text, ...)
    error(('%s: expect "%s": '):format(new.where, new.rule) .. text:format(...), 0)
  end

  local function check(new, spec, keys, prefix)
    local list = {}
    for key in pairs(keys) do
      list[#list + 1] = key
    end
    table.sort(list)
    for key, value in pairs(spec) do
      local expected = keys[key]
      if not expected then expect.refuse(new, "%s%s", prefix, names.missing("key", key, list)) end
      if expected ~= "any" and (type(value) ~= expected or expect.mark_of(value)) then
        expect.refuse(new, "%s%s must be a %s, not %s", prefix, key, expected,
          expect.mark_of(value) and "`" .. expect.mark_of(value) .. "`" or "a " .. type(value))
      end
    end
  end

  local function merged(...)
    local out = {}
    for i = 1, select("#", ...) do
      for key, value in pairs((select(i, ...))) do
        if type(key) == "string" then out[key] = value end
      end
    end
    return out
  end

  -- The steps of an example, checked: { { prefix = "step 2: ", now = …, … }, … }.
  function expect.steps(new)
    local spec, out, looks = new.spec, {}, false
    local n = #spec
    if n == 0 then
      check(new, spec, merged(steps_keys, whole_keys), "")
      out[1] = merged(spec, { prefix = "" })
    else
      for key in pairs(spec) do
        if type(key) == "number" and not (key >= 1 and key <= n and key % 1 == 0) then
          expect.refuse(new, "its list of steps has gaps")
        end
      end
      -- What a step says alone: beside the list it would be said of no step or of all.
      check(new, merged(spec), { was = "table", client = "table", memory = "table", options = "table" }, "")
      for i = 1, n do
        local prefix = ("step %d: "):format(i)
        if type(spec[i]) ~= "table" then expect.refuse(new, "%sa table is expected", prefix) end
        if spec[i].options ~= nil or spec[i].memory ~= nil then
          expect.refuse(new, "%soptions and memory stand beside the list of steps", prefix)
        end
        check(new, spec[i], steps_keys, prefix)
        out[i] = merged({ client = spec.client, was = i == 1 and spec.was or nil }, spec[i], { prefix = prefix })
      end
    end
    for _, step in ipairs(out) do
      looks = looks or step.gives ~= nil or step.remembers ~= nil or step.reaches ~= nil
    end
    if not looks then expect.refuse(new, "it expects nothing: say `gives`, `remembers` or `reaches`") end
    return out
  end

  return expect
end
