local ffi = require("ffi")
local model = require("support.model")

local EINVAL = -1

describe("account", function()
  local a

  before_each(function()
    a = model.new()
  end)

  local function poll(what)
    assert.equal(0, a:poll(what))
  end

  describe("new", function()
    it("knows nothing but its id", function()
      assert.is_false(a.account.known)
      assert.equal("demo-1", a:now("id"))
      assert.is_nil(a:now("balance"))
    end)

    it("knows its first state, of which nothing has changed", function()
      poll({ account = { balance = 1000, currency = "EUR" }, positions = { {} } })
      assert.is_true(a.account.known)
      assert.equal("", a:changed())
      assert.equal(1000, a:was("balance"))
      assert.equal("EUR", a:now("currency"))
      assert.equal(1, a:now("positions_count"))
      assert.equal(5000, tonumber(a.account.good_mono_ms))
      assert.equal(model.START_MS, tonumber(a.account.good_wall_ms))
      assert.equal(model.START_MS, tonumber(a.account.good_source_ms))
    end)

    it("tells no moments of the first positions it learns, at whatever poll", function()
      poll({ account = { balance = 1000 } })
      assert.is_false(a.account.positions_known)
      poll({ positions = { {}, { position_id = 2 } } })
      assert.equal("", a:told())
      assert.equal("positions_count", a:changed())
      poll({ positions = { {}, { position_id = 2 }, { position_id = 3 } } })
      assert.equal("opened 3", a:told())
    end)
  end)

  describe("changes", function()
    before_each(function()
      poll({ account = { balance = 1000, equity = 1000, leverage = 100 }, positions = {} })
    end)

    it("name the fields that moved, beside what they were", function()
      poll({ account = { balance = 1000, equity = 990.5, leverage = 200 }, positions = {} })
      assert.equal("equity leverage", a:changed())
      assert.equal(1000, a:was("equity"))
      assert.equal(990.5, a:now("equity"))
    end)

    it("are those of the newest poll alone", function()
      poll({ account = { equity = 990 } })
      poll({ account = { equity = 990 } })
      assert.equal("", a:changed())
      assert.equal(990, a:was("equity"))
    end)

    it("are not made by noise below the currency's digits", function()
      poll({ account = { balance = 1000.0000001, equity = 1000.004 } })
      assert.equal("", a:changed())
      poll({ account = { equity = 1000.006 } })
      assert.equal("equity", a:changed())
    end)

    it("go by the digits of the currency", function()
      poll({ account = { equity = 1000.0001, currency_digits = 8 } })
      assert.equal("currency_digits equity", a:changed())
      poll({ account = { equity = 1000.00010001 } })
      assert.equal("equity", a:changed())
    end)

    it("keep what the source did not give", function()
      poll({ account = { equity = 990 } })
      assert.equal(1000, a:now("balance"))
      assert.equal(100, a:now("leverage"))
      poll({ positions = { {} } })
      assert.equal("positions_count", a:changed())
      assert.equal(990, a:now("equity"))
    end)

    it("do not let a source rename the account or count its positions", function()
      poll({ account = { id = "other", positions_count = 9 }, positions = { {} } })
      assert.equal("demo-1", a:now("id"))
      assert.equal(1, a:now("positions_count"))
    end)

    it("tell a value that is not known any more", function()
      poll({ account = { equity = 0 / 0 } })
      assert.equal("equity", a:changed())
      assert.is_nil(a:now("equity"))
    end)
  end)

  describe("a contradiction", function()
    local bad = {
      ["two positions of one identifier"] = { { position_id = 2 }, { position_id = 1 }, { position_id = 2, sl = 3 } },
      ["a position without an identifier"] = { { position_id = 1 }, { position_id = 0 } },
    }
    for what, positions in pairs(bad) do
      it("(" .. what .. ") is refused and changes nothing", function()
        poll({ account = { balance = 1000 }, positions = { {}, { position_id = 7 } } })
        poll({ positions = { {} } })
        local before = ffi.string(a.account.now, ffi.sizeof("struct tgl_account"))
        assert.equal(EINVAL, a:poll({
          account = { balance = 2000 },
          positions = positions,
          deals = { { ticket = 501, position_id = 7, at = 1.5 } },
        }))
        assert.equal(before, ffi.string(a.account.now, ffi.sizeof("struct tgl_account")))
        assert.equal("1 7", a:ids())
        assert.equal(1, a.account.suspects.rows[0].polls)
        assert.equal(model.START_MS + 1000, tonumber(a.account.good_wall_ms))
        poll({ positions = { {} }, deals = { { ticket = 501, position_id = 7, at = 1.5 } } })
        assert.equal("deal 501, closed 7", a:told())
      end)
    end

    it("in the very first answer leaves the account unknown", function()
      assert.equal(EINVAL, a:poll({ positions = { {}, {} } }))
      assert.is_false(a.account.known)
      assert.is_false(a.account.positions_known)
    end)
  end)

  describe("wants the deals", function()
    local same = { account = { balance = 1000, credit = 0 }, positions = { {}, { position_id = 2 } } }

    before_each(function()
      poll(same)
    end)

    it("not when nothing moved that they explain", function()
      assert.is_false(a:wants_deals(same))
      assert.is_false(a:wants_deals({ account = { balance = 1000.001, equity = 5 } }))
      assert.is_false(a:wants_deals({ positions = { {}, { position_id = 2, sl = 1, price_current = 2, profit = 3 } } }))
      assert.is_false(a:wants_deals({ account = { balance = 0 / 0 } }))
      assert.is_false(a:wants_deals({}))
    end)

    it("when the balance or the credit moved", function()
      assert.is_true(a:wants_deals({ account = { balance = 1000.01 } }))
      assert.is_true(a:wants_deals({ account = { credit = 5 } }))
    end)

    it("before the first positions are known, to tell what is history", function()
      assert.is_true(model.new():wants_deals({ account = { balance = 5 }, positions = { {} } }))
    end)

    it("when a position came, vanished, turned round, or its volume was touched", function()
      assert.is_true(a:wants_deals({ positions = { {} } }))
      assert.is_true(a:wants_deals({ positions = { {}, { position_id = 2 }, { position_id = 3 } } }))
      assert.is_true(a:wants_deals({ positions = { {}, { position_id = 3 } } }))
      assert.is_true(a:wants_deals({ positions = { { position_id = 2, volume = 2 }, {} } }))
      assert.is_true(a:wants_deals({ positions = { { position_id = 2, time_update = 5 }, {} } }))
      assert.is_true(a:wants_deals({ positions = { { position_id = 2, price_open = 1.2 }, {} } }))
      assert.is_true(a:wants_deals({ positions = { { position_id = 2, volume = 0.5 }, {} } }))
      assert.is_true(a:wants_deals({ positions = { {}, { position_id = 2, side = "sell" } } }))
    end)

    it("as long as a position is missing", function()
      poll({ positions = { {} } })
      assert.is_true(a:wants_deals(same))
      poll(same)
      assert.is_false(a:wants_deals(same))
    end)

    -- How many polls after this one still want the deals though nothing more happens.
    local function sweeps(after)
      local n = 0
      while n < 20 and a:wants_deals(after or {}) do
        n = n + 1
        poll(after or {})
      end
      return n
    end

    it("for three polls after a move that no deal explained", function()
      poll({ account = { balance = 1100 }, positions = same.positions, deals = {} })
      assert.equal(3, sweeps())
    end)

    it("for three polls after an unexplained move of the credit", function()
      poll({ account = { credit = 100 }, positions = same.positions, deals = {} })
      assert.equal(3, sweeps())
    end)

    it("no more once the deals add up", function()
      local deal = { ticket = 600, action = "balance", entry = "unknown", position_id = 0, profit = 101, commission = -1, at = 0.5 }
      poll({ account = { balance = 1100 }, positions = same.positions, deals = { deal } })
      assert.is_false(a:wants_deals({}))
    end)

    it("no more once the deal that was owed has come", function()
      local deal = { ticket = 600, action = "balance", entry = "unknown", position_id = 0, profit = 100, at = 0.5 }
      poll({ account = { balance = 1100 }, positions = same.positions, deals = {} })
      assert.is_true(a:wants_deals({}))
      poll({ positions = same.positions, deals = { deal } })
      assert.equal("balance 600", a:told())
      assert.is_false(a:wants_deals({}))
    end)

    it("still, when something else happens before the deal comes", function()
      poll({ account = { balance = 1100 }, positions = same.positions, deals = {} })
      poll({ positions = { { sl = 1 }, { position_id = 2 } }, deals = {} })
      assert.equal("modified 1", a:told())
      assert.is_true(a:wants_deals({}))
    end)

    it("not for a credit that its deal explains", function()
      local deal = { ticket = 600, action = "credit", entry = "unknown", position_id = 0, profit = 100, at = 0.5 }
      poll({ account = { credit = 100 }, positions = same.positions, deals = { deal } })
      assert.equal("balance 600", a:told())
      assert.is_false(a:wants_deals({}))
    end)

    it("each fifth poll after that, for a minute and not for ever", function()
      local asked = 0
      poll({ account = { balance = 1100 }, positions = same.positions, deals = {} })
      for _ = 1, 60 do
        local wants = a:wants_deals({})
        if wants then asked = asked + 1 end
        poll(wants and { deals = {} } or {})
      end
      assert.equal(3 + 12, asked)
      for _ = 1, 29 do
        assert.is_false(a:wants_deals({}))
        poll({})
      end
    end)

    it("once in thirty polls as a matter of course", function()
      poll({ positions = same.positions, deals = {} })
      for _ = 1, 30 do
        assert.is_false(a:wants_deals({}))
        poll({})
      end
      assert.is_true(a:wants_deals({}))
      poll({})
      assert.is_false(a:wants_deals({}))
    end)

    it("while a deal waits for what it belongs to", function()
      local open = { ticket = 600, position_id = 9, entry = "in", action = "buy", at = 1.2 }
      poll({ positions = same.positions, deals = { open } })
      assert.is_true(a:wants_deals({}))
    end)
  end)

  describe("refuses an answer", function()
    it("of another login", function()
      poll({ account = { login = "501", balance = 1000 }, positions = {} })
      assert.equal(EINVAL, a:poll({ account = { login = "502", balance = 5 }, positions = {} }))
      assert.equal(1000, a:now("balance"))
      assert.equal(0, a:poll({ account = { login = "501", balance = 5 }, positions = {} }))
    end)

    it("that is older than what is known, unless the clock was set", function()
      poll({ positions = {} })
      poll({ positions = {}, after = 700 })
      assert.equal(EINVAL, a:poll({ positions = { {} }, after = -30 }))
      assert.equal("", a:ids())
      assert.equal(0, a:poll({ positions = { {} }, after = -660 }))
      assert.equal("1", a:ids())
    end)
  end)
end)
