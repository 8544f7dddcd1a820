-- A hostile `source.map` in a gateway that serves clients, and documents that are none: the account of that source is
-- announced as lost, nothing is told of it that did not happen, accounts of another source notice nothing, and one good
-- answer is all it takes.
local gateway_of = require("support.gateway")
local json = require("dkjson")
local rest = require("support.rest")

-- What the map does with a document { harm = n }, in a place where n, t, kept and good are locals. `says` is what the log
-- says of it, `code` its code (MAP_FAILED).
local harm = {
  { name = "is an endless loop", "while true do end", says = "it ran for too long" },
  { name = "would swallow its own stop", "while true do pcall(function() while true do end end) end", says = 'there is no "pcall" here' },
  { name = "is a comparison that never returns", "table.sort({ 3, 1, 2 }, function() while true do end end)", says = "it ran for too long" },
  { name = "is a callback that never returns", '("x"):gsub(".", function() while true do end end)', says = "it ran for too long" },
  { name = "is recursion without end", "local function f() return 1 + f() end return f()", says = "stack overflow" },
  { name = "eats memory", "while true do t = { t, t } kept.t = t end", says = "" },
  { name = "doubles a text", 'local s = "xxxxxxxx" while true do s = s .. s end', says = "memory" },
  { name = "raises a table", "error({})", says = "" },
  { name = "raises nothing", "error()", says = "" },
  { name = "yields", "coroutine.yield(good)", says = "coroutine" },
  { name = "looks for the system", "os.exit(1)", says = "os" },
  { name = "changes globals", "x = 1", says = "x" },
  { name = "returns nothing", "return", says = "expected a table, got", code = "BAD_MAP" },
  { name = "returns a function", "return function() end", says = "got a function", code = "BAD_MAP" },
  { name = "returns itself in itself", "t.account = t return t", code = "BAD_MAP", says = "account.account: there is no such field" },
  { name = "returns a list that holds itself", "t[1] = t return { account = good.account, positions = t }",
    code = "BAD_MAP", says = "positions[1]: a value without a name" },
  { name = "returns a ring of rows", "local a, b = {}, {} a.ticket, b.ticket = b, a return { account = good.account, positions = { a } }",
    code = "BAD_MAP", says = "positions[1].ticket: expected a value, got a table" },
  { name = "returns more rows than a terminal has", [[for i = 1, 1e6 do t[i] = good.positions[1] end
    return { account = good.account, positions = t }]], says = "" },
  { name = "returns one position three times", [[local p = good.positions[1]
    return { account = good.account, positions = { p, p, p } }]], code = "BAD_DOCUMENT", says = "occurs twice" },
  { name = "returns not a number", [[return { account = { balance = 0/0, equity = 1, login = "7" }, positions = {} }]],
    code = "BAD_MAP", says = "account.balance: expected a number" },
  { name = "returns a number without end", [[good.positions[1].price_open = 1/0 return good]],
    code = "BAD_MAP", says = "positions[1].price_open: expected a number" },
  { name = "returns a number of 64 bits", "good.account.balance = 1LL return good", code = "BAD_MAP", says = "account.balance: expected a value" },
  { name = "returns a complex number", "good.account.balance = 1i return good", code = "BAD_MAP", says = "account.balance: expected a value" },
  { name = "returns a ticket of zero", "good.positions[1].ticket = 0 return good", code = "BAD_DOCUMENT", says = "no ticket" },
  { name = "returns a ticket in another notation", 'good.positions[1].ticket = "0x1F" return good', code = "BAD_MAP", says = "positions[1].ticket" },
  { name = "returns a ticket beyond 64 bits", 'good.positions[1].ticket = "99999999999999999999" return good',
    code = "BAD_MAP", says = "positions[1].ticket" },
  { name = "returns a volume without end as a text", 'good.positions[1].volume = "1e999" return good', code = "BAD_MAP", says = "positions[1].volume" },
  { name = "returns a time without end", "return { time = 1e300, account = good.account, positions = good.positions }",
    code = "BAD_MAP", says = "time: expected" },
  { name = "returns an offset that is none", "return { utc_offset_seconds = 0/0 }", code = "BAD_MAP", says = "utc_offset_seconds: expected" },
  { name = "returns another account's", 'good.account.login = "8" return good', code = "WRONG_ACCOUNT", says = "another login" },
  { name = "returns what it kept of another account", "return kept.other", code = "WRONG_ACCOUNT", says = "another login" },
  { name = "returns half a state", "return { account = good.account }", code = "INCOMPLETE", says = "" },
  { name = "says that the terminal is away", "return { connected = false, positions = {} }", code = "NOT_CONNECTED", says = "" },
  { name = "hands an object on as a list", "return { account = good.account, positions = document.object }",
    code = "BAD_MAP", says = "got an object of the document" },
}

-- What is a value, but hardly one of a terminal's: it is shown or refused, and either way in valid JSON and UTF-8 to the
-- last byte. `shown` is what a client reads.
local odd = {
  { "p.volume = 1e300" }, { "p.volume = 1e-300" }, { "p.volume = 1e-8", shown = '"volume":0.00000001' },
  { "p.price_open = -1e308 p.sl = 1e308 p.tp = -0" }, { "a.balance = 1.7e308 a.equity = -1.7e308" },
  { "p.digits = 1e9" }, { "p.digits = -5" }, { "a.currency_digits = 99" }, { "a.currency_digits = -1" }, { "a.leverage = 2^40" },
  { "p.time_open = 9.2e18" }, { "p.time_open = -1" }, { 'p.time_open = "9999-12-31T23:59:59Z"', shown = '"open_time":"9999-12-31' },
  { 'p.magic = "9223372036854775807"', shown = '"magic":9223372036854775807' }, { 'p.magic = "9223372036854775808"' },
  { 'p.magic = "-9223372036854775808"', shown = '"magic":-9223372036854775808' },
  { 'p.ticket = "18446744073709551615"', shown = '"ticket":18446744073709551615' },
  { [[p.comment = "\255\254\237\160\189"]] }, { [[p.comment = "a\0b"]] }, { [[p.comment = "\1\127\240\159\152\128"]] },
  { [[p.symbol = "\255"]] }, { [[p.symbol = "a\0b"]] }, { [[p.symbol = ""]] }, { [[a.name = "\192\128"]] }, { [[a.currency = "\255"]] },
  { 'p.comment = ("\226\130\172"):rep(1000)' }, { 'a.name = ("\226\130\172"):rep(1000)' }, { "p.comment = 5" }, { "p.comment = true" },
  { "p.reason = 999" }, { 'p.reason = "of nobody"' }, { "a.margin_mode = 99" }, { "a.positions_count = 5", code = "INCONSISTENT" }, { "a.orders_count = 1e18" },
}

local MAP = [[
(function()
  local kept = {}
  return function(name, document, context)
    local n, t = 0, {}
    local good = {
      account = { balance = 100, equity = 100, login = context.login, currency = "EUR" },
      positions = { { ticket = 1, symbol = "EURUSD", side = "buy", volume = 1, price_open = 1.1 } },
    }
    if context.account_id == "8" then kept.other = good end
    local number = tonumber(context.login:match("^odd(%%d+)$"))
    if number then
      local odd = { %s }
      odd[number](good.account, good.positions[1])
      return good
    end
    local harm = { %s }
    if document.harm then return harm[document.harm](document, kept, good, n, t) end
    return good
  end
end)()]]

-- Bodies that are not what they should be.
local documents = {
  { name = "nothing", "", says = "" },
  { name = "half a document", '{"harm":', says = "" },
  { name = "two documents", "{}{}", says = "" },
  { name = "a web page", "<html><body>502</body></html>", says = "" },
  { name = "a member that stands twice", '{"x":1,"x":{}}', says = "", fine = true },
  { name = "a number without end", '{"x":1e999}', says = "", fine = true }, -- a text for the map, which does not look at it
  { name = "no number", '{"x":NaN}', says = "" },
  { name = "bytes that are no UTF-8", '{"x":"\255\254"}', says = "" },
  { name = "half an emoji", '{"x":"\\ud83d"}', says = "" },
  { name = "a nest of 100 lists", ("["):rep(100) .. ("]"):rep(100), says = "nested too deep" },
  { name = "a million brackets", ("["):rep(1000000), says = "nested too deep" },
  { name = "five megabytes", '{"x":"' .. ("y"):rep(5 * 1024 * 1024) .. '"}', code = "BODY_TOO_LARGE", says = "" },
  { name = "a list of 400 000 numbers", "[" .. ("1.5,"):rep(400000) .. "1]", says = "", any = true },
}

-- Whether a text is UTF-8 as RFC 3629 has it: no overlong form, no surrogate, nothing beyond U+10FFFF.
local function utf8_valid(text)
  local at = 1
  while at <= #text do
    local a, b = text:byte(at, at + 1)
    local n = a < 0x80 and 1 or a >= 0xC2 and a < 0xE0 and 2 or a >= 0xE0 and a < 0xF0 and 3 or a >= 0xF0 and a < 0xF5 and 4
    if not n or at + n - 1 > #text then return false end
    if a == 0xE0 and b < 0xA0 or a == 0xED and b > 0x9F or a == 0xF0 and b < 0x90 or a == 0xF4 and b > 0x8F then return false end
    for k = at + 1, at + n - 1 do
      local c = text:byte(k)
      if c < 0x80 or c > 0xBF then return false end
    end
    at = at + n
  end
  return true
end

describe("a source whose map or whose answer is hostile:", function()
  local bridge, service, gateway, client, other, victim

  setup(function()
    bridge, service = rest.start(0, "bridge.lua"), rest.start()
    bridge:control({ op = "answer", path = "*", body = "{}" })
    local functions = {}
    for i, case in ipairs(harm) do functions[i] = ("function(document, kept, good, n, t) %s end"):format(case[1]) end
    local oddities = {}
    for i, case in ipairs(odd) do oddities[i] = ("function(a, p) %s end"):format(case[1]) end
    local quick = { interval_ms = 150, timeout_ms = 5000, retry_first_ms = 150, retries = 3, probe_ms = 200, grace_ms = 300,
      breaker_failures = 1000000 }
    local function source(more)
      for key, value in pairs(quick) do more[key] = value end
      return more
    end
    gateway = gateway_of.start({
      source = false, hooks = { budget_ms = 20, memory_mb = 8 },
      sources = {
        main = source({ driver = "http", url = service.url }),
        ill = source({ driver = "http", url = bridge.url, requests = { snapshot = { path = "/{login}" } } }),
      },
    }, { functions = {
      ["sources.ill.map"] = MAP:format(table.concat(oddities, ",\n"), table.concat(functions, ",\n")),
      route = [[function(id) if #id == 1 or id:find("^odd") then return { source = "ill", login = id } end end]],
    } })
    client, other, victim = assert(gateway:connect("7")), assert(gateway:connect("8")), assert(gateway:connect("demo-1"))
    for _, one in ipairs({ client, other, victim }) do assert(one:wait_type("snapshot", 5000)) end
  end)

  teardown(function()
    for _, one in ipairs({ client, other, victim }) do one:close() end
    assert.equal(0, gateway:stop())
    bridge:stop()
    service:stop()
  end)

  local function answer(body) bridge:control({ op = "answer", path = "/7", body = body }) end

  -- Messages of a client until one fits; all before it are about the source's state.
  local function until_status(of, wanted)
    repeat
      local object = assert(of:next_json(8000), "never " .. wanted)
      assert.is_true(object.type == "status" or object.type == "error", object.type)
    until object.status == wanted
  end

  local function try(body, code, says)
    local from = #gateway.process.stderr + 1
    answer(body)
    local line = assert(gateway.process:wait_log({ event = "poll_failed", account = "7" }, 8000, from))
    assert.equal(code, line.code, line.message)
    assert.truthy(line.message:find(says, 1, true), line.message)
    until_status(client, "reconnecting")
    answer("{}")
    until_status(client, "live")
    assert.is_nil(client.close_code)
  end

  for i, case in ipairs(harm) do
    it("a map that " .. case.name, function() try(json.encode({ harm = i, object = { a = 1 } }), case.code or "MAP_FAILED", case.says) end)
  end

  for _, case in ipairs(documents) do
    it("an answer that is " .. case.name, function()
      if case.fine then
        local before = gateway:metric('tidegate_polls_total{end="ok"}')
        answer(case[1])
        assert(gateway:eventually(function() return gateway:metric('tidegate_polls_total{end="ok"}') > before + 20 end, 8000))
        answer("{}")
        assert.is_nil(client:next_json(50))
      elseif case.any then -- fails or not, as the memory has it; nothing comes of it either way
        answer(case[1])
        gateway:eventually(function() return false end, 1000)
        answer("{}")
        repeat
          local object = client:next_json(1500)
          assert.is_true(not object or object.type == "status" or object.type == "error")
        until not object
      else
        try(case[1], case.code or "BAD_DOCUMENT", case.says)
      end
    end)
  end

  for i, case in ipairs(odd) do
    it("a map that says " .. case[1], function()
      local from = #gateway.process.stderr + 1
      local one = assert(gateway:connect("odd" .. i))
      local refused
      repeat
        local object, text = one:next_json(5000)
        assert.truthy(object, "neither shown nor refused")
        assert.truthy(utf8_valid(text), text)
        refused = object.type == "error"
        if object.type == "snapshot" and case.shown then assert.truthy(text:find(case.shown, 1, true), text) end
      until object.type == "snapshot" or refused
      assert.is_true(not (refused and case.shown), case.shown)
      if refused then
        local line = assert(gateway.process:wait_log({ event = "poll_failed", account = "odd" .. i }, 8000, from))
        assert.equal(case.code or "BAD_MAP", (line.code:gsub("BAD_DOCUMENT", "BAD_MAP")), line.message)
      end
      one:close()
    end)
  end

  it("and nobody else noticed: the other accounts were live all the time, and memory is given back", function()
    for _, one in ipairs({ other, victim }) do
      repeat
        local object = one:next_json(100)
        assert.is_true(not object or (object.type ~= "status" and object.type ~= "error"), object and json.encode(object))
      until not object
      assert.is_nil(one.close_code)
    end
    assert.is_true(gateway:metric("tidegate_hooks_memory_bytes") < 8 * 1048576)
    assert.is_true(gateway:metric('tidegate_hook_faults_total{hook="map"}') > 10)
    assert.equal(0, gateway:metric('tidegate_hook_faults_total{hook="route"}'))
  end)
end)
