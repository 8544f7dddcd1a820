-- Files become rules here, and rules become known to C.
local places = { RULE = 0, ONLY = 1, DETECT = 2, PAYLOAD = 3, TO = 4 }
local interpret = require("interpreted")
local functions = { only = places.ONLY, detect = places.DETECT, payload = places.PAYLOAD, to = places.TO }

return function(rt)
  local work, rule, sandbox = rt.work, rt.rule, rt.sandbox
  local loader = {}
  local by_name = {}
  local fallback -- the built-in snapshot rule

  local function take(file, value)
    local new = rule.drafts[value]
    if not new then
      error(file.name .. ': the file must return a rule, or a list of them: begin with `return rule "name" { … }`', 0)
    end
    new.returned = true
    return new
  end

  -- The rules of a file, by what it returned: a rule, a list of rules and examples, or nothing, which
  -- stands for all that it declared.
  local function rules_of(file, result)
    local out = {}
    if result == nil and #file.declared > 0 then return file.declared end
    if rule.drafts[result] then
      out[1] = take(file, result)
    elseif type(result) == "table" then
      for _, value in ipairs(result) do
        if not file.examples[value] then out[#out + 1] = take(file, value) end
      end
    end
    for _, declared in ipairs(file.declared) do
      if not declared.returned then
        error(('%s: rule "%s" is declared but not returned'):format(declared.where, declared.name), 0)
      end
    end
    if #out == 0 and not file.enveloped then take(file, result) end
    return out
  end

  -- Runs a file's text in an environment of its own; its rules, and the environment.
  local function run(file)
    local chunk, why = loadstring(file.text, "@" .. file.name)
    if not chunk then error(why, 0) end
    interpret(chunk)
    local env = sandbox.environment(file)
    file.loading = true
    local result = setfenv(chunk, env)()
    file.loading = false
    return rules_of(file, result), env
  end

  -- Runs a file. `builtin`: only its snapshot rule is wanted, for sets that have none.
  function loader.load(text, name, path, builtin)
    local file = { name = name, path = path, stem = name:sub(1, -5), text = text, declared = {}, examples = {} }
    file.copied = builtin -- its examples are proved where the set is its own
    if text:byte(1) == 27 then error(name .. ": compiled Lua is not accepted", 0) end
    local rules, env = run(file)
    if builtin then
      fallback = rules[1]
      return
    end
    for _, new in ipairs(rules) do
      local other = by_name[new.name]
      if other then
        error(('%s: rule "%s" is also declared at %s (%s and %s)'):format(new.where, new.name, other.where, path,
          other.file.path), 0)
      end
      by_name[new.name] = new
      new.env = env
      new.index = #rt.rules
      rt.rules[#rt.rules + 1] = new
    end
  end

  -- Runs a file once more, for an example: the rules of it, which share nothing with those that go live.
  -- `settings` are the example's options; all others have their defaults. Also which options it asked for.
  function loader.copy(file, settings)
    local copy = {
      name = file.name, path = file.path, stem = file.stem, text = file.text, declared = {}, examples = {},
      copied = true, settings = settings, asked = {},
    }
    local out = {}
    for _, new in ipairs((run(copy))) do
      out[new.name] = new
    end
    return out, copy.asked
  end

  -- The rule of that name that goes live, or nil.
  function loader.rule(name) return by_name[name] end

  local function enlist(new)
    local index = work.rule(work, new.name, new.file.name, new.file.path, new.type, new.latest and 1 or 0,
      new.to and 1 or 0, new.every_ms and math.ceil(new.every_ms) or 0)
    if index ~= new.index then error("more rules than the gateway takes (4096), or no memory", 0) end
    work.place(work, index, places.RULE, new.line)
    for name, which in pairs(functions) do
      if type(new[name]) == "function" then
        work.place(work, index, which, debug.getinfo(new[name], "S").linedefined)
      end
    end
    if not new.thinks and not new.every_ms and not new.is_snapshot then
      if new.watch then work.plain(work, index, -1, new.programs.watch) end
      for _, moment in ipairs(new.moments) do
        work.plain(work, index, rule.kinds[moment], new.programs[rule.kinds[moment]])
      end
    end
    for _, field in ipairs(new.watch or {}) do
      work.watch(work, index, field)
    end
    for _, moment in ipairs(new.moments) do
      work.on(work, index, rule.kinds[moment])
    end
  end

  -- After the last file. The snapshot's rule (or -1), its shape (or -1), the built-in shape, the envelope.
  function loader.finish()
    local maker
    for _, new in ipairs(rt.rules) do
      if not new.is_snapshot and rt.envelope.names.type == "type" and rt.envelope.own_messages[new.type] then
        error(('%s: rule "%s": type "%s" is that of a message of the gateway\'s own: give it another `type`'):format(
          new.where, new.name, new.type), 0)
      end
      rule.compile(new)
      enlist(new)
      if new.is_snapshot then
        if maker then
          error(('%s: rule "%s" makes the snapshot already, at %s'):format(new.where, maker.name, maker.where), 0)
        end
        maker = new
      end
    end
    local unused = sandbox.unused()
    if unused then error(unused, 0) end
    rule.compile(fallback)
    local kind = rule.kinds.snapshot
    rt.maker = maker
    rt.live = true
    return maker and maker.index or -1, (maker or fallback).programs[kind] or -1, fallback.programs[kind],
      rt.envelope.names
  end

  -- The built-in snapshot rule, for sets that have none.
  function loader.fallback() return fallback end

  return loader
end
