local model = require("support.model")

describe("pending orders", function()
  local a

  before_each(function()
    a = model.new()
  end)

  local function poll(what)
    what.positions = what.positions or {}
    assert.equal(0, a:poll(what))
    return a:told()
  end

  it("that were there before are not told", function()
    assert.equal("", poll({ orders = { {}, { ticket = 2 } } }))
    assert.equal("1 2", a:tickets())
    assert.equal(2, a:now("orders_count"))
  end)

  it("are unknown until a source tells them, and then the first are what was there", function()
    poll({})
    assert.equal(0, a:now("orders_known"))
    assert.equal("", poll({ orders = { {} } }))
    assert.equal(1, a:now("orders_known"))
    assert.equal("1", a:tickets())
  end)

  it("are revealed by the poll that tells them first, unless it is the first of all", function()
    for _, begins in ipairs({ true, false }) do
      a = model.new()
      if begins then
        poll({})
        assert.is_false(a.account.revealed)
      end
      poll({ orders = { {} } })
      assert.equal(begins, a.account.revealed)
      poll({ orders = { {}, { ticket = 2 } } })
      assert.is_false(a.account.revealed)
    end
  end)

  it("keep what they were in a poll that does not tell them", function()
    poll({ orders = { {} } })
    assert.equal("", poll({}))
    assert.equal("1", a:tickets())
    assert.equal("", poll({ orders = { {} } }))
  end)

  it("are told when placed, in the order of their tickets", function()
    poll({ orders = {} })
    assert.equal("placed 4, placed 9", poll({ orders = { { ticket = 9 }, { ticket = 4, type = "sell_stop" } } }))
    assert.equal("sell_stop", a:moment(1).order("type"))
    assert.equal("", poll({ orders = { { ticket = 9 }, { ticket = 4, type = "sell_stop" } } }))
  end)

  for field, case in pairs({
    price_open = { 1.2, "levels" }, sl = { 1.0, "levels" }, tp = { 1.3, "levels" }, price_stoplimit = { 1.1, "levels" },
    time_expiration = { 1800000000000, "other" }, comment = { "x", "other" }, volume_current = { 0.4, "partial_fill" },
    volume_initial = { 2, "other" },
  }) do
    it("are told when " .. field .. " changes, with what it was", function()
      poll({ orders = { {} } })
      assert.equal("order 1", poll({ orders = { { [field] = case[1] } } }))
      local m = a:moment(1)
      assert.equal(field, m.changed)
      assert.equal(case[2], m.about("change"))
      assert.equal(case[1], m.order(field))
      assert.equal("", poll({ orders = { { [field] = case[1] } } }))
    end)
  end

  it("follow the market in silence", function()
    poll({ orders = { {} } })
    assert.equal("", poll({ orders = { { price_current = 1.3, state = "started" } } }))
  end)

  for _, state in ipairs({ "filled", "cancelled", "expired", "rejected", "partial" }) do
    it("are removed as the history says: " .. state, function()
      poll({ orders = { {} } })
      assert.equal("removed 1", poll({ orders = {}, history = { { state = state, done_at = 0.5, position_id = 7 } } }))
      local m = a:moment(1)
      assert.equal(state, m.order("state"))
      assert.equal(7, m.order("position_id"))
      assert.equal(model.START_MS + 500, m.order("time_done"))
      assert.equal(0, m.about("estimated"))
      assert.equal("", poll({ orders = {}, history = { { state = state, done_at = 0.5, placed_at = 0.1 } } }))
    end)
  end

  it("are filled when deals fill all of them", function()
    poll({ orders = { {} } })
    assert.equal("removed 1, deal 501, opened 7", poll({
      orders = {}, positions = { { position_id = 7 } },
      deals = { { ticket = 501, order = 1, entry = "in", action = "buy", position_id = 7, at = 0.5 } },
    }))
    assert.equal("filled", a:moment(1).order("state"))
    assert.equal(7, a:moment(1).order("position_id"))
  end)

  it("are not taken for filled when only a part was, whatever was told of it", function()
    poll({ orders = { {} } })
    local part = { ticket = 501, order = 1, entry = "in", action = "buy", position_id = 7, volume = 0.7, at = 0.5 }
    poll({ orders = { { volume_current = 0.3 } }, positions = { { position_id = 7, volume = 0.7 } }, deals = {} })
    for _ = 1, 2 do
      assert.is_nil(poll({ orders = {}, positions = { { position_id = 7, volume = 0.7 } }, deals = { part } }):find("removed"))
    end
    assert.equal("removed 1", poll({ orders = {}, positions = { { position_id = 7, volume = 0.7 } }, deals = { part } }))
    assert.equal("unknown", a:moment(1).order("state"))
  end)

  it("that are missing are suspects first, and come back in silence", function()
    poll({ orders = { {} } })
    assert.equal("", poll({ orders = {} }))
    assert.equal("", poll({ orders = {} }))
    assert.equal("1", a:tickets())
    assert.equal("", poll({ orders = { {} } }))
    assert.equal("", poll({ orders = {} }))
    assert.equal("", poll({ orders = {} }))
    assert.equal("removed 1", poll({ orders = {} }))
    assert.equal("unknown", a:moment(1).order("state"))
    assert.equal(1, a:moment(1).about("estimated"))
    assert.equal("", a:tickets())
    assert.equal("", poll({ orders = {}, history = { { state = "cancelled", placed_at = 0.5, done_at = 1 } } }))
  end)

  it("are suspects for longer while the history cannot be read that was told before", function()
    poll({ orders = { {} }, history = {} })
    for _ = 1, 40 do assert.equal("", poll({ orders = {} })) end
    assert.equal("removed 1", poll({ orders = {}, history = { { state = "cancelled", placed_at = 0.5, done_at = 1 } } }))
    assert.equal("cancelled", a:moment(1).order("state"))
  end)

  it("that came and went between two polls are told from the history, once", function()
    poll({ orders = {} })
    local brief = { ticket = 5, state = "cancelled", placed_at = 0.3, done_at = 0.6 }
    assert.equal("placed 5, removed 5", poll({ orders = {}, history = { brief, brief } }))
    assert.equal(1, a:moment(1).about("synthetic"))
    assert.equal("placed", a:moment(1).order("state"))
    assert.equal("cancelled", a:moment(2).order("state"))
    assert.equal("", poll({ orders = {}, history = { brief } }))
  end)

  it("that came and went while the source was away are told too, by when they ended", function()
    poll({ orders = {} })
    local brief = { ticket = 5, state = "expired", placed_at = 5, done_at = 100 }
    assert.equal("placed 5, removed 5", poll({ after = 120, orders = {}, history = { brief } }))
    assert.equal("", poll({ orders = {}, history = { brief } }))
  end)

  it("of before the first poll, and market orders, are history", function()
    poll({ orders = {} })
    assert.equal("", poll({ orders = { { ticket = 8, type = "buy" } }, history = {
      { ticket = 5, state = "cancelled", placed_at = -60, done_at = -30 },
      { ticket = 6, type = "sell", state = "filled", placed_at = 0.3, done_at = 0.3 },
    } }))
  end)

  it("make the deals and the history wanted when one has gone or was filled in part", function()
    poll({ orders = { {} } })
    assert.is_false(a:wants_deals({ orders = { {} } }))
    assert.is_false(a:wants_deals({ orders = { { price_open = 1.3 } } }))
    assert.is_true(a:wants_deals({ orders = { { volume_current = 0.5 } } }))
    assert.is_true(a:wants_deals({ orders = {} }))
    poll({ orders = {} })
    assert.is_true(a:wants_deals({}))
  end)

  it("of one ticket, or without one, make the whole poll bad", function()
    poll({ orders = { {} } })
    assert.equal(-1, a:poll({ positions = {}, orders = { { ticket = 3 }, { ticket = 3 } } }))
    assert.equal(-1, a:poll({ positions = {}, orders = { { ticket = 0 } } }))
    assert.equal("1", a:tickets())
  end)
end)
