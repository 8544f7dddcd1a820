local rules = require("support.rules")

describe("docs/rules.md", function()
  local file = assert(io.open((os.getenv("TIDEGATE_SOURCE") or ".") .. "/docs/rules.md"))
  local text = file:read("*a")
  file:close()

  local blocks = {}
  for block in text:gmatch("\n```lua\n(.-)\n```") do
    blocks[#blocks + 1] = block
  end

  it("has examples", function()
    assert.is_true(#blocks >= 8)
  end)

  for i, block in ipairs(blocks) do
    it("example " .. i .. " loads, and runs without a fault", function()
      local folder = rules.folder({ ["example.lua"] = block })
      local engine = rules.engine({ folder.path })
      assert(engine:load())
      local account = rules.account("demo-1", { margin = 100, margin_level = 500, trade_allowed = 1 })
      account:set_positions({ rules.position() })
      local moments = {
        { kind = "TG_MOMENT_POSITION_CLOSED", position = rules.position(), about = { net_profit = -900 } },
        { kind = "TG_MOMENT_POSITION_OPENED", position = rules.position() },
        { kind = "TG_MOMENT_BALANCE_OPERATION", deal = { action = "balance", profit = 10 } },
      }
      local said = #engine:run(account:poll({ balance = 1, equity = 20000, margin_level = 90, profit = 5 }, moments))
      assert.is_true(said >= 1)
      for name in block:gmatch('rule "([%w_]+)"') do
        assert.equal(0, engine:rule(name).faults, name)
      end
      engine:free()
      folder:remove()
    end)
  end

  it("has examples that are really run: with another outcome none of them holds", function()
    local proved = 0
    for _, block in ipairs(blocks) do
      for _ in block:gmatch("\nexpect ") do
        proved = proved + 1
      end
      if block:find("\nexpect ", 1, true) then
        local folder = rules.folder({ ["example.lua"] = (block:gsub("gives = {", "gives = { unheard_of = 1,")) })
        local engine = rules.engine({ folder.path })
        local good, why = engine:load()
        assert.is_nil(good)
        assert.truthy(why:find("gives.unheard_of: expected 1, got nothing", 1, true), why)
        engine:free()
        folder:remove()
      end
    end
    assert.is_true(proved >= 4)
  end)

  it("names every field there is", function()
    local C = rules.C
    for row, entity in pairs({
      account = C.tg_account_entity, position = C.tg_position_entity, order = C.tg_order_entity, deal = C.tg_deal_entity,
      ["a moment's own"] = C.tg_moment_entity,
    }) do
      local line = assert(text:match("\n| " .. row:gsub("%p", "%%%0") .. " | ([^\n]+)"), row)
      for i = 0, entity.count - 1 do
        local name = require("ffi").string(entity.fields[i].name)
        assert.truthy(line:find("`" .. name .. "`", 1, true), row .. " " .. name)
      end
    end
  end)
end)
