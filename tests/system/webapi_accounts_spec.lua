-- What a spec can make the accounts of the Web API test server do, and what the simulation's accounts do by themselves.
local loop = require("support.loop")
local webapi = require("support.webapi")

describe("accounts of the Web API test server", function()
  local server, client

  local function start(options)
    server = webapi.start(options)
    client = server:client(options and "raw" or "raw-aes")
  end

  after_each(function() server = webapi.finish(server) end)

  local function account(login)
    return client:ask("USER_ACCOUNT_GET", { LOGIN = tostring(login) }).answer
  end

  local function positions(login)
    return client:ask("POSITION_GET_BATCH", { LOGIN = tostring(login) }).answer
  end

  local function deals(login)
    return client:ask("DEAL_GET_BATCH", { LOGIN = tostring(login), FROM = "0", TO = "99999999999" }).answer
  end

  -- The fields of a row that `wanted` names.
  local function pick(row, wanted)
    local out = {}
    for name in pairs(wanted) do
      out[name] = row[name]
    end
    return out
  end

  local function has(wanted, row)
    assert.same(wanted, pick(row, wanted))
  end

  describe("that a spec writes", function()
    before_each(function()
      start()
      server:control({ op = "account", login = 7, user = { Leverage = 100 } })
    end)

    it("open, modify and close with their figures, to the digit", function()
      local opened = server:control({ op = "open", login = 7, position = {
        Symbol = "EURUSD", VolumeExt = "12000000", PriceOpen = "1.08500", PriceSL = "1.08", ExpertID = "-3", Reason = 1,
        Comment = "a|b=c\\d \"e\"",
      }, commission = "-0.35" })
      has({ Position = opened.ticket, Login = "7", Action = "0", Digits = "5", DigitsCurrency = "2", Volume = "1200",
        VolumeExt = "12000000", PriceOpen = "1.08500", PriceSL = "1.08000", PriceTP = "0.00000", ContractSize = "100000.00000000",
        ExpertID = "-3", Reason = "1", Comment = "a|b=c\\d \"e\"", Profit = "0.00" }, positions(7)[1])
      has({ Balance = "9999.65", Margin = "130.20", MarginFree = "9869.45", Equity = "9999.65", MarginLevel = "7680.22" }, account(7))
      server:control({ op = "modify", login = 7, ticket = opened.ticket,
        set = { PriceCurrent = "1.08612", Profit = "13.44", Storage = "-1.20", PriceTP = "1.09" } })
      has({ Profit = "13.44", Storage = "-1.20", Floating = "12.24", Equity = "10011.89" }, account(7))
      local before = positions(7)[1]
      server:control({ op = "close", login = 7, ticket = opened.ticket, lots = "0.04", price = "1.08610", reason = 4 })
      has({ Volume = "800", VolumeExt = "8000000", Profit = "8.96", TimeCreate = before.TimeCreate }, positions(7)[1])
      server:control({ op = "close", login = 7, ticket = opened.ticket, reason = 3, comment = "[sl 1.08]" })
      assert.same({}, positions(7))
      local all = deals(7)
      assert.equal(3, #all)
      has({ Entry = "0", Action = "0", PositionID = opened.ticket, Order = opened.order, Commission = "-0.35", Reason = "1" }, all[1])
      has({ Entry = "1", Action = "1", Volume = "400", VolumeClosed = "400", Price = "1.08610", PricePosition = "1.08500",
        Profit = "4.48", Storage = "-0.40", Reason = "4" }, all[2])
      has({ Entry = "1", VolumeExt = "8000000", Profit = "8.96", Storage = "-0.80", Reason = "3", Comment = "[sl 1.08]" }, all[3])
      assert.equal("10011.89", account(7).Balance)
      local orders = client:ask("HISTORY_GET_BATCH", { LOGIN = "7", FROM = "0", TO = "99999999999" }).answer
      assert.equal(3, #orders)
      has({ Order = all[3].Order, State = "4", Type = "1", VolumeInitialExt = "8000000", VolumeCurrent = "0", Reason = "3",
        PositionID = opened.ticket, TimeDoneMsc = all[3].TimeMsc }, orders[3])
    end)

    it("a reversal: one INOUT deal, the other side, the order's ticket when asked", function()
      local opened = server:control({ op = "open", login = 7, position = { Action = 0 } })
      local turned = server:control({ op = "reverse", login = 7, ticket = opened.ticket, lots = 3, price = 1.09, profit = 500, new_ticket = true })
      assert.equal(turned.order, turned.ticket)
      has({ Position = turned.ticket, Action = "1", Volume = "20000", PriceOpen = "1.09000" }, positions(7)[1])
      has({ Entry = "2", Action = "1", Volume = "30000", VolumeClosed = "10000", PositionID = opened.ticket, Profit = "500.00" }, deals(7)[2])
      assert.equal("10500.00", account(7).Balance)
      assert.matches("more than 2 reverse", server:refusal({ op = "reverse", login = 7, ticket = turned.ticket, lots = 1 }))
    end)

    it("close by: two OUT_BY deals, the profit in one, the larger position goes on", function()
      local a = server:control({ op = "open", login = 7, position = { VolumeExt = 100000000 } })
      local b = server:control({ op = "open", login = 7, position = { Action = 1, VolumeExt = 30000000, PriceOpen = 1.09 } })
      server:control({ op = "close_by", login = 7, ticket = a.ticket, by = b.ticket, profit = 150 })
      has({ Position = a.ticket, Volume = "7000" }, positions(7)[1])
      assert.equal(1, #positions(7))
      local all = deals(7)
      has({ Entry = "3", PositionID = a.ticket, Profit = "150.00", Price = "1.09000", Volume = "3000" }, all[3])
      has({ Entry = "3", PositionID = b.ticket, Profit = "0.00", Price = "1.08500", Order = all[3].Order }, all[4])
      assert.matches("opposite sides", server:refusal({ op = "close_by", login = 7, ticket = a.ticket, by = a.ticket }))
    end)

    it("money: deposits, credits, a stop out, figures that contradict", function()
      server:control({ { op = "balance", login = 7, amount = -250.5, comment = "Withdrawal" }, { op = "balance", login = 7, amount = 100, action = 3 } })
      has({ Balance = "9749.50", Credit = "100.00", Equity = "9849.50" }, account(7))
      has({ Action = "2", Profit = "-250.50", Comment = "Withdrawal", Symbol = "" }, deals(7)[1])
      has({ Action = "3", Profit = "100.00" }, deals(7)[2])
      server:control({ op = "account", login = 7, account = { SOActivation = 2, SOLevel = 49.9 }, override = { Equity = "1.23" } })
      has({ SOActivation = "2", SOLevel = "49.90", Equity = "1.23" }, account(7))
      server:control({ op = "group", group = "jp", set = { Currency = "JPY", CurrencyDigits = 0 } })
      server:control({ op = "account", login = 8, group = "jp", user = { Balance = 1234567 } })
      has({ Balance = "1234567", CurrencyDigits = "0" }, account(8))
    end)

    it("orders: placed, changed, filled under their own ticket, cancelled into the history", function()
      local placed = server:control({ op = "order", login = 7, order = { Type = 3, PriceOrder = "1.1", VolumeInitialExt = 50000000, Comment = "pending" } })
      has({ Order = placed.ticket, State = "1", Type = "3", PriceOrder = "1.10000", VolumeInitial = "5000" },
        client:ask("ORDER_GET", { TICKET = placed.ticket }).answer)
      server:control({ op = "order_modify", login = 7, ticket = placed.ticket, set = { PriceSL = "1.2" } })
      server:control({ op = "order_done", login = 7, ticket = placed.ticket, state = 4 })
      has({ Position = placed.ticket, Action = "1", PriceSL = "1.20000", Volume = "5000", Comment = "pending" }, positions(7)[1])
      has({ Order = placed.ticket, PositionID = placed.ticket, Entry = "0" }, deals(7)[1])
      local other = server:control({ op = "order", login = 7 })
      server:control({ op = "order_done", login = 7, ticket = other.ticket, state = 6 })
      local history = client:ask("HISTORY_GET_BATCH", { LOGIN = "7", FROM = "0", TO = "99999999999" }).answer
      has({ State = "4", VolumeCurrent = "0", PositionID = placed.ticket }, history[1])
      has({ State = "6" }, history[2])
      assert.equal("0", client:ask("ORDER_GET_TOTAL", { LOGIN = "7" }).fields.total)
    end)

    it("what no server should do: no deal for a close, deals of their own, fields that are missing", function()
      local opened = server:control({ op = "open", login = 7, position = { Position = "18446744073709551615" } })
      assert.equal("18446744073709551615", opened.ticket)
      server:control({ op = "close", login = 7, ticket = opened.ticket, profit = 5, unrecorded = true })
      assert.equal(1, #deals(7))
      assert.equal("10005.00", account(7).Balance)
      local booked = server:control({ op = "deal", login = 7, deal = { Action = 5, Profit = 3, Reason = 6 }, moves_money = 0 })
      has({ Deal = booked.deal, Action = "5", Profit = "3.00" }, deals(7)[2])
      assert.equal("10005.00", account(7).Balance)
      server:control({ op = "deal_delete", login = 7, ticket = booked.deal })
      assert.equal(1, #deals(7))
      server:control({ op = "settings", omit = { position = { "VolumeExt", "TimeUpdateMsc" }, deal = { "Fee" } } })
      server:control({ op = "open", login = 7 })
      local row = positions(7)[1]
      assert.same({ "10000", nil, nil }, { row.Volume, row.VolumeExt, row.TimeUpdateMsc })
      assert.is_nil(deals(7)[1].Fee)
    end)

    it("mistakes are told by name", function()
      for want, op in pairs({
        ["no account 99"] = { op = "open", login = 99 },
        ['position has no field "Volum"'] = { op = "open", login = 7, position = { Volum = 1 } },
        ['position.PriceSL cannot be "high"'] = { op = "open", login = 7, position = { PriceSL = "high" } },
        ["no position 5"] = { op = "close", login = 7, ticket = 5 },
        ["no order 5"] = { op = "order_done", login = 7, ticket = 5 },
        ["no deal 5"] = { op = "deal_delete", login = 7, ticket = 5 },
        ["login: a number is needed"] = { op = "account" },
        ["group: a name is needed"] = { op = "group" },
      }) do
        assert.equal(want, server:refusal(op))
      end
    end)
  end)

  describe("of the simulation", function()
    local function every(command, params)
      return client:ask(command, params).answer
    end

    it("are the same for the same seed, add up, and move", function()
      start({ accounts = 66, seed = 5, events_per_minute = 120 })
      local all = every("USER_ACCOUNT_GET_BATCH", { GROUP = "*" })
      assert.equal(66, #all)
      for _, one in ipairs(all) do
        local unit = one.CurrencyDigits == "0" and 1 or 0.01
        local sum = tonumber(one.Balance) + tonumber(one.Credit) + tonumber(one.Floating)
        assert.is_true(math.abs(sum - tonumber(one.Equity)) < unit / 2, one.Login)
        assert.equal(one.Floating, ("%." .. one.CurrencyDigits .. "f"):format(tonumber(one.Profit) + tonumber(one.Storage)))
      end
      local groups = {}
      for _, user in ipairs(every("USER_GET_BATCH", { GROUP = "*" })) do
        groups[user.Group] = true
      end
      for group in pairs(groups) do
        local settings = every("GROUP_GET", { GROUP = group })
        assert.equal(group:match("%a%a%a%-"):sub(1, 3), settings.Currency)
        assert.equal(group:find("netting") and "0" or "2", settings.MarginMode)
      end
      local huge = every("POSITION_GET_BATCH", { LOGIN = "5000064" })
      local seen = deals(5000064)
      assert.is_truthy((huge[1] and huge[1].Position or seen[#seen].Deal):match("^46116860%d+$"))
      local before = #every("DEAL_GET_BATCH", { GROUP = "*", FROM = "0", TO = "99999999999" })
      local other = webapi.start({ accounts = 66, seed = 5, events_per_minute = 120 })
      local second = other:client("rest")
      local function start_of(who)
        local out = {}
        for _, deal in ipairs(who:ask("DEAL_GET_BATCH", { GROUP = "*", FROM = "0", TO = "99999999999" }).answer) do
          if deal.Action == "2" and not out[deal.Login] then out[deal.Login] = deal.Deal .. " " .. deal.Profit end
        end
        return out
      end
      assert.same(start_of(client), start_of(second))
      assert.equal(0, other:stop())
      local moved
      local deadline = loop.now() + loop.patience(8000)
      repeat
        loop.sleep(200)
        moved = #every("DEAL_GET_BATCH", { GROUP = "*", FROM = "0", TO = "99999999999" })
      until moved > before or loop.now() > deadline
      assert.is_true(moved > before)
    end)

    it("have an order in the history for each deal of a trade", function()
      start({ accounts = 12, seed = 3 })
      server:control({ op = "settings", freeze = true })
      local window = { GROUP = "*", FROM = "0", TO = "99999999999" }
      local orders, trades = {}, 0
      for _, order in ipairs(every("HISTORY_GET_BATCH", window)) do
        orders[order.Login .. " " .. order.Order] = order
      end
      for _, deal in ipairs(every("DEAL_GET_BATCH", window)) do
        if deal.PositionID ~= "0" then
          trades = trades + 1
          has({ State = "4", Type = deal.Action, PositionID = deal.PositionID, VolumeInitialExt = deal.VolumeExt },
            orders[deal.Login .. " " .. deal.Order])
        end
      end
      assert.is_true(trades > 5)
    end)

    it("balances are the sum of their deals", function()
      start({ accounts = 20, seed = 9, events_per_minute = 120 })
      loop.sleep(1500)
      server:control({ op = "settings", freeze = true })
      local sums = {}
      for _, deal in ipairs(every("DEAL_GET_BATCH", { GROUP = "*", FROM = "0", TO = "99999999999" })) do
        sums[deal.Login] = (sums[deal.Login] or 0) + tonumber(deal.Profit) + tonumber(deal.Storage) + tonumber(deal.Commission) + tonumber(deal.Fee)
      end
      for _, one in ipairs(every("USER_ACCOUNT_GET_BATCH", { GROUP = "*" })) do
        assert.is_true(math.abs(sums[one.Login] - tonumber(one.Balance)) < 0.005, one.Login)
      end
      assert.same(every("USER_ACCOUNT_GET_BATCH", { GROUP = "*" }), every("USER_ACCOUNT_GET_BATCH", { GROUP = "*" }))
    end)

    it("cannot be written to", function()
      start({ accounts = 1 })
      assert.matches("is lived by the simulation", server:refusal({ op = "open", login = 5000001 }))
      server:control({ op = "account", login = 5000001, dormant = true })
      assert.equal(13, client:ask("USER_ACCOUNT_GET", { LOGIN = "5000001" }).retcode)
    end)
  end)
end)
