local model = require("support.model")

describe("deals", function()
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

    -- MetaTrader changes the type of a deal that the broker cancels, takes its profit out, and settles it by another deal.
    it("that is cancelled after it was told is not told again; what settles it is", function()
      begin({})
      poll({ positions = {}, deals = { IN, OUT } })
      local function cancelled(deal)
        return { ticket = deal.ticket, position_id = 5, entry = deal.entry, action = "other", at = deal.at, volume = 1, profit = 0 }
      end
      local settled = { ticket = 700, action = "correction", entry = "unknown", position_id = 0, volume = 0, profit = -9, at = 0.9 }
      assert.equal("balance 700", poll({ account = { balance = 1000 }, positions = {}, deals = { cancelled(IN), cancelled(OUT), settled } }))
      assert.equal("", poll({ positions = {}, deals = { cancelled(IN), cancelled(OUT), settled } }))
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
      assert.equal("deal 500, deal 501, modified 1", poll({ positions = { {} }, deals = { add, part } }))
      assert.equal(1, a:moment(3).about("coalesced"))
      assert.equal("partial_close", a:moment(3).about("change"))
      assert.equal(2, a:moment(3).about("net_profit"))
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

    it("of the account is told by what it is: every kind that is no trade, with its money", function()
      begin()
      local kinds = { "balance", "credit", "charge", "correction", "bonus", "commission", "interest", "dividend", "tax", "other" }
      local deals, expected, money = {}, {}, 0
      for i, kind in ipairs(kinds) do
        deals[i] = { ticket = 600 + i, action = kind, entry = "unknown", position_id = 0, volume = 0, profit = i - 5, at = 0.1 }
        expected[i] = "balance " .. 600 + i
        if kind ~= "credit" then money = money + i - 5 end
      end
      assert.equal(table.concat(expected, ", "), poll({ account = { balance = 1000 + money, credit = -3 }, positions = { {} }, deals = deals }))
      for i, kind in ipairs(kinds) do
        assert.equal(kind, a:moment(i).deal("action"))
        assert.equal(i - 5, a:moment(i).deal("profit"))
      end
      assert.equal("", poll({ positions = { {} }, deals = deals }))
    end)

    it("that is cancelled proves no close of the position it was of", function()
      begin()
      local deal = { ticket = 501, position_id = 1, entry = "out", action = "other", volume = 1, profit = 0, at = 0.5 }
      poll({ positions = {}, deals = { deal } })
      assert.is_nil(a:told():find("closed 1", 1, true))
      local told
      local polls = 0
      repeat
        told, polls = poll({ positions = {} }), polls + 1
      until told ~= "" or polls == 40
      assert.equal("closed 1", told)
      assert.is_true(polls >= 2)
      assert.equal(1, a:moment(1).about("estimated"))
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

    it("is not taken for another whose ticket and position are near", function()
      begin({})
      local told = {}
      local deals = {}
      for ticket = 1000, 1040 do
        for position = 1000, 1010 do
          deals[#deals + 1] = { ticket = ticket, position_id = position, volume = 0.6, at = 0.5, opened_at = -70 }
        end
      end
      assert.equal(0, a:poll({ positions = {}, deals = deals }))
      for i = 0, a.account.moments_count - 1 do
        local deal = a.account.moments[i].deal
        told[tonumber(deal._ticket) * 10000 + tonumber(deal._position_id)] = true
      end
      for _, deal in ipairs(deals) do
        assert.is_true(told[deal.ticket * 10000 + deal.position_id])
      end
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
