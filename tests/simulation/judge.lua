-- The judge knows the truth: it holds what a client was told of each position against the steps that the broker wrote
-- down. A message advances through the steps: by exactly one, or, when it says that it is coalesced or estimated, by as
-- many as it may stand for. Where volumes repeat more than one reading is possible, so all are followed; when none is
-- left, something was told that did not happen, twice, or not at all.
local START = require("simulation.broker").START_MS

local judge = {}

local function fail(text, ...) error(text:format(...), 0) end

local function near(a, b) return math.abs(a - b) < 1e-6 end

-- Whether the deals of steps from+1 … to are what a message says that closed a part.
local function figures_match(steps, from, to, m)
  local lots, weighted, net = 0, 0, 0
  for i = from + 1, to do
    local step = steps[i]
    local d = step.deal
    if not (d.entry == "inout" and step.closed == 0) then
      net = net + d.profit + d.swap + d.commission
    end
    lots, weighted = lots + step.closed, weighted + step.closed * d.price
  end
  if lots == 0 or not m.net_profit then return lots == 0 and m.close_price == nil end
  local volume = m.volume_closed or lots / 100
  return near(volume, lots / 100) and near(m.net_profit, net / 100)
    and math.abs(m.close_price - weighted / lots / 1e5) < 0.6e-5
end

local function signed_lots(m)
  return math.floor(m.position.volume * 100 + 0.5) * (m.position.type == "sell" and -1 or 1)
end

-- The steps to which a message may lead from `at`. What was opened before its deals were listed, and what is told
-- without them, may stand for more than it can say; a later message must then say so: `owes`.
local function advance(steps, at, owes, m, world)
  local out = {}
  local sure = not m.coalesced and not m.estimated
  local function add(to, debt)
    out[#out + 1] = { to, debt }
  end
  if m.type == "position_opened" then
    local want = signed_lots(m)
    if steps[at].lots ~= 0 then return out end
    if m.synthetic then return { { at, owes } } end
    local crossed = false
    for to = at + 1, #steps do
      crossed = crossed or steps[to].lots == 0
      if steps[to].lots == want and (to == at + 1 or not crossed and not sure or world.opened_early) then
        add(to, owes or to > at + 1 and (sure or crossed))
      end
    end
    return out
  end
  local last = m.type == "position_closed"
  local change = last or m.changes.volume
  if not change and m.coalesced and (m.change == "partial_close" or m.change == "volume_increase") then
    change = { new = math.abs(steps[at].lots) / 100 } -- it is what it was, and more happened
  end
  if not change and m.coalesced and m.estimated and m.changes.open_price then
    change = { new = math.abs(steps[at].lots) / 100 } -- without deals, only the price of opening says so
  end
  if not change then return { { at, owes and not m.coalesced } } end
  if steps[at].lots == 0 and not m.synthetic then return out end
  local want = last and 0 or math.floor(change.new * 100 + 0.5) * (steps[at].lots < 0 and -1 or 1)
  if not last and m.coalesced and steps[at].lots == want then add(at, false) end
  for to = at + 1, #steps do
    local near_enough = to == at + 1 or to == at + 2 and m.synthetic and not m.coalesced or not sure
    if near_enough and steps[to].lots == want and (m.estimated or figures_match(steps, at, to, m)) then
      add(to, owes and sure)
    end
    if steps[to].lots == 0 and not m.estimated then break end
  end
  return out
end

local function text_of(m)
  return ("%s seq %d%s%s%s"):format(m.type, m.seq, m.estimated and " estimated" or "", m.synthetic and " synthetic" or "",
    m.coalesced and " coalesced" or "")
end

-- A position that the first answer lacked is told as opened when it is seen, however large it is by then.
local function seen_first(steps, from, m)
  local out = {}
  if m.synthetic then -- it was not seen at all, and its deals tell it from a moment on when it was flat
    for to = 0, #steps do
      if steps[to].lots == 0 then out[to * 2] = true end
      if steps[to].lots == 0 and to >= from then break end -- what was lacking may have gone untold
    end
    return out
  end
  for to = from, #steps do
    if steps[to].lots == signed_lots(m) then out[to * 2] = true end
  end
  return out
end

-- What was told of positions, from the steps at which the client came in (`from[id]`) to the last.
function judge.positions(broker, told, from, world)
  local by_id = {}
  for _, m in ipairs(told) do
    local id = m.position_id or m.position and m.position.position_id
    if id and m.type:find("^position_") then
      by_id[id] = by_id[id] or {}
      table.insert(by_id[id], m)
    end
  end
  for id, messages in pairs(by_id) do
    local steps = broker.steps[id]
    if not steps then fail("position %d was told and never was", id) end
    -- Without the source's clock nobody knows what of the first answers' deals the first positions show.
    local begun = from[id] or 0
    local edge = not world.clock and (begun > 0 and steps[begun].lots == 0 and world.edge(steps[begun].time)
      or steps[begun + 1] and world.edge(steps[begun + 1].time))
    local at = { [(from[id] or 0) * 2] = true } -- step * 2, + 1 while it owes
    local hidden = world.hidden[id]
    for _, m in ipairs(edge and {} or messages) do
      local next_at = {}
      if hidden and m.type == "position_opened" then next_at = seen_first(steps, from[id], m) end
      hidden = false
      for place in pairs(at) do
        for _, to in ipairs(advance(steps, math.floor(place / 2), place % 2 == 1, m, world)) do
          next_at[to[1] * 2 + (to[2] and 1 or 0)] = true
        end
      end
      if not next(next_at) then
        local places = {}
        for place in pairs(at) do places[#places + 1] = place / 2 end
        fail("position %d: %s leads nowhere from step %s of %d", id, text_of(m), table.concat(places, "/"), #steps)
      end
      at = next_at
    end
    if not edge and not at[#steps * 2] and (world.deals or not at[#steps * 2 + 1]) then
      fail("position %d: not all of its %d steps are told", id, #steps)
    end
  end
  for id, steps in pairs(broker.steps) do
    local silent = not by_id[id] and (from[id] or 0) < #steps
    local hidden = world.hidden[id] and steps[#steps].lots == 0
    local edge = silent and not world.clock and world.edge(steps[(from[id] or 0) + 1].time)
    if silent and world.deals and not edge and not hidden then fail("position %d: %d steps and not a word", id, #steps - (from[id] or 0)) end
    if silent and steps[#steps].lots ~= 0 then fail("position %d is open and not a word", id) end
  end
end

local STATES = { filled = true, cancelled = true, expired = true, rejected = true }

function judge.orders(broker, told, from, world)
  local placed, removed = {}, {}
  for _, m in ipairs(told) do
    local ticket = m.type == "order_placed" and m.order.ticket or m.type == "order_removed" and m.ticket
    if ticket then
      local life = broker.order_life[ticket] or fail("order %d was told and never was", ticket)
      if m.type == "order_placed" then
        if placed[ticket] or from[ticket] and not world.orders_hidden[ticket] then fail("order %d was placed twice", ticket) end
        placed[ticket] = true
      else
        if removed[ticket] then fail("order %d was removed twice", ticket) end
        removed[ticket] = true
        if not life.ended then fail("order %d was removed and is there", ticket) end
        if m.state ~= life.state and m.state ~= "unknown" then
          fail("order %d was %s and is told as %s", ticket, life.state, m.state)
        end
        if m.state == "unknown" and world.history_ms and life.ended > world.history_ms then
          fail("order %d was %s and is told as unknown", ticket, life.state)
        end
        if m.state == "unknown" and not m.estimated then fail("order %d: unknown and not estimated", ticket) end
        assert(m.state == "unknown" or STATES[m.state])
      end
    end
  end
  for ticket, life in pairs(broker.order_life) do
    local there = from[ticket]
    if not there and (not life.ended or world.history and life.placed > world.orders_began) and not placed[ticket] and
      not (life.ended and life.ended <= world.orders_began) and world.orders and (world.clock or not world.orders_edge(life.placed)) then
      fail("order %d was placed and not told", ticket)
    end
    if life.ended and (there and not world.orders_hidden[ticket] and world.orders or placed[ticket]) and not removed[ticket] then
      fail("order %d was %s and not told", ticket, life.state)
    end
  end
end

function judge.money(broker, told, world)
  local seen = {}
  for _, m in ipairs(told) do
    if m.type == "balance_operation" then
      local operation = broker.operations[m.ticket] or fail("balance operation %d never was", m.ticket)
      if seen[m.ticket] then fail("balance operation %d was told twice", m.ticket) end
      seen[m.ticket] = true
      if operation.kind ~= m.operation or not near(operation.amount / 100, m.amount) then
        fail("balance operation %d: %s %s", m.ticket, m.operation, tostring(m.amount))
      end
    end
  end
  if not world.deals then return end
  for ticket, operation in pairs(broker.operations) do
    if operation.time > world.began and not seen[ticket] and not world.edge(operation.time) then
      fail("balance operation %d (%s %d at %d) was not told", ticket, operation.kind, operation.amount,
        operation.time - START)
    end
  end
end

-- Whether a client's state is the broker's. To be asked when all is quiet.
function judge.state(broker, client, world)
  for _, id in ipairs(broker.order) do
    local p, row = broker.positions[id], client.positions[id]
    if not row then fail("position %d is open and the client does not know", id) end
    local truth = {
      ticket = p.ticket, symbol = p.symbol, type = p.sell and "sell" or "buy", volume = p.lots / 100, comment = p.comment,
      open_price = p.price_open / 1e5, sl = p.sl ~= 0 and p.sl / 1e5 or nil, tp = p.tp ~= 0 and p.tp / 1e5 or nil,
    }
    for _, key in ipairs({ "ticket", "symbol", "type", "volume", "comment", "open_price", "sl", "tp" }) do
      local a, b = truth[key], row[key]
      if a ~= b and not (type(a) == "number" and type(b) == "number" and near(a, b)) then
        fail("position %d: %s is %s and the client has %s", id, key, tostring(a), tostring(b))
      end
    end
  end
  for id in pairs(client.positions) do
    if not broker.positions[id] then fail("position %d is gone and the client has it", id) end
  end
  if world.orders then
    for ticket, order in pairs(broker.orders) do
      local row = client.orders and client.orders[ticket] or fail("order %d is there and the client does not know", ticket)
      if not near(row.price, order.price / 1e5) or not near(row.volume_current, order.lots / 100) then
        fail("order %d is not as the client has it", ticket)
      end
    end
    for ticket in pairs(client.orders or {}) do
      if not broker.orders[ticket] then fail("order %d is gone and the client has it", ticket) end
    end
  end
  if not near(client.account.balance, broker.balance / 100) or not near(client.account.credit, broker.credit / 100) then
    fail("balance %s, credit %s and the client has %s, %s", broker.balance / 100, broker.credit / 100,
      tostring(client.account.balance), tostring(client.account.credit))
  end
end

return judge
