-- Maps: documents through a function of the configuration into records, the shipped ones and hostile ones.
local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("app", {
  "app/config.h", "app/mapper.h", "app/hooks.h", "model/record.h", "model/field.h", "source/rest_map.h", "base/json.h",
})

local FAILED, BUSY, STALE, UNKNOWN = 1, 2, 4, 5
local PART = { snapshot = 0, positions = 1, orders = 2, account = 3, deals = 4, history = 5 }

local function names_of(entity, field)
  local names, list, i = {}, C.tg_field_find(entity, field).names, 0
  while list[i] ~= nil do
    names[i] = ffi.string(list[i])
    i = i + 1
  end
  return names
end

local function text_of(account, field)
  return ffi.string(ffi.cast("char *", account) + ffi.offsetof("struct tgl_account", "_" .. field .. "_0"))
end

describe("map", function()
  local folder, config, records, verdict, map, json, route, err

  local function write(name, text)
    local file = assert(io.open(folder .. "/" .. name, "wb"))
    file:write(text)
    file:close()
  end

  -- Reads a configuration whose one source is `source`; nil and the reason when it is refused.
  local function configure(source, before)
    if config then C.tg_config_free(config) end
    config = nil
    write("gateway.lua", (before or "") .. [[ return { auth = { keys = { { algorithm = "HS256", secret = ("s"):rep(32) } } },
      hooks = { budget_ms = 100, memory_mb = 8 }, source = ]] .. source .. " }")
    local out = ffi.new("struct tg_config *[1]")
    local rc = C.tg_config_load(folder .. "/gateway.lua", out, err)
    if rc ~= 0 then return nil, ffi.string(err.text) end
    config = out[0]
    return true
  end

  local function with(body) assert(configure('{ url = "http://x", map = function(name, document, context) ' .. body .. " end }")) end
  local function shipped(name, more) assert(configure(('{ url = "http://x", mapping = %q, %s }'):format(name, more or ""))) end

  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    os.execute("mkdir -p " .. folder)
    err = ffi.new("struct tg_err")
    records, verdict, json = ffi.new("struct tg_records"), ffi.new("struct tg_rest_verdict"), ffi.new("struct tg_json")
    map = C.tg_rest_map_new(2)
    route = nil
  end)

  after_each(function()
    C.tg_records_fini(records)
    C.tg_json_fini(json)
    C.tg_rest_map_free(map)
    if config then C.tg_config_free(config) end
    config = nil
    os.execute("rm -rf " .. folder)
  end)

  -- 0, or the verdict's end, code and message.
  local function feed(part, text)
    assert.equal(0, C.tg_json_parse(json, text, #text, err), ffi.string(err.text))
    local poll = ffi.new("struct tg_poll", { account_id = "demo-1", subject = "alice" })
    if route then poll.route = route end
    local source = config.sources[0]
    local document = ffi.new("struct tg_http_document", {
      part = PART[part], json = json, poll = poll, login = route and route.login or "demo-1", since_ms = 1772442000000,
      now_ms = 1772442060000, utc_offset_ms = source.utc_offset_s * 1000, map = map,
    })
    local rc = C.tg_mapper_map(source.mapper, document, records, verdict)
    if rc == 0 then return 0 end
    return tonumber(verdict["end"]), ffi.string(verdict.code), ffi.string(verdict.message)
  end

  local function good(part, text)
    local how, code, message = feed(part, text)
    assert.equal(0, how, tostring(code) .. ": " .. tostring(message))
  end

  local ACCOUNT = "{ balance = 100, equity = 100.5 }"
  local POSITION = '{ ticket = 1, symbol = "EURUSD", side = "buy", volume = 1 }'

  it("is given the name, the document and whom it is about", function()
    with([[
      assert(name == "snapshot" and document.list[2] == false and document.list[3] == 3 and document.none == nil)
      assert(document.big == "9007199254740993" and document.small == 9007199254740991 and document.minus == "-9007199254740993")
      assert(document.text == 'a"\n\226\130\172' and document.yes == true and document.deep.deep.deep == 1.5)
      assert(context.account_id == "demo-1" and context.login == "demo-1" and context.subject == "alice")
      assert(context.since_ms == 1772442000000 and context.now_ms == 1772442060000 and context.source == "main")
      return { account = ]] .. ACCOUNT .. ", positions = {} }")
    good("snapshot", [[{"list":[1,null,3],"none":null,"big":9007199254740993,"small":9007199254740991,
      "minus":-9007199254740993,"text":"a\"\n\u20ac","yes":true,"deep":{"deep":{"deep":1.5}}}]])
    assert.is_true(records.account_known and records.positions_known)
    assert.is_false(records.orders_known or records.deals_known or records.history_known)
    assert.equal(0, records.positions_count)
    assert.equal(100.5, records.account._equity)
    assert.equal("demo-1", text_of(records.account, "id"))
  end)

  it("fills records by the names of the field list, exactly", function()
    with([[return {
      account = { login = 764636, balance = "26000.50", equity = 1, currency = "JPY", margin_mode = "hedging",
        trade_allowed = true, leverage = 500, margin = 0 },
      positions = { { ticket = "18446744073709551615", position_id = 7, symbol = "EURUSD", side = 1, volume = 0.5,
        price_open = 1.08512, sl = 0, magic = "-9223372036854775808", time_open = "2026-03-02T10:00:00Z", reason = "POSITION_REASON_EXPERT" } },
      orders = { { ticket = 9, symbol = "EURUSD", type = "ORDER_TYPE_BUY_LIMIT", state = 1, price_open = 1.08, volume_initial = 1 } },
      history = { { ticket = 8, symbol = "X", type = "sell_stop", state = "ORDER_STATE_CANCELED" } },
      deals = { { ticket = 5, position_id = 7, symbol = "EURUSD", action = "buy", entry = 1, volume = 0.5, time = 1772442000 } },
      time = 1772442001500, }]])
    good("snapshot", "{}")
    local account, position, order, deal = records.account, records.positions[0], records.orders[0], records.deals[0]
    assert.equal("764636", text_of(account, "login"))
    assert.equal(26000.5, account._balance)
    assert.equal(0, account._currency_digits)
    assert.equal(0, account._margin_level)
    assert.equal("hedging", names_of(C.tg_account_entity, "margin_mode")[account._margin_mode])
    assert.equal(0xffffffffffffffffULL, position._ticket)
    assert.equal("sell", names_of(C.tg_position_entity, "side")[position._side])
    assert.equal("expert", names_of(C.tg_position_entity, "reason")[position._reason])
    assert.equal(-9223372036854775807LL - 1, position._magic)
    assert.equal(1772445600000, tonumber(position._time_open))
    assert.equal(5, position._digits)
    assert.equal(5, order._digits)
    assert.equal(0, position._currency_digits)
    assert.equal("buy_limit", names_of(C.tg_order_entity, "type")[order._type])
    assert.equal("placed", names_of(C.tg_order_entity, "state")[order._state])
    assert.equal("cancelled", names_of(C.tg_order_entity, "state")[records.history[0]._state])
    assert.equal(0.5, deal._volume_closed)
    assert.equal(1772442000000, tonumber(deal._time))
    assert.equal(1772442001500, tonumber(records.source_time_ms))
  end)

  it("shifts times of the broker's clock, and none that names its zone", function()
    with([[return { utc_offset_seconds = 10800, account = ]] .. ACCOUNT .. [[, positions = {
      { ticket = 1, symbol = "A", side = "buy", volume = 1, time_open = 1772452800, time_update = "2026-03-02T12:00:00" },
      { ticket = 2, symbol = "A", side = "buy", volume = 1, time_open = "2026-03-02T12:00:00Z", time_update = "2026-03-02T15:00:00+03:00" },
      { ticket = 3, symbol = "A", side = "buy", volume = 1, time_open = 0, time_update = "" } } }]])
    good("snapshot", "{}")
    local noon = 1772452800000
    assert.equal(noon - 10800000, tonumber(records.positions[0]._time_open))
    assert.equal(noon - 10800000, tonumber(records.positions[0]._time_update))
    assert.equal(noon, tonumber(records.positions[1]._time_open))
    assert.equal(noon, tonumber(records.positions[1]._time_update))
    assert.equal(0, tonumber(records.positions[2]._time_open))
    assert.equal(0, tonumber(records.positions[2]._time_update))
    assert.equal(10800, records.account._utc_offset_s)
  end)

  describe("that answers nonsense fails the poll and says where", function()
    local function snapshot(positions) return "return { account = " .. ACCOUNT .. ", positions = " .. positions .. " }" end
    local cases = {
      { "return nil", "expected a table, got a nil" },
      { "return 5", "expected a table, got a number" },
      { "return {}, 1", nil },
      { "return { acount = {} }", 'there is no "acount" in its answer; did you mean "account"?' },
      { "return { 1, 2 }", "a value without a name" },
      { "return { account = 5 }", "account: expected a table, got a number" },
      { "return { account = {} }", "no balance or no equity" },
      { "return { account = { balance = 1, equity = 0/0 } }", "account.equity: expected a number" },
      { "return { account = { balance = 1, equity = 1/0 } }", "account.equity: expected a number" },
      { "return { account = { balance = 1, equty = 1 } }", 'account.equty: there is no such field; did you mean "equity"?' },
      { "return { account = { balance = 1, equity = {} } }", "account.equity: expected a value" },
      { "return { account = { balance = 1, equity = print } }", 'there is no "print" here' },
      { "return { account = { balance = 1, equity = '1x' } }", 'account.equity: the text "1x" is not what it should be' },
      { "return { account = { id = 'other', balance = 1, equity = 1 } }", "another account than demo-1" },
      { "return { account = { balance = 1, equity = 1, [1] = 2 } }", "account: a value without a name" },
      { "return { account = { balance = 1, equity = 1, leverage = -1 } }", "account.leverage" },
      { "return { account = { balance = 1, equity = 1, currency = ('x'):rep(40) } }", "account.currency" },
      { "return { account = { balance = 1, equity = 1, login = true } }", "account.login" },
      { snapshot("5"), "positions: expected a list, got a number" },
      { snapshot("{ a = 1 }"), "positions: expected a list without holes" },
      { snapshot("{ [2] = {} }"), "positions: expected a list without holes" },
      { snapshot("{ 5 }"), "positions[1]: expected a table, got a number" },
      { snapshot("{ false }"), "positions[1]: expected a table, got a boolean" },
      { snapshot("{ " .. POSITION .. ", {} }"), "no ticket" },
      { snapshot("{ " .. POSITION .. ", " .. POSITION .. " }"), "1 occurs twice" },
      { snapshot('{ { ticket = 1, symbol = "A", side = "buy" } }'), "no volume" },
      { snapshot('{ { ticket = 1, symbol = "A", side = "buy", volume = 0 } }'), "no volume" },
      { snapshot('{ { ticket = 1, symbol = "A", side = "buy", volume = -1 } }'), "no volume" },
      { snapshot('{ { ticket = 1, symbol = "A", side = "long", volume = 1 } }'), 'positions[1].side: the text "long"' },
      { snapshot('{ { ticket = 1, symbol = "A", side = 2, volume = 1 } }'), "positions[1].side" },
      { snapshot('{ { ticket = 1, symbol = "A", volume = 1 } }'), "no type" },
      { snapshot('{ { ticket = 1, side = "buy", volume = 1 } }'), "no symbol" },
      { snapshot('{ { ticket = 1.5, symbol = "A", side = "buy", volume = 1 } }'), "positions[1].ticket" },
      { snapshot('{ { ticket = -1, symbol = "A", side = "buy", volume = 1 } }'), "positions[1].ticket" },
      { snapshot('{ { ticket = 2^53, symbol = "A", side = "buy", volume = 1 } }'), "hand it on as a text" },
      { snapshot('{ { ticket = "18446744073709551616", symbol = "A", side = "buy", volume = 1 } }'), "positions[1].ticket" },
      { snapshot('{ { ticket = 1, symbol = "A", side = "buy", volume = 1, time_open = "yesterday" } }'), "positions[1].time_open" },
      { snapshot('{ { ticket = 1, symbol = "A", side = "buy", volume = 1, type = 0 } }'), "positions[1].type: there is no such field" },
      { "return { orders = { { ticket = 1, symbol = 'A', type = 'buy_limits' } } }", "orders[1].type" },
      { "return { orders = { { ticket = 1, symbol = 'A', type = 2 }, { ticket = 1, symbol = 'A', type = 2 } } }", "1 occurs twice" },
      { "return { deals = { { ticket = 1, symbol = 'A', action = 'buy', volume = 1 } } }", "no entry" },
      { "return { connected = 1 }", "connected: expected true or false" },
      { "return { utc_offset_seconds = 1e9 }", "utc_offset_seconds: expected" },
      { "return { time = 'noon' }", "time: expected" },
      { "return { error = 5 }", "error: expected a text or a table" },
      { "return { error = { kind = 'ill' } }", "error.kind: expected" },
      { "error('no such shape')", "gateway.lua:2: no such shape" },
      { "return document.a.b", "attempt to index" },
      { "while true do end", "it ran for too long" },
      { "local s = 'x' while true do s = s .. s end", "not enough memory" },
      { "local function f() return 1 + f() end return f()", "stack overflow" },
      { "return { account = " .. ACCOUNT .. ", positions = (function() local t = {} t[1] = t return t end)() }",
        "positions[1]: a value without a name" },
    }
    for i, case in ipairs(cases) do
      it("(" .. i .. ") " .. case[1]:sub(1, 70), function()
        with(case[1])
        for _ = 1, 2 do
          local how, code, message = feed("snapshot", "{}")
          if case[2] then
            assert.is_true(how == FAILED or how == STALE, tostring(how))
            assert.is_truthy(message:find(case[2], 1, true), code .. ": " .. message)
          else
            assert.equal(0, how)
          end
        end
        assert.is_true(tonumber(config.functions.sandbox.used) < 8 * 1048576)
      end)
    end
  end)

  it("may not hand an object on as a list, full or empty", function()
    with("return { positions = document }")
    for _, text in ipairs({ "{}", '{"a":1}' }) do
      assert.is_truthy(select(3, feed("snapshot", text)):find("positions: expected a list, got an object of the document", 1, true))
      assert.is_false(records.positions_known)
    end
    good("snapshot", "[]")
    assert.is_true(records.positions_known)
  end)

  it("tells errors of the service as what they are", function()
    with("return { error = document }")
    assert.same({ BUSY, "TOO_MANY", "slow down" }, { feed("account", '{"kind":"busy","code":"too many","message":"slow down","retry_after_seconds":7}') })
    assert.equal(7000, tonumber(verdict.retry_after_ms))
    assert.same({ UNKNOWN, "SOURCE_ERROR", "the source reports an error" }, { feed("account", '{"kind":"unknown"}') })
    assert.same({ FAILED, "SOURCE_ERROR", "IPC timeout" }, { feed("account", '"IPC timeout"') })
    with("return { connected = false }")
    assert.equal("NOT_CONNECTED", select(2, feed("account", "{}")))
  end)

  it("may not be of another login than the route says", function()
    route = ffi.new("struct tg_route", { login = "77" })
    with("return { login = 78, account = " .. ACCOUNT .. " }")
    assert.same({ STALE, "WRONG_ACCOUNT" }, { (select(1, feed("account", "{}"))), (select(2, feed("account", "{}"))) })
    with("return { account = { login = '78', balance = 1, equity = 1 } }")
    assert.equal("WRONG_ACCOUNT", select(2, feed("account", "{}")))
    with("return { login = 77, account = { login = '77', balance = 1, equity = 1 } }")
    good("account", "{}")
  end)

  it("may tell the deals' document nothing but deals", function()
    with("return { positions = {}, deals = {} }")
    assert.is_truthy(select(3, feed("deals", "[]")):find("positions: an answer to deals tells deals and history alone", 1, true))
  end)

  it("may tell the ended orders' document nothing but them", function()
    with("return { history = {}, deals = {} }")
    assert.is_truthy(select(3, feed("history", "[]")):find("deals: an answer to history tells history alone", 1, true))
    with("return { history = {} }")
    good("history", "[]")
  end)

  describe("shipped", function()
    local function load(name)
      local file = assert(io.open((os.getenv("TIDEGATE_SOURCE") or ".") .. "/tests/support/bridges/" .. name))
      local text = file:read("*a")
      file:close()
      return text
    end

    it("metatrader5_python reads the package's own names", function()
      shipped("metatrader5_python", "utc_offset_seconds = 10800")
      good("positions", load("python_positions.json"))
      good("orders", load("python_orders.json"))
      good("account", load("python_account.json"))
      good("deals", load("python_deals.json"))
      local position, order, deal = records.positions[0], records.orders[0], records.deals[0]
      assert.equal("764636", text_of(records.account, "login"))
      assert.equal(2, records.positions_count)
      assert.equal(501, tonumber(position._ticket))
      assert.equal(500, tonumber(position._position_id))
      assert.equal(1772441000123 - 10800000, tonumber(position._time_open))
      assert.equal(9007199254740993ULL, records.positions[1]._ticket)
      assert.equal("buy_limit", names_of(C.tg_order_entity, "type")[order._type])
      assert.equal("out", names_of(C.tg_deal_entity, "entry")[deal._entry])
      assert.equal("balance", names_of(C.tg_deal_entity, "action")[records.deals[1]._action])
      good("positions", '{"positions":[]}')
      assert.is_true(records.positions_known)
      assert.equal(0, records.positions_count)
      good("positions", "[]")
      assert.is_true(records.positions_known)
      for _, no_list in ipairs({ '{"positions":{}}', '{"positions":{"a":1}}', '{"positions":"none"}', '{"positions":false}' }) do
        assert.is_truthy(select(3, feed("positions", no_list)):find("a list of rows was expected", 1, true), no_list)
        assert.is_false(records.positions_known)
      end
      for _, nothing in ipairs({ '{"positions":null}', "{}", '{"error":null}' }) do
        good("positions", nothing)
        assert.is_false(records.positions_known)
      end
    end)

    it("terminal_bridge reads the snapshot, and takes null for not known", function()
      shipped("terminal_bridge")
      good("snapshot", load("terminal_bridge.json"))
      assert.is_true(records.account_known and records.positions_known and records.deals_known and records.history_known)
      assert.is_false(records.orders_known) -- null, with an error beside it
      assert.equal(5, records.positions[0]._digits)
      assert.equal(1772441000123 - 7200000, tonumber(records.positions[0]._time_open))
      assert.equal(1772442060000, tonumber(records.source_time_ms))
      local unknown = load("terminal_bridge.json"):gsub('"utc_offset_seconds": 7200', '"utc_offset_seconds": null')
      good("snapshot", unknown)
      assert.is_false(records.deals_known)
      assert.equal(0, tonumber(records.positions[0]._time_open))
      good("snapshot", '{"connected":true,"account":null,"positions":null,"orders":null,"deals":null,"errors":[]}')
      assert.is_false(records.positions_known or records.orders_known or records.deals_known)
      assert.equal("NOT_CONNECTED", select(2, feed("snapshot", '{"connected":false}')))
    end)

    it("terminal_bridge moves no time when summer time begins or ends", function()
      shipped("terminal_bridge")
      local text = load("terminal_bridge.json"):gsub('"deals": %b[]',
        '"deals": [{"ticket":1,"type":2,"profit":5,"time":1772441010,"time_msc":0,"symbol":""}]')
      local function after(offset, shifts)
        local changed = text:gsub('"utc_offset_seconds": 7200', ('"utc_offset_seconds": %d, "utc_offset_shifts": %s'):format(offset, shifts))
        good("snapshot", changed)
        assert.equal(1, records.deals_count)
        assert.equal(offset, records.account._utc_offset_s)
        return tonumber(records.positions[0]._time_open), tonumber(records.deals[0]._time)
      end
      local opened, made = after(7200, "[]")
      assert.equal(1772441000123 - 7200000, opened)
      local function same(...) assert.same({ opened, made }, { after(...) }) end
      same(10800, '[{"before":1790000000,"utc_offset_seconds":7200}]')
      same(7200, '[{"before":1790000000,"utc_offset_seconds":7200},{"before":1800000000,"utc_offset_seconds":10800}]')
      same(0, '[{"before":1790000000,"utc_offset_seconds":7200}]')
      local later = after(10800, '[{"before":1772441000,"utc_offset_seconds":7200}]') -- it was opened after
      assert.equal(opened - 3600000, later)
    end)

    it("metaapi reads camelCase, constants and UTC", function()
      shipped("metaapi")
      good("positions", "{}")
      assert.is_false(records.positions_known)
      good("positions", load("metaapi_positions.json"))
      good("orders", load("metaapi_orders.json"))
      good("account", load("metaapi_account.json"))
      good("deals", load("metaapi_deals.json"))
      local position = records.positions[0]
      assert.equal(46214692, tonumber(position._ticket))
      assert.equal(-84.26, position._profit)
      assert.equal(1586913120000, tonumber(position._time_open))
      assert.equal("hedging", names_of(C.tg_account_entity, "margin_mode")[records.account._margin_mode])
      assert.equal("sell_limit", names_of(C.tg_order_entity, "type")[records.orders[0]._type])
      assert.equal("in", names_of(C.tg_deal_entity, "entry")[records.deals[0]._entry])
      assert.equal("balance", names_of(C.tg_deal_entity, "action")[records.deals[1]._action])
    end)

    it("mtapi_io parts positions from waiting orders, and closes by closed orders", function()
      shipped("mtapi_io")
      good("positions", "{}")
      assert.is_false(records.positions_known)
      good("positions", load("mtapi_opened.json"))
      good("account", load("mtapi_summary.json"))
      good("deals", load("mtapi_history.json"))
      assert.equal(1, records.positions_count)
      assert.equal(1, records.orders_count)
      assert.equal("buy_stop", names_of(C.tg_order_entity, "type")[records.orders[0]._type])
      local deal = records.deals[0]
      assert.equal("sell", names_of(C.tg_deal_entity, "action")[deal._action])
      assert.equal(1.09, deal._price)
      assert.equal(1, records.deals_count)
    end)

    it("dwx_connect reads the expert advisor's file", function()
      shipped("dwx_connect", "utc_offset_seconds = 7200")
      good("snapshot", load("dwx_orders.json"))
      assert.equal(1, records.positions_count)
      assert.equal(1, records.orders_count)
      assert.equal(1772452800000 - 7200000, tonumber(records.positions[0]._time_open))
      assert.equal(108.5, records.account._margin)
      assert.is_false(records.deals_known)
      good("snapshot", '{"account_info":{"balance":1,"equity":1,"free_margin":1},"orders":{}}')
      assert.is_true(records.positions_known and records.orders_known)
      assert.equal("MAP_FAILED", select(2, feed("snapshot", "{}")))
    end)
  end)

  describe("mapping", function()
    it("is found by its name or its path, and gives way to what the source says itself", function()
      write("mine.lua", [[ local python = mapping "metatrader5_python"
        return { requests = { account = { path = "/mine/{login}" } }, map = function(...) return python.map(...) end } ]])
      assert(configure('{ url = "http://x", mapping = "./mine.lua" }'))
      local request = config.sources[0].requests[PART.account]
      assert.equal("/mine/{login}", ffi.string(request.path))
      assert.is_true(config.sources[0].requests[PART.positions].path == nil)
      good("account", '{"balance":1,"equity":2}')
      assert(configure('{ url = "http://x", mapping = "metatrader5_python", requests = { account = { path = "/a" } } }'))
      assert.equal("/a", ffi.string(config.sources[0].requests[PART.account].path))
      assert.is_true(config.sources[0].requests[PART.positions].path == nil)
      assert.is_true(config.sources[0].map ~= 0)
    end)

    it("is refused by name and line when there is none, or it is none", function()
      local function why(source, wanted, before)
        local ok, text = configure(source, before)
        assert.is_nil(ok)
        assert.is_truthy(text:find(wanted, 1, true), text)
      end
      why('{ url = "http://x", mapping = "metatrader_python" }', 'there is no mapping "metatrader_python"; did you mean "metatrader5_python"?')
      why('{ url = "http://x", mapping = "./none.lua" }', "cannot be read: No such file")
      write("bad.lua", "local x = = 1")
      why('{ url = "http://x", mapping = "./bad.lua" }', "bad.lua:1:")
      write("bad.lua", "return 5")
      why('{ url = "http://x", mapping = "./bad.lua" }', "must return a table")
      write("bad.lua", "while true do end")
      why('{ url = "http://x", mapping = "./bad.lua" }', "does not come to an end")
      write("bad.lua", "return { requests = { acount = {} } }")
      why('{ url = "http://x", mapping = "./bad.lua" }', 'source.requests.acount: there is no such key; did you mean "account"?')
      why('{ url = "http://x", map = 5 }', "source.map: expected a function, got 5")
    end)
  end)

  describe("requests", function()
    it("are refused when they could not be sent, with the key", function()
      local function why(requests, wanted, more)
        local ok, text = configure('{ url = "http://x", requests = ' .. requests .. (more or "") .. " }")
        assert.is_nil(ok)
        assert.is_truthy(text:find(wanted, 1, true), text)
      end
      why('{ account = { path = "a" } }', "source.requests.account.path: expected a path that begins with /")
      why('{ account = { path = "/{acount_id}" } }', 'source.requests.account.path: there is no place "{acount_id}"; did you mean "{account_id}"?')
      why('{ account = { path = "/", body = "x" } }', 'source.requests.account.body: a body needs method = "POST"')
      why('{ account = { path = "/", method = "PUT" } }', 'expected "GET" or "POST"')
      why('{ account = { method = "POST" } }', "source.requests.account.path: this is required and missing")
      why('{ account = { path = "/", method = "POST", body = "{\\"x\\":\\"{logn}\\"}" } }', 'did you mean "{login}"?')
      why('{ positions = { path = "/" } }', "source.requests: expected a snapshot or the account among them")
      why('{ snapshot = { path = "/" } }', "source.map: this is required for requests.snapshot")
      why('{ account = { path = "/", headers = { ["X"] = "{who}" } } }', "source.requests.account.headers.X: its placeholders are")
      why('{ accounts = { path = "/" } }', 'did you mean "account"?')
      assert(configure('{ url = "http://x", requests = { account = { path = "/a/{login}", method = "POST", body = "{\\"a\\":{\\"b\\":1}}" } } }'))
    end)
  end)
end)
