local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("source", { "source/rest_map.h", "source/rest_symbols.h", "source/rest_currency.h" })

-- The documents of docs and field, byte for byte.
local INFO = '{"success":true,"account_id":"demo-1","timestamp":"2026-03-02T10:00:05.250Z",'
  .. '"data":{"balance":10000.00,'
  .. '"equity":10050.25,"margin":108.50,"free_margin":9941.75,"margin_level":9262.9,"currency":"USD","leverage":100,'
  .. '"profit":50.25,"credit":0.0,"positions_count":2},"cached":false,"cache_age_seconds":0}'
local POSITIONS = '{"success":true,"account_id":"demo-1","timestamp":"2026-03-02T10:00:05Z","positions":['
  .. '{"ticket":501,"symbol":"EURUSD","type":"buy","volume":1.00,"open_price":1.08500,'
  .. '"current_price":1.08550,"sl":1.08,'
  .. '"tp":null,"profit":50.00,"swap":-0.25,"commission":-3.5,"magic":7,"comment":"a \\"b\\"","open_time":'
  .. '"2026-03-02T09:00:00Z","open_time_broker":"2026-03-02 11:00:00"},'
  .. '{"ticket":9007199254740993,"symbol":"USDJPY","type":"sell","volume":0.1,"open_price":150.123,'
  .. '"current_price":150.1,'
  .. '"sl":0.0,"tp":149.5,"profit":0.25,"swap":0,"commission":null,"magic":-9223372036854775808,"comment":"",'
  .. '"open_time":"2026-03-02T09:00:00"}],"count":2}'
local HISTORY = '{"success":true,"account_id":"demo-1","history":[{"ticket":501,"symbol":"EURUSD",'
  .. '"type":"buy","volume":1.0,'
  .. '"open_price":1.085,"close_price":1.0865,"open_time":"2026-03-02T09:00:00Z",'
  .. '"close_time":"2026-03-02T10:00:04.5Z",'
  .. '"profit":150.0,"swap":-0.25,"commission":-3.5,"reason":"tp"}]}'

-- The same in MetaTrader's own words, as bridges put the terminal's answers through.
local INFO_MT5 = '{"success":true,"account_info":{"login":764636,"trade_mode":0,"leverage":500,"margin_mode":2,'
  .. '"trade_allowed":true,"currency_digits":3,"balance":"26000.000","credit":0.0,"profit":-1.5,'
  .. '"equity":25998.5,"margin":0.0,'
  .. '"margin_free":25998.5,"margin_level":0.0,"name":"J. Doe","server":"Demo","currency":"USD",'
  .. '"company":"Broker Ltd"}}'
local POSITIONS_MT5 = '{"success":true,"data":[{"ticket":18446744073709551615,"time":1772442000,'
  .. '"time_msc":1772442000123,'
  .. '"time_update":1772442060,"type":1,"magic":0,"identifier":18446744073709551614,"reason":3,"volume":0.5,'
  .. '"price_open":1.1,"sl":0.0,"tp":1.0501,"price_current":1.0999,"swap":0.0,"profit":0.5,"symbol":"EURUSD.r",'
  .. '"comment":"x","external_id":"e1"}]}'
local HISTORY_MT5 = '{"success":true,"deals":[{"ticket":71,"order":61,"time":1772442000,'
  .. '"time_msc":1772442000123,"type":0,'
  .. '"entry":1,"magic":5,"position_id":77,"reason":4,"volume":0.5,"price":1.0501,"commission":-1,"swap":0,'
  .. '"profit":24.5,'
  .. '"fee":0,"symbol":"EURUSD.r","comment":"[sl]"},{"ticket":72,"order":0,"time":1772442001,"type":2,'
  .. '"entry":0,"volume":0,'
  .. '"position_id":0,"price":0,"commission":0,"swap":0,"profit":500,"symbol":"","comment":"deposit"}]}'

describe("rest_map", function()
  local map, records, verdict, demand

  before_each(function()
    map = C.tg_rest_map_new(2)
    records = ffi.new("struct tg_records")
    verdict = ffi.new("struct tg_rest_verdict")
    demand = ffi.new("struct tg_rest_demand", { "demo-1", 10000 })
    C.tg_records_clear(records)
  end)

  after_each(function()
    C.tg_records_fini(records)
    C.tg_rest_map_free(map)
  end)

  local function feed(part, text, status)
    -- A copy of the exact length, so that a sanitizer sees a step beyond its end.
    local body = ffi.C.malloc(#text + 1)
    ffi.copy(body, text, #text)
    local answer = ffi.new("struct tg_rest_answer", { status or 200, body, #text, 0 })
    local rc = C["tg_rest_map_" .. part](map, answer, demand, records, verdict)
    ffi.C.free(body)
    return rc
  end

  local function good(part, text)
    assert.equal(0, feed(part, text), ffi.string(verdict.message))
  end

  -- Feeds what must be refused and tells how.
  local function refused(part, text, status)
    assert.equal(-7, feed(part, text, status), text)
    local known = part == "positions" and "positions_known" or part == "info" and "account_known" or "deals_known"
    assert.is_false(records[known])
    return tonumber(verdict["end"]), ffi.string(verdict.code), ffi.string(verdict.message)
  end

  local function bad_document(part, text)
    local kind, code, message = refused(part, text)
    assert.equal(C.TG_POLL_FAILED, kind, text)
    assert.equal("BAD_DOCUMENT", code, text)
    return message
  end

  local function text_of(entity, record, name)
    local out = ffi.new("struct tg_buf")
    local field = C.tg_field_find(C["tg_" .. entity .. "_entity"], name)
    C.tg_field_write(out, C["tg_" .. entity .. "_entity"], field, record, false)
    local text = ffi.string(out.data, out.len)
    C.tg_buf_fini(out)
    return text
  end

  -- The fields as the client would read them.
  local function check(entity, record, wanted)
    for name, text in pairs(wanted) do
      assert.equal(text, text_of(entity, record, name), name)
    end
  end

  local function bit_of(name)
    return C.tg_field_bit(C.tg_account_entity, C.tg_field_find(C.tg_account_entity, name))
  end

  local function gave(name)
    return require("bit").band(records.account_fields, bit_of(name)) ~= 0
  end

  -- One position, with some members replaced (or added) by JSON text; false takes one away.
  local function row(changes)
    local members = { ticket = "501", symbol = '"EURUSD"', type = '"buy"', volume = "1.0" }
    for name, text in pairs(changes or {}) do
      members[name] = text or nil
    end
    local parts = {}
    for name, text in pairs(members) do
      parts[#parts + 1] = ('"%s":%s'):format(name, text)
    end
    return "{" .. table.concat(parts, ",") .. "}"
  end

  local function rows(...)
    return '{"success":true,"positions":[' .. table.concat({ ... }, ",") .. "]}"
  end

  local function info(members)
    return '{"success":true,"data":{"balance":1,"equity":1' .. (members or "") .. "}}"
  end

  describe("positions", function()
    it("maps the platform's document", function()
      good("positions", POSITIONS)
      assert.is_true(records.positions_known)
      assert.equal(2, records.positions_count)
      check("position", records.positions[0], {
        ticket = "501", position_id = "501", symbol = '"EURUSD"', side = '"buy"', volume = "1.00",
        price_open = "1.08500", price_current = "1.08550", sl = "1.08000", tp = "null", profit = "50.00",
        swap = "-0.25",
        commission = "-3.50", magic = "7", comment = '"a \\"b\\""', time_open = '"2026-03-02T09:00:00.000Z"',
        digits = "5",
      })
      check("position", records.positions[1], {
        ticket = "9007199254740993", symbol = '"USDJPY"', side = '"sell"', volume = "0.10", price_open = "150.123",
        price_current = "150.100", sl = "null", tp = "149.500", commission = "null", magic = "-9223372036854775808",
        comment = '""', time_open = '"2026-03-02T09:00:00.000Z"',
      })
      assert.equal(1772445605000, tonumber(records.source_time_ms))
    end)

    it("maps MetaTrader's own words", function()
      good("positions", POSITIONS_MT5)
      check("position", records.positions[0], {
        ticket = "18446744073709551615", position_id = "18446744073709551614", side = '"sell"', volume = "0.50",
        price_open = "1.1000", price_current = "1.0999", sl = "null", tp = "1.0501", reason = '"expert"',
        time_open = '"2026-03-02T09:00:00.123Z"', time_update = '"2026-03-02T09:01:00.000Z"', external_id = '"e1"',
        commission = "null",
      })
    end)

    it("takes the list from any of its places", function()
      for _, shape in ipairs({ '"positions":[%s]', '"data":[%s]', '"data":{"positions":[%s]}' }) do
        good("positions", '{"success":true,' .. shape:format(row()) .. "}")
        assert.equal(1, records.positions_count)
      end
    end)

    it("knows an empty list from no list", function()
      good("positions", rows())
      assert.is_true(records.positions_known)
      assert.equal(0, records.positions_count)
      for _, rest in ipairs({
        "", ',"positions":null', ',"positions":{}', ',"positions":"[]"', ',"positions":0', ',"positions":false',
        ',"data":null', ',"data":{}', ',"data":{"positions":null}', ',"positions":null,"data":[]',
      }) do
        bad_document("positions", '{"success":true' .. rest .. "}")
      end
    end)

    it("refuses the whole document over one bad row", function()
      for _, change in ipairs({
        { ticket = false }, { ticket = "null" }, { ticket = "0" }, { ticket = "-1" }, { ticket = "1.5" },
        { ticket = "1e3" }, { ticket = "18446744073709551616" }, { ticket = '"abc"' }, { ticket = "[]" },
        { symbol = false }, { symbol = '""' }, { symbol = "null" }, { symbol = "{}" }, { symbol = '"A\\u0000B"' },
        { symbol = '"' .. ("X"):rep(32) .. '"' },
        { type = false }, { type = "null" }, { type = '"hold"' }, { type = '"buy_limit"' }, { type = "2" },
        { type = "-1" }, { type = "true" }, { type = '"unknown"' },
        { volume = false }, { volume = "null" }, { volume = "0" }, { volume = "-1" }, { volume = '"many"' },
        { volume = "1e999" },
        { open_price = '"x"' }, { current_price = "[]" }, { sl = "true" }, { profit = '""' }, { swap = "{}" },
        { magic = "1.5" }, { magic = '"x"' }, { open_time = '"yesterday"' }, { open_time = "-5" },
        { open_time = "1e20" },
        { identifier = "-1" }, { digits = "-1" }, { digits = "1.5" }, { comment = "[]" },
      }) do
        local message = bad_document("positions", rows(row({ ticket = "7" }), row(change)))
        assert.is_truthy(message:find("row 1", 1, true), message)
      end
      for _, other in ipairs({ "null", "1", '"x"', "[]" }) do
        bad_document("positions", rows(row(), other))
      end
    end)

    it("refuses two positions of one identifier", function()
      local message = bad_document("positions", rows(row(), row({ ticket = "502" }), row()))
      assert.is_truthy(message:find("501 occurs twice", 1, true))
      bad_document("positions", rows(row({ ticket = "1", identifier = "9" }), row({ ticket = "2",
      identifier = "9" })))
      good("positions", rows(row({ ticket = "1", identifier = "8" }), row({ ticket = "1", identifier = "9" })))
    end)

    it("refuses a list that is not as long as it says", function()
      for _, name in ipairs({ "count", "positions_count" }) do
        local text = ('{"success":true,"%s":3,"positions":[%s]}'):format(name, row())
        local kind, code = refused("positions", text)
        assert.equal(C.TG_POLL_STALE, kind)
        assert.equal("INCONSISTENT", code)
        good("positions", (text:gsub(":3", ":1")))
      end
    end)

    it("reads every spelling of a side", function()
      for text, side in pairs({
        ['"buy"'] = "buy", ['"SELL"'] = "sell", ['"POSITION_TYPE_BUY"'] = "buy", ['"Position_Type_Sell"'] = "sell",
        ['"ORDER_TYPE_SELL"'] = "sell", ["0"] = "buy", ["1"] = "sell", ['"0"'] = "buy", ['"1"'] = "sell",
      }) do
        good("positions", rows(row({ type = text })))
        assert.equal(('"%s"'):format(side), text_of("position", records.positions[0], "side"))
      end
    end)

    it("reads every spelling of a reason, and does not guess", function()
      for text, reason in pairs({
        ["0"] = "manual", ["3"] = "expert", ["4"] = "sl", ["6"] = "stop_out", ["9"] = "split",
        ['"POSITION_REASON_CLIENT"'] = "manual", ['"expert"'] = "expert", ['"so"'] = "stop_out",
        ["77"] = "unknown", ['"moon"'] = "unknown", ["-3"] = "unknown",
      }) do
        good("positions", rows(row({ reason = text })))
        assert.equal(('"%s"'):format(reason), text_of("position", records.positions[0], "reason"))
      end
      bad_document("positions", rows(row({ reason = "[]" })))
    end)

    it("reads tickets as numbers and as strings, to the last digit", function()
      for _, ticket in ipairs({ "1", "9007199254740993", "9223372036854775807", "18446744073709551615" }) do
        good("positions", rows(row({ ticket = ticket })))
        assert.equal(ticket, text_of("position", records.positions[0], "ticket"))
        good("positions", rows(row({ ticket = '"' .. ticket .. '"' })))
        assert.equal(ticket, text_of("position", records.positions[0], "ticket"))
      end
    end)

    it("reads times in every form, UTC where no zone is told", function()
      for text, iso in pairs({
        ['"2026-03-02T09:00:00Z"'] = "2026-03-02T09:00:00.000Z",
        ['"2026-03-02T09:00:00"'] = "2026-03-02T09:00:00.000Z",
        ['"2026-03-02 09:00:00.5"'] = "2026-03-02T09:00:00.500Z",
        ['"2026.03.02 09:00:00"'] = "2026-03-02T09:00:00.000Z",
        ['"2026-03-02T11:00:00+02:00"'] = "2026-03-02T09:00:00.000Z",
        ["1772442000"] = "2026-03-02T09:00:00.000Z",
        ["1772442000123"] = "2026-03-02T09:00:00.123Z",
        ["1772442000.25"] = "2026-03-02T09:00:00.250Z",
        ['"1772442000"'] = "2026-03-02T09:00:00.000Z",
      }) do
        good("positions", rows(row({ open_time = text })))
        assert.equal(('"%s"'):format(iso), text_of("position", records.positions[0], "time_open"), text)
      end
      for _, text in ipairs({ "null", '""', "0" }) do
        good("positions", rows(row({ open_time = text })))
        assert.equal("null", text_of("position", records.positions[0], "time_open"), text)
      end
    end)

    it("falls back on a later name when an earlier one is null", function()
      good("positions", rows(row({ price_open = "null", open_price = "1.5", identifier = "null",
      position_id = "9" })))
      check("position", records.positions[0], { price_open = "1.5", position_id = "9" })
    end)

    it("learns a symbol's decimals and never forgets them", function()
      good("positions", rows(row({ open_price = "1.085" }), row({ ticket = "2", current_price = "1.08512" })))
      assert.equal("1.08500", text_of("position", records.positions[0], "price_open"))
      good("positions", rows(row({ open_price = "1.1" })))
      assert.equal("1.10000", text_of("position", records.positions[0], "price_open"))
      good("positions", rows(row({ symbol = '"DE40"', open_price = "18000" })))
      assert.equal("18000", text_of("position", records.positions[0], "price_open"))
    end)

    it("believes the digits that a row tells", function()
      good("positions", rows(row({ open_price = "1.0851234", digits = "5" })))
      assert.equal("1.08512", text_of("position", records.positions[0], "price_open"))
      good("positions", rows(row({ symbol = '"X"', open_price = "1.5", digits = "20" })))
      assert.equal("1.50000000", text_of("position", records.positions[0], "price_open"))
    end)

    it("sees through binary noise", function()
      good("positions", rows(row({ open_price = "1.0850000000000002" })))
      assert.equal("1.085", text_of("position", records.positions[0], "price_open"))
    end)

    it("does not take an averaged price for a quote", function()
      good("positions", rows(row({ open_price = "1.085033333333333", current_price = "1.08512" })))
      check("position", records.positions[0], { digits = "5", price_open = "1.08503" })
    end)

    it("keeps all decimals while a symbol has shown none", function()
      good("positions", rows(row({ open_price = "1.085033333333333" })))
      assert.equal("1.08503333", text_of("position", records.positions[0], "price_open"))
    end)

    it("replaces what an earlier document said", function()
      good("positions", rows(row(), row({ ticket = "2" })))
      good("positions", rows(row({ ticket = "3" })))
      assert.equal(1, records.positions_count)
      refused("positions", rows(row({ volume = "0" })))
    end)

    it("stands a long list", function()
      local list = {}
      for i = 1, 5000 do
        list[i] = row({ ticket = tostring(i) })
      end
      good("positions", rows(unpack(list)))
      assert.equal(5000, records.positions_count)
      list[#list + 1] = row({ ticket = "2500" })
      bad_document("positions", rows(unpack(list)))
    end)
  end)

  describe("info", function()
    it("maps the platform's document", function()
      good("info", INFO)
      assert.is_true(records.account_known)
      check("account", records.account, {
        id = '"demo-1"', balance = "10000.00", equity = "10050.25", margin = "108.50", margin_free = "9941.75",
        margin_level = "9262.90", currency = '"USD"', leverage = "100", profit = "50.25", credit = "0.00",
        positions_count = "2", login = '""', name = '""',
      })
      assert.equal(1772445605250, tonumber(records.source_time_ms))
      for _, name in ipairs({ "id", "balance", "equity", "margin", "margin_free", "leverage", "positions_count" }) do
        assert.is_true(gave(name), name)
      end
      for _, name in ipairs({ "login", "name", "server", "trade_mode", "trade_allowed", "currency_digits" }) do
        assert.is_false(gave(name), name)
      end
    end)

    it("maps MetaTrader's own words", function()
      good("info", INFO_MT5)
      check("account", records.account, {
        login = '"764636"', trade_mode = '"demo"', leverage = "500", margin_mode = '"hedging"',
        trade_allowed = "true",
        currency_digits = "3", balance = "26000.000", equity = "25998.500", margin_free = "25998.500",
        margin_level = "0.00", name = '"J. Doe"', server = '"Demo"', company = '"Broker Ltd"',
      })
      assert.is_true(gave("currency_digits"))
    end)

    it("takes the account from any of its places", function()
      for _, shape in ipairs({
        '"data":{%s}', '"account_info":{%s}', '"data":{"account_info":{%s}}', "%s",
      }) do
        good("info", '{"success":true,' .. shape:format('"balance":5,"equity":6') .. "}")
        check("account", records.account, { balance = "5.00", equity = "6.00" })
      end
    end)

    it("needs a balance and an equity, and they must be numbers", function()
      for _, members in ipairs({
        '"equity":1', '"balance":1', '"balance":null,"equity":1', '"balance":1,"equity":null',
        '"balance":"x","equity":1',
        '"balance":1,"equity":1e999', '"balance":[],"equity":1', '"balance":true,"equity":1',
        '"balance":1,"equity":1,"margin":"x"', '"balance":1,"equity":1,"leverage":"1:100"',
        '"balance":1,"equity":1,"positions_count":-1', '"balance":1,"equity":1,"trade_allowed":2',
        '"balance":1,"equity":1,"positions_count":1.5', '"balance":1,"equity":1,"currency":"' .. ("X"):rep(16) .. '"',
      }) do
        bad_document("info", '{"success":true,"data":{' .. members .. "}}")
      end
      for _, data in ipairs({ "null", "[]", "1", '"x"' }) do
        bad_document("info", '{"success":true,"data":' .. data .. "}")
      end
      bad_document("info", '{"success":true}')
    end)

    it("knows the decimals of currencies", function()
      for currency, balance in pairs({ JPY = "1235", USD = "1234.57", KWD = "1234.568", BTC = "1234.56789000" }) do
        good("info", ('{"success":true,"data":{"balance":1234.56789,"equity":1,"currency":"%s"}}'):format(currency))
        assert.equal(balance, text_of("account", records.account, "balance"))
      end
      good("info", '{"success":true,"data":{"balance":1234.56789,"equity":1,"currency":"JPY","currency_digits":1}}')
      assert.equal("1234.6", text_of("account", records.account, "balance"))
      good("info", '{"success":true,"data":{"balance":1234.56789,"equity":1,"currency_digits":77}}')
      assert.equal("1234.56789000", text_of("account", records.account, "balance"))
      assert.equal(4, C.tg_rest_currency_digits("ZZZ", 4))
    end)

    it("gives the currency's decimals to the positions, before and after", function()
      good("positions", rows(row({ profit = "100.4" })))
      good("info", info(',"currency":"JPY"'))
      assert.equal("100", text_of("position", records.positions[0], "profit"))
      good("positions", rows(row({ profit = "200.4" })))
      assert.equal("200", text_of("position", records.positions[0], "profit"))
    end)

    it("knows that no margin has no level, and does not invent one otherwise", function()
      good("info", info(',"margin":0,"margin_level":null'))
      check("account", records.account, { margin_level = "0.00" })
      assert.is_true(gave("margin_level"))
      for _, members in ipairs({ ',"margin":5', ',"margin":null', "" }) do
        good("info", info(members))
        check("account", records.account, { margin_level = "null" })
        assert.is_false(gave("margin_level"))
      end
    end)

    it("cuts a long display text between characters, not a name that tells things apart", function()
      good("info", info(',"name":"' .. ("ä"):rep(40) .. '"'))
      assert.equal(("ä"):rep(31), ffi.string(ffi.cast("char *", records.account)
        + C.tg_field_find(C.tg_account_entity, "name").offset))
      bad_document("info", info(',"login":"' .. ("1"):rep(24) .. '"'))
    end)

    it("compares its count with the positions", function()
      good("positions", rows(row()))
      good("info", info(',"positions_count":1'))
      assert.is_true(C.tg_rest_map_agrees(records))
      good("info", info(',"positions_count":2'))
      assert.is_false(C.tg_rest_map_agrees(records))
    end)

    it("sets a count that the service does not give", function()
      good("positions", rows(row()))
      good("info", info())
      assert.is_false(gave("positions_count"))
      assert.is_true(C.tg_rest_map_agrees(records))
      assert.equal(1, records.account._positions_count)
      assert.is_true(gave("positions_count"))
    end)

    it("dates a state by the older of its documents, less its cache's age", function()
      good("positions",
      '{"success":true,"timestamp":"2026-03-02T10:00:05Z","positions":[],"cached":true,"cache_age_seconds":3}')
      assert.equal(1772445602000, tonumber(records.source_time_ms))
      good("info", INFO)
      assert.equal(1772445602000, tonumber(records.source_time_ms))
    end)
  end)

  describe("history", function()
    before_each(function()
      good("info", INFO)
    end)

    it("makes a closed trade the deal that closed it", function()
      good("history", HISTORY)
      assert.equal(1, records.deals_count)
      check("deal", records.deals[0], {
        ticket = "501", position_id = "501", symbol = '"EURUSD"', action = '"sell"', entry = '"out"', volume = "1.00",
        volume_closed = "1.00", price = "1.0865", price_position = "1.0850", time = '"2026-03-02T10:00:04.500Z"',
        time_open = '"2026-03-02T09:00:00.000Z"', profit = "150.00", swap = "-0.25", commission = "-3.50",
        reason = '"tp"',
      })
    end)

    it("puts MetaTrader's deals through", function()
      good("history", HISTORY_MT5)
      assert.equal(2, records.deals_count)
      check("deal", records.deals[0], {
        ticket = "71", order = "61", position_id = "77", action = '"buy"', entry = '"out"', volume = "0.50",
        price = "1.0501", time = '"2026-03-02T09:00:00.123Z"', reason = '"sl"', profit = "24.50",
        price_position = "null",
        volume_closed = "0.50",
      })
      check("deal", records.deals[1], { action = '"balance"', profit = "500.00", comment = '"deposit"' })
    end)

    it("takes the rows from any of their places", function()
      local deal = '{"ticket":1,"symbol":"X","type":"buy","volume":1,"close_price":2}'
      for _, shape in ipairs({
        '"history":[%s]', '"trades":[%s]', '"deals":[%s]', '"data":[%s]', '"data":{"history":[%s]}',
      }) do
        good("history", '{"success":true,' .. shape:format(deal) .. "}")
        assert.equal(1, records.deals_count)
      end
      for _, rest in ipairs({ "", ',"history":null', ',"history":{}', ',"data":{}' }) do
        bad_document("history", '{"success":true' .. rest .. "}")
      end
    end)

    it("does not mistake an open trade or a pending order for a close or a deposit", function()
      for _, text in ipairs({
        '{"ticket":1,"symbol":"X","type":"buy","volume":1,"open_price":2}',
        '{"ticket":1,"symbol":"X","type":"buy","volume":1,"close_price":null,"close_time":null}',
        '{"ticket":1,"symbol":"X","type":"buy","volume":1,"close_price":0.0,"close_time":""}',
        '{"ticket":1,"symbol":"X","type":"buy_limit","volume":1,"close_price":3}',
        '{"ticket":1,"symbol":"X","type":2,"volume":1}',
      }) do
        good("history", '{"success":true,"history":[' .. text .. "]}")
        assert.is_true(records.deals_known)
        assert.equal(0, records.deals_count, text)
      end
    end)

    it("refuses the whole document over one bad row", function()
      for _, text in ipairs({
        '{"symbol":"X","type":"buy","volume":1,"close_price":2}',
        '{"ticket":1,"symbol":"X","volume":1,"close_price":2}',
        '{"ticket":1,"type":"buy","volume":1,"close_price":2}',
        '{"ticket":1,"symbol":"X","type":"buy","close_price":2}',
        '{"ticket":1,"symbol":"X","type":"buy","volume":1,"close_price":"x"}',
        '{"ticket":1,"symbol":"X","type":"buy","volume":1,"close_price":2,"close_time":"x"}',
        '{"ticket":1,"symbol":"X","type":"buy","volume":1,"price":2,"entry":"sideways"}',
        "[]",
      }) do
        bad_document("history", '{"success":true,"history":[' .. text .. "]}")
      end
    end)
  end)

  describe("every document", function()
    local documents = { positions = POSITIONS, info = INFO, history = HISTORY }

    it("is refused when it is cut short anywhere", function()
      for part, text in pairs(documents) do
        for len = 0, #text - 1 do
          bad_document(part, text:sub(1, len))
        end
      end
    end)

    it("is refused when it is not JSON, or more than one document", function()
      for part, text in pairs(documents) do
        for _, other in ipairs({ "", " ", "<html>", text .. text, text .. "x", "NaN", "\239\187\191" .. text,
        "\0" .. text }) do
          bad_document(part, other)
        end
      end
    end)

    it("is refused unless it says success", function()
      for part, text in pairs(documents) do
        for _, success in ipairs({ '"success":"true"', '"success":1', '"success":null', '"x":true' }) do
          bad_document(part, (text:gsub('"success":true', success)))
        end
        local kind, code = refused(part, (text:gsub('"success":true', '"success":false')))
        assert.equal(C.TG_POLL_FAILED, kind)
        assert.equal("SOURCE_ERROR", code)
      end
      for _, other in ipairs({ "[]", "null", '"success"', "true", "1" }) do
        bad_document("positions", other)
      end
    end)

    it("is judged as an error when it reports one, whatever else it holds", function()
      for part, text in pairs(documents) do
        local with = text:gsub("^{", '{"error":{"code":"TERMINAL_DOWN"},')
        assert.equal("TERMINAL_DOWN", select(2, refused(part, with)))
        with = text:gsub("^{", '{"error_code":"TERMINAL_DOWN",')
        assert.equal("TERMINAL_DOWN", select(2, refused(part, with)))
      end
    end)

    it("is refused with any status but 200", function()
      for part, text in pairs(documents) do
        for _, status in ipairs({ 0, 201, 203, 204, 206, 301, 304, 400, 500 }) do
          local kind, code = refused(part, text, status)
          assert.equal(C.TG_POLL_FAILED, kind)
          assert.equal("HTTP_" .. status, code)
        end
      end
    end)

    it("is discarded when it is another account's", function()
      for part, text in pairs(documents) do
        for _, other in ipairs({ '"demo-2"', '"demo-"', '"demo-11"', '"DEMO-1"', "1", "true", "[]", '""' }) do
          local kind, code = refused(part, (text:gsub('"account_id":"demo%-1"', '"account_id":' .. other)))
          assert.equal(C.TG_POLL_STALE, kind, other)
          assert.equal("WRONG_ACCOUNT", code)
        end
        good(part, (text:gsub('"account_id":"demo%-1"', '"account_id":"de\\u006do-1"')))
        good(part, (text:gsub('"account_id":"demo%-1"', '"account_id":null')))
        good(part, (text:gsub('"account_id":"demo%-1",', "")))
      end
      assert.equal("WRONG_ACCOUNT", select(2, refused("info", info(',"account_id":"demo-2"'))))
    end)

    it("may name its account by number", function()
      demand.account_id = "764636"
      good("positions", '{"success":true,"account_id":764636,"positions":[]}')
      refused("positions", '{"success":true,"account_id":76463,"positions":[]}')
    end)

    it("may be cached, but not for long", function()
      local function cached(fields)
        return '{"success":true,"positions":[]' .. fields .. "}"
      end
      good("positions", cached(',"cached":false,"cache_age_seconds":99999'))
      good("positions", cached(',"cached":null'))
      good("positions", cached(',"cached":true,"cache_age_seconds":0'))
      good("positions", cached(',"cached":true,"cache_age_seconds":10'))
      good("positions", cached(',"cached":true,"cache_age_seconds":"9.5"'))
      for _, fields in ipairs({
        ',"cached":true,"cache_age_seconds":10.1', ',"cached":true,"cache_age_seconds":1e300', ',"cached":true',
        ',"cached":true,"cache_age_seconds":null', ',"cached":true,"cache_age_seconds":-1',
        ',"cached":true,"cache_age_seconds":"old"', ',"data":{"cached":true}',
      }) do
        local kind, code = refused("positions", cached(fields))
        assert.equal(C.TG_POLL_STALE, kind)
        assert.equal("STALE", code)
      end
      bad_document("positions", cached(',"cached":"no"'))
      bad_document("positions", cached(',"cached":1'))
    end)
  end)

  describe("symbols", function()
    local symbols

    before_each(function()
      symbols = ffi.new("struct tg_rest_symbols")
    end)

    after_each(function()
      C.tg_rest_symbols_fini(symbols)
    end)

    it("remember the most decimals, at most eight", function()
      assert.equal(8, C.tg_rest_symbols_digits(symbols, "X"))
      for _, step in ipairs({ { 2, 2 }, { 5, 5 }, { 3, 5 }, { -1, 5 }, { 99, 8 } }) do
        assert.equal(0, C.tg_rest_symbols_learn(symbols, "X", step[1]))
        assert.equal(step[2], C.tg_rest_symbols_digits(symbols, "X"))
      end
      assert.equal(8, C.tg_rest_symbols_digits(symbols, "Y"))
    end)

    it("are bounded", function()
      for i = 1, 65536 do
        assert(C.tg_rest_symbols_learn(symbols, "S" .. i, 2) == 0)
      end
      assert.equal(-3, C.tg_rest_symbols_learn(symbols, "one more", 2))
      assert.equal(8, C.tg_rest_symbols_digits(symbols, "one more"))
      assert.equal(0, C.tg_rest_symbols_learn(symbols, "S1", 3))
      assert.equal(3, C.tg_rest_symbols_digits(symbols, "S1"))
    end)
  end)
end)
