-- rule "name" { … }: what an author declares, checked before it may run.
return function(rt)
  local native, names, shape, view = rt.native, rt.names, rt.shape, rt.view
  local keys = {
    watch = "table", on = "any", only = "function", detect = "function", payload = "any", type = "string",
    lane = "string", to = "function", every = "number", schema = "table", version = "number", migrate = "function",
  }
  local key_list, moment_kinds, moment_list = {}, {}, {}
  for key in pairs(keys) do
    key_list[#key_list + 1] = key
  end
  table.sort(key_list)
  for kind, name in pairs(native.moments) do
    moment_kinds[name] = kind
    moment_list[#moment_list + 1] = name
  end

  local rule = {
    drafts = setmetatable({}, { __mode = "k" }), -- what `rule` returned → the rule
    kinds = moment_kinds,
  }

  -- A sentence about a rule, with the place where it is declared: not error's own, because
  -- `return rule "x" { … }` is a tail call, which leaves no line behind.
  local function refuse(new, text, ...)
    error(('%s: rule "%s": '):format(new.where, new.name) .. text:format(...), 0)
  end

  local function is_name(name)
    return type(name) == "string" and #name <= 64 and name:find("^[%w_.-]+$") ~= nil
  end

  rule.is_name = is_name

  local function check_keys(new, spec)
    for key, value in pairs(spec) do
      local expected = keys[key]
      if not expected then refuse(new, "%s", names.missing("key", key, key_list)) end
      if expected ~= "any" and type(value) ~= expected then
        refuse(new, "%s must be a %s, not a %s", key, expected, type(value))
      end
    end
  end

  -- What was written where a name belongs, for a sentence: an address of a table helps nobody.
  local function written(value)
    if type(value) == "string" or type(value) == "number" or type(value) == "boolean" then return tostring(value) end
    return "a " .. type(value)
  end

  local function check_watch(new, watch)
    local fields, listed = {}, {}
    for i, field_name in ipairs(watch) do
      local field = names.field("account", field_name)
      if not field then refuse(new, "watch: %s", names.unknown({ "account" }, field_name)) end
      fields[i], listed[i] = field.index, field_name
    end
    if #fields == 0 or next(watch, #fields) ~= nil then refuse(new, "watch is a list of field names") end
    return fields, listed
  end

  local function check_on(new, on)
    local list = type(on) == "table" and on or { on }
    local out, seen = {}, {}
    for _, moment in ipairs(list) do
      if not moment_kinds[moment] then
        refuse(new, "on: %s", names.missing("moment", written(moment), moment_list))
      end
      if not seen[moment] then out[#out + 1] = moment end
      seen[moment] = true
    end
    if #out == 0 then refuse(new, "on names a moment, or is a list of them") end
    if seen.snapshot and #out > 1 then refuse(new, 'on: "snapshot" stands alone') end
    return out
  end

  local function check_snapshot(new, spec)
    if spec.payload == nil then refuse(new, "a snapshot needs a payload") end
    for _, key in ipairs({ "only", "detect", "to", "every", "lane", "type" }) do
      if spec[key] ~= nil then refuse(new, "a snapshot has no `%s`", key) end
    end
  end

  local function params(f)
    local info = debug.getinfo(f, "u")
    return info.isvararg and math.huge or info.nparams
  end

  -- The rule behind a declaration. Functions are kept as they are; shapes are compiled when all files
  -- are known, because the envelope decides which names are free.
  local function draft(name, spec, where, line, file)
    local new = { name = name, where = where, line = line, file = file }
    new.programs, new.trees, new.memories, new.rests, new.spans = {}, {}, {}, {}, {}
    if type(spec) ~= "table" then refuse(new, "a table is expected") end
    check_keys(new, spec)
    if (spec.watch == nil) == (spec.on == nil) then refuse(new, "it needs `watch` or `on`, and not both") end
    if spec.watch then
      new.watch, new.watched = check_watch(new, spec.watch)
    end
    new.moments = spec.on and check_on(new, spec.on) or {}
    new.type = spec.type or name
    if not is_name(new.type) then refuse(new, "type is 1 to 64 letters, digits, '_', '.' or '-'") end
    new.latest = spec.lane == "latest"
    if spec.lane ~= nil and spec.lane ~= "ordered" and not new.latest then
      refuse(new, 'lane is "ordered" or "latest"')
    end
    if spec.every ~= nil then
      if not (spec.every > 0 and spec.every <= 86400) then refuse(new, "every is a number of seconds up to 86400") end
      new.every_ms = spec.every * 1000
    end
    if type(spec.payload) == "function" then
      new.payload = spec.payload
    elseif type(spec.payload) == "table" then
      new.spec = spec.payload
    elseif spec.payload ~= nil then
      refuse(new, "payload is a function or a shape, not a %s", type(spec.payload))
    end
    if spec.schema then
      if new.spec or not (new.payload or spec.detect) then refuse(new, "schema: a shape says itself what it holds") end
      local good, tree = pcall(rt.schema.read, spec.schema)
      if not good then refuse(new, "%s", type(tree) == "table" and tree.schema or tree) end
      new.schema = tree
    end
    if spec.version and (spec.version ~= spec.version or math.abs(spec.version) == math.huge) then
      refuse(new, "version is a number")
    end
    if spec.migrate and not spec.version then
      refuse(new, "migrate needs a `version`: without one it is never called")
    end
    new.is_snapshot = new.moments[1] == "snapshot"
    if new.is_snapshot then check_snapshot(new, spec) end
    new.only, new.detect, new.to = spec.only, spec.detect, spec.to
    new.version, new.migrate = spec.version or 1, spec.migrate
    new.thinks = (new.only or new.detect or new.payload) ~= nil
    local before = spec.watch and 2 or 1 -- arguments in front of `memory`
    new.remembers = (new.detect and params(new.detect) > before)
      or (not spec.watch and new.payload and params(new.payload) > before) or false
    return new
  end

  -- Whether no function of a rule may keep the account, so that it can be lent one.
  local function lends(new)
    local keeps, at = view.keeps, new.watch and 0 or 2
    local function reads(f, first, last)
      for argument = first, last do
        if f and keeps(f, argument) then return false end
      end
      return true
    end
    local last = new.watch and 1 or at
    return reads(new.only, 0, 0) and reads(new.detect, at, last) and reads(new.payload, at, last)
  end

  -- The word `rule` for a file.
  function rule.word(file)
    return function(name)
      if not is_name(name) then error("rule: its name is 1 to 64 letters, digits, '_', '.' or '-'", 2) end
      local info = debug.getinfo(2, "Sl")
      local where = info.short_src .. ":" .. info.currentline
      return function(spec)
        local new = draft(name, spec, where, info.currentline, file)
        local handle = setmetatable({}, { __metatable = false, __tostring = function() return "rule " .. name end })
        rule.drafts[handle] = new
        file.declared[#file.declared + 1] = new
        return handle
      end
    end
  end

  -- Compiles a rule's shape for each of its moments; an error says file and line. `trees` keeps what a
  -- message of each looks like, for whoever describes it (lua/shape.lua).
  function rule.compile(new)
    local function compile(kind)
      local good, tree, program = pcall(function()
        local read = shape.read(new.spec or shape.default(kind, new.watched), kind)
        return read, rt.program(read)
      end)
      if not good then
        if type(tree) ~= "table" then error(tree, 0) end
        refuse(new, "%s", tree.shape)
      end
      local taken = not new.is_snapshot and rt.envelope.taken(tree)
      if taken then refuse(new, "payload.%s: that name is the gateway's own", taken) end
      new.trees[kind] = tree
      return program
    end
    new.lends = lends(new)
    local declared = new.schema and not new.is_snapshot and rt.envelope.taken(new.schema)
    if declared then refuse(new, "schema.%s: that name is the gateway's own", declared) end
    if new.payload then return end
    if new.watch then new.programs.watch = compile("watch") end
    for _, moment in ipairs(new.moments) do
      new.programs[moment_kinds[moment]] = compile(moment)
    end
  end

  return rule
end
