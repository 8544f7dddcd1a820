-- What MetaTrader does to positions, row by row, as a clean source shows it.
local model = require("support.model")

describe("what happens to a position", function()
  local a

  before_each(function()
    a = model.new()
  end)

  local function begin(positions)
    assert.equal(0, a:poll({ account = { balance = 1000, margin_mode = "netting" }, positions = positions or { {} } }))
  end

  local function poll(what)
    assert.equal(0, a:poll(what))
    return a:told()
  end

  it("closed by an opposite one: the smaller is closed, the larger closed in part, and each names the other", function()
    begin({ { position_id = 1, volume = 1 }, { position_id = 2, volume = 0.4, side = "sell" } })
    assert.equal("deal 501, deal 502, closed 2, modified 1", poll({
      positions = { { position_id = 1, volume = 0.6 } },
      deals = {
        { ticket = 501, order = 90, position_id = 1, entry = "out_by", volume = 0.4, price = 1.2, profit = 40, at = 0.5 },
        { ticket = 502, order = 90, position_id = 2, entry = "out_by", action = "buy", volume = 0.4, price = 1.1, profit = 0, at = 0.5 },
      },
    }))
    local closed, rest = a:moment(3), a:moment(4)
    assert.equal(1, closed.about("position_by_id"))
    assert.equal(0, closed.about("net_profit"))
    assert.equal(2, rest.about("position_by_id"))
    assert.equal("partial_close", rest.about("change"))
    assert.equal(40, rest.about("net_profit"))
    assert.equal(0, rest.about("estimated"))
  end)

  it("closed in part by one of several closes at once: no partner is named but the one of its order", function()
    begin()
    poll({ positions = { { volume = 0.5 } }, deals = { { ticket = 501, order = 90, entry = "out_by", volume = 0.5, at = 0.5 } } })
    assert.equal(0, a:moment(2).about("position_by_id"))
  end)

  for _, owner in ipairs({ 1, 9 }) do
    it("turned round under another identifier, its deal being of " .. owner, function()
      begin()
      assert.equal("deal 501, closed 1, opened 9", poll({
        positions = { { position_id = 9, side = "sell", volume = 0.5 } },
        deals = {
          { ticket = 501, position_id = owner, entry = "inout", volume = 1.5, price = 1.2, profit = 10, at = 0.5 },
        },
      }))
      local m = a:moment(2)
      assert.equal("reversal", m.about("close_reason"))
      assert.equal(0, m.about("estimated"))
      assert.equal(10, m.about("net_profit"))
      assert.equal(1, m.about("volume_closed"))
    end)
  end

  it("is not taken for turned round where the volumes say otherwise", function()
    begin()
    assert.equal("opened 9", poll({
      positions = { { position_id = 9, side = "sell", volume = 0.3 } },
      deals = { { ticket = 501, position_id = 1, entry = "inout", volume = 1.5, at = 0.5 } },
    }))
    assert.equal("1 9", a:ids())
  end)

  it("turned round twice between two polls is told chapter by chapter", function()
    begin()
    assert.equal("deal 501, deal 502, closed 1, opened 1, closed 1, opened 1", poll({
      positions = { { volume = 0.2 } },
      deals = {
        { ticket = 501, entry = "inout", volume = 1.5, price = 1.2, profit = 10, at = 0.4 },
        { ticket = 502, entry = "inout", action = "buy", volume = 0.7, price = 1.1, profit = 5, at = 0.5 },
      },
    }))
    assert.equal(1, a:moment(4).about("synthetic"))
    assert.equal("sell", a:moment(4).position("side"))
    assert.equal(1, a:moment(5).about("synthetic"))
    assert.equal(5, a:moment(5).about("net_profit"))
    assert.equal(0.2, a:moment(6).position("volume"))
  end)

  it("stopped out has its reason", function()
    begin()
    poll({ positions = {}, deals = { { ticket = 501, reason = "stop_out", at = 0.5, profit = -500 } } })
    assert.equal("stop_out", a:moment(2).about("close_reason"))
  end)

  it("closed and opened again under the ticket of its order, within one interval and over two", function()
    begin()
    local close = { ticket = 501, at = 0.5 }
    local open = { ticket = 502, entry = "in", action = "buy", volume = 0.3, at = 0.7 }
    assert.equal("deal 501, deal 502, closed 1, opened 1", poll({ positions = { { volume = 0.3 } }, deals = { close, open } }))
    assert.equal("deal 503, closed 1", poll({ positions = {}, deals = { close, open, { ticket = 503, volume = 0.3, at = 1.5 } } }))
    assert.equal("deal 504, deal 505, opened 1, closed 1", poll({ positions = {}, deals = {
      close, open, { ticket = 504, entry = "in", action = "buy", at = 2.3 }, { ticket = 505, at = 2.6, profit = 7 },
    } }))
    assert.equal(7, a:moment(4).about("net_profit"))
  end)

  it("opened in several fills before it was seen is coalesced", function()
    begin({})
    poll({ positions = { { volume = 1 } }, deals = {
      { ticket = 500, entry = "in", action = "buy", volume = 0.4, at = 0.4 },
      { ticket = 501, entry = "in", action = "buy", volume = 0.6, at = 0.5 },
    } })
    assert.equal("deal 500, deal 501, opened 1", a:told())
    assert.equal(1, a:moment(3).about("coalesced"))
  end)

  it("told as opened before its deals were listed is made good when they say that it was more", function()
    begin({})
    local deals = {
      { ticket = 500, entry = "in", action = "buy", volume = 1, at = 0.4 },
      { ticket = 501, volume = 0.4, price = 1.2, profit = 4, at = 0.5 },
    }
    assert.equal("opened 1", poll({ positions = { { volume = 0.6 } }, deals = {} }))
    assert.equal("deal 500, deal 501, modified 1", poll({ positions = { { volume = 0.6 } }, deals = deals }))
    local m = a:moment(3)
    assert.equal(1, m.about("coalesced"))
    assert.equal("partial_close", m.about("change"))
    assert.equal(4, m.about("net_profit"))
    assert.equal("", poll({ positions = { { volume = 0.6 } }, deals = deals }))
  end)

  it("that appears with an old time, or leaves without a deal, is told as what it is", function()
    begin({})
    assert.equal("opened 1", poll({ positions = { { time_open = model.START_MS - 86400000 } } }))
    for _ = 1, 2 do
      assert.equal("", poll({ positions = {}, account = { balance = 1003 } }))
    end
    assert.equal("closed 1", poll({ positions = {}, account = { balance = 1003 } }))
    assert.equal("unknown", a:moment(1).about("close_reason"))
  end)

  for _, action in ipairs({ "balance", "credit", "charge", "correction", "bonus", "commission", "interest", "dividend", "tax" }) do
    it("is not touched by a " .. action .. ", which is told once", function()
      begin()
      local deal = { ticket = 600, action = action, entry = "unknown", position_id = 0, volume = 0, profit = -5, at = 0.5 }
      assert.equal("balance 600", poll({ account = { balance = 995 }, positions = { {} }, deals = { deal } }))
      assert.equal(action, a:moment(1).deal("action"))
      assert.equal("", poll({ account = { balance = 995 }, positions = { {} }, deals = { deal, deal } }))
    end)
  end
end)
