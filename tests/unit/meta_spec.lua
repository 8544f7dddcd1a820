local meta = require("support.meta")

local function read(path)
  local file = assert(io.open((os.getenv("TIDEGATE_SOURCE") or ".") .. "/" .. path))
  local text = file:read("*a")
  file:close()
  return text
end

-- What the sandbox gives a file, by the sandbox itself; its parts are stand-ins.
local function environment()
  local function part(with)
    return setmetatable(with or {}, { __index = function() return function() end end })
  end
  local rt = {
    names = part(), native = {}, bounded = require("bounded"), words = part(), expect = part(), rule = part(),
    envelope = part(), std = part({ log_of = function() return print end }),
  }
  local out = {}
  for name, value in pairs(require("sandbox")(rt).environment({ name = "a.lua", stem = "a" })) do
    out[name] = true
    if type(value) == "table" and name ~= "nothing" and name ~= "any" then
      for member in pairs(value) do
        out[name .. "." .. member] = true
      end
    end
  end
  return out
end

local function declared(text)
  local out = {}
  for name in text:gmatch("\nfunction ([%w_.]+)") do
    out[name] = true
  end
  for name in text:gmatch("\n([%w_.]+) = ") do
    out[name] = true
  end
  return out
end

local function fields_of(text, class)
  local out = {}
  for name in text:match("%-%-%-@class " .. class .. "[^\n]*\n(.-)\n\n"):gmatch("%-%-%-@field ([%w_]+)%??") do
    out[name] = true
  end
  return out
end

-- What is in one set and not in the other, as a sentence; "" when they are equal.
local function difference(a, b)
  local out = {}
  for name in pairs(a) do
    if not b[name] then out[#out + 1] = "not declared: " .. name end
  end
  for name in pairs(b) do
    if not a[name] then out[#out + 1] = "not there: " .. name end
  end
  table.sort(out)
  return table.concat(out, ", ")
end

-- The keys of a table that stands in a source: `name = { key = …, key = … }`.
local function keys_of(path, name)
  local out = {}
  for key in read(path):match("local " .. name .. " = (%b{})"):gmatch("([%w_]+) = ") do
    out[key] = true
  end
  return out
end

describe("the declarations for editors", function()
  local words = read("lua/meta/rules.lua") .. read("lua/meta/lua.lua")

  it("are Lua", function()
    for _, path in ipairs({ "lua/meta/rules.lua", "lua/meta/lua.lua", meta.path }) do
      assert(loadstring(read(path), "@" .. path))
    end
  end)

  it("have every word that a rule file sees, and no other", function()
    assert.equal("", difference(environment(), declared(words)))
  end)

  it("have the fields of the core's list; ./dev meta writes them anew", function()
    assert.equal(meta.text(), read(meta.path))
  end)

  it("have the keys of a rule and of an example", function()
    assert.equal("", difference(keys_of("lua/rule.lua", "keys"), fields_of(words, "%(exact%) tidegate.Rule")))
    assert.equal("", difference(keys_of("lua/expect.lua", "steps_keys"), fields_of(words, "%(exact%) tidegate.Step")))
    assert.equal("", difference(keys_of("lua/expect.lua", "whole_keys"), fields_of(words, "tidegate.Example")))
  end)

  it("are where the settings for the editor look for them", function()
    local path = read("plugins/rules/.luarc.json"):match('"workspace.library": %["([^"]+)"%]')
    assert.truthy(read("plugins/rules/" .. path .. "/rules.lua"))
  end)
end)
