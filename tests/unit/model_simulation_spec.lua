-- The model against seeded markets behind seeded faults (tests/simulation). A seed that breaks prints its story with
-- tests/simulation/run --seed N.
local world = require("simulation.world")

local SEEDS = 300

-- Seeds that broke once, by what they found; `plain`: before the simulation could do all that it does now.
local ONCE_BROKEN = {
  { "a trade of an outage longer than a minute, whose closing is listed after its opening has left that minute",
    { 4098, 4491, 17645, 25397 }, plain = true },
  { "a ticket that is used again while nobody has listed the deals of its life before",
    { 3672, 6227, 6709, 7593, 9894, 33788 }, plain = true },
  { "closing deals of a life before the first poll, under a ticket that is used again", { 3403, 8140 }, plain = true },
  { "an answer that a cache serves twice, taken for a second witness", { 11011, 12300, 14027, 15483, 16142, 38447, 38488 }, plain = true },
  { "an addition that a partial close takes off again, at a source without deals", { 19249 }, plain = true },
  { "an order that was placed and has ended in an outage, listed late", { 38844 }, plain = true },
  { "a position that the first answers lacked, and what was made of it before it was seen", { 7950, 18443, 23087, 25761, 27383 } },
  { "a reversal of one position, of the volume that another of the symbol had", { 32462 } },
  { "money that moved before the first answer and whose deal was listed after it", { 53862 } },
  { "deals that pay a part of what is owed and are no proof of the next close", { 56835 } },
  { "an order whose ending the history has, while the history cannot be read", { 637, 1044, 1700 } },
}

describe("the simulation", function()
  local script

  setup(function() script = world.rules() end)

  it("finds nothing told that did not happen, and nothing that happened untold", function()
    local sum, broken, kinds = { operations = 0, faults = 0, messages = 0, restarts = 0 }, {}, {}
    for seed = 1, SEEDS do
      local got, why = world.run(script, seed)
      for name in pairs(sum) do sum[name] = sum[name] + got[name] end
      kinds[got.kind] = (kinds[got.kind] or 0) + 1
      if why then broken[#broken + 1] = ("seed %d (%s): %s"):format(seed, got.kind, why) end
    end
    assert.equal("", table.concat(broken, "\n"))
    for name, n in pairs(sum) do assert.is_true(n > SEEDS / 10, "hardly any " .. name) end
    for _, kind in ipairs({ "server", "late", "terminal", "bare", "web" }) do assert.is_true(kinds[kind] > SEEDS / 10, kind) end
  end)

  for _, through in ipairs({ "rest", "raw", "bridge", "python", "service" }) do
    it("holds through the answers of a service, " .. through, function()
      local broken, faults = {}, 0
      for seed = 1, SEEDS / 10 do
        local got, why = world.run(script, seed, { through = through })
        faults = faults + got.faults
        if why then broken[#broken + 1] = ("seed %d: %s"):format(seed, why) end
      end
      assert.equal("", table.concat(broken, "\n"))
      assert.is_true(faults > SEEDS / 10)
    end)
  end

  for _, case in ipairs(ONCE_BROKEN) do
    it("holds with " .. case[1], function()
      for _, seed in ipairs(case[2]) do
        local _, why = world.run(script, seed, { plain = case.plain })
        assert.is_nil(why, "seed " .. seed)
      end
    end)
  end

  it("tells the same story of the same seed", function()
    local function story(seed, through)
      local lines = {}
      world.run(script, seed, { log = function(line) lines[#lines + 1] = line end, through = through })
      return (table.concat(lines, "\n"):gsub('"epoch":"[^"]*"', ""))
    end
    for seed = 1, 5 do
      for _, through in ipairs({ false, "rest", "raw", "bridge", "python", "service" }) do assert.equal(story(seed, through), story(seed, through)) end
    end
  end)

  describe("has a judge that", function()
    local judge = require("simulation.judge")
    local DEAL = { entry = "in", profit = 0, swap = 0, commission = 0, price = 110000 }
    local OUT = { entry = "out", profit = 1000, swap = 0, commission = 0, price = 120000 }
    local world_of = { deals = true, clock = true, hidden = {}, edge = function() return false end }
    local opened = { type = "position_opened", seq = 1, position = { position_id = 1, type = "buy", volume = 1 } }
    local closed = { type = "position_closed", seq = 2, position_id = 1, close_price = 1.2, net_profit = 10 }

    local function verdict(told)
      local steps = { [0] = { lots = 0 }, { lots = 100, deal = DEAL, closed = 0, time = 1 },
                      { lots = 0, deal = OUT, closed = 100, time = 2 } }
      local good, why = pcall(judge.positions, { steps = { steps } }, told, {}, world_of)
      return good or why
    end

    local function but(message, with)
      local out = {}
      for key, value in pairs(message) do out[key] = value end
      for key, value in pairs(with) do out[key] = value end
      return out
    end

    it("takes the truth", function() assert.is_true(verdict({ opened, closed })) end)
    it("misses what was not told", function()
      assert.truthy(verdict({ opened }):find("not all"))
      assert.truthy(verdict({}):find("not a word"))
    end)
    it("sees what was told twice", function() assert.truthy(verdict({ opened, closed, closed }):find("leads nowhere")) end)
    it("sees what never was", function()
      assert.truthy(verdict({ but(opened, { position = { position_id = 7, type = "buy", volume = 1 } }) }):find("never was"))
      assert.truthy(verdict({ but(opened, { position = { position_id = 1, type = "sell", volume = 1 } }) }):find("nowhere"))
    end)
    it("sees a wrong figure", function()
      assert.truthy(verdict({ opened, but(closed, { net_profit = 10.01 }) }):find("leads nowhere"))
      assert.truthy(verdict({ opened, but(closed, { close_price = 1.19 }) }):find("leads nowhere"))
    end)
  end)
end)
