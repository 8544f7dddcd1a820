local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("source", { "source/market.h" })

local SYMBOLS, HISTORY, STEP_MS = 12, 4096, 250

describe("market", function()
  local market

  before_each(function()
    market = C.tg_market_new(7)
  end)

  after_each(function()
    C.tg_market_free(market)
  end)

  it("names a dozen different symbols with sane contracts", function()
    local seen = {}
    for i = 0, SYMBOLS - 1 do
      local s = C.tg_symbols[i]
      local name = ffi.string(s.name)
      assert.is_nil(seen[name])
      seen[name] = true
      assert.is_true(s.digits >= 1 and s.digits <= 5, name)
      assert.is_true(s.contract > 0 and s.start > 0 and s.spread > 0 and s.margin_factor > 0, name)
      assert.is_true(s.spread < s.start / 1000, name)
    end
    for _, name in ipairs({ "EURUSD", "GBPUSD", "USDJPY", "XAUUSD", "US500", "BTCUSD" }) do
      assert.is_true(seen[name], name)
    end
  end)

  it("gives the same price to everybody who asks for the same step, in any order", function()
    C.tg_market_advance(market, 1000, 0)
    for i = 0, SYMBOLS - 1 do
      for _, step in ipairs({ 1000, 0, 517, 518, 999 }) do
        assert.equal(C.tg_market_bid_at(7, i, step), C.tg_market_bid(market, i, step))
      end
    end
  end)

  it("does not depend on how it came to a step", function()
    local other = C.tg_market_new(7)
    for step = 1, 6000 do
      C.tg_market_advance(market, step, step * STEP_MS)
    end
    C.tg_market_advance(other, 3, 0)
    C.tg_market_advance(other, 6000, 6000 * STEP_MS)
    assert.equal(C.tg_market_oldest(market), C.tg_market_oldest(other))
    for i = 0, SYMBOLS - 1 do
      for step = tonumber(C.tg_market_oldest(market)), 6000 do
        assert(C.tg_market_bid(market, i, step) == C.tg_market_bid(other, i, step))
      end
    end
    C.tg_market_free(other)
  end)

  it("differs from seed to seed and from symbol to symbol", function()
    local same = 0
    for step = 1, 200 do
      if C.tg_market_bid_at(7, 0, step) == C.tg_market_bid_at(8, 0, step) then same = same + 1 end
    end
    assert.is_true(same < 20)
  end)

  it("walks: steps have the symbol's volatility, and longer ones grow like a random walk's", function()
    for i = 0, SYMBOLS - 1 do
      local s = C.tg_symbols[i]
      local function deviation(stride)
        local sum, n = 0, 4000
        for k = 1, n do
          local from = 1000003 + k * 97
          local move = C.tg_market_bid_at(5, i, from + stride) - C.tg_market_bid_at(5, i, from)
          sum = sum + move * move
        end
        return math.sqrt(sum / n) / s.start
      end
      local one, hundred = deviation(1), deviation(100)
      local rounding = 1 / s.start
      assert.is_true(one > 0.7 * s.volatility and one < 1.3 * s.volatility + rounding, ffi.string(s.name))
      assert.is_true(hundred > 7 * s.volatility and hundred < 13 * s.volatility, ffi.string(s.name))
    end
  end)

  it("returns to its region: no price leaves a tenth around its start in a year", function()
    local year = 365 * 86400 * 4
    for i = 0, SYMBOLS - 1 do
      local s = C.tg_symbols[i]
      for k = 0, 5000 do
        local bid = C.tg_market_bid_at(3, i, math.floor(year * k / 5000))
        assert(math.abs(bid / s.start - 1) < 0.1, ffi.string(s.name))
      end
    end
  end)

  it("keeps a bounded history", function()
    C.tg_market_advance(market, HISTORY - 1, 0)
    assert.equal(0, tonumber(C.tg_market_oldest(market)))
    C.tg_market_advance(market, HISTORY, 0)
    assert.equal(1, tonumber(C.tg_market_oldest(market)))
    C.tg_market_advance(market, 10 * HISTORY, 0)
    assert.equal(9 * HISTORY + 1, tonumber(C.tg_market_oldest(market)))
  end)

  it("wakes from a year's sleep at once", function()
    local before = os.clock()
    C.tg_market_advance(market, 365 * 86400 * 4, 0)
    assert.is_true(os.clock() - before < 0.2)
    assert.equal(C.tg_market_bid_at(7, 3, 365 * 86400 * 4), C.tg_market_bid(market, 3, 365 * 86400 * 4))
  end)

  it("never goes back", function()
    C.tg_market_advance(market, 100, 1000000)
    C.tg_market_advance(market, 50, 5)
    assert.equal(100, tonumber(C.tg_market_step(market)))
    assert.equal(1000000, tonumber(C.tg_market_time(market, 100)))
  end)

  it("keeps the time that a step was given first", function()
    for _, step in ipairs({ 0, 100 }) do
      C.tg_market_advance(market, step, 1000000 + step * STEP_MS)
      C.tg_market_advance(market, step, 1000000 + step * STEP_MS - 1)
      C.tg_market_advance(market, step, 1000000 + step * STEP_MS + 1)
      assert.equal(1000000 + step * STEP_MS, tonumber(C.tg_market_time(market, step)))
    end
  end)

  it("dates its steps from the newest", function()
    C.tg_market_advance(market, 100, 1000000)
    assert.equal(1000000 - 10 * STEP_MS, tonumber(C.tg_market_time(market, 90)))
  end)

  it("asks more than it bids", function()
    for i = 0, SYMBOLS - 1 do
      assert.equal(C.tg_symbols[i].spread, C.tg_market_ask(market, i, 0) - C.tg_market_bid(market, i, 0))
    end
  end)

  it("converts currencies there and back", function()
    for from = 0, 6 do
      for to = 0, 6 do
        local there, back = C.tg_market_rate(market, 0, from, to), C.tg_market_rate(market, 0, to, from)
        assert.is_true(there > 0 and math.abs(there * back - 1) < 1e-12)
      end
    end
    assert.equal(1, C.tg_market_rate(market, 0, 4, 4))
    assert.is_true(C.tg_market_rate(market, 0, 0, 4) > 100)
    assert.equal(0, C.tg_currency_digits(4))
    assert.equal("JPY", ffi.string(C.tg_currency_name(4)))
  end)
end)
