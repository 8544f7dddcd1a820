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
      { "ticket", { ticket = 77 }, "rollover" },
      { "price_open", { price_open = 1.10001 }, "other", 1 }, -- something was added and taken off again: no deal says what
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
        assert.equal(case[4] or 0, m.about("estimated"))
        assert.equal(case[4] or 0, m.about("coalesced"))
        assert.equal("", poll({ positions = { case[2] } }))
      end)
    end

    it("of the volume is told with the deal that made it", function()
      begin()
      assert.equal("deal 500, modified 1", poll({
        positions = { { volume = 1.5, price_open = 1.15 } },
        deals = { { ticket = 500, entry = "in", action = "buy", volume = 0.5, price = 1.25, at = 0.5 } },
      }))
      local m = a:moment(2)
      assert.equal("price_open volume", m.changed)
      assert.equal("volume_increase", m.about("change"))
      assert.equal(0, m.about("coalesced"))
      assert.equal(0, m.about("volume_closed"))
    end)

    it("of the volume waits for its deal, and is told as estimated when none comes", function()
      begin()
      assert.equal("", poll({ positions = { { volume = 1.5 } } }))
      assert.equal(1, model.get("position", a.account.positions.rows[0], "volume"))
      assert.equal("", poll({ positions = { { volume = 1.5 } } }))
      assert.equal("modified 1", poll({ positions = { { volume = 1.5 } } }))
      assert.equal("volume_increase", a:moment(1).about("change"))
      assert.equal(1, a:moment(1).about("estimated"))
    end)

    it("that stands for several deals, or for several things, is coalesced", function()
      begin()
      assert.equal("deal 500, deal 501, modified 1", poll({
        positions = { { volume = 1.2, price_open = 1.12 } },
        deals = {
          { ticket = 500, entry = "in", action = "buy", volume = 0.5, at = 0.4 },
          { ticket = 501, volume = 0.3, profit = 3, price = 1.2, at = 0.5 },
        },
      }))
      local m = a:moment(3)
      assert.equal("partial_close", m.about("change"))
      assert.equal(1, m.about("coalesced"))
      assert.near(0.3, m.about("volume_closed"), 1e-9)
      assert.equal(3, m.about("net_profit"))
      assert.equal("deal 502, modified 1", poll({
        positions = { { volume = 1, price_open = 1.12, sl = 1.05 } },
        deals = { { ticket = 502, volume = 0.2, at = 1.5 } },
      }))
      assert.equal(1, a:moment(2).about("coalesced"))
    end)

    it("of the ticket in a rollover closes nothing", function()
      begin()
      assert.equal("deal 500, deal 501, modified 1", poll({
        positions = { { ticket = 77, price_open = 1.12 } },
        deals = {
          { ticket = 500, reason = "rollover", at = 0.4 },
          { ticket = 501, entry = "in", action = "buy", reason = "rollover", at = 0.4 },
        },
      }))
      assert.equal("rollover", a:moment(3).about("change"))
    end)

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

    it("has a price with the decimals of its deal, when the position was seen with fewer", function()
      begin({ { price_open = 1.1, digits = 1 } })
      assert.equal("deal 501, closed 1", poll({ positions = {}, deals = { { ticket = 501, at = 0.5, price = 1.08945, digits = 5 } } }))
      local m = a:moment(2)
      assert.equal(5, m.about("digits"))
      assert.equal(5, m.position("digits"))
      begin({ { volume = 1, digits = 1 } })
      assert.equal("deal 501, modified 1", poll({
        positions = { { volume = 0.5, digits = 1 } },
        deals = { { ticket = 501, at = 0.5, volume = 0.5, price = 1.08945, digits = 5 } },
      }))
      assert.equal(5, a:moment(2).about("digits"))
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
      assert.equal("", poll({ positions = { { volume = 0.6 } } }))
      assert.equal("", poll({ positions = { { volume = 0.6 } } }))
      assert.equal(1, model.get("position", a.account.positions.rows[0], "volume"))
      assert.equal("modified 1", poll({ positions = { { volume = 0.6 } } }))
      local m = a:moment(1)
      assert.equal(1, m.about("estimated"))
      assert.near(0.4, m.about("volume_closed"), 1e-9)
      assert.is_nil(m.about("net_profit"))
    end)

    it("with the deal of only a part of it waits for the other", function()
      begin()
      local one = { ticket = 501, volume = 0.3, at = 0.5, profit = 3, price = 1.2 }
      local two = { ticket = 502, volume = 0.2, at = 0.6, profit = 2, price = 1.2 }
      assert.equal("", poll({ positions = { { volume = 0.5 } }, deals = { one } }))
      assert.equal("deal 501, deal 502, modified 1", poll({ positions = { { volume = 0.5 } }, deals = { one, two } }))
      assert.equal(1, a:moment(3).about("coalesced"))
      assert.equal(0.5, a:moment(3).about("volume_closed"))
      assert.equal(5, a:moment(3).about("net_profit"))
    end)

    -- Three polls without the deal: half of it is told as closed, estimated.
    local function half(after)
      begin()
      poll({ positions = { { volume = 0.5 } } })
      poll({ positions = { { volume = 0.5 } } })
      assert.equal("modified 1", poll({ positions = { { volume = 0.5 } } }))
      if after then poll({ positions = { { volume = 0.5 } }, after = after }) end
    end

    it("listed late tells its deal, once, and proves nothing of the rest", function()
      local late = { ticket = 501, volume = 0.5, at = 0.5, profit = 4 }
      half()
      assert.equal("deal 501", poll({ positions = { { volume = 0.5 } }, deals = { late } }))
      assert.equal("", poll({ positions = {}, deals = { late } }))
      assert.equal("1", a:ids())
      assert.equal("", poll({ positions = { { volume = 0.5 } }, deals = { late } }))
    end)

    it("listed late while the rest is missing proves nothing either", function()
      local late = { ticket = 501, volume = 0.5, at = 0.5 }
      half()
      assert.equal("", poll({ positions = {}, deals = { late } }))
      assert.equal("1", a:ids())
      assert.equal("deal 501, deal 502, closed 1", poll({
        positions = {}, deals = { late, { ticket = 502, volume = 0.5, at = 4.5, profit = 6 } },
      }))
      assert.equal(0, a:moment(3).about("estimated"))
      assert.equal(0, a:moment(3).about("coalesced"))
      assert.equal(6, a:moment(3).about("net_profit"))
    end)

    it("whose deal is missing is not paid for by a bigger one", function()
      half()
      poll({ positions = { { volume = 0.5 } }, deals = { { ticket = 500, entry = "in", action = "buy", volume = 0.2, at = 3.4 } } })
      poll({ positions = { { volume = 0.7 } }, deals = { { ticket = 500, entry = "in", action = "buy", volume = 0.2, at = 3.4 } } })
      assert.equal("deal 502, closed 1", poll({ positions = {}, deals = { { ticket = 502, volume = 0.7, at = 5.5 } } }))
      assert.equal(0, a:moment(2).about("estimated"))
    end)

    it("whose deal never comes does not spoil the proof of a close a minute later", function()
      half(60)
      poll({ positions = { { volume = 0.5 } } })
      assert.equal("deal 502, closed 1", poll({ positions = {}, deals = { { ticket = 502, volume = 0.5, at = 64.5 } } }))
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
      assert.equal("", poll({ positions = now }))
      assert.equal("", poll({ positions = now }))
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
    -- No positions, and the balance says that something has been closed.
    local function gone()
      return poll({ positions = {}, account = { balance = 1009 } })
    end

    it("is held for two polls and told at the third, as estimated", function()
      begin({ { profit = 10, swap = -1, price_current = 1.15 } })
      assert.equal("", gone())
      assert.equal("1", a:ids())
      assert.equal("", gone())
      assert.equal("1", a:ids())
      assert.equal("closed 1", gone())
      assert.equal("", a:ids())
      local m = a:moment(1)
      assert.equal(1, m.about("estimated"))
      assert.equal("unknown", m.about("close_reason"))
      assert.equal(0, m.about("time_close"))
      assert.equal(1.15, m.about("close_price"))
      assert.equal(1, m.about("volume_closed"))
      assert.equal(9, m.about("net_profit"))
      assert.equal("", gone())
    end)

    it("is held ten times as long while the balance says that nothing was closed", function()
      begin({ { profit = 10 } })
      for _ = 1, 29 do
        assert.equal("", poll({ positions = {}, account = { balance = 1000 } }))
        assert.equal("1", a:ids())
      end
      assert.equal("closed 1", poll({ positions = {}, account = { balance = 1000 } }))
      assert.equal(1, a:moment(1).about("estimated"))
    end)

    it("is held while other deals explain what the balance did", function()
      begin({ {}, { position_id = 2 } })
      local other = { ticket = 700, position_id = 2, profit = 9, at = 0.5 }
      assert.equal("deal 700, closed 2", poll({ positions = {}, account = { balance = 1009 }, deals = { other } }))
      for _ = 1, 9 do
        assert.equal("", poll({ positions = {}, account = { balance = 1009 }, deals = { other } }))
      end
      assert.equal("1", a:ids())
      assert.equal("", poll({ positions = { {} }, account = { balance = 1009 } }))
    end)

    it("is held longer where the volume differed before: that is another difference", function()
      begin()
      assert.equal("", poll({ positions = { { volume = 2 } }, account = { balance = 1009 } }))
      assert.equal("", poll({ positions = { { volume = 2 } }, account = { balance = 1009 } }))
      assert.equal("", gone())
      assert.equal("", gone())
      assert.equal("closed 1", gone())
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
      gone()
      gone()
      assert.equal("closed 1, closed 2, closed 3", gone())
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
        gone()
      end
      assert.equal("closed 1", a:told())
      local late = { { ticket = 500, entry = "in", action = "buy", at = 0.5 }, { ticket = 501, at = 1.5 } }
      assert.equal("deal 500, deal 501", poll({ positions = {}, deals = late }))
      assert.equal("", poll({ positions = {}, deals = late }))
    end)

    it("and was told as closed is opened when it comes back, and its real close is proved", function()
      begin()
      for _ = 1, 3 do
        gone()
      end
      assert.equal("opened 1", poll({ positions = { {} } }))
      assert.equal("deal 501, closed 1", poll({ positions = {}, deals = { { ticket = 501, at = 4.5 } } }))
      assert.equal(0, a:moment(2).about("estimated"))
    end)
  end)
end)
