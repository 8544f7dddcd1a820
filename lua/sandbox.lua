-- The sandbox: an environment for one file, made of what is allowed and nothing else.
--
-- Every file has copies of its own, so no file can change a function under another. Libraries that reach
-- out (io, os, ffi, debug, jit, package, require), that run code where it cannot be stopped (coroutine,
-- xpcall, newproxy, setmetatable) or that load it (load, loadstring, dofile, string.dump) are not there;
-- neither is chance (math.random): the same polls must give the same events.
local allowed = {
  "assert", "error", "ipairs", "next", "pairs", "pcall", "select", "tonumber", "tostring", "type", "unpack",
}
local libraries = {
  math = {
    "abs", "acos", "asin", "atan", "atan2", "ceil", "cos", "cosh", "deg", "exp", "floor", "fmod", "frexp", "huge",
    "ldexp", "log", "log10", "max", "min", "modf", "pi", "pow", "rad", "sin", "sinh", "sqrt", "tan", "tanh",
  },
  string = { "byte", "char", "len", "lower", "reverse", "sub", "upper" },
  table = {}, -- all of it is bounded's
  bit = { "arshift", "band", "bnot", "bor", "bswap", "bxor", "lshift", "rol", "ror", "rshift", "tobit", "tohex" },
}

local helpers = { "percent", "crossed", "throttle", "pick", "diff", "iso8601", "now", "json", "list" }

return function(rt)
  local names, std, words, native, expect = rt.names, rt.std, rt.words, rt.native, rt.expect
  local sandbox = {}

  -- Settings of the configuration: { file = { option = value } }; `used` are those that were asked for.
  local settings, used = {}, {}
  if native.settings then
    settings = native.decode(native.settings)
    if type(settings) ~= "table" then error("the rules' settings are no JSON object", 0) end
  end

  -- Words that declare something are for the loading of their file: a rule that says them later would
  -- change the set under the others.
  local function declares(file, word, f)
    return function(...)
      if not file.loading then error(word .. ": only while its file is loaded, outside of all functions", 2) end
      return f(...)
    end
  end

  local function option_of(file)
    local own = settings[file.stem]
    if file.copied then own = file.settings end
    if own ~= nil and type(own) ~= "table" then error(('settings: "%s" is no table'):format(file.stem), 0) end
    return function(name, default)
      if type(name) ~= "string" then error("option: a name is expected first", 2) end
      local kind = type(default)
      if kind ~= "number" and kind ~= "string" and kind ~= "boolean" then
        error(('option "%s": its default is a number, a text, true or false'):format(name), 2)
      end
      local value = own and own[name]
      used[file.stem .. "." .. name] = true
      if file.asked then file.asked[name] = true end
      if value == nil then return default end
      if type(value) ~= kind then
        error(('option "%s": %s a %s, a %s is expected'):format(name,
          file.copied and "the example gives" or "the configuration gives", type(value), kind), 2)
      end
      return value
    end
  end

  -- A sentence about a setting that no file asks for, or nil.
  function sandbox.unused()
    local known = {}
    for name in pairs(used) do
      known[#known + 1] = name
    end
    table.sort(known)
    for stem, own in pairs(settings) do
      if type(own) ~= "table" then return ('settings: "%s" is no table'):format(tostring(stem)) end
      for name in pairs(own) do
        local full = tostring(stem) .. "." .. tostring(name)
        if not used[full] then return "settings: " .. names.missing("option", full, known) end
      end
    end
  end

  -- The environment of a file { name, path, stem, declared }.
  function sandbox.environment(file)
    local env = {}
    for _, name in ipairs(allowed) do
      env[name] = _G[name]
    end
    env.tostring = rt.bounded.tostring
    for library, members in pairs(libraries) do
      env[library] = {}
      for _, name in ipairs(members) do
        env[library][name] = _G[library][name]
      end
    end
    for library, members in pairs(rt.bounded) do
      if type(members) == "table" then
        for name, f in pairs(members) do
          env[library][name] = f
        end
      end
    end
    for _, name in ipairs(helpers) do
      env[name] = std[name]
    end
    for _, name in ipairs({ "const", "changes", "positions", "orders", "when", "unless", "round" }) do
      env[name] = words[name]
    end
    env.log = file.copied and function() end or std.log_of(file.name)
    env.print = env.log
    env.option = declares(file, "option", option_of(file))
    env.rule = declares(file, "rule", rt.rule.word(file))
    env.expect = declares(file, "expect", expect.word(file))
    env.including = declares(file, "including", expect.including)
    env.nothing, env.any = expect.nothing, expect.any
    env.envelope = declares(file, "envelope", function(spec)
      file.enveloped = true
      if file.copied then return end
      local info = debug.getinfo(2, "Sl")
      rt.envelope.declare(spec, info.short_src .. ":" .. info.currentline)
    end)
    local known = {}
    for name in pairs(env) do
      known[#known + 1] = name
    end
    table.sort(known)
    return setmetatable(env, {
      __metatable = false,
      __index = function(_, name)
        error(names.missing("name", name, known), 2)
      end,
    })
  end

  return sandbox
end
