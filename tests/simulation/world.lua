-- One seed: a broker that lives, a source that fails, a gateway, a client, and a judge.
dofile((os.getenv("TIDEGATE_SOURCE") or ".") .. "/lua/walk.lua").install() -- LuaJIT's own pairs() goes wrong: docs/decisions/0015
local ffi = require("ffi")
local broker_of, source_of = require("simulation.broker"), require("simulation.source")
local THROUGH = {}
for _, name in ipairs({ "simulation.webapi_source", "simulation.http_source" }) do
  for through, kind in pairs(require(name).KINDS) do THROUGH[through] = kind end
end
local client_of, judge = require("simulation.client"), require("simulation.judge")
local pipeline = require("simulation.pipeline")
local C = pipeline.C

local world = {}
local QUIET_POLLS = 36 -- more than an absence without a deal is held, and than any deal is late

-- A source of numbers: random(n) is 0 … n-1, random.unit() is 0 … 1.
local function random_of(seed)
  local state = ffi.new("struct tg_rng", { seed })
  return setmetatable({ unit = function() return C.tg_rng_unit(state) end }, {
    __call = function(_, n) return tonumber(C.tg_rng_below(state, n)) end,
  })
end

-- Runs a seed. Options: `log` is called with each line of its story; `through`, "rest" or "raw": the source is read through
-- the driver of the Web API; "bridge", "python" or "service": through the http driver; `plain` leaves out what the
-- simulation could not do when seeds that are kept as regressions broke.
-- Gives { operations, faults, polls, messages, kind } or, as second value, what is wrong.
function world.run(script, seed, options)
  local log, plain = options and options.log, options and options.plain
  local random = random_of(seed * 2654435761)
  local extra = not plain and random_of(seed * 2246822519) or nil
  local kind = source_of.KINDS[1 + random(plain and 4 or #source_of.KINDS)]
  kind = options and options.through and assert(THROUGH[options.through], "through what?") or kind
  -- A late history lists what was made first of one position first; `plain`: of the whole account.
  local listed, listed_of = 0, {}
  local listing = kind.lag > 0 and function(now, id)
    local at = now + (random(3) == 0 and random(kind.lag) or 0)
    if plain then
      listed = math.max(listed, at)
      return listed
    end
    if id then listed_of[id] = math.max(listed_of[id] or 0, at) end
    return id and listed_of[id] or at
  end
  local broker = broker_of.new(random, { netting = random(2) == 0, whole_seconds = kind.seconds, listed = listing or nil, extra = extra,
    one_id = kind.webapi })
  local source = (kind.new or source_of.new)(random, broker, kind, ({ 0, 0.03, 0.1, 0.2 })[1 + random(4)], extra)
  local rate = ({ 0.1, 0.5, 1.5, 4 })[1 + random(4)]
  local polls, restarts, line = 0, 0, 0
  local gateway, client, facts

  local function tell(text, ...)
    if not log then return end
    while line < #broker.story do
      line = line + 1
      log(broker.story[line])
    end
    log(("%8d  "):format(broker.now - broker_of.START_MS) .. text:format(...))
  end
  source.log = function(text) tell("                                        fault: %s", text) end

  local function take_all()
    for text in function() return gateway:take() end do
      if log then tell("                                        %s", text:sub(1, 300)) end
      client:take(text)
    end
  end

  -- What was true when the first positions and orders were read.
  local note = {}

  -- What was true when the poll began, and again at each reading of its positions. What came and went in between is news; what was
  -- open and is gone has no part in what clients begin with, and may go untold.
  function note.positions(of)
    local before = of.steps
    of.steps, of.hidden = {}, {}
    for id, steps in pairs(broker.steps) do
      local lacked = before and before[id] and steps[before[id]].lots ~= 0
      of.steps[id] = (not before or broker.positions[id] or lacked) and #steps or before[id]
      of.hidden[id] = lacked or nil
    end
    for id in pairs(broker.positions) do of.hidden[id] = true end
  end

  function note.orders(of)
    of.orders, of.orders_hidden = {}, {}
    for ticket in pairs(broker.orders) do of.orders[ticket], of.orders_hidden[ticket] = true, true end
  end

  local function begin(at)
    local of = { at = at }
    note.positions(of)
    note.orders(of)
    return of
  end

  -- What the first answer lacks of it, clients begin without. Orders may be told for the first time later than positions.
  local function reveal(before, answer, first, first_orders)
    before.till = broker.now
    if first then
      facts = before
      for _, position in ipairs(answer.positions) do facts.hidden[position.id] = nil end
    end
    if not (first or first_orders) then return end
    for _, order in ipairs(answer.orders or {}) do before.orders_hidden[order.ticket] = nil end
    facts.ordered = before
  end

  local function start()
    gateway, client = pipeline.new(script, broker.now), client_of.new()
    facts = nil
    gateway:connect()
  end

  local function poll(quiet)
    polls = polls + 1
    local before
    if not gateway.account.positions_known or not gateway.account.orders_known then
      before = begin(broker.now)
      source.about_to_read = function(part) note[part](before) end
    end
    local since = gateway:since(broker.now)
    local answer = source:poll(quiet and 0 or rate, since, function(a) return gateway:wants(a) end, quiet)
    source.about_to_read = nil
    if not answer then return end
    local first, without_orders = not gateway.account.positions_known, not gateway.account.orders_known
    -- What a client begins with is what the first answer shows; a gateway cannot know better.
    if first and (answer.stranger or plain and not answer.whole or answer.old or not answer.positions or not answer.account) then return end
    local rc = gateway:apply(answer, broker.now)
    tell("poll%s%s%s", answer.old and " (old)" or "", answer.deals and " with deals" or "",
      rc ~= 0 and " refused: " .. rc or "")
    if answer.stranger and rc == 0 then error("an answer of another account was believed", 0) end
    if before and rc == 0 then reveal(before, answer, first, without_orders and gateway.account.orders_known) end
    if rc == 0 and answer.history then facts.history_ms = facts.history_ms or broker.now end
    if quiet or random(3) > 0 then take_all() end
  end

  local function live(seconds)
    for _ = 1, seconds do
      poll(false)
      broker:live(broker.now - broker.now % 1000 + 1000 + (broker.now % 1000 > 900 and 1000 or 0), rate)
      if facts and random(40) == 0 then gateway:say('{"type":"snapshot"}') end
    end
  end

  local function rest()
    for _ = 1, kind.late and 2 * QUIET_POLLS or QUIET_POLLS do
      poll(true)
      broker.now = broker.now + 1000
    end
    take_all()
    local function edge_of(of)
      return function(time) return time >= of.at - of.at % 1000 and time <= of.till end
    end
    local what = {
      deals = kind.deals, history = kind.history, history_ms = facts.history_ms, orders = kind.orders, lag = kind.lag, began = facts.at,
      opened_early = kind.lag > 0 or not kind.deals or kind.webapi or source.intensity > 0,
      edge = edge_of(facts), clock = kind.clock, hidden = facts.hidden,
      orders_began = facts.ordered.at, orders_edge = edge_of(facts.ordered), orders_hidden = facts.ordered.orders_hidden,
    }
    judge.state(broker, client, what)
    judge.positions(broker, client.told, facts.steps, what)
    judge.orders(broker, client.told, facts.ordered.orders, what)
    judge.money(broker, client.told, what)
  end

  local function all()
    broker:live(broker.now + 5000, 2)
    start()
    for _ = 1, 2 do
      live(20 + random(30))
      rest()
      if random(4) == 0 then
        tell("the gateway starts anew")
        gateway:free()
        source:forget()
        gateway, restarts = nil, restarts + 1
        broker:live(broker.now + 1000 + random(20000), rate)
        start()
      end
    end
  end

  local good, why = xpcall(all, function(why)
    return type(why) == "string" and not why:find("^%./tests") and why or debug.traceback(why)
  end)
  local messages = client and client.messages or 0
  if gateway then gateway:free() end
  source:free()
  tell(good and "held" or "BROKEN: " .. tostring(why))
  return {
    kind = kind.name, operations = broker.count, faults = source.count, by_name = source.by_name, polls = polls,
    messages = messages, restarts = restarts,
  }, not good and why or nil
end

world.rules = pipeline.rules

return world
