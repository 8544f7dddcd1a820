-- A source that is read over HTTP: the same broker and the same faults, but as documents of a service, through the core's
-- http driver and its mappings.
local documents = require("simulation.http_documents")
local driver_of = require("simulation.http")
local source_of = require("simulation.source")

local HttpSource = setmetatable({}, { __index = source_of.Source })
HttpSource.__index = HttpSource

local OFFSET_MS = documents.OFFSET_S * 1000
local object, list_of, python, service = documents.object, documents.list, documents.python, documents.service

local KINDS = {
  -- The terminal bridge: one document, whose time is that of the bridge's own clock.
  bridge = { clock = true, deals = true, history = true, orders = true, lag = 1500, parts = 1,
             source = '{ url = "http://bridge.example.com", mapping = "terminal_bridge" }' },
  -- The MetaTrader5 package behind five requests, without a clock.
  python = { clock = false, deals = true, history = true, orders = true, lag = 1500, parts = 3,
             source = '{ url = "http://bridge.example.com", mapping = "metatrader5_python", utc_offset_seconds = 10800 }' },
  -- The MT5 REST service: positions, account, and deals where they are wanted.
  service = { clock = true, deals = true, history = false, orders = false, lag = 1500, parts = 2,
              source = '{ url = "http://service.example.com" }' },
}

local function new(random, broker, kind, intensity, extra)
  local self = setmetatable(source_of.new(random, broker, kind, intensity, extra), HttpSource)
  self.driver = driver_of.new(kind.source)
  self.counts, self.names_account = random(2) == 0, random(2) == 0 -- what a service tells or not
  self.blind = 0 -- so many polls more the bridge does not know the broker's clock
  return self
end

for name, kind in pairs(KINDS) do kind.name, kind.http, kind.new = name, true, new end

function HttpSource:forget() self.driver:forget() end

function HttpSource:free() self.driver:free() end

-- Trading goes on between the reads of one document, and between documents.
function HttpSource:pause()
  self.broker:live(self.broker.now + (self.quiet and 0 or self.random(200)), self.rate)
end

local function texts(rows, write)
  local out = {}
  for i, row in ipairs(rows) do out[i] = write(row) end
  return out
end

-- Positions or orders as a fault leaves them; nil: they could not be read.
function HttpSource:state(part, rows)
  local random, spell = self.random, self.now_spell
  if spell == "no_positions" then return nil end
  if spell == "empty" then return {} end
  if spell == "cut" then for _ = 1, random(#rows + 1) do rows[#rows] = nil end end
  if self.quiet then return rows end
  if random.unit() < self.intensity / 4 then
    self:fault("mixed")
    source_of.shuffle(random, rows)
  end
  if part == "positions" and #rows > 0 and random.unit() < self.intensity / 4 then
    self:fault("doubled")
    rows[#rows + 1] = rows[1]
    self.bad = true
  end
  return rows
end

-- What was made since then; nil: it could not be read.
function HttpSource:past(rows, since, time)
  local random = self.random
  if self.now_spell == "no_deals" then return nil end
  local out = source_of.listed(rows, since, self.broker.now, time)
  if self.quiet then return out end
  if random.unit() < self.intensity then
    self:fault("repeated")
    for i = 1, #out do if random(2) == 0 then out[#out + 1] = out[i] end end
  end
  if random.unit() < self.intensity then
    self:fault("mixed")
    source_of.shuffle(random, out)
  end
  return out
end

function HttpSource:positions(write)
  if self.about_to_read then self.about_to_read("positions") end
  local rows = self:state("positions", self:read_positions())
  return rows and texts(rows, write), rows
end

function HttpSource:orders(write)
  if self.about_to_read then self.about_to_read("orders") end
  local rows = self:state("orders", self:read_orders())
  return rows and texts(rows, write)
end

function HttpSource:deals(since, write)
  local rows = self:past(self.broker.deals, since, "time")
  return rows and texts(rows, write)
end

function HttpSource:history(since)
  local rows = self:past(self.broker.history, since, "done")
  return rows and texts(rows, python.order)
end

-- The account; another one's where somebody logged in elsewhere; nil where it could not be read.
function HttpSource:account()
  if self.is_strangers then
    return { login = "5002", balance = 100 * (1 + self.extra(1000)), credit = 0, profit = 0, netting = self.broker.netting }
  end
  if not self.quiet and self.random.unit() < self.intensity / 2 then
    self:fault("no_account")
    return nil
  end
  return self:read_account()
end

local serve = { bridge = {}, python = {}, service = {} }

function serve.bridge.snapshot(self, url)
  local since = tonumber(url:match("^http://bridge.example.com/snapshot%?deals_since=(%d+)$"))
  local began = self.broker.now
  self:pause()
  local positions = self:positions(python.position)
  self:pause()
  local orders = self:orders(python.order)
  self:pause()
  local history = self:history(since)
  self:pause()
  local deals = self:deals(since, python.deal)
  self:pause()
  local account = self:account()
  local knows = self.blind == 0 or self.quiet
  return object({
    "version", "1", "connected", "true", "login", account and account.login or driver_of.LOGIN, "server", '"Broker-Live"',
    "time_utc_ms", ("%d"):format(began), "utc_offset_seconds", knows and ("%d"):format(documents.OFFSET_S) or "null",
    "account", account and python.account(account) or "null", "positions", list_of(positions), "orders", list_of(orders),
    "history_orders", list_of(history), "deals", list_of(deals),
    "symbols", '{"EURUSD":{"digits":5},"GBPUSD":{"digits":5},"XAUUSD.r":{"digits":5},"#AAPL":{"digits":5}}', "errors", "[]",
  })
end

function serve.python.positions(self) return list_of(self:positions(python.position)) end
function serve.python.orders(self) return list_of(self:orders(python.order)) end

function serve.python.account(self)
  local account = self:account()
  return account and python.account(account) or "null"
end

local function window(url) return tonumber(url:match("%?from=(%d+)&to=%d+$")) * 1000 - OFFSET_MS end
function serve.python.deals(self, url) return list_of(self:deals(window(url), python.deal)) end
function serve.python.history(self, url) return list_of(self:history(window(url))) end

function HttpSource:envelope(members)
  local list = { "success", "true", "timestamp", service.time(self.broker.now) }
  if self.names_account then list[#list + 1], list[#list + 2] = "account_id", self.is_strangers and '"demo-2"' or '"demo-1"' end
  for _, item in ipairs(members) do list[#list + 1] = item end
  return object(list)
end

function serve.service.positions(self)
  local rows, all = self:positions(service.position)
  local document = { "positions", list_of(rows) }
  if all and self.counts then document[3], document[4] = "count", ("%d"):format(#all) end
  return self:envelope(document)
end

function serve.service.account(self)
  local account = self:account()
  if not account then return self:envelope({ "data", "null" }) end
  return self:envelope({ "data", service.account(account, self.counts and #self.broker.order or nil) })
end

function serve.service.deals(self, url)
  local y, mo, d, h, mi, s = url:match("from_date=(%d+)-(%d+)-(%d+)T(%d+):(%d+):(%d+)Z$")
  local days = math.floor((os.time({ year = y, month = mo, day = d, hour = 12 }) - os.time({ year = 1970, month = 1, day = 1, hour = 12 })) / 86400 + 0.5)
  local rows = self:deals((days * 86400 + h * 3600 + mi * 60 + s) * 1000, service.deal)
  return self:envelope({ "history", list_of(rows) })
end

-- What comes instead of a document.
local BROKEN = {
  { rc = -1, code = "TIMEOUT" }, { rc = -1, code = "CONNECT_FAILED" }, { rc = -1, code = "TRUNCATED", body = '{"positions":[]' },
  { status = 500, body = "<html>it broke</html>" }, { status = 503, body = '{"error":{"code":"SETTLING","message":"not yet"}}' },
  { status = 503, body = '{"positions":[],"orders":[],"deals":[]}' }, { status = 429, body = "" }, { status = 200, body = "" },
  { status = 200, body = "null" }, { status = 200, body = '{"success":false,"error_code":"OFFLINE","positions":[],"data":{}}' },
  { status = 302, body = "[]" },
}

function HttpSource:serve(part, url)
  if self.asked > 0 then self:pause() end
  self.asked = self.asked + 1
  if self.asked - 1 == self.breaks then return BROKEN[1 + self.random(#BROKEN)] end
  if self.old then return self.kept[part] or BROKEN[1] end
  local body = serve[self.kind.name][part](self, url)
  if not self.quiet and self.random.unit() < self.intensity / 8 then
    self:fault("mangled")
    body = body:sub(1, self.random(#body))
  end
  self.bodies[part] = { body = body }
  return self.bodies[part]
end

-- Faults of a whole poll that are no spells.
function HttpSource:begin_faults()
  local extra, random, quiet = self.extra, self.random, self.quiet
  self.is_strangers = extra and not quiet and not self.old and extra.unit() < self.intensity / 4
  if self.is_strangers then self:fault("stranger") end
  if self.blind > 0 then self.blind = self.blind - 1 end
  if self.kind.name == "bridge" and not quiet and random.unit() < self.intensity / 8 then
    self:fault("no_offset")
    self.blind = 1 + random(5)
  end
end

-- One poll; as Source:poll, but what comes of it are the records that the driver made.
function HttpSource:poll(rate, since, wants, quiet)
  local random = self.random
  local fault = self:next_spell(quiet)
  self.now_spell, self.quiet, self.rate, self.bad, self.asked, self.bodies = fault, quiet, rate, false, 0, {}
  self.breaks = fault == "lost" and random(self.kind.parts) or not quiet and random.unit() < self.intensity / 4 and random(5) or -1
  self.old = fault == "stale" and self.kept ~= nil
  self:begin_faults()
  local records, code, message = self.driver:run(self.broker.now, since, function(got) return wants({ records = got }) end,
    function(part, url) return self:serve(part, url) end)
  if not records and quiet then error(("a poll without a fault failed: %s: %s"):format(code, message), 0) end
  if fault == "empty" or fault == "cut" or self.bad or self.is_strangers then
    self.was_whole = false
  elseif records and not self.old then
    self.was_whole = true
  end
  if not records then return nil end
  local answer = source_of.answer_of(records)
  answer.old, answer.stranger, answer.whole = self.old, self.is_strangers, not fault
  if not self.old and not answer.stranger and random(3) == 0 then self.kept = self.bodies end
  return answer
end

return { new = new, KINDS = KINDS }
