-- The rule sets that ship: each is proved by examples of its own, and those that are meant to stand side by side do.
local layers = require("support.layers")
local rules = require("support.rules")

local sets = { "default", "drawdown", "exposure", "large_trade", "margin_zones", "quiet", "reshaped" }

describe("the shipped rule sets", function()
  local engine

  after_each(function()
    if engine then engine:free() end
    engine = nil
  end)

  it("are these", function()
    local found = {}
    for _, path in ipairs(layers.files("plugins/rules", "%.lua$")) do
      found[path:match("^plugins/rules/([%w_]+)/")] = true
    end
    for _, name in ipairs(sets) do
      assert.is_true(found[name], name)
      found[name] = nil
    end
    assert.is_nil(next(found))
  end)

  for _, name in ipairs(sets) do
    it("load, with their examples: " .. name, function()
      engine = rules.engine({ "plugins/rules/" .. name })
      assert(engine:load())
    end)
  end

  it("have an example for every rule", function()
    for _, path in ipairs(layers.files("plugins/rules", "%.lua$")) do
      local text = layers.read(path)
      for name in text:gmatch('\n%s*rule "([%w_.]+)"') do
        assert.truthy(text:find('expect "' .. name .. '"', 1, true), path .. ": " .. name)
      end
    end
  end)

  it("stand side by side", function()
    local all = {}
    for i, name in ipairs({ "default", "drawdown", "exposure", "large_trade", "margin_zones" }) do
      all[i] = "plugins/rules/" .. name
    end
    engine = rules.engine(all)
    assert(engine:load())
  end)

  it("let the quiet one take the place of the default's figures", function()
    engine = rules.engine({ "plugins/rules/default/positions.lua", "plugins/rules/default/snapshot.lua", "plugins/rules/quiet" })
    assert(engine:load())
    local account = rules.account("demo-1")
    assert.equal(1, #engine:run(account:poll({ equity = 1 })))
    assert.equal(0, #engine:run(account:poll({ equity = 2 })))
  end)
end)
