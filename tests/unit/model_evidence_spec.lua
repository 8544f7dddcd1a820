local model = require("support.model")

-- What counts as evidence, and what only looks like it. Each case was found by tests/simulation.
describe("evidence", function()
  local a

  before_each(function() a = model.new() end)

  local function poll(what)
    assert.equal(0, a:poll(what))
    return a:told()
  end

  local function money(ticket, amount, at)
    return { ticket = ticket, action = "balance", entry = "unknown", position_id = 0, volume = 0, profit = amount, at = at }
  end

  describe("for a close is no balance operation", function()
    it("of before, which comes to light just as the positions vanish", function()
      poll({ account = { balance = 1000 }, positions = { {} } })
      for _ = 1, 4 do assert.equal("", poll({ account = { balance = 800 }, positions = { {} } })) end
      assert.equal("balance 600", poll({ account = { balance = 800 }, positions = {}, deals = { money(600, -200, 0.5) } }))
      assert.equal("balance 601", poll({ account = { balance = 790 }, positions = {}, deals = { money(601, -10, 5.5) } }))
      for _ = 1, 20 do assert.equal("", poll({ account = { balance = 790 }, positions = {}, deals = {} })) end
      assert.equal("1", a:ids())
      assert.equal("", poll({ account = { balance = 790 }, positions = { {} } }))
    end)

    it("when the first answer left open whether the balance had a deal", function()
      local opening = { ticket = 500, position_id = 2, entry = "in", action = "buy", commission = -3, at = 0.5 }
      poll({ account = { balance = 997 }, positions = { {} }, deals = { opening } })
      assert.equal("deal 500, opened 2", poll({ positions = { {}, { position_id = 2 } }, deals = { opening } }))
      for _ = 1, 2 do assert.equal("", poll({ account = { balance = 997 }, positions = {}, deals = { opening } })) end
      assert.equal("balance 601", poll({ account = { balance = 897 }, positions = {}, deals = { opening, money(601, -100, 3.5) } }))
      for _ = 1, 20 do assert.equal("", poll({ account = { balance = 897 }, positions = {}, deals = {} })) end
      assert.equal("1 2", a:ids())
    end)

    it("and a close whose deal never comes is still told after three polls beside one", function()
      poll({ account = { balance = 1000 }, positions = { {} } })
      for _ = 1, 3 do poll({ account = { balance = 1000 }, positions = { {} }, deals = {} }) end
      local deals = { money(601, -100, 3.5) }
      assert.equal("balance 601", poll({ account = { balance = 909 }, positions = {}, deals = deals }))
      assert.equal("", poll({ account = { balance = 909 }, positions = {}, deals = deals }))
      assert.equal("closed 1", poll({ account = { balance = 909 }, positions = {}, deals = deals }))
      assert.equal(1, a:moment(1).about("estimated"))
    end)
  end)

  describe("at the first answer of a source without a clock", function()
    local function begin(position)
      assert.equal(0, a:poll({
        source_time = false, after = 1.2, account = { balance = 1000 }, positions = { position },
        deals = { { ticket = 500, at = 0, volume = 0.5, price = 1.3 } },
      }))
    end

    it("is no pair of deals from before it, however late they are listed", function()
      begin({})
      assert.equal("", poll({
        source_time = false, account = { balance = 1000 }, positions = { {} },
        deals = { { ticket = 510, position_id = 9, entry = "in", action = "buy", at = -1 }, { ticket = 511, position_id = 9, at = -1 } },
      }))
    end)

    it("is a deal that was made after its position last moved", function()
      begin({ time_update = model.START_MS - 500 })
      assert.equal("deal 500, modified 1", poll({
        source_time = false, positions = { { volume = 0.5 } }, deals = { { ticket = 500, at = 0, volume = 0.5, price = 1.3 } },
      }))
      assert.equal(1.3, a:moment(2).about("close_price"))
    end)

    it("is no deal that the position may show already", function()
      begin({ time_update = model.START_MS + 100 })
      assert.equal("", poll({
        source_time = false, positions = { { volume = 0.5 } }, deals = { { ticket = 500, at = 0, volume = 0.5, price = 1.3 } },
      }))
      assert.equal("", poll({ source_time = false, positions = { { volume = 0.5 } } }))
      assert.equal("modified 1", poll({ source_time = false, positions = { { volume = 0.5 } } }))
      assert.equal(1, a:moment(1).about("estimated"))
    end)
  end)

  describe("of a reversal under another identifier", function()
    local TURN = { ticket = 500, entry = "inout", volume = 3, at = 0.5 }
    local function begin()
      poll({ account = { balance = 1000 }, positions = { { time_open = model.START_MS - 9000 } } })
    end
    local function told(time_open)
      return poll({
        account = { balance = 1000 }, deals = { TURN },
        positions = { { position_id = 2, side = "sell", volume = 2, time_open = time_open } },
      })
    end

    it("is the deal that the other position began with", function()
      begin()
      assert.equal("deal 500, closed 1, opened 2", told(model.START_MS + 500))
      assert.equal("reversal", a:moment(2).about("close_reason"))
    end)

    it("is not one that only has the right volume", function()
      begin()
      assert.equal("opened 2", told(model.START_MS + 5000))
      assert.equal("1 2", a:ids())
    end)

    it("is not one of an order that is not the other's ticket", function()
      begin()
      TURN.order = 77
      assert.equal("opened 2", told(model.START_MS + 500))
      TURN.order = 2
      a = model.new()
      begin()
      assert.equal("deal 500, closed 1, opened 2", told(model.START_MS + 500))
    end)

    it("is not one that turned round what the other was before", function()
      local opening = { ticket = 499, position_id = 2, entry = "in", action = "buy", volume = 1, at = 0.3, order = 2 }
      begin()
      poll({
        account = { balance = 1000 }, deals = { opening, { ticket = 500, position_id = 2, entry = "inout", volume = 3, at = 0.5 } },
        positions = { { position_id = 2, side = "sell", volume = 2, time_open = model.START_MS + 500 } },
      })
      assert.equal("1 2", a:ids())
    end)
  end)

  describe("of a ticket that is used again", function()
    local function begin()
      poll({ account = { balance = 1000 }, positions = { { time_open = model.START_MS - 9000 } } })
    end
    local again = { time_open = model.START_MS + 500, price_open = 1.2 }

    it("is another opening, where nothing tells deals: closed and opened, both estimated", function()
      begin()
      assert.equal("closed 1, opened 1", poll({ account = { balance = 1009 }, positions = { again } }))
      assert.equal(1, a:moment(1).about("estimated"))
      assert.equal("unknown", a:moment(1).about("close_reason"))
      assert.equal(1, a:moment(2).about("estimated"))
      assert.equal("", poll({ account = { balance = 1009 }, positions = { again } }))
    end)

    it("is no rollover, which changes the ticket", function()
      begin()
      again.ticket = 77
      assert.equal("modified 1", poll({ account = { balance = 1000 }, positions = { again } }))
    end)
  end)

  describe("of a close is no second answer", function()
    local function vanish(polls, source_time)
      poll({ account = { balance = 1000 }, positions = { {} } })
      local out = {}
      for n = 1, polls do
        a:prepare({ account = { balance = 900 }, positions = {} })
        a.records.source_time_ms = source_time(n)
        assert.equal(0, model.C.tg_account_apply(a.account, a.records, a.policy, 5000 + n * 1000, model.START_MS + n * 1000))
        out[n] = a:told()
      end
      return out
    end

    it("that is the one before, served by a cache once more", function()
      local told = vanish(5, function(n) return model.START_MS + 1000 * math.min(n, 2) end)
      assert.same({ "", "", "", "", "" }, told)
      assert.equal("closed 1", poll({ after = 6, account = { balance = 900 }, positions = {} }))
    end)

    it("but a clock that stands still is not waited for forever", function()
      local told = vanish(40, function() return model.START_MS + 1000 end)
      assert.equal("closed 1", table.concat(told))
    end)
  end)

  describe("that is listed in parts, minutes after it was made,", function()
    local opening = { ticket = 500, position_id = 9, entry = "in", action = "buy", at = 1 }
    local closing = { ticket = 501, position_id = 9, at = 30 }
    local away = { after = 200, account = { balance = 1000 }, positions = {}, deals = { opening } }

    before_each(function() poll({ account = { balance = 1000 }, positions = {}, deals = {} }) end)

    it("is waited for, and asked for from its first part on", function()
      assert.equal("", poll(away))
      assert.equal(model.START_MS + 1000, tonumber(model.C.tg_account_deals_since(a.account, 0)))
      assert.equal("deal 500, deal 501, opened 9, closed 9", poll({ positions = {}, deals = { opening, closing } }))
      assert.equal(model.START_MS + 201000 - 60000, tonumber(model.C.tg_account_deals_since(a.account, 0)))
    end)

    it("is waited for no longer than 50 seconds", function()
      assert.equal("", poll(away))
      for _ = 1, 50 do assert.equal("", poll({ positions = {}, deals = { opening } })) end
      assert.equal("deal 500", poll({ positions = {}, deals = { opening } }))
      assert.equal("", poll({ positions = {}, deals = { opening } }))
    end)

    it("does not hold up the trade of the same ticket after it", function()
      local orphan = { ticket = 499, position_id = 9, at = 0.5 }
      away.deals = { orphan, opening, closing }
      assert.equal("", poll(away))
      away.after = 1
      for _ = 1, 50 do assert.equal("", poll(away)) end
      assert.equal("deal 499", poll(away))
      assert.equal("deal 500, deal 501, opened 9, closed 9", poll(away))
    end)
  end)

  describe("of two lives of one ticket", function()
    local life = { position_id = 9, volume = 4, time_open = model.START_MS + 10000 }
    local first = {
      { ticket = 500, position_id = 9, entry = "in", action = "buy", volume = 2, at = 3 },
      { ticket = 501, position_id = 9, volume = 2, at = 4 },
    }
    local second = {
      { ticket = 502, position_id = 9, entry = "in", action = "buy", volume = 4, at = 10 },
      { ticket = 503, position_id = 9, volume = 4, at = 12 },
    }

    it("is part of the estimated close after them, however late and in however many polls it is listed", function()
      poll({ account = { balance = 1000 }, positions = {}, deals = {} })
      assert.equal("opened 9", poll({ after = 10, positions = { life }, deals = {} }))
      local told = ""
      for _ = 1, 30 do told = told .. poll({ positions = {}, deals = {} }) end
      assert.equal("closed 9", told)
      assert.equal(1, a:moment(1).about("estimated"))
      assert.equal("deal 500, deal 501", poll({ positions = {}, deals = first }))
      assert.equal("deal 502, deal 503", poll({ positions = {}, deals = { first[1], first[2], second[1], second[2] } }))
    end)

    it("is not a closing of the first for the second", function()
      local left = { ticket = 499, position_id = 9, volume = 4, at = 0 }
      poll({ source_time = false, account = { balance = 1000 }, positions = {}, deals = {} })
      assert.equal("", poll({ source_time = false, positions = {}, deals = { left } }))
      assert.equal("deal 499, opened 9", poll({ source_time = false, after = 9, positions = { life }, deals = { left } }))
      assert.equal("deal 502", poll({ source_time = false, positions = { life }, deals = { left, second[1] } }))
      assert.equal("", poll({ source_time = false, positions = {}, deals = { left, second[1] } }))
      assert.equal("deal 503, closed 9", poll({ source_time = false, positions = {}, deals = { left, second[1], second[2] } }))
    end)
  end)

  describe("of a position that the first answer lacked", function()
    local hidden = { position_id = 9, volume = 2, time_open = model.START_MS - 60000, time_update = model.START_MS - 5000 }
    local before = { ticket = 499, position_id = 9, volume = 2, at = -3 }

    before_each(function() poll({ account = { balance = 1000 }, positions = {}, deals = {} }) end)

    it("is nothing that was made before it last moved", function()
      hidden.time_update = model.START_MS - 2000
      assert.equal("opened 9", poll({ positions = { hidden }, deals = { before } }))
      for _ = 1, 3 do assert.equal("", poll({ positions = {}, deals = { before } })) end
      assert.equal("deal 500, closed 9", poll({ positions = {}, deals = { before, { ticket = 500, position_id = 9, volume = 2, at = 2 } } }))
    end)

    it("is no addition to it that a partial close took off again before it was seen", function()
      local deals = {
        { ticket = 500, position_id = 9, entry = "in", action = "buy", volume = 1, at = 0.5, order = 77 },
        { ticket = 501, position_id = 9, volume = 1, at = 0.8, order = 78 },
      }
      assert.equal("", poll({ positions = {}, deals = deals }))
      deals[1].order = 9
      assert.equal("deal 500, deal 501, opened 9, closed 9", poll({ positions = {}, deals = deals }))
    end)

    it("is no life of its ticket that began before the first answer and is listed late", function()
      local deals = {
        { ticket = 500, position_id = 9, entry = "in", action = "buy", volume = 1, at = -1.9 },
        { ticket = 501, position_id = 9, volume = 1, at = -1 },
        { ticket = 502, position_id = 9, entry = "in", action = "buy", volume = 2, at = 0.5 },
      }
      local now = { position_id = 9, volume = 2, time_open = model.START_MS + 500 }
      assert.equal("deal 502, opened 9", poll({ positions = { now }, deals = deals }))
      assert.equal(0, a:moment(2).about("synthetic"))
    end)
  end)

  it("that its volume shows, by when it last moved, is no addition of the same size", function()
    local was = { position_id = 9, volume = 0.7, time_open = model.START_MS + 500, time_update = model.START_MS + 700 }
    local opening = { ticket = 500, position_id = 9, entry = "in", action = "buy", volume = 1.8, at = 0.5 }
    poll({ account = { balance = 1000 }, positions = {}, deals = {} })
    assert.equal("opened 9", poll({ positions = { was }, deals = {} }))
    assert.equal("", poll({ positions = { { position_id = 9, volume = 2.5 } }, deals = { opening } }))
    assert.equal(0.7, model.get("position", a.account.positions.rows[0], "volume"))
  end)

  it("that leads nowhere and is listed when a close is estimated, is part of the estimate", function()
    local part = { ticket = 500, position_id = 1, entry = "in", action = "buy", volume = 0.2, at = 1 }
    local rest = { ticket = 501, position_id = 1, volume = 0.2, at = 2 }
    poll({ source_time = false, account = { balance = 1000 }, positions = { {} }, deals = {} })
    local told = ""
    for _ = 1, 40 do told = told .. poll({ source_time = false, positions = {}, deals = { part, rest } }) end
    assert.equal("deal 500, deal 501, closed 1", told)
  end)

  it("is none while deals that were made before it have paid only a part of what is owed", function()
    local now = { position_id = 9, volume = 1, time_open = model.START_MS + 400, time_update = model.START_MS + 1789 }
    local deals = {
      { ticket = 500, position_id = 9, entry = "in", action = "buy", volume = 5, at = 0 },
      { ticket = 501, position_id = 9, volume = 1, at = 1 },
    }
    local function poll_at(what)
      what.source_time = false
      return poll(what)
    end
    poll_at({ account = { balance = 1000 }, positions = {}, deals = {} })
    assert.equal("opened 9", poll_at({ after = 2, positions = { now }, deals = {} }))
    assert.equal("", poll_at({ positions = {}, deals = deals }))
    deals[3] = { ticket = 502, position_id = 9, volume = 3, at = 1 }
    deals[4] = { ticket = 503, position_id = 9, volume = 1, at = 2 }
    assert.equal("deal 500, deal 501, deal 502, deal 503, modified 9, closed 9", poll_at({ positions = {}, deals = deals }))
    assert.equal(503, a:moment(4).deal("ticket"))
    assert.equal(1, a:moment(6).about("volume_closed"))
  end)

  it("of a close is no money of before the first answer, where the account is read after the deals", function()
    poll({ account = { balance = 998 }, positions = { {} }, deals = {} })
    assert.equal("balance 500", poll({ account = { balance = 998 }, positions = {}, deals = { money(500, -2, 0.5) } }))
    for n = 1, 5 do
      local bonus = money(600 + n, 10, 1 + n)
      assert.equal("balance " .. 600 + n, poll({ account = { balance = 998 + n * 10 }, positions = {}, deals = { bonus } }))
    end
    assert.equal("1", a:ids())
  end)

  it("that is late pays for as many reversals as were told, though the volume comes back to what it was", function()
    local up, down = { volume = 1 }, { volume = 1, side = "sell" }
    poll({ account = { balance = 1000 }, positions = { up } })
    for _, now in ipairs({ down, up, down }) do
      for n = 1, 3 do
        assert.equal(n == 3 and "closed 1, opened 1" or "", poll({ source_time = false, positions = { now } }))
      end
    end
    local deals = {}
    for i = 1, 3 do deals[i] = { ticket = 500 + i, entry = "inout", action = i % 2 == 1 and "sell" or "buy", volume = 2, at = 3 * i } end
    assert.equal("deal 501, deal 502, deal 503", poll({ source_time = false, positions = { down }, deals = deals }))
  end)
end)
