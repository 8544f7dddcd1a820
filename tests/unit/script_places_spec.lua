local rules = require("support.rules")

describe("a rule", function()
  it("cannot tell where in memory something lies, but still what it is", function()
    local folder = rules.folder({ ["a.lua"] = [[
      return rule "a" { watch = { "balance" }, payload = function(now)
        return { all = {
          tostring({}), tostring(print), tostring(now), ("%s and %s"):format({}, 1), string.format("%-8s|%5.1f", {}, 2),
          tostring(nil), tostring(1.5), tostring("x: 0x12"), ("%s"):format("table: 0x1"), ("%d%%"):format(7),
          select(2, pcall(string.format, "%d", {})), select(2, pcall(error, {})) and "caught",
        } }
      end }]] })
    local engine = rules.engine({ folder.path })
    assert(engine:load())
    local account = rules.account("demo-1")
    engine:run(account:poll({ balance = 1 }))
    local events = engine:run(account:poll({ balance = 2 }))
    assert.equal(1, #events)
    local payload = events[1].payload
    assert.is_nil(payload:find("0x%x%x%x%x"), payload)
    for _, part in ipairs({ '"table"', '"table and 1"', '"table   |  2.0"', '"nil"', '"1.5"', '"x: 0x12"', '"table: 0x1"', '"7%"',
                            "number expected, got " }) do
      assert.is_truthy(payload:find(part, 1, true), part .. " in " .. payload)
    end
    engine:free()
    folder:remove()
  end)
end)
