local ffi = require("ffi")
local cdef = require("support.cdef")
local quick = require("support.quick")
local C = cdef.library("source", { "source/trader.h" })

local HISTORY, STEP_MS, START_MS = 4096, 250, 1700000000000
local SYMBOL = {}
for i = 0, 11 do
  SYMBOL[ffi.string(C.tg_symbols[i].name)] = i
end

-- The index of an enum's name, from the core's own list.
local function index_of(entity, field, name)
  local names = C.tg_field_find(entity, field).names
  local i = 0
  while names[i] ~= nil do
    if ffi.string(names[i]) == name then return i end
    i = i + 1
  end
  error("no " .. name)
end
local IN = index_of(C.tg_deal_entity, "entry", "in")
local OUT = index_of(C.tg_deal_entity, "entry", "out")
local INOUT = index_of(C.tg_deal_entity, "entry", "inout")
local OUT_BY = index_of(C.tg_deal_entity, "entry", "out_by")
local BALANCE = index_of(C.tg_deal_entity, "action", "balance")
local CREDIT = index_of(C.tg_deal_entity, "action", "credit")
local STATES = {}
for _, name in ipairs({ "placed", "partial", "filled", "cancelled", "expired", "rejected" }) do
  STATES[index_of(C.tg_order_entity, "state", name)] = name
end
local REASONS = {}
for _, name in ipairs({ "manual", "expert", "mobile", "web", "sl", "tp", "stop_out" }) do
  REASONS[index_of(C.tg_deal_entity, "reason", name)] = name
end

local function text(record, kind, field)
  return ffi.string(ffi.cast("const char *", record) + ffi.offsetof("struct tgl_" .. kind, "_" .. field .. "_0"))
end

-- Money as an integer number of its smallest unit; fails when it is not one.
local function units(value, digits)
  local scaled = value * 10 ^ digits
  local whole = math.floor(scaled + 0.5)
  if scaled ~= scaled or math.abs(scaled - whole) >= 1e-4 then error("not a whole number of units: " .. value) end
  return whole
end

-- Everything about an account as one string, for comparing whole states.
local function state_of(records)
  local out = ffi.new("struct tg_buf")
  local function row(entity, record)
    for i = 0, entity.count - 1 do
      C.tg_field_write(out, entity, entity.fields + i, record, false)
    end
    C.tg_buf_putc(out, 10)
  end
  row(C.tg_account_entity, records.account)
  for i = 0, records.positions_count - 1 do
    row(C.tg_position_entity, records.positions + i)
  end
  for i = 0, records.deals_count - 1 do
    row(C.tg_deal_entity, records.deals + i)
  end
  for i = 0, records.orders_count - 1 do
    row(C.tg_order_entity, records.orders + i)
  end
  for i = 0, records.history_count - 1 do
    row(C.tg_order_entity, records.history + i)
  end
  local all = ffi.string(out.data, out.len)
  C.tg_buf_fini(out)
  return all
end

describe("trader", function()
  local market, traders, records

  local function open(seed, number, rate)
    local trader = C.tg_trader_new(market, seed, number, rate)
    traders[#traders + 1] = trader
    return trader
  end

  local function advance(step)
    C.tg_market_advance(market, step, START_MS + step * STEP_MS)
  end

  local function read(trader, since)
    quick.equal(0, C.tg_book_write_state(trader.book, trader.step, records))
    quick.equal(0, C.tg_book_write_deals(trader.book, since or 0, records))
    return records
  end

  before_each(function()
    market, traders = C.tg_market_new(11), {}
    records = ffi.new("struct tg_records")
    advance(0)
  end)

  after_each(function()
    for _, trader in ipairs(traders) do
      C.tg_trader_free(trader)
    end
    C.tg_records_fini(records)
    C.tg_market_free(market)
  end)

  -- Follows one account poll by poll and checks each state against the one before and the deals.
  local function follow(seed, number, polls, stride, rate)
    local trader = open(seed, number, rate)
    local was, balance, credit = {}, nil, nil
    local deals_seen, told = {}, {}
    local seen = { events = 0, reasons = {}, partial = 0, flash = 0, added = 0, levels = 0, transfers = 0,
      swaps = 0, reversed = 0, close_by = 0, operations = 0, rolled = 0, states = {} }
    local orders_were = {}
    for poll = 0, polls do
      local since = START_MS + ((poll - 1) * stride) * STEP_MS + 1
      advance(poll * stride)
      C.tg_trader_run(trader)
      local r = read(trader, poll == 0 and 0 or since)
      local a, digits = r.account, r.account._currency_digits
      quick.is_true(r.account_known and r.positions_known and r.deals_known)
      quick.equal(r.positions_count, a._positions_count)

      local profit, margin, now, count = 0, 0, {}, 0
      for i = 0, r.positions_count - 1 do
        local p = r.positions[i]
        local id = tostring(p._position_id)
        quick.is_nil(now[id])
        quick.is_true(p._volume > 0 and p._price_open > 0 and p._price_current > 0)
        quick.is_true(p._digits == C.tg_symbols[SYMBOL[text(p, "position", "symbol")]].digits)
        quick.equal(digits, p._currency_digits)
        profit = profit + units(p._profit, digits) + units(p._swap, digits)
        margin = margin + tonumber(trader.book.holdings[i].margin)
        local long = p._side == 1
        if p._sl ~= 0 then quick.is_true(long == (p._sl < p._price_current)) end
        if p._tp ~= 0 then quick.is_true(long == (p._tp > p._price_current)) end
        now[id] = { volume = units(p._volume, 2), sl = p._sl, tp = p._tp, side = p._side,
          swap = units(p._swap, digits), symbol = text(p, "position", "symbol"), ticket = tostring(p._ticket) }
        count = count + 1
      end

      -- equity == balance + credit + profit, and what hangs on it
      local equity = units(a._equity, digits)
      quick.equal(units(a._balance, digits) + units(a._credit, digits) + profit, equity)
      quick.equal(profit, units(a._profit, digits))
      quick.equal(margin, units(a._margin, digits))
      quick.equal(equity - margin, units(a._margin_free, digits))
      quick.is_true(margin >= 0 and (count == 0) == (margin == 0))
      if margin == 0 then
        quick.equal(0, a._margin_level)
      else
        quick.is_true(math.abs(a._margin_level - equity / margin * 100) <= 0.0051)
      end
      if trader.book.netting then
        local symbols = {}
        for _, p in pairs(now) do
          quick.is_nil(symbols[p.symbol])
          symbols[p.symbol] = true
        end
      end

      -- the deals of this poll explain every difference to the one before
      local volumes, swaps, flipped, moved, lent, last = {}, {}, {}, 0, 0, -1
      for id, p in pairs(was) do
        volumes[id] = p.volume
      end
      for i = 0, r.deals_count - 1 do
        local d = r.deals[i]
        local ticket = tostring(d._ticket)
        quick.is_nil(deals_seen[ticket])
        deals_seen[ticket] = true
        quick.is_true(tonumber(d._time) >= last)
        last = tonumber(d._time)
        local amount = units(d._profit, digits) + units(d._swap, digits) + units(d._commission, digits)
        if d._action == CREDIT then lent = lent + amount else moved = moved + amount end
        if d._action == BALANCE then
          seen.transfers = seen.transfers + 1
        elseif d._position_id == 0 then
          quick.equal("", text(d, "deal", "symbol"))
          seen.operations = seen.operations + 1
        elseif d._entry == INOUT then
          -- All of it is closed and the rest is the other side, under the same identifier.
          local id, lots = tostring(d._position_id), units(d._volume, 2)
          quick.is_true(trader.book.netting)
          quick.equal(volumes[id], units(d._volume_closed, 2))
          volumes[id] = lots - volumes[id]
          quick.is_true(volumes[id] > 0)
          flipped[id] = not flipped[id]
          swaps[id] = (swaps[id] or 0) + units(d._swap, digits)
          seen.reversed = seen.reversed + 1
        else
          local id, lots = tostring(d._position_id), units(d._volume, 2)
          quick.is_true(lots > 0 and d._price > 0)
          assert.is_string(REASONS[d._reason])
          if d._entry == IN then
            if volumes[id] then seen.added = seen.added + 1 end
            quick.is_nil(told[id])
            volumes[id] = (volumes[id] or 0) + lots
          else
            quick.is_true(d._entry == OUT or (d._entry == OUT_BY and not trader.book.netting))
            if d._entry == OUT_BY then seen.close_by = seen.close_by + 1 end
            assert.is_number(volumes[id])
            volumes[id] = volumes[id] - lots
            swaps[id] = (swaps[id] or 0) + units(d._swap, digits)
            if volumes[id] > 0 and d._swap ~= 0 then seen.swaps = seen.swaps + 1 end
            quick.is_true(volumes[id] >= 0)
            seen.reasons[REASONS[d._reason]] = true
            local name = REASONS[d._reason]
            if name == "sl" then quick.equal(d._sl, d._price) end
            if name == "tp" then quick.equal(d._tp, d._price) end
            if volumes[id] > 0 then seen.partial = seen.partial + 1 end
            if volumes[id] == 0 then
              told[id] = true
              if not was[id] then seen.flash = seen.flash + 1 end
            end
          end
        end
      end
      for id, volume in pairs(volumes) do
        quick.equal(volume, now[id] and now[id].volume or 0)
        if now[id] and was[id] then
          quick.equal(flipped[id] or false, was[id].side ~= now[id].side)
          if now[id].ticket ~= was[id].ticket and not flipped[id] then seen.rolled = seen.rolled + 1 end
          local rolled = math.floor(poll * stride / 14400) ~= math.floor((poll - 1) * stride / 14400)
          if rolled then
            assert.are_not.equal(was[id].swap - (swaps[id] or 0), now[id].swap)
          else
            quick.equal(was[id].swap - (swaps[id] or 0), now[id].swap)
          end
          if now[id].sl ~= was[id].sl or now[id].tp ~= was[id].tp then seen.levels = seen.levels + 1 end
        end
      end
      for id in pairs(now) do
        assert.is_truthy(volumes[id])
      end
      quick.equal((balance or 0) + moved, units(a._balance, digits))
      if credit then quick.equal(credit + lent, units(a._credit, digits)) end

      -- an order that is missing has ended in the history, and one that is new was not there before
      quick.is_true(r.orders_known and r.history_known)
      local orders_now, ended = {}, {}
      for i = 0, r.history_count - 1 do
        local o = r.history[i]
        local state = STATES[o._state]
        quick.is_true(state == "filled" or state == "cancelled" or state == "expired" or state == "rejected")
        quick.is_true(o._time_done >= o._time_setup and (state ~= "filled" or o._volume_current == 0))
        seen.states[state] = (seen.states[state] or 0) + 1
        ended[tostring(o._ticket)] = true
      end
      for i = 0, r.orders_count - 1 do
        local o = r.orders[i]
        local left, whole = units(o._volume_current, 2), units(o._volume_initial, 2)
        quick.equal(left < whole and "partial" or "placed", STATES[o._state])
        quick.is_true(left > 0 and o._price_open > 0 and o._price_current > 0)
        quick.equal(o._time_expiration ~= 0, o._type_time ~= 1)
        if left < whole then seen.states.partial = (seen.states.partial or 0) + 1 end
        orders_now[tostring(o._ticket)] = true
      end
      for ticket in pairs(orders_were) do
        quick.is_true(orders_now[ticket] ~= ended[ticket], "an order went without a word")
      end
      orders_were = orders_now
      was, balance, credit = now, units(a._balance, digits), units(a._credit, digits)
    end
    seen.events = tonumber(trader.moves)
    return seen
  end

  it("keeps its books to the unit through thousands of steps, whoever trades", function()
    local counted = { "partial", "flash", "added", "levels", "transfers", "reversed", "close_by", "operations" }
    local all, states = { reasons = {} }, {}
    for _, key in ipairs(counted) do all[key] = 0 end
    for number = 1, 36 do
      C.tg_market_free(market)
      market = C.tg_market_new(number * 31)
      advance(0)
      local bold = number % 6 == 5
      local seen = follow(number, number, bold and 900 or 500, 4, bold and 8 or 40)
      for reason in pairs(seen.reasons) do
        all.reasons[reason] = true
      end
      for _, key in ipairs(counted) do
        all[key] = all[key] + seen[key]
      end
      for state, count in pairs(seen.states) do
        states[state] = (states[state] or 0) + count
      end
    end
    for _, reason in pairs(REASONS) do
      assert.is_true(all.reasons[reason], "no position was ever closed by " .. reason)
    end
    for _, key in ipairs(counted) do
      assert.is_true(all[key] > 10, "hardly any " .. key)
    end
    for _, state in ipairs({ "partial", "filled", "cancelled", "expired" }) do
      assert.is_true((states[state] or 0) > 10, "hardly any order " .. state)
    end
    assert.is_true((states.rejected or 0) > 0, "no order was ever rejected")
  end)

  it("charges swap at each rollover, and gives a part that is closed its share", function()
    local swaps = 0
    for _, number in ipairs({ 4, 12, 18 }) do
      C.tg_market_free(market)
      market = C.tg_market_new(number)
      advance(0)
      swaps = swaps + follow(number, number, 1300, 24, 10).swaps
    end
    assert.is_true(swaps > 3, swaps)
  end)

  it("has brokers that give positions another ticket at the rollover, and the same identifier", function()
    local rolled = 0
    for _, number in ipairs({ 1, 9, 17 }) do
      C.tg_market_free(market)
      market = C.tg_market_new(number)
      advance(0)
      rolled = rolled + follow(number, number, 1300, 24, 10).rolled
    end
    assert.is_true(rolled > 3, rolled)
  end)

  it("keeps its books when it is looked at once in two minutes", function()
    follow(5, 5, 60, 480, 12)
  end)

  it("is the same account whenever it is looked at", function()
    local often, rarely = open(9, 3, 30), open(9, 3, 30)
    for step = 1, 4000, 3 do
      advance(step)
      C.tg_trader_run(often)
    end
    advance(4000)
    C.tg_trader_run(often)
    C.tg_trader_run(rarely)
    local a = state_of(read(often))
    assert.equal(a, state_of(read(rarely)))
    local late = open(9, 3, 30)
    C.tg_trader_run(late)
    assert.equal(a, state_of(read(late)))
  end)

  it("differs from seed to seed and from account to account", function()
    advance(1000)
    local seen = {}
    for seed = 1, 4 do
      for number = 1, 4 do
        local trader = open(seed, number, 20)
        C.tg_trader_run(trader)
        local balance = tostring(trader.book.balance)
        assert.is_nil(seen[balance])
        seen[balance] = true
      end
    end
  end)

  it("has the mean event rate that was asked for, stops included", function()
    for _, rate in ipairs({ 2, 12, 60 }) do
      local events, minutes, accounts = 0, 16, 150
      C.tg_market_free(market)
      market = C.tg_market_new(rate)
      advance(0)
      for number = 1, accounts do
        local trader = open(rate, number, rate)
        trader.moves = 0
      end
      advance(minutes * 240)
      for i = #traders - accounts + 1, #traders do
        C.tg_trader_run(traders[i])
        events = events + tonumber(traders[i].moves)
        C.tg_trader_free(traders[i])
        traders[i] = nil
      end
      local mean = events / accounts / minutes
      assert.is_true(mean > 0.85 * rate and mean < 1.15 * rate, ("%g instead of %g"):format(mean, rate))
    end
  end)

  it("decides nothing at rate 0, and still obeys its stops", function()
    local found
    for number = 1, 40 do
      local trader = open(2, number, 0)
      local before = trader.book.count
      trader.moves = 0
      assert.is_true(trader.gap == 0)
      found = found or before > 0
    end
    assert.is_true(found)
    advance(4000)
    local moves, left = 0, 0
    for _, trader in ipairs(traders) do
      C.tg_trader_run(trader)
      moves = moves + tonumber(trader.moves)
      left = left + trader.book.count
      for i = 0, tonumber(trader.book.deals_count) - 1 do
        local d = trader.book.deals[i]
        local forced = { sl = true, tp = true, stop_out = true }
        if d.entry == OUT then assert.is_true(forced[REASONS[d.reason]]) end
      end
    end
    assert.is_true(moves > 0 and left > 0)
  end)

  it("gives every account its own tickets, and some that no double can hold", function()
    local seen, beyond = {}, 0
    for number = 1, 128 do
      open(1, number, 60)
    end
    advance(1200)
    for _, trader in ipairs(traders) do
      C.tg_trader_run(trader)
      for i = 0, tonumber(trader.book.deals_count) - 1 do
        local d = trader.book.deals[(trader.book.deals_first + i) % trader.book.deals_cap]
        local key = tostring(d.ticket)
        assert.is_nil(seen[key])
        seen[key] = true
        if d.ticket > 2ULL ^ 53 then
          beyond = beyond + 1
          assert.equal(0, trader.book.number % 64)
        end
      end
    end
    assert.is_true(beyond > 10)
  end)

  it("closes the worst position first when the margin level falls under 50 %, and no more", function()
    local trader = open(4, 5, 0)
    local book = trader.book
    book.count, book.credit = 0, 0
    local order = ffi.new("struct tg_book_order", { symbol = 0, volume = 100, reason = 1 })
    for _ = 1, 3 do
      assert.is_true(C.tg_book_open(book, 0, order) ~= nil)
    end
    local tickets = {}
    for i = 0, 2 do
      tickets[i] = tostring(book.holdings[i].ticket)
    end
    book.holdings[1].price_open = book.holdings[1].price_open + 2000
    book.holdings[2].price_open = book.holdings[2].price_open + 100
    local totals = ffi.new("struct tg_totals")
    C.tg_book_totals(book, 0, totals)
    book.balance = book.balance - totals.equity + totals.margin * 30 / 100
    local first = tonumber(book.deals_count)
    advance(4)
    C.tg_trader_run(trader)
    local d = book.deals[first]
    assert.equal("stop_out", REASONS[d.reason])
    assert.equal(tickets[1], tostring(d.position_id))
    C.tg_book_totals(book, trader.step, totals)
    assert.is_true(totals.equity * 100 >= totals.margin * 50)
    assert.is_true(book.count > 0)
    advance(8)
    C.tg_trader_run(trader)
  end)

  it("is paid in again when it has lost nearly all", function()
    local trader = open(3, 1, 60)
    trader.book.count = 0
    trader.book.balance = 100
    advance(400)
    C.tg_trader_run(trader)
    assert.is_true(trader.book.balance > 100000)
  end)

  it("rests when it was left alone for longer than the market remembers, at a bounded cost", function()
    local trader = open(6, 2, 60)
    advance(100)
    C.tg_trader_run(trader)
    local moves = tonumber(trader.moves)
    advance(100 + 345600)
    local before = os.clock()
    C.tg_trader_run(trader)
    assert.is_true(os.clock() - before < 0.1)
    assert.equal(100 + 345600, tonumber(trader.step))
    local lived = tonumber(trader.moves) - moves
    assert.is_true(lived > 700 and lived < 1500, "lived through " .. lived)
    local r = read(trader, START_MS)
    local profit = 0
    for i = 0, r.positions_count - 1 do
      profit = profit + r.positions[i]._profit + r.positions[i]._swap
    end
    assert.is_true(math.abs(r.account._profit - profit) < 0.005)
  end)

  it("says so when deals of the time asked for are no longer held", function()
    local trader = open(6, 2, 120)
    for step = 0, 12 * HISTORY, 1000 do
      advance(step)
      C.tg_trader_run(trader)
    end
    assert.is_true(trader.book.deals_lost_ms > 0)
    assert.is_true(trader.book.deals_cap <= 4096)
    local lost = tonumber(trader.book.deals_lost_ms)
    assert.is_false(read(trader, 0).deals_known)
    assert.is_false(read(trader, lost).deals_known)
    assert.is_true(read(trader, lost + 1).deals_known)
    assert.equal(trader.book.deals_count, records.deals_count)
  end)

  it("writes what a trade server writes: comments, names, digits", function()
    local comments = {}
    for number = 1, 60 do
      open(8, number, 60)
    end
    advance(2400)
    for _, trader in ipairs(traders) do
      C.tg_trader_run(trader)
      local r = read(trader, 0)
      assert.equal("demo-" .. trader.book.number, text(r.account, "account", "id"))
      assert.equal(tostring(5000000 + trader.book.number), text(r.account, "account", "login"))
      for i = 0, r.deals_count - 1 do
        local name = REASONS[r.deals[i]._reason]
        comments[name] = text(r.deals + i, "deal", "comment")
      end
    end
    assert.is_truthy(comments.sl:match("^%[sl %d+%.%d+%]$"))
    assert.is_truthy(comments.tp:match("^%[tp %d+%.%d+%]$"))
    assert.equal("Tide EA", comments.expert)
  end)

  it("deals in several currencies, the yen without decimals", function()
    local seen = {}
    for number = 1, 40 do
      local trader = open(8, number, 10)
      local r = read(trader, 0)
      seen[text(r.account, "account", "currency")] = r.account._currency_digits
      assert.equal(trader.book.netting and 1 or 3, r.account._margin_mode)
    end
    assert.same({ USD = 2, EUR = 2, JPY = 0 }, seen)
  end)

  it("costs little: five thousand accounts live through a second in a few milliseconds", function()
    for number = 1, 5000 do
      open(1, number, 6)
    end
    advance(400)
    for _, trader in ipairs(traders) do
      C.tg_trader_run(trader)
    end
    advance(404)
    local before = os.clock()
    for _, trader in ipairs(traders) do
      C.tg_trader_run(trader)
    end
    local each = (os.clock() - before) / 5000 * 1e6
    assert.is_true(each < 50, ("%.1f microseconds an account"):format(each))
  end)
end)
