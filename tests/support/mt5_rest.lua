-- A fake MT5 REST service, the upstream of the "http" driver, as a program of its own:
--
--   luajit tests/support/mt5_rest.lua [--port 0]
--
-- It prints {"port":N} and serves any number of accounts until its parent is gone. Any account id exists, with
-- 10000.00 and no positions, until told otherwise. Tests steer it on the same port: POST /control with one JSON object
-- or an array of them, `op` naming a function of `control` below; GET /control/stats tells what was asked for.
-- Figures may be given as strings to be served with exactly these digits.
local uv = require("luv")
local json = require("dkjson")

local accounts, faults, unknown, spelling
local stats

local function reset()
  accounts, faults, unknown, spelling = {}, {}, {}, "platform"
  stats = { connections = 0, open = 0, requests = 0, accounts = {}, paths = {}, headers = {} }
end
reset()

local function now_ms()
  local seconds, micro = uv.gettimeofday()
  return seconds * 1000 + math.floor(micro / 1000)
end

local function iso(ms)
  return os.date("!%Y-%m-%dT%H:%M:%S", math.floor(ms / 1000)) .. (".%03dZ"):format(ms % 1000)
end

local function account_of(id)
  local account = accounts[id]
  if not account then
    account = { balance = 10000, credit = 0, margin = 0, currency = "USD", leverage = 100 }
    account.positions, account.history = {}, {}
    accounts[id] = account
  end
  return account
end

---------------------------------------------------------------------------------------------------
-- Documents. `object` writes members in order; a value is {kind, value} or a literal JSON text.

local quote = json.quotestring

local function number(value, format)
  if value == nil or value == json.null then return "null" end
  if type(value) == "string" then return value end
  return format:format(value)
end

local function money(value) return number(value, "%.2f") end
local function price(value) return number(value, "%.5f") end
local function whole(value) return number(value, "%.0f") end

local function object(members)
  local out = {}
  for i = 1, #members, 2 do
    out[#out + 1] = quote(members[i]) .. ":" .. members[i + 1]
  end
  return "{" .. table.concat(out, ",") .. "}"
end

local function floating(account)
  local sum = 0
  for _, position in ipairs(account.positions) do
    sum = sum + (tonumber(position.profit) or 0) + (tonumber(position.swap) or 0)
  end
  return sum
end

local documents = {}

local function head(id, fault)
  local members = {
    "success", "true",
    "account_id", quote(fault.kind == "wrong_account" and (fault.id or "someone-else") or id),
    "timestamp", quote(iso(now_ms())),
  }
  if fault.kind == "cached" then
    members[#members + 1] = "cached"
    members[#members + 1] = "true"
    members[#members + 1] = "cache_age_seconds"
    members[#members + 1] = tostring(fault.age or 3600)
  end
  return members
end

local function add(members, ...)
  for _, value in ipairs({ ... }) do
    members[#members + 1] = value
  end
end

function documents.info(id, fault)
  local account = account_of(id)
  local profit = floating(account)
  local equity = account.equity or (tonumber(account.balance) + tonumber(account.credit) + profit)
  local margin = tonumber(account.margin)
  local free = tonumber(equity) - margin
  local level = margin > 0 and tonumber(equity) / margin * 100 or 0
  local count = account.positions_count or #account.positions
  local members = head(id, fault)
  if spelling == "mt5" then
    add(members, "account_info", object({
      "login", "1001", "trade_mode", "0", "leverage", whole(account.leverage), "margin_mode", "2",
      "trade_allowed", "true", "balance", money(account.balance), "credit", money(account.credit),
      "profit", money(profit), "equity", money(equity), "margin", money(margin), "margin_free", money(free),
      "margin_level", money(level), "currency", quote(account.currency), "company", quote("Broker"),
    }))
    return object(members)
  end
  add(members, "data", object({
    "balance", money(account.balance), "equity", money(equity), "margin", money(margin), "free_margin", money(free),
    "margin_level", money(level), "currency", quote(account.currency), "leverage", whole(account.leverage),
    "profit", money(profit), "credit", money(account.credit), "positions_count", whole(count),
  }))
  if fault.kind ~= "cached" then add(members, "cached", "false", "cache_age_seconds", "0") end
  return object(members)
end

local function position_text(p)
  local mt5 = spelling == "mt5"
  return object({
    "ticket", whole(p.ticket),
    mt5 and "identifier" or "position_id", whole(p.identifier or p.ticket),
    "symbol", quote(p.symbol),
    "type", mt5 and (p.type == "sell" and "1" or "0") or quote(p.type),
    "volume", money(p.volume),
    mt5 and "price_open" or "open_price", price(p.open_price),
    mt5 and "price_current" or "current_price", price(p.current_price),
    "sl", price(p.sl),
    "tp", price(p.tp),
    "profit", money(p.profit),
    "swap", money(p.swap),
    "commission", money(p.commission),
    "magic", whole(p.magic),
    "comment", quote(p.comment),
    mt5 and "time_msc" or "open_time", mt5 and whole(p.time_ms) or quote(iso(p.time_ms)),
  })
end

function documents.positions(id, fault)
  local members, list = head(id, fault), {}
  for i, position in ipairs(account_of(id).positions) do
    list[i] = position_text(position)
  end
  local text = "[" .. table.concat(list, ",") .. "]"
  if fault.kind == "positions_null" then text = "null" end
  add(members, "positions", text, "count", whole(fault.kind == "positions_null" and 0 or #list))
  return object(members)
end

local function trade_text(trade)
  return object({
    "ticket", whole(trade.ticket),
    "position_id", whole(trade.identifier or trade.ticket),
    "symbol", quote(trade.symbol),
    "type", quote(trade.type),
    "volume", money(trade.volume),
    "open_price", price(trade.open_price),
    "close_price", price(trade.close_price),
    "open_time", quote(iso(trade.time_ms)),
    "close_time", quote(iso(trade.close_ms)),
    "profit", money(trade.profit),
    "swap", money(trade.swap),
    "commission", money(trade.commission),
    "reason", quote(trade.reason),
  })
end

local function epoch_ms(text)
  local y, mo, d, h, mi, s = text:match("^(%d+)-(%d+)-(%d+)T(%d+):(%d+):(%d+)")
  if not y then return 0 end
  local utc = { year = tonumber(y), month = tonumber(mo), day = tonumber(d), hour = 12, isdst = false }
  local noon = os.time(utc)
  local offset = os.time(os.date("!*t", noon)) - noon
  return (noon - offset - 43200 + h * 3600 + mi * 60 + s) * 1000
end

function documents.history(id, fault, query)
  local members, list = head(id, fault), {}
  local from = epoch_ms(query:match("from_date=([^&]*)") or "")
  for _, trade in ipairs(account_of(id).history) do
    if trade.close_ms >= from then list[#list + 1] = trade_text(trade) end
  end
  add(members, "history", "[" .. table.concat(list, ",") .. "]")
  return object(members)
end

local function error_text(code, message, retry)
  local members = { "code", quote(code), "message", quote(message or code) }
  if retry then add(members, "retry_after_seconds", tostring(retry)) end
  return object({ "success", "false", "error", object(members) })
end

---------------------------------------------------------------------------------------------------
-- What tests may tell it.

local control = {}
local tickets = 500

local function find(account, ticket)
  for i, position in ipairs(account.positions) do
    if tostring(position.ticket) == tostring(ticket) then return position, i end
  end
  error("no position " .. tostring(ticket))
end

-- {op="account", account, set={balance, credit, equity, margin, currency, leverage, positions_count}}
function control.account(doc)
  local account = account_of(doc.account)
  for key, value in pairs(doc.set) do
    account[key] = value ~= json.null and value or nil
  end
end

-- {op="open", account, position={…}} answers {ticket}
function control.open(doc)
  local position = doc.position or {}
  tickets = tickets + 1
  local defaults = {
    ticket = tickets, symbol = "EURUSD", type = "buy", volume = 1, open_price = "1.08500", profit = 0, swap = 0,
    commission = 0, magic = 0, comment = "", time_ms = now_ms(),
  }
  for key, value in pairs(defaults) do
    if position[key] == nil then position[key] = value end
  end
  position.current_price = position.current_price or position.open_price
  table.insert(account_of(doc.account).positions, position)
  return { ticket = position.ticket }
end

-- {op="modify", account, ticket, set={…}}
function control.modify(doc)
  local position = find(account_of(doc.account), doc.ticket)
  for key, value in pairs(doc.set) do
    position[key] = value ~= json.null and value or nil
  end
end

-- {op="close", account, ticket, price, profit, volume (a part), reason, unrecorded (no history)}
function control.close(doc)
  local account = account_of(doc.account)
  local position, index = find(account, doc.ticket)
  local volume = doc.volume or position.volume
  local profit = doc.profit or position.profit
  if tonumber(volume) >= tonumber(position.volume) then
    table.remove(account.positions, index)
  else
    position.volume = tonumber(position.volume) - tonumber(volume)
  end
  account.balance = tonumber(account.balance) + tonumber(profit)
  if doc.unrecorded then return end
  local trade = setmetatable({
    volume = volume, profit = profit, close_price = doc.price or position.current_price, close_ms = now_ms(),
    reason = doc.reason or "manual",
  }, { __index = position })
  table.insert(account.history, trade)
end

-- {op="fault", account ("*": all), part ("info", "positions", "history", "*"), skip (requests before it starts; 0),
-- count (requests it holds for; nil: until cleared), fault={kind, …}}. Kinds: delay{ms} hang drop truncate reset garble
-- trickle{ms} chunked close leave{ms} wrong_account{id} cached{age} positions_null raw{status, body} big{bytes} endless
-- error{status, code, message, retry_after, header}
function control.fault(doc)
  table.insert(faults, {
    account = doc.account or "*", part = doc.part or "*", count = doc.count or math.huge, skip = doc.skip or 0,
    fault = doc.fault,
  })
end

function control.clear()
  faults = {}
end

-- {op="unknown", account, value=true|false}: whether the account does not exist.
function control.unknown(doc)
  unknown[doc.account] = doc.value ~= false or nil
end

-- {op="spelling", value="platform"|"mt5"}
function control.spelling(doc)
  spelling = doc.value
end

control.reset = reset

-- The fault that holds for this request, used up by one.
local function fault_for(id, part)
  for i, entry in ipairs(faults) do
    if (entry.account == "*" or entry.account == id) and (entry.part == "*" or entry.part == part) then
      if entry.skip > 0 then
        entry.skip = entry.skip - 1
      else
        entry.count = entry.count - 1
        if entry.count <= 0 then table.remove(faults, i) end
        return entry.fault
      end
    end
  end
  return {}
end

---------------------------------------------------------------------------------------------------
-- HTTP.

local reasons = { [200] = "OK", [401] = "Unauthorized", [404] = "Not Found", [429] = "Too Many Requests" }

local function response(status, body, extra)
  return ("HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n"):format(
    status, reasons[status] or "Status", #body, extra or "") .. body
end

local function later(client, ms, what)
  local timer = uv.new_timer()
  timer:start(ms, 0, function()
    timer:close()
    if not client:is_closing() then what() end
  end)
end

local function hang_up(client)
  if not client:is_closing() then client:close(function() stats.open = stats.open - 1 end) end
end

local function trickle(client, text, ms, at, done)
  client:write(text:sub(at, at))
  if at >= #text then return done() end
  later(client, ms, function() trickle(client, text, ms, at + 1, done) end)
end

-- What answers an account's request under each fault; `next_one` reads the connection's next request.
local answers = {}

function answers.delay(client, text, fault, next_one)
  later(client, fault.ms, function()
    client:write(text)
    next_one()
  end)
end

function answers.hang() end

function answers.drop(client)
  hang_up(client)
end

function answers.reset(client)
  if not client:is_closing() then client:close_reset(function() stats.open = stats.open - 1 end) end
end

function answers.truncate(client, text)
  client:write(text:sub(1, #text - 20), function() hang_up(client) end)
end

function answers.close(client, text)
  client:write((text:gsub("\r\n", "\r\nConnection: close\r\n", 1)), function() hang_up(client) end)
end

-- Goes away a while after the answer, without having said so.
function answers.leave(client, text, fault, next_one)
  client:write(text)
  next_one()
  later(client, fault.ms, function() hang_up(client) end)
end

function answers.trickle(client, text, fault, next_one)
  trickle(client, text, fault.ms or 1, 1, next_one)
end

function answers.endless(client)
  client:write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
  local function more()
    client:write("1000\r\n" .. (" "):rep(4096) .. "\r\n", function(err)
      if not err then later(client, 1, more) end
    end)
  end
  more()
end

function answers.chunked(client, text, _, next_one)
  local body = text:match("\r\n\r\n(.*)$")
  local half = math.floor(#body / 2)
  client:write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
  for _, piece in ipairs({ body:sub(1, half), body:sub(half + 1) }) do
    client:write(("%x\r\n%s\r\n"):format(#piece, piece))
  end
  client:write("0\r\n\r\n")
  next_one()
end

local function fault_text(id, part, query, fault)
  if fault.kind == "error" then
    local header = fault.header and ("Retry-After: %s\r\n"):format(fault.header) or ""
    local text = error_text(fault.code or "MT5_ERROR", fault.message, fault.retry_after)
    return response(fault.status or 500, text, header)
  end
  if fault.kind == "raw" then return response(fault.status or 200, fault.body or "", fault.extra) end
  if fault.kind == "big" then return response(200, (" "):rep(fault.bytes)) end
  if unknown[id] then return response(404, error_text("ACCOUNT_NOT_FOUND", "Account " .. id .. " not found")) end
  local body = documents[part](id, fault, query)
  if fault.kind == "garble" then body = body:sub(1, 30) .. "\1\255<garbled>" .. body:sub(60) end
  return response(200, body)
end

local function count_request(id, part, headers)
  local seen = stats.accounts[id] or { info = 0, positions = 0, history = 0 }
  stats.accounts[id] = seen
  seen[part] = seen[part] + 1
  stats.headers[id] = headers
end

local function steer(body)
  local doc, _, why = json.decode(body)
  if type(doc) ~= "table" then return response(400, json.encode({ error = tostring(why) })) end
  local result = {}
  for _, one in ipairs(doc.op and { doc } or doc) do
    local known = control[one.op]
    if not known then return response(400, json.encode({ error = "no such op: " .. tostring(one.op) })) end
    local ok, out = pcall(known, one)
    if not ok then return response(400, json.encode({ error = tostring(out) })) end
    result = out or result
  end
  result.ok = true
  return response(200, json.encode(result))
end

local function serve(client, request, next_one)
  local path, query = request.target:match("^([^?]*)%??(.*)$")
  if path == "/control" then
    client:write(steer(request.body))
    return next_one()
  end
  if path == "/control/stats" then
    client:write(response(200, json.encode(stats)))
    return next_one()
  end
  stats.requests = stats.requests + 1
  stats.paths[#stats.paths + 1] = request.target
  if #stats.paths > 200 then table.remove(stats.paths, 1) end
  local id, part = path:match("^/api/mt5/account/([^/]+)/(%l+)$")
  if not id or not documents[part] then
    client:write(response(404, '{"detail":"Not Found"}'))
    return next_one()
  end
  id = id:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
  count_request(id, part, request.headers)
  local fault = fault_for(id, part)
  local text = fault_text(id, part, query, fault)
  if answers[fault.kind] then return answers[fault.kind](client, text, fault, next_one) end
  client:write(text)
  next_one()
end

-- Takes one request off the front of `text`; nil while it is not all there.
local function take_request(text)
  local stop = select(2, text:find("\r\n\r\n", 1, true))
  if not stop then return nil end
  local request = { target = text:match("^%u+ (%S+)"), headers = {} }
  for name, value in text:sub(1, stop):gmatch("\r\n([^:\r\n]+):%s*([^\r\n]*)") do
    request.headers[name:lower()] = value
  end
  local len = tonumber(request.headers["content-length"] or 0)
  if #text < stop + len then return nil end
  request.body = text:sub(stop + 1, stop + len)
  return request, text:sub(stop + len + 1)
end

local function on_connection(server)
  local client, pending, busy = uv.new_tcp(), "", false
  server:accept(client)
  client:nodelay(true)
  stats.connections, stats.open = stats.connections + 1, stats.open + 1
  local function proceed()
    while not busy and not client:is_closing() do
      local request, rest = take_request(pending)
      if not request then return end
      pending, busy = rest, true
      serve(client, request, function()
        busy = false
        -- An answer that was late finds the requests that came meanwhile; one that was not, the loop goes on.
        if #pending > 0 then later(client, 0, proceed) end
      end)
    end
  end
  client:read_start(function(err, chunk)
    if err or not chunk then return hang_up(client) end
    pending = pending .. chunk
    proceed()
  end)
end

local port = 0
for i = 1, #arg do
  if arg[i] == "--port" then port = tonumber(arg[i + 1]) end
end

local server = uv.new_tcp()
assert(server:bind("127.0.0.1", port))
assert(server:listen(1024, function(err)
  assert(not err, err)
  on_connection(server)
end))
io.stdout:write(json.encode({ port = server:getsockname().port }), "\n")
io.stdout:flush()

-- When whoever started it is gone, another process has become its parent.
local parent, watch = uv.os_getppid(), uv.new_timer()
watch:start(500, 500, function()
  if uv.os_getppid() ~= parent then os.exit(0) end
end)

uv.run()
