-- The terminal bridge, with a stand-in for the MetaTrader5 package.
local uv = require("luv")
local json = require("dkjson")
local gateway_of = require("support.gateway")
local loop = require("support.loop")
local process = require("support.process")
local wire = require("support.wire")

local root = os.getenv("TIDEGATE_SOURCE") or "."
local TOKEN = "a-token-of-some-length"

describe("the terminal bridge", function()
  local bridge, path

  local function write(state)
    local file = assert(io.open(path .. ".new", "w"))
    file:write((json.encode(state):gsub("HALF", "\\ud83d"))) -- of an emoji
    file:close()
    assert(os.rename(path .. ".new", path))
  end

  local function state_of(changes)
    local now = os.time()
    local state = {
      account = { login = 5001, balance = 10000, equity = 10012.5, profit = 12.5, currency = "USD", currency_digits = 2,
        leverage = 100, margin_mode = 2, server = "Demo-Server", company = "A Broker", name = "Ann" },
      positions = { { ticket = "9007199254740993", identifier = "9007199254740993", symbol = "EURUSD",
        volume = 0.1, price_open = 1.085, price_current = 1.08625, sl = 1.08, profit = 12.5, time_msc = (now + 7200) * 1000 } },
      deals = { { ticket = 1, position_id = 77, time = now + 7200 - 60, time_msc = (now + 7200 - 60) * 1000, symbol = "XAUUSD",
        volume = 0.01, price = 2400, entry = 1 },
        { ticket = 2, type = 2, time = now + 7200 - 50, time_msc = (now + 7200 - 50) * 1000, profit = 100, comment = "deposit" } },
      symbols = { EURUSD = { digits = 5, offset_s = 7200 }, XAUUSD = { digits = 2, time_msc = 5000 } },
      calls = path .. ".calls",
    }
    for name, value in pairs(changes or {}) do
      state[name] = value
    end
    return state
  end

  local function calls_of(name)
    local found = {}
    for line in io.lines(path .. ".calls") do
      if line:match("^%S+") == name then found[#found + 1] = line end
    end
    return found
  end

  local environment
  local function start(...)
    path = os.tmpname()
    write(state_of())
    bridge = process.start({
      argv = { "/usr/bin/python3", "-B", root .. "/examples/bridge/mt5_bridge.py", "--port", "0", "--settle", "0", ... },
      env = { MT5_STANDIN = path, PYTHONPATH = root .. "/tests/support/metatrader5", MT5_BRIDGE_TOKEN = TOKEN,
        MT5_PASSWORD = environment, LD_PRELOAD = false, ASAN_OPTIONS = false },
    })
    local line = assert(bridge:wait_line("listening on", 10000, "stderr"))
    bridge.port = tonumber(line:match(":(%d+)%s*$"))
  end

  after_each(function()
    if bridge then assert.equal(0, bridge:stop(10000)) end
    bridge, environment = nil, nil
    for _, name in ipairs({ path, path .. ".calls", path .. ".new" }) do
      os.remove(name)
    end
  end)

  local function get(target, headers)
    local answer = wire.http_get(bridge.port, target, headers or { Authorization = "Bearer " .. TOKEN })
    return answer
  end

  local function refused(status, code)
    local answer = get("/snapshot")
    assert.equal(status, answer.status, answer.body)
    assert.equal(code, answer.json.error.code)
    return answer.json.error.message
  end

  -- It serves again, sooner or later.
  local function settled()
    assert(loop.eventually(function() return get("/snapshot").status == 200 end, 3000))
  end

  it("tells the account, its positions, and the deals that were asked for, ids exact", function()
    start()
    local answer = get(("/snapshot?deals_since=%d"):format((os.time() - 120) * 1000))
    assert.equal(200, answer.status, answer.body)
    local found = answer.json
    assert.equal(5001, found.login)
    assert.is_true(found.connected)
    assert.equal(10012.5, found.account.equity)
    assert.equal("Demo-Server", found.account.server)
    assert.truthy(answer.body:find('"ticket":9007199254740993,', 1, true), answer.body)
    assert.same({}, found.orders)
    assert.same({}, found.history_orders)
    assert.equal(77, found.deals[1].position_id)
    assert.same({ EURUSD = { digits = 5 }, XAUUSD = { digits = 2 } }, found.symbols)
    assert.same({}, found.errors)
    assert.truthy(get("/snapshot").body:find('"deals":null', 1, true)) -- not asked for: not known
  end)

  it("dates what it read from before the first of it, so that nothing made since is taken for shown", function()
    start()
    write(state_of({ hang = { orders_get = 0.6 } }))
    local found = get("/snapshot").json
    local seconds, micro = uv.gettimeofday()
    local age_ms = seconds * 1000 + micro / 1000 - found.time_utc_ms
    assert.is_true(age_ms >= 600, age_ms .. " ms")
  end)

  it("reads the broker's clock off ticks that move, and off no others", function()
    start()
    assert.is_nil(get("/snapshot").json.utc_offset_seconds) -- one look proves nothing
    loop.sleep(20)
    assert.equal(7200, get("/snapshot").json.utc_offset_seconds)
    write(state_of({ symbols = { EURUSD = { digits = 5, time_msc = (os.time() - 3 * 3600) * 1000 } } })) -- a weekend's
    get("/snapshot")
    assert.equal(7200, get("/snapshot").json.utc_offset_seconds)
    write(state_of({ symbols = { EURUSD = { digits = 5, offset_s = 10800 } } })) -- summer time begins
    get("/snapshot")
    loop.sleep(20)
    assert.equal(10800, get("/snapshot").json.utc_offset_seconds)
  end)

  it("believes of several clocks the one that is ahead: exchanges delay quotes, and none can be early", function()
    start()
    write(state_of({ symbols = { EURUSD = { digits = 5, offset_s = 7200 }, XAUUSD = { digits = 2, offset_s = 7200 - 900 } } }))
    for _ = 1, 4 do
      get("/snapshot?deals_since=" .. (os.time() - 120) * 1000)
      loop.sleep(20)
    end
    assert.equal(7200, get("/snapshot").json.utc_offset_seconds)
  end)

  it("remembers the offset that rows from before summer time were written by", function()
    start()
    write(state_of({ deals = {} }))
    local function settle_on(offset_s)
      assert(loop.eventually(function() return get("/snapshot").json.utc_offset_seconds == offset_s end, 5000))
    end
    settle_on(7200)
    assert.truthy(get("/snapshot").body:find('"utc_offset_shifts":[]', 1, true))
    local function at(offset_s, deals)
      write(state_of({ symbols = { EURUSD = { digits = 5, offset_s = offset_s } }, deals = deals }))
      settle_on(offset_s)
      local shifts = get("/snapshot").json.utc_offset_shifts
      return shifts[#shifts]
    end
    local spring = at(10800, {})
    assert.equal(7200, spring.utc_offset_seconds)
    assert.is_true(math.abs(spring.before - (os.time() + 7200)) < 10)
    -- A deal of a moment before, which the broker listed late, bears the old clock.
    at(10800, { { ticket = 9, position_id = 1, symbol = "EURUSD", volume = 1, time = os.time() + 7200 - 5 } })
    assert.equal(1, #get(("/snapshot?deals_since=%d"):format((os.time() - 60) * 1000)).json.deals)
    assert.equal(10800, at(7200, {}).utc_offset_seconds)
  end)

  it("forgets the clock and the symbols of a broker that the terminal has left", function()
    start()
    assert(loop.eventually(function() return get("/snapshot").json.utc_offset_seconds == 7200 end, 5000))
    local other = state_of({ symbols = { EURUSD = { digits = 3, time_msc = 5000 } } })
    other.account.server = "Another-Server"
    write(other)
    local found = get("/snapshot")
    assert.equal(200, found.status, found.body)
    assert.is_nil(found.json.utc_offset_seconds)
    assert.equal(3, found.json.symbols.EURUSD.digits)
  end)

  it("carries whatever stands in a comment, also half an emoji", function()
    start()
    local state = state_of()
    state.positions[1].comment = 'HALF "\\ \1\127 \226\130\172 \240\159\152\128'
    write(state)
    local found = get("/snapshot")
    assert.equal(200, found.status, found.body)
    assert.equal('\239\191\189 "\\ \1\127 \226\130\172 \240\159\152\128', found.json.positions[1].comment)
  end)

  it("never takes a failure for an empty account", function()
    start()
    write(state_of({ fail = { positions_get = { -10005, "IPC timeout" } } }))
    local found = get("/snapshot")
    assert.equal(200, found.status)
    assert.truthy(found.body:find('"positions":null', 1, true), found.body)
    assert.same({ { part = "positions", code = "-10005", message = "IPC timeout" } }, found.json.errors)
    write(state_of({ fail = { account_info = { -10004, "No IPC connection" } } }))
    assert.truthy(refused(503, "-10004"):find("No IPC connection", 1, true))
    write(state_of({ positions = {} }))
    assert.truthy(get("/snapshot").body:find('"positions":[]', 1, true))
  end)

  it("serves no account but the one it is for", function()
    start("--login", "5001")
    assert.equal(200, get("/snapshot").status)
    local other = state_of()
    other.account.login = 6002
    write(other)
    assert.falsy(refused(503, "WRONG_ACCOUNT"):find("6002", 1, true))
    assert.equal("wrong account", get("/health", {}).json.state)
    write(state_of())
    assert.equal(200, get("/snapshot").status)
  end)

  it("logs in when it was given the password, and leaves the terminal as it is when it was not", function()
    start("--login", "5001")
    get("/snapshot")
    local other = state_of()
    other.account.login = 6002
    write(other)
    refused(503, "WRONG_ACCOUNT")
    refused(503, "WRONG_ACCOUNT")
    assert.same({ "initialize timeout" }, calls_of("initialize"))
    assert.equal(0, bridge:stop(10000))
    environment = "the investor password"
    start("--login", "5001", "--server", "Demo-Server")
    get("/snapshot")
    write(other)
    refused(503, "WRONG_ACCOUNT")
    write(state_of())
    assert.equal(200, get("/snapshot").status)
    assert.same({ "initialize login password server timeout", "initialize login password server timeout" }, calls_of("initialize"))
  end)

  it("does not try a password again and again that was refused", function()
    environment = "the investor password"
    start("--login", "5001")
    write(state_of({ fail = { initialize = { -6, "Authorization failed" } } }))
    assert.truthy(refused(503, "-6"):find("Authorization failed", 1, true))
    for _ = 1, 5 do
      assert.matches("the next attempt is in %d+ s", refused(503, "-6"))
    end
    assert.equal(1, #calls_of("initialize"))
    assert.equal("login refused", get("/health", {}).json.state)
  end)

  it("says when the terminal has lost its server, and distrusts it for a while after", function()
    start("--settle", "1")
    refused(503, "SETTLING")
    settled()
    write(state_of({ terminal = { connected = false } }))
    refused(503, "DISCONNECTED")
    write(state_of())
    refused(503, "SETTLING")
    assert.same({ ok = false, state = "settling" }, get("/health", {}).json)
    settled()
    assert.same({ ok = true, state = "ready" }, get("/health", {}).json)
  end)

  it("answers in time while the terminal hangs, and again when it is back", function()
    start("--timeout", "1")
    assert.equal(200, get("/snapshot").status)
    write(state_of({ hang = { positions_get = 1.5 } }))
    refused(504, "TIMEOUT")
    assert.equal("hanging", get("/health", {}).json.state)
    write(state_of())
    settled()
  end)

  it("outlives a terminal that is gone, and a package that raises", function()
    start()
    write(state_of({ fail = { initialize = { -10003, "IPC initialize failed" } } }))
    assert.truthy(refused(503, "-10003"):find("cannot be reached", 1, true))
    write(state_of())
    assert.equal(200, get("/snapshot").status)
    write(state_of({ ["raise"] = { "orders_get" } }))
    assert.equal("RuntimeError", refused(500, "BRIDGE_ERROR"))
    write(state_of())
    assert.equal(200, get("/snapshot").status)
  end)

  it("lets in who has the token, and takes nothing it does not know", function()
    start()
    assert.equal(401, get("/snapshot", {}).status)
    assert.equal(401, get("/snapshot", { Authorization = "Bearer x" }).status)
    assert.equal(404, get("/order_send").status)
    assert.equal(400, get("/snapshot?deals_since=-1").status)
    assert.equal(400, get("/snapshot?since=5").status)
    assert.is_true(wire.http({ port = bridge.port, path = "/snapshot", method = "POST", body = "{}",
      headers = { Authorization = "Bearer " .. TOKEN } }).status >= 400)
    for _, line in ipairs(bridge.stderr) do
      assert.falsy(line:find(TOKEN, 1, true))
    end
  end)

  it("is started wrongly with a reason", function()
    path = os.tmpname()
    for what, words in pairs({
      ["at least 16 characters"] = {},
      ["--no-token is for a loopback address"] = { "--no-token", "--address", "0.0.0.0" },
      ["go together"] = { "--no-token", "--key", "x" },
      ["in quarters"] = { "--no-token", "--utc-offset", "99" },
      ["from 0 to 65535"] = { "--no-token", "--port", "99999" },
      ["--port: expected a whole number"] = { "--no-token", "--port", ("0"):rep(20) .. "99999" },
      ["from 1 to 366"] = { "--no-token", "--max-days", "0" },
      ["expected seconds"] = { "--no-token", "--settle", "nan" },
      ["needs MT5_PASSWORD"] = { "--no-token", "--login", "5001", "--server", "Demo" },
    }) do
      local wrong = process.start({ argv = { "/usr/bin/python3", "-B", root .. "/examples/bridge/mt5_bridge.py", unpack(words) },
        env = { MT5_BRIDGE_TOKEN = "short", LD_PRELOAD = false, ASAN_OPTIONS = false } })
      assert(wrong:wait_exit(10000))
      assert.equal(2, wrong.code)
      assert.truthy(table.concat(wrong.stderr, "\n"):find(what, 1, true), table.concat(wrong.stderr, "\n"))
    end
  end)

  it("says in a sentence what it cannot use: a port, a certificate, a token, a package", function()
    start()
    for what, case in pairs({
      ["cannot listen on 127.0.0.1:" .. bridge.port] = { 1, "--port", tostring(bridge.port) },
      ["--certificate and --key: "] = { 1, "--port", "0", "--certificate", "/nowhere", "--key", "/nowhere" },
      ["printable ASCII"] = { 2, token = "sixteen b\195\188tes of it" },
      ["pip install MetaTrader5"] = { 1, package = "/nowhere" },
    }) do
      local wrong = process.start({ argv = { "/usr/bin/python3", "-B", root .. "/examples/bridge/mt5_bridge.py", unpack(case, 2) },
        env = { MT5_BRIDGE_TOKEN = case.token or TOKEN, PYTHONPATH = case.package or root .. "/tests/support/metatrader5",
          LD_PRELOAD = false, ASAN_OPTIONS = false } })
      assert(wrong:wait_exit(10000))
      local said = table.concat(wrong.stderr, "\n")
      assert.equal(case[1], wrong.code, said)
      assert.truthy(said:find(what, 1, true), said)
      assert.falsy(said:find("Traceback", 1, true), said)
    end
  end)

  it("listens on IPv6 as well", function()
    start("--address", "::1")
    assert.matches("listening on ::1:%d+", table.concat(bridge.stderr, "\n"))
  end)

  it("calls nothing that trades", function()
    start()
    get("/snapshot?deals_since=1")
    local calls = {}
    for name in io.lines(path .. ".calls") do
      calls[name:match("^%S+")] = true
    end
    for name in pairs(calls) do
      assert.truthy(("initialize terminal_info account_info positions_get orders_get history_deals_get history_orders_get "
        .. "symbol_info symbol_info_tick"):find(name, 1, true), name)
    end
    assert.is_true(calls.positions_get)
    local source = assert(io.open(root .. "/examples/bridge/mt5_bridge.py")):read("*a")
    assert.falsy(source:find("order_send", 1, true))
  end)

  describe("that the gateway polls", function()
    local gateway, client

    before_each(function()
      start("--login", "5001", "--timeout", "2")
      gateway = gateway_of.start({ source = {
        driver = "http", url = "http://127.0.0.1:" .. bridge.port, mapping = "terminal_bridge", interval_ms = 200, timeout_ms = 4000,
        retry_first_ms = 100, retries = 1, probe_ms = 300, headers = { Authorization = "Bearer " .. TOKEN },
      } })
      client = assert(gateway:connect("5001"))
    end)

    after_each(function()
      client:close()
      assert.equal(0, gateway:stop())
    end)

    -- The next message that is not about money in motion or the source's state.
    local function event(timeout_ms)
      repeat
        local object = client:next_json(timeout_ms or 5000)
        if not object then return nil end
        if object.type ~= "account_update" and object.type ~= "status" and object.type ~= "error" then return object end
      until false
    end

    it("becomes a snapshot with exact ids and UTC times, and then events with the deals' figures", function()
      local snapshot = assert(client:wait_type("snapshot", 5000))
      assert.equal("Demo-Server", snapshot.account.server)
      assert.equal("EURUSD", snapshot.positions[1].symbol)
      client:send_json({ type = "snapshot" })
      local object, text
      repeat
        object, text = client:next_json(5000)
      until object.type == "snapshot"
      assert.truthy(text:find('"ticket":9007199254740993,', 1, true), text)
      assert.truthy(text:find('"price":1.08500,', 1, true), text)
      assert.truthy(gateway:eventually(function()
        return gateway:get("/api/account/5001/snapshot", { Authorization = "Bearer " .. gateway:token() }).body:find(
          '"open_time":"' .. os.date("!%Y-%m-%dT%H"), 1, true)
      end))
      local now = os.time()
      write(state_of({
        account = { login = 5001, balance = 9950, equity = 9950, profit = 0, currency = "USD", currency_digits = 2, leverage = 100,
          margin_mode = 2, server = "Demo-Server" },
        positions = {},
        deals = { { ticket = 71, order = 61, time = now + 7200, time_msc = (now + 7200) * 1000, type = 1, entry = 1, reason = 4, volume = 0.1,
          price = 1.08, profit = -50, swap = -1.5, commission = -0.7, symbol = "EURUSD", position_id = "9007199254740993" } },
      }))
      local closed = assert(event())
      assert.equal("position_closed", closed.type)
      assert.equal(-50, closed.profit)
      assert.equal(-52.2, closed.net_profit)
      assert.equal("sl", closed.reason)
      assert.is_nil(closed.estimated)
    end)

    it("tells nothing that did not happen, whatever ails the terminal, and says when it is back", function()
      assert(client:wait_type("snapshot", 5000))
      local other = state_of()
      other.account.login = 6002
      for what, state in pairs({
        disconnected = state_of({ terminal = { connected = false }, positions = {} }),
        ["positions that fail"] = state_of({ fail = { positions_get = { -10005, "IPC timeout" } }, positions = {} }),
        ["an account that fails"] = state_of({ fail = { account_info = { -10004, "No IPC connection" } }, positions = {} }),
        ["another account"] = other,
        ["a package that raises"] = state_of({ ["raise"] = { "positions_get" }, positions = {} }),
        ["a hang"] = state_of({ hang = { positions_get = 2.5 }, positions = {} }),
      }) do
        write(state)
        local lost = assert(client:wait_type("error", 6000), what)
        assert.equal("CONNECTION_LOST", lost.error_code)
        write(state_of())
        repeat
          local object = assert(client:next_json(8000), what)
          assert.truthy(object.type == "status" or object.type == "error" or object.type == "account_update", what .. ": " .. object.type)
        until object.type == "status" and object.status == "live"
      end
    end)
  end)
end)
