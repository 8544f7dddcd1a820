local preemption = require("support.preemption")
local rules = require("support.rules")

-- The long run is a benchmark: luajit tests/bench/preemption.lua
describe("a VM whose rules are stopped a hundred times", function()
  local ROUNDS, BUDGET_MS = 10, 60 -- under a sanitizer a check and the runaway's garbage it sweeps take their time

  for _, mode in ipairs({ "compiled", "interpreted" }) do
    it("is as good as new, " .. mode, function()
      rules.C.tg_leash_muffle(mode == "interpreted")
      local good, got = pcall(preemption.run, ROUNDS, BUDGET_MS)
      rules.C.tg_leash_muffle(false)
      assert(good, got)
      assert.equal(mode == "compiled", got.jit)
      assert.equal(ROUNDS * 10, got.preemptions)
      assert.same({}, got.innocents)
      assert.same({}, got.strange)
      assert.equal(ROUNDS * 11, got.checks)
      assert.equal(0, got.bad)
      assert.equal(0, got.bytes_lost)
    end)
  end
end)
