local model = require("support.model")

describe("lifecycle", function()
  local a

  before_each(function()
    a = model.new()
  end)

  -- One account with position 1 (one lot) and a balance, seen once.
  local function begin(positions)
    assert.equal(0, a:poll({ account = { balance = 1000 }, positions = positions or { {} } }))
  end

  local function poll(what)
    assert.equal(0, a:poll(what))
    return a:told()
  end

  describe("first and next", function()
    it("tells nothing of what was there before", function()
      assert.equal("", poll({ positions = { {}, { position_id = 2 } }, deals = { { ticket = 9, at = 0 } } }))
      assert.equal("1 2", a:ids())
    end)

    it("tells nothing when nothing happened, whatever the market does", function()
      begin()
      assert.equal("", poll({ positions = { { price_current = 1.2, profit = 99, swap = -1, commission = -3, time_update = 5 } } }))
      assert.equal("1", a:ids())
      assert.equal(1.2, model.get("position", a.account.positions.rows[0], "price_current"))
    end)

    it("tells positions in the order of their identifiers, whatever the order of the source", function()
      begin({})
      assert.equal("opened 1, opened 2, opened 7",
        poll({ positions = { { position_id = 7 }, { position_id = 1 }, { position_id = 2 } } }))
      assert.equal("1 2 7", a:ids())
    end)

    it("tells closes before modifications before opens, and deals before all", function()
      begin({ { position_id = 1 }, { position_id = 2 }, { position_id = 3 } })
      assert.equal("deal 501, closed 3, modified 2, opened 9", poll({
        positions = { { position_id = 1 }, { position_id = 2, sl = 1.05 }, { position_id = 9 } },
        deals = { { ticket = 501, position_id = 3, at = 0.5 } },
      }))
    end)

    it("keeps the positions when a poll does not tell them", function()
      begin()
      assert.equal("", poll({ account = { balance = 1000 } }))
      assert.equal("1", a:ids())
      assert.equal("opened 2", poll({ positions = { {}, { position_id = 2 } } }))
    end)
  end)

  describe("a modification", function()
    local cases = {
      { "sl", { sl = 1.05 }, "levels" },
      { "tp", { tp = 1.25 }, "levels" },
      { "volume", { volume = 1.5 }, "volume_increase" },
      { "ticket", { ticket = 77 }, "rollover" },
      { "price_open", { price_open = 1.10001 }, "other" },
      { "comment", { comment = "x" }, "other" },
      { "external_id", { external_id = "x" }, "other" },
      { "magic", { magic = 7 }, "other" },
      { "symbol", { symbol = "EURUSD.m" }, "other" },
    }
    for _, case in ipairs(cases) do
      it("of " .. case[1] .. " is told with what it was", function()
        begin()
        assert.equal("modified 1", poll({ positions = { case[2] } }))
        local m = a:moment(1)
        assert.equal(case[1], m.changed)
        assert.equal(case[3], m.about("change"))
        assert.equal(case[2][case[1]], m.position(case[1]))
        assert.equal(model.position({})[case[1]] or (case[1] == "sl" or case[1] == "tp" or case[1] == "magic") and 0 or "",
          m.was(case[1]))
        assert.equal(0, m.about("estimated"))
        assert.equal("", poll({ positions = { case[2] } }))
      end)
    end

    it("is none below the digits of the symbol", function()
      begin({ { sl = 1.05 } })
      assert.equal("", poll({ positions = { { sl = 1.0500000001, price_open = 1.1000000001 } } }))
      assert.equal("modified 1", poll({ positions = { { sl = 1.05001 } } }))
    end)

    it("tells a level that is taken away", function()
      begin({ { sl = 1.05 } })
      assert.equal("modified 1", poll({ positions = { {} } }))
      assert.equal("levels", a:moment(1).about("change"))
    end)
  end)

  describe("a close", function()
    it("has the figures of its deal", function()
      begin({ { profit = 3, price_current = 1.15 } })
      assert.equal("deal 501, closed 1", poll({
        account = { balance = 1008.4 },
        positions = {},
        deals = { { ticket = 501, at = 0.5, price = 1.2, profit = 10, swap = -1, commission = -0.5, fee = -0.1, reason = "tp" } },
      }))
      local m = a:moment(2)
      assert.equal(0, m.about("estimated"))
      assert.equal(0, m.about("synthetic"))
      assert.equal("tp", m.about("close_reason"))
      assert.equal(1.2, m.about("close_price"))
      assert.equal(1, m.about("volume_closed"))
      assert.near(8.4, m.about("net_profit"), 1e-9)
      assert.equal(model.START_MS + 500, m.about("time_close"))
      assert.equal(10, m.position("profit"))
      assert.equal(1.2, m.position("price_current"))
      assert.equal("", a:ids())
      assert.equal("", poll({ positions = {}, deals = { { ticket = 501, at = 0.5, price = 1.2, profit = 10 } } }))
    end)

    it("in several deals has their weighted price and their sums", function()
      begin()
      assert.equal("deal 501, deal 502, closed 1", poll({
        positions = {},
        deals = {
          { ticket = 502, at = 0.6, price = 1.3, volume = 0.25, profit = 3, reason = "sl" },
          { ticket = 501, at = 0.5, price = 1.1, volume = 0.75, profit = 4, reason = "manual" },
        },
      }))
      local m = a:moment(3)
      assert.near(1.15, m.about("close_price"), 1e-9)
      assert.near(7, m.about("net_profit"), 1e-9)
      assert.equal("sl", m.about("close_reason"))
      assert.equal(model.START_MS + 600, m.about("time_close"))
    end)

    it("counts a deal once that the source lists twice", function()
      begin()
      local deal = { ticket = 501, at = 0.5, price = 1.2, volume = 0.5, profit = 10 }
      assert.equal("", poll({ positions = {}, deals = { deal, deal } }))
      assert.equal("1", a:ids())
    end)

    it("by another position counts as a close", function()
      begin()
      assert.equal("deal 501, closed 1", poll({ positions = {}, deals = { { ticket = 501, entry = "out_by", at = 0.5 } } }))
      assert.equal(0, a:moment(2).about("estimated"))
    end)

    it("is not proved by a deal of another position, or one that opened, or a balance operation", function()
      begin()
      poll({
        positions = {},
        deals = {
          { ticket = 501, position_id = 2, at = 0.5 },
          { ticket = 502, entry = "in", action = "buy", at = 0.5 },
          { ticket = 503, action = "balance", entry = "unknown", position_id = 0, profit = 5, at = 0.5 },
        },
      })
      assert.equal("1", a:ids())
    end)
  end)

  describe("a partial close", function()
    it("is a modification with the figures of its deal", function()
      begin()
      assert.equal("deal 501, modified 1", poll({
        positions = { { volume = 0.6 } },
        deals = { { ticket = 501, volume = 0.4, at = 0.5, price = 1.2, profit = 4 } },
      }))
      local m = a:moment(2)
      assert.equal("partial_close", m.about("change"))
      assert.equal(0.4, m.about("volume_closed"))
      assert.equal(4, m.about("net_profit"))
      assert.equal(1, m.was("volume"))
      assert.equal(0, m.about("estimated"))
    end)

    it("without a deal is told as estimated, without a profit", function()
      begin()
      assert.equal("modified 1", poll({ positions = { { volume = 0.6 } } }))
      local m = a:moment(1)
      assert.equal(1, m.about("estimated"))
      assert.near(0.4, m.about("volume_closed"), 1e-9)
      assert.is_nil(m.about("net_profit"))
    end)

    it("with the deal of only a part of it is estimated", function()
      begin()
      assert.equal("deal 501, modified 1", poll({
        positions = { { volume = 0.5 } },
        deals = { { ticket = 501, volume = 0.3, at = 0.5, profit = 3 } },
      }))
      assert.equal(1, a:moment(2).about("estimated"))
      assert.equal(0.5, a:moment(2).about("volume_closed"))
      assert.is_nil(a:moment(2).about("net_profit"))
    end)

    it("listed late tells its deal, once, and proves nothing of the rest", function()
      begin()
      local late = { ticket = 501, volume = 0.5, at = 0.5, profit = 4 }
      assert.equal("modified 1", poll({ positions = { { volume = 0.5 } } }))
      assert.equal("deal 501", poll({ positions = { { volume = 0.5 } }, deals = { late } }))
      assert.equal("", poll({ positions = {}, deals = { late } }))
      assert.equal("1", a:ids())
      assert.equal("", poll({ positions = { { volume = 0.5 } }, deals = { late } }))
    end)

    it("listed late while the rest is missing proves nothing either", function()
      begin()
      poll({ positions = { { volume = 0.5 } } })
      assert.equal("deal 501", poll({ positions = {}, deals = { { ticket = 501, volume = 0.5, at = 0.5 } } }))
      assert.equal("1", a:ids())
      assert.equal("deal 502, closed 1", poll({
        positions = {},
        deals = { { ticket = 501, volume = 0.5, at = 0.5 }, { ticket = 502, volume = 0.5, at = 2.5, profit = 6 } },
      }))
      assert.equal(0, a:moment(2).about("estimated"))
      assert.equal(6, a:moment(2).about("net_profit"))
    end)

    it("whose deal is missing is not paid for by a bigger one", function()
      begin()
      poll({ positions = { { volume = 0.8 } } })
      assert.equal("deal 502, closed 1", poll({ positions = {}, deals = { { ticket = 502, volume = 0.8, at = 1.5 } } }))
      assert.equal(0, a:moment(2).about("estimated"))
    end)

    it("whose deal never comes does not spoil the proof of a close a minute later", function()
      begin()
      poll({ positions = { { volume = 0.5 } } })
      poll({ positions = { { volume = 0.5 } }, after = 60 })
      poll({ positions = { { volume = 0.5 } } })
      assert.equal("deal 502, closed 1", poll({ positions = {}, deals = { { ticket = 502, volume = 0.5, at = 62.5 } } }))
    end)
  end)

  describe("a reversal", function()
    it("closes the old side and opens the new one", function()
      begin()
      assert.equal("deal 501, closed 1, opened 1", poll({
        positions = { { side = "sell", volume = 0.5, ticket = 8 } },
        deals = {
          { ticket = 501, entry = "inout", volume = 1.5, volume_closed = 1, at = 0.5, price = 1.2, profit = 10 },
        },
      }))
      local m = a:moment(2)
      assert.equal("reversal", m.about("close_reason"))
      assert.equal("buy", m.position("side"))
      assert.equal(1, m.about("volume_closed"))
      assert.equal(10, m.about("net_profit"))
      assert.equal(0, m.about("estimated"))
      assert.equal("sell", a:moment(3).position("side"))
      assert.equal(0.5, a:moment(3).position("volume"))
    end)

    it("is proved by an INOUT deal whose closing part is not told", function()
      begin()
      poll({
        positions = { { side = "sell", volume = 0.5 } },
        deals = { { ticket = 501, entry = "inout", volume = 1.5, at = 0.5, price = 1.2, profit = 10 } },
      })
      assert.equal(0, a:moment(2).about("estimated"))
      assert.equal(1, a:moment(2).about("volume_closed"))
      assert.equal(1.2, a:moment(2).about("close_price"))
    end)

    it("without a deal is told as estimated; the deal that comes late is told as a deal", function()
      begin({ { price_current = 1.15 } })
      local now = { { side = "sell", volume = 0.5 } }
      assert.equal("closed 1, opened 1", poll({ positions = now }))
      assert.equal(1, a:moment(1).about("estimated"))
      assert.equal(1.15, a:moment(1).about("close_price"))
      assert.is_nil(a:moment(1).about("net_profit"))
      local late = { ticket = 501, entry = "inout", volume = 1.5, at = 0.5 }
      assert.equal("deal 501", poll({ positions = now, deals = { late } }))
      assert.equal("", poll({ positions = now, deals = { late } }))
    end)
  end)

  describe("a position that is missing", function()
    it("is held for two polls and told at the third, as estimated", function()
      begin({ { profit = 10, swap = -1, price_current = 1.15 } })
      assert.equal("", poll({ positions = {} }))
      assert.equal("1", a:ids())
      assert.equal("", poll({ positions = {} }))
      assert.equal("1", a:ids())
      assert.equal("closed 1", poll({ positions = {} }))
      assert.equal("", a:ids())
      local m = a:moment(1)
      assert.equal(1, m.about("estimated"))
      assert.equal("unknown", m.about("close_reason"))
      assert.equal(0, m.about("time_close"))
      assert.equal(1.15, m.about("close_price"))
      assert.equal(1, m.about("volume_closed"))
      assert.equal(9, m.about("net_profit"))
      assert.equal("", poll({ positions = {} }))
    end)

    it("and comes back has never been away", function()
      begin()
      for _ = 1, 3 do
        assert.equal("", poll({ positions = {} }))
        assert.equal("", poll({ positions = {} }))
        assert.equal("", poll({ positions = { {} } }))
      end
      assert.equal(0, a.account.suspects.count)
    end)

    it("and comes back with another level is modified", function()
      begin()
      poll({ positions = {} })
      assert.equal("modified 1", poll({ positions = { { sl = 1.05 } } }))
    end)

    it("is told when its deal comes, at whatever poll", function()
      begin()
      poll({ positions = {} })
      assert.equal("deal 501, closed 1", poll({ positions = {}, deals = { { ticket = 501, at = 0.5, profit = 3 } } }))
      assert.equal(0, a:moment(2).about("estimated"))
      assert.equal(0, a.account.suspects.count)
    end)

    it("is proved by deals that are listed one after the other", function()
      begin()
      local one = { ticket = 501, volume = 0.4, at = 0.5, profit = 4 }
      local two = { ticket = 502, volume = 0.6, at = 0.6, profit = 6 }
      assert.equal("", poll({ positions = {}, deals = { one } }))
      assert.equal("deal 501, deal 502, closed 1", poll({ positions = {}, deals = { one, two } }))
      assert.equal(0, a:moment(3).about("estimated"))
      assert.equal(10, a:moment(3).about("net_profit"))
    end)

    it("is not closed because all of them are missing", function()
      begin({ { position_id = 1 }, { position_id = 2 }, { position_id = 3 } })
      assert.equal("", poll({ positions = {} }))
      assert.equal("1 2 3", a:ids())
      assert.equal("", poll({ positions = { { position_id = 1 }, { position_id = 2 }, { position_id = 3 } } }))
    end)

    it("is told with all the others when they stay away", function()
      begin({ { position_id = 1 }, { position_id = 2 }, { position_id = 3 } })
      poll({ positions = {} })
      poll({ positions = {} })
      assert.equal("closed 1, closed 2, closed 3", poll({ positions = {} }))
    end)

    it("does not advance while polls do not tell the positions", function()
      begin()
      for _ = 1, 5 do
        poll({ positions = {} })
        poll({ account = { balance = 1000 } })
        assert.equal("", poll({ positions = { {} } }))
      end
    end)

    it("is told at once when no poll is granted", function()
      a = model.new({ suspect_polls = 1 })
      begin()
      assert.equal("closed 1", poll({ positions = {} }))
    end)

    it("and was told as closed is not told again when its deals come late", function()
      begin({})
      poll({ positions = { { time_open = model.START_MS + 500 } } })
      for _ = 1, 3 do
        poll({ positions = {} })
      end
      assert.equal("closed 1", a:told())
      local late = { { ticket = 500, entry = "in", action = "buy", at = 0.5 }, { ticket = 501, at = 1.5 } }
      assert.equal("deal 500, deal 501", poll({ positions = {}, deals = late }))
      assert.equal("", poll({ positions = {}, deals = late }))
    end)

    it("and was told as closed is opened when it comes back, and its real close is proved", function()
      begin()
      for _ = 1, 3 do
        poll({ positions = {} })
      end
      assert.equal("opened 1", poll({ positions = { {} } }))
      assert.equal("deal 501, closed 1", poll({ positions = {}, deals = { { ticket = 501, at = 4.5 } } }))
      assert.equal(0, a:moment(2).about("estimated"))
    end)
  end)

  describe("a trade between two polls", function()
    local IN = {
      ticket = 500, position_id = 5, entry = "in", action = "buy", at = 0.3, price = 1.1, magic = 42,
      reason = "expert", comment = "ea", commission = -1,
    }
    local OUT = { ticket = 501, position_id = 5, at = 0.6, price = 1.2, profit = 10, reason = "sl", comment = "[sl]" }

    it("is opened and closed from its deals", function()
      begin({})
      assert.equal("deal 500, deal 501, opened 5, closed 5", poll({ positions = {}, deals = { OUT, IN } }))
      local open, close = a:moment(3), a:moment(4)
      assert.equal(1, open.about("synthetic"))
      assert.equal(1, close.about("synthetic"))
      assert.equal(0, close.about("estimated"))
      assert.equal("buy", open.position("side"))
      assert.equal(1.1, open.position("price_open"))
      assert.equal(42, open.position("magic"))
      assert.equal("ea", open.position("comment"))
      assert.equal("expert", open.position("reason"))
      assert.equal("EURUSD", open.position("symbol"))
      assert.equal(model.START_MS + 300, open.position("time_open"))
      assert.equal("sl", close.about("close_reason"))
      assert.near(9, close.about("net_profit"), 1e-9)
      assert.equal("", poll({ positions = {}, deals = { IN, OUT } }))
    end)

    it("is opened and closed from one row of a closed trade", function()
      begin({})
      assert.equal("deal 5, opened 5, closed 5", poll({
        positions = {},
        deals = { { ticket = 5, position_id = 5, action = "buy", at = 0.6, opened_at = 0.3, price_position = 1.3, price = 1.2, profit = 10 } },
      }))
      assert.equal("sell", a:moment(2).position("side"))
      assert.equal(1.3, a:moment(2).position("price_open"))
    end)

    it("is told when it is listed some polls late", function()
      begin({})
      for _ = 1, 4 do
        poll({ positions = {}, deals = {} })
      end
      assert.equal("deal 500, deal 501, opened 5, closed 5", poll({ positions = {}, deals = { IN, OUT } }))
    end)

    it("waits until all of it is listed", function()
      begin({})
      assert.equal("", poll({ positions = {}, deals = { IN } }))
      local half = { ticket = 501, position_id = 5, volume = 0.5, at = 0.6, profit = 1 }
      local rest = { ticket = 502, position_id = 5, volume = 0.5, at = 0.7, profit = 2 }
      assert.equal("", poll({ positions = {}, deals = { IN, half } }))
      assert.equal("deal 500, deal 501, deal 502, opened 5, closed 5", poll({ positions = {}, deals = { IN, half, rest } }))
      assert.equal(1, a:moment(5).about("volume_closed"))
    end)

    it("is not told again when the source rewrites its deals", function()
      begin({})
      poll({ positions = {}, deals = { IN, OUT } })
      local again = { ticket = 501, position_id = 5, action = "sell", at = 0.61, opened_at = 0.3 }
      assert.equal("deal 501", poll({ positions = {}, deals = { IN, OUT, again } }))
    end)

    it("is not made of trades from before the first poll", function()
      begin({})
      local old = { ticket = 5, position_id = 5, at = -60, opened_at = -70 }
      assert.equal("", poll({ positions = {}, deals = { old } }))
      assert.equal("deal 6", poll({ positions = {}, deals = { old, { ticket = 6, position_id = 6, at = 0.5, opened_at = -70 } } }))
    end)
  end)

  describe("a deal", function()
    it("that is ahead of the positions waits for them", function()
      begin()
      local deal = { ticket = 501, at = 1.01, profit = 3 }
      assert.equal("", poll({ positions = { {} }, deals = { deal } }))
      assert.equal("deal 501, closed 1", poll({ positions = {}, deals = { deal } }))
      assert.equal(0, a:moment(2).about("estimated"))
    end)

    it("that opens a position which is not there yet waits for it", function()
      begin({})
      local deal = { ticket = 500, position_id = 5, entry = "in", action = "buy", at = 1.01 }
      assert.equal("", poll({ positions = {}, deals = { deal } }))
      assert.equal("deal 500, opened 5", poll({ positions = { { position_id = 5 } }, deals = { deal } }))
    end)

    it("after which the volume is what it was is told all the same, and is no proof later", function()
      begin()
      local add = { ticket = 500, entry = "in", action = "buy", at = 0.4 }
      local part = { ticket = 501, at = 0.5, profit = 2 }
      assert.equal("", poll({ positions = { {} }, deals = { add, part } }))
      poll({ positions = { {} }, deals = { add, part } })
      poll({ positions = { {} }, deals = { add, part } })
      assert.equal("deal 501", poll({ positions = { {} }, deals = { add, part } }))
      assert.equal("", poll({ positions = {}, deals = { add, part } }))
      assert.equal("1", a:ids())
    end)

    it("from before the first poll proves nothing of a position that was there", function()
      begin({ { volume = 0.5 } })
      local old = { ticket = 400, volume = 0.5, at = -30 }
      for _ = 1, 2 do
        assert.equal("", poll({ positions = {}, deals = { old } }))
      end
      assert.equal("1", a:ids())
      assert.equal("", poll({ positions = { { volume = 0.5 } }, deals = { old } }))
    end)

    it("proves the close of a position that was watched from its opening, whatever its clock says", function()
      begin({})
      poll({ positions = { {} } })
      assert.equal("closed 1", poll({ positions = {}, deals = { { ticket = 501, at = -7200 } } }))
      assert.equal(0, a:moment(1).about("estimated"))
    end)

    it("of the account is a balance operation, told once", function()
      begin()
      local deposit = { ticket = 600, action = "balance", entry = "unknown", position_id = 0, volume = 0, profit = 500, at = 0.5 }
      assert.equal("balance 600", poll({ account = { balance = 1500 }, positions = { {} }, deals = { deposit } }))
      assert.equal(500, a:moment(1).deal("profit"))
      assert.equal("", poll({ positions = { {} }, deals = { deposit } }))
    end)

    it("of the account that is listed late is told all the same", function()
      begin()
      local deposit = { ticket = 600, action = "balance", entry = "unknown", position_id = 0, volume = 0, profit = 500, at = 0.5 }
      poll({ account = { balance = 1500 }, positions = { {} }, deals = {} })
      for _ = 1, 4 do
        poll({ positions = { {} } })
      end
      assert.equal("balance 600", poll({ positions = { {} }, deals = { deposit } }))
    end)

    it("from before the first poll is history", function()
      poll({ account = { balance = 1000 }, positions = {} })
      assert.equal("", poll({
        positions = {},
        deals = { { ticket = 600, action = "balance", entry = "unknown", position_id = 0, profit = 500, at = -3 } },
      }))
    end)

    it("is remembered among thousands of others", function()
      begin({})
      local deals = {}
      for i = 1, 9000 do
        deals[i] = { ticket = i, action = "balance", entry = "unknown", position_id = 0, profit = 1, at = 0.5 }
      end
      assert.equal(0, a:poll({ positions = {}, deals = deals }))
      assert.equal(9000, a.account.moments_count)
      assert.equal("", poll({ positions = {}, deals = { deals[9000], deals[5000] } }))
      assert.is_true(a.account.deals.count <= 8192)
    end)
  end)
end)
