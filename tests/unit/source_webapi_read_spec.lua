local ffi = require("ffi")
local cdef = require("support.cdef")
local model = require("support.model")
local C = cdef.library("source", { "source/webapi_read.h", "source/webapi_session.h" })

local OFFSET = 10800
local MSC = 1572518788123LL

-- A row that nobody has read yet; the caller keeps its text.
local function row_of(text)
  return ffi.new("struct tg_webapi_row", { text = text, len = #text })
end

local function document(members)
  local out = {}
  for _, pair in ipairs(members) do
    if pair[2] ~= nil then out[#out + 1] = ('"%s" : %s'):format(pair[1], pair[3] and pair[2] or '"' .. pair[2] .. '"') end
  end
  return "{\r\n" .. table.concat(out, ",\r\n") .. "\r\n}"
end

local POSITION = { { "Position", "4611686018427387905" }, { "ExternalID", "ext" }, { "Login", "764636" }, { "Dealer", "0" }, { "Symbol", "EURUSD.r" },
  { "Action", "1" }, { "Digits", "5" }, { "DigitsCurrency", "2" }, { "Reason", "16" }, { "ContractSize", "100000.00" }, { "TimeCreate", "1572518788" },
  { "TimeUpdate", "1572518788" }, { "TimeCreateMsc", "1572518788123" }, { "TimeUpdateMsc", "1572518788123" }, { "PriceOpen", "1.08512" },
  { "PriceCurrent", "1.08499" }, { "PriceSL", "0.00000" }, { "PriceTP", "1.09000" }, { "Volume", "1200" }, { "VolumeExt", "12000000" },
  { "Profit", "-13.00" }, { "Storage", "-0.25" }, { "ExpertID", "-7" }, { "Comment", "Zażółć \\\"x\\\"" }, { "ApiData", "[{\"AppID\":\"1\"}]", true } }

local DEAL = { { "Deal", "9" }, { "Login", "764636" }, { "Order", "8" }, { "Action", "0" }, { "Entry", "1" }, { "Reason", "4" }, { "Digits", "5" },
  { "DigitsCurrency", "2" }, { "Time", "1572518788" }, { "TimeMsc", "1572518788123" }, { "Symbol", "EURUSD" }, { "Price", "1.10000" },
  { "Volume", "5000" }, { "VolumeExt", "50000000" }, { "Profit", "12.50" }, { "Storage", "-1.00" }, { "Commission", "-3.50" },
  { "PositionID", "7" }, { "PricePosition", "1.09000" }, { "VolumeClosed", "5000" } }

local ORDER = { { "Order", "501" }, { "Login", "764636" }, { "Symbol", "EURUSD" }, { "State", "1" }, { "Type", "6" }, { "TypeFill", "2" }, { "TypeTime", "2" },
  { "PriceOrder", "1.20000" }, { "PriceTrigger", "1.19000" }, { "PriceCurrent", "1.10000" }, { "VolumeInitialExt", "100000000" },
  { "VolumeCurrentExt", "50000000" }, { "TimeSetupMsc", "1572518788123" }, { "TimeExpiration", "1572605188" }, { "Digits", "5" } }

-- A copy with members replaced, left out (false) or added.
local function with(members, changes)
  local out, rest = {}, {}
  for key, value in pairs(changes) do rest[key] = value end
  for _, pair in ipairs(members) do
    local change = changes[pair[1]]
    rest[pair[1]] = nil
    if change == nil then out[#out + 1] = pair elseif change then out[#out + 1] = { pair[1], change } end
  end
  for key, value in pairs(rest) do
    if value then out[#out + 1] = { key, value } end
  end
  return out
end

describe("the Web API's rows", function()
  local rows, zone, login

  before_each(function()
    rows, zone, login = ffi.new("struct tg_webapi_rows"), ffi.new("struct tg_webapi_zone"), ffi.new("uint64_t[1]")
    C.tg_webapi_zone_set(zone, OFFSET, 0)
  end)

  after_each(function()
    C.tg_webapi_rows_fini(rows)
  end)

  local function position(members)
    local out, text = ffi.new("struct tgl_position"), type(members) == "string" and members or document(members)
    local rc = C.tg_webapi_read_position(rows, zone, row_of(text), login, out)
    return rc == 0 and function(key) return model.get("position", out, key) end or rc, out
  end

  it("are positions", function()
    local get, raw = position(POSITION)
    assert.equal(764636ULL, login[0])
    assert.equal(4611686018427387905ULL, raw._ticket)
    assert.equal(4611686018427387905ULL, raw._position_id)
    assert.equal(-7LL, raw._magic)
    assert.equal(MSC - OFFSET * 1000, raw._time_open)
    local wanted = { symbol = "EURUSD.r", side = "sell", volume = 0.12, price_open = 1.08512, price_current = 1.08499, sl = 0, tp = 1.09, profit = -13,
      swap = -0.25, comment = 'Zażółć "x"', external_id = "ext", digits = 5, currency_digits = 2, reason = "mobile" }
    for key, value in pairs(wanted) do
      assert.equal(value, get(key), key)
    end
    assert.is_nil(get("commission"))
  end)

  it("have volumes in ten-thousandths from old servers, and times in seconds", function()
    local get, raw = position(with(POSITION, { VolumeExt = false, TimeCreateMsc = false }))
    assert.equal(0.12, get("volume"))
    assert.equal(1572518788000LL - OFFSET * 1000, raw._time_open)
  end)

  it("are read whether numbers are texts or not, in any order, beside members that are not known", function()
    local text = '{"Unknown":{"a":[]},"VolumeExt":100000000,"Login":764636,"Action":0,"Symbol":"X","Position":5,"Profit":1.5,"PriceSL":null,"PriceTP":""}'
    for _ = 1, 2 do
      local get = position(text)
      assert.equal(1, get("volume"))
      assert.equal(1.5, get("profit"))
      assert.equal("buy", get("side"))
      assert.equal(-1, get("digits"))
      position(POSITION) -- what was learned of other rows does not mislead
    end
  end)

  it("are bad without what a position cannot do without, and say whose", function()
    for _, name in ipairs({ "Position", "Symbol", "Action" }) do
      assert.equal(-1, position(with(POSITION, { [name] = false })), name)
      assert.equal(764636ULL, login[0], name)
    end
    for name, bad in pairs({ Position = "0", Action = "2", VolumeExt = "0", Symbol = ("x"):rep(40), PriceSL = "abc", Login = "x" }) do
      assert.equal(-1, position(with(POSITION, { [name] = bad })), name)
    end
    assert.equal(-1, position(with(POSITION, { Volume = false, VolumeExt = false })))
    assert.equal(-1, position(with(POSITION, { Login = false })))
    assert.equal(0ULL, login[0])
  end)

  it("that are no JSON say whose they are when they can", function()
    for text, whose in pairs({ ['{"Login" : "7", "Symbol" : }'] = 7, ['{"Login":8,'] = 8, ['{"Login":"7","Login":"8",}'] = 0, ["{}}"] = 0, ["x"] = 0 }) do
      login[0] = 99
      assert.equal(-1, position(text), text)
      assert.equal(whose, tonumber(login[0]), text)
    end
  end)

  it("are cleaned of what no JSON may hold", function()
    local get = position(with(POSITION, { Comment = "a\1b\tc\xff" }))
    assert.equal("a?b?c?", get("comment"))
  end)

  it("may leave figures unknown, never zero", function()
    local get = position(with(POSITION, { Profit = false, Storage = "n/a", PriceCurrent = false }))
    assert.is_nil(get("profit"))
    assert.is_nil(get("swap"))
    assert.is_nil(get("price_current"))
  end)

  it("keep their times when the server's offset changes", function()
    C.tg_webapi_zone_set(zone, OFFSET - 3600, MSC + 1000)
    local _, raw = position(POSITION)
    assert.equal(MSC - OFFSET * 1000, raw._time_open)
    _, raw = position(with(POSITION, { TimeCreateMsc = tostring(1572518788123 + 5000) }))
    assert.equal(MSC + 5000 - (OFFSET - 3600) * 1000, raw._time_open)
  end)

  local function deal(members)
    local out, text = ffi.new("struct tgl_deal"), document(members)
    local rc = C.tg_webapi_read_deal(rows, zone, row_of(text), login, out)
    return rc == 0 and function(key) return model.get("deal", out, key) end or rc, out
  end

  it("are deals", function()
    local get, raw = deal(DEAL)
    assert.equal(MSC - OFFSET * 1000, raw._time)
    local wanted = { action = "buy", entry = "out", reason = "tp", volume = 0.5, volume_closed = 0.5, price = 1.1, price_position = 1.09, profit = 12.5,
      swap = -1, commission = -3.5, symbol = "EURUSD", ticket = 9, order = 8, position_id = 7 }
    for key, value in pairs(wanted) do
      assert.equal(value, get(key), key)
    end
    assert.is_nil(get("fee"))
    assert.equal(-0.1, deal(with(DEAL, { Fee = "-0.10" }))("fee"))
  end)

  it("have the server's numbers for actions, entries and reasons", function()
    for number, name in pairs({ [2] = "balance", [3] = "credit", [6] = "bonus", [7] = "commission", [12] = "interest", [15] = "dividend",
      [17] = "tax", [99] = "other" }) do
      assert.equal(name, deal(with(DEAL, { Action = tostring(number) }))("action"), number)
    end
    for number, name in pairs({ [0] = "in", [1] = "out", [2] = "inout", [3] = "out_by", [255] = "unknown" }) do
      assert.equal(name, deal(with(DEAL, { Entry = tostring(number) }))("entry"), number)
    end
    for number, name in pairs({ [0] = "manual", "expert", "dealer", "sl", "tp", "stop_out", "rollover", [8] = "vmargin", [16] = "mobile",
      [17] = "web", [18] = "split" }) do
      assert.equal(name, deal(with(DEAL, { Reason = tostring(number) }))("reason"), number)
    end
    assert.equal(-1, deal(with(DEAL, { Entry = false })))
    assert.equal("unknown", deal(with(DEAL, { Entry = false, Action = "2" }))("entry"))
  end)

  it("are orders", function()
    local out, text = ffi.new("struct tgl_order"), document(ORDER)
    assert.equal(0, C.tg_webapi_read_order(rows, zone, row_of(text), login, out))
    assert.equal(501ULL, out._ticket)
    assert.equal(1.2, out._price_open)
    assert.equal(1.19, out._price_stoplimit)
    assert.equal(1, out._volume_initial)
    assert.equal(0.5, out._volume_current)
    assert.equal(1572605188000LL - OFFSET * 1000, out._time_expiration)
    local function name_of(key)
      local field = C.tg_field_find(C.tg_order_entity, key)
      return ffi.string(field.names[out["_" .. key]])
    end
    assert.same({ "buy_stop_limit", "placed", "specified", "return" },
      { name_of("type"), name_of("state"), name_of("type_time"), name_of("type_filling") })
    text = document(with(ORDER, { Type = "9" }))
    assert.equal(-1, C.tg_webapi_read_order(rows, zone, row_of(text), login, out))
  end)

  it("are accounts", function()
    local out = ffi.new("struct tg_webapi_account")
    local text = document({ { "Login", "764636" }, { "CurrencyDigits", "2" }, { "Balance", "10000.00" }, { "Credit", "0.00" }, { "Margin", "120.00" },
      { "MarginFree", "9867.00" }, { "MarginLevel", "8322.50" }, { "MarginLeverage", "100" }, { "Profit", "-13.00" }, { "Storage", "-0.25" },
      { "Floating", "-13.25" }, { "Equity", "9986.75" } })
    assert.equal(0, C.tg_webapi_read_account(rows, row_of(text), login, out))
    local wanted = { login = "764636", balance = 10000, equity = 9986.75, profit = -13.25, margin = 120, margin_level = 8322.5, leverage = 100, credit = 0 }
    for key, value in pairs(wanted) do
      assert.equal(value, model.get("account", out.account, key), key)
    end
    assert.is_true(out.moving)
    assert.is_true(bit.band(out.fields, C.tg_field_bit(C.tg_account_entity, C.tg_field_find(C.tg_account_entity, "name"))) == 0)
    for _, bad in ipairs({ '{"Login":"1","Balance":"1"}', '{"Login":"1","Balance":"x","Equity":"1"}', '{"Balance":"1","Equity":"1"}', "[]" }) do
      assert.equal(-1, C.tg_webapi_read_account(rows, row_of(bad), login, out), bad)
    end
  end)

  it("are clients and groups", function()
    local user, group = ffi.new("struct tg_webapi_user"), ffi.new("struct tg_webapi_group")
    local text = '{"Login":"5","Group":"real\\\\forex","Rights":"483","Name":"Ann","Leverage":"200","Balance":"5.00","Credit":"1.00"}'
    assert.equal(0, C.tg_webapi_read_user(rows, row_of(text), login, user))
    assert.same({ "real\\forex", "Ann", 200, 5, 1, 1 },
      { ffi.string(user.group), ffi.string(user.name), user.leverage, user.balance, user.credit, user.trade_allowed })
    text = '{"Login":"5","Rights":"5"}'
    C.tg_webapi_read_user(rows, row_of(text), login, user)
    assert.equal(0, user.trade_allowed)
    assert.is_true(user.balance ~= user.balance)
    text = '{"Group":"g","Currency":"JPY","CurrencyDigits":"0","MarginMode":"2","Company":"C"}'
    assert.equal(0, C.tg_webapi_read_group(rows, row_of(text), group))
    assert.same({ "JPY", 0, 3, "C" }, { ffi.string(group.currency), group.currency_digits, group.margin_mode, ffi.string(group.company) })
  end)

  it("read decimals exactly as the C library does", function()
    for _, text in ipairs({ "0", "-0", "1.08512", "26000.00", "-13.25", "0.00001000", "123456789012345.67", "9007199254740993", "0.1", "1e-5", "-1.5E3",
      "1.0850000000000002", "99999999999999999.99", "0.30000000000000004" }) do
      local get = position(with(POSITION, { Profit = text }))
      assert.equal(tonumber(text), get("profit"), text)
    end
    for _, text in ipairs({ "", ".", "-", "1.2.3", "1,5", "0x10", "nan", "inf", " 1" }) do
      assert.is_nil(position(with(POSITION, { Profit = text }))("profit"), text)
    end
  end)
end)

describe("the Web API server's time", function()
  local rows = ffi.new("struct tg_webapi_rows")
  local number, offset = ffi.new("int64_t[1]"), ffi.new("int32_t[1]")

  it("is read as the documentation shows it, and as clients of real servers read it", function()
    for _, text in ipairs({ '{"Time" : "1572518788 2019.10.31 10:46:28"}', '{"time" : "1572518788 2019.10.31 10:46:28"}' }) do
      number[0] = 0
      assert.equal(0, C.tg_webapi_read_time(rows, row_of(text), number), text)
      assert.equal(1572518788LL, number[0])
    end
    for _, bad in ipairs({ "{}", '{"Time":""}', '{"Time":"x"}', '{"Time":"-5"}', '{"time":""}', '{"TIME":"1572518788"}' }) do
      assert.equal(-1, C.tg_webapi_read_time(rows, row_of(bad), number), bad)
    end
  end)

  it("has a zone, with an hour more in summer", function()
    for text, seconds in pairs({ ['{"TimeZone":"120","DaylightState":"0"}'] = 7200, ['{"TimeZone":"120","DaylightState":"1"}'] = 10800,
      ['{"TimeZone":"-300"}'] = -18000, ['{"Daylight":"0","TimeZone":"60"}'] = 3600,
      ['{"Daylight":"1","DaylightState":"0","TimeZone":"60"}'] = 3600, ['{"Daylight":"1","DaylightState":"1","TimeZone":"60"}'] = 7200 }) do
      assert.equal(0, C.tg_webapi_read_zone(rows, row_of(text), offset), text)
      assert.equal(seconds, offset[0], text)
    end
    for _, bad in ipairs({ '{"TimeZone":"2000"}', '{"Daylight":"1","TimeZone":"60"}', '{"Daylight":"1","DaylightState":null,"TimeZone":"60"}',
      '{"Daylight":"0"}' }) do
      assert.equal(-1, C.tg_webapi_read_zone(rows, row_of(bad), offset), bad)
    end
  end)

  it("is configured as an offset", function()
    for text, seconds in pairs({ ["+03:00"] = 10800, ["-05:30"] = -19800, Z = 0, ["+00:00"] = 0 }) do
      assert.equal(0, C.tg_webapi_zone_read(text, offset), text)
      assert.equal(seconds, offset[0], text)
    end
    for _, bad in ipairs({ "", "3", "+3:00", "03:00", "+03:60", "+15:00", "+03:00x", "+03-00", "+-3:00" }) do
      assert.equal(-1, C.tg_webapi_zone_read(bad, offset), bad)
    end
  end)

  it("remembers four changes", function()
    local zone = ffi.new("struct tg_webapi_zone")
    for i = 0, 9 do
      assert.is_true(C.tg_webapi_zone_set(zone, i % 2 * 3600, i * 1000000))
    end
    assert.is_false(C.tg_webapi_zone_set(zone, 3600, 99))
    assert.equal(4, zone.count)
    assert.equal(0LL, C.tg_webapi_zone_utc(zone, 0))
    assert.equal(9500000LL - 3600000, C.tg_webapi_zone_utc(zone, 9500000))
    assert.equal(8500000LL, C.tg_webapi_zone_utc(zone, 8500000))
  end)
end)

describe("a Web API address", function()
  local out, err = ffi.new("struct tg_webapi_endpoint"), ffi.new("struct tg_err")

  it("is a host and a port", function()
    for url, wanted in pairs({
      ["https://mt5.example.com"] = { "mt5.example.com", 443, false, true, "mt5.example.com:443" },
      ["https://mt5.example.com:8443/"] = { "mt5.example.com", 8443, false, true, "mt5.example.com:8443" },
      ["http://127.0.0.1:80"] = { "127.0.0.1", 80, false, false, "127.0.0.1:80" },
      ["mt5://[::1]:444"] = { "::1", 444, true, false, "[::1]:444" },
    }) do
      assert.equal(0, C.tg_webapi_endpoint_read(out, url, err), url)
      assert.same(wanted, { ffi.string(out.host), out.port, out.raw, out.tls, ffi.string(out.authority) })
    end
  end)

  it("is nothing else", function()
    for _, bad in ipairs({ "", "mt5.example.com", "ftp://x", "https://", "https://:1", "https://x:0", "https://x:65536", "https://x:1x",
      "https://x/y", "https://u@x",
      "https://x?y", "mt5://[::1", "mt5://" .. ("x"):rep(300), "https://x:443//" }) do
      assert.equal(-1, C.tg_webapi_endpoint_read(out, bad, err), bad)
    end
  end)
end)
