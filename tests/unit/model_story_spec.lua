-- The model against the simulator: whatever happens on an account, and however many polls are lost, the moments
-- told must lead from the first state to the newest one, and say of each close what the books say.
local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("source", { "source/trader.h", "model/account.h", "base/rand.h" })

local STEP_MS, START_MS, SECOND = 250, 1700000000000, 4
local REVERSAL = 12 -- of the list `reason`
local OPENED, MODIFIED, CLOSED, DEAL, BALANCE = 0, 1, 2, 3, 4
local OVERLAP_MS = 5000

local function key(position)
  return tostring(position._position_id)
end

describe("the story of an account", function()
  local market, trader, account, records, policy

  -- Leaves only the deals that a service lists which is `lag_ms` behind its positions.
  local function hold_back(now, lag_ms)
    local kept = 0
    for i = 0, records.deals_count - 1 do
      if tonumber(records.deals[i]._time) <= now - lag_ms then
        ffi.copy(records.deals + kept, records.deals + i, ffi.sizeof("struct tgl_deal"))
        kept = kept + 1
      end
    end
    records.deals_count = kept
  end

  local function open(seed, number, rate)
    market = C.tg_market_new(seed)
    C.tg_market_advance(market, 0, START_MS)
    trader = C.tg_trader_new(market, seed, number, rate)
    account = ffi.new("struct tg_account")
    C.tg_account_init(account, "demo-" .. number)
    records = ffi.new("struct tg_records")
    policy = ffi.new("struct tg_account_policy", { suspect_polls = 3 })
  end

  local function close()
    C.tg_account_fini(account)
    C.tg_records_fini(records)
    C.tg_trader_free(trader)
    C.tg_market_free(market)
  end

  -- One good poll at a second, the deals only when the model wants them, as a gateway does it.
  local function poll(second, since_ms, lag_ms)
    C.tg_market_advance(market, second * SECOND, START_MS + second * SECOND * STEP_MS)
    C.tg_trader_run(trader)
    C.tg_records_clear(records)
    assert.equal(0, C.tg_book_write_state(trader.book, trader.step, records))
    if C.tg_account_wants_deals(account, records) then
      assert.equal(0, C.tg_book_write_deals(trader.book, since_ms, records))
      assert.is_true(records.deals_known)
    end
    local now = START_MS + second * 1000
    hold_back(now, lag_ms or 0)
    assert.equal(0, C.tg_account_apply(account, records, policy, second * 1000, now))
  end

  -- Follows an account for so many seconds; `lost(second)` says which polls fail.
  local function follow(seconds, lost)
    local believed, count = {}, { [OPENED] = 0, [MODIFIED] = 0, [CLOSED] = 0, [BALANCE] = 0, synthetic = 0 }
    local last = START_MS
    local ever_closed = {}
    poll(0, 0)
    for i = 0, account.positions.count - 1 do
      local p = account.positions.rows[i]
      believed[key(p)] = { volume = p._volume, sl = p._sl, tp = p._tp }
    end
    for second = 1, seconds do
      if not lost(second) then
        poll(second, last - OVERLAP_MS)
        last = START_MS + second * 1000
        for i = 0, account.moments_count - 1 do
          local m = account.moments[i]
          local p = m.position
          local id = key(p)
          count[m.kind] = (count[m.kind] or 0) + 1
          assert.are_not.equal(1, m.about._estimated)
          if m.kind == OPENED then
            assert.is_nil(believed[id])
            assert.is_nil(ever_closed[id])
            believed[id] = { volume = p._volume, sl = p._sl, tp = p._tp }
            if m.about._synthetic == 1 then count.synthetic = count.synthetic + 1 end
          elseif m.kind == MODIFIED then
            assert.is_truthy(believed[id])
            assert.is_true(m.changed ~= 0ULL)
            believed[id] = { volume = p._volume, sl = p._sl, tp = p._tp }
          elseif m.kind == CLOSED then
            assert.is_truthy(believed[id])
            believed[id], ever_closed[id] = nil, m.about._close_reason ~= REVERSAL or nil
            assert.is_true(m.about._close_reason > 0)
            assert.is_true(m.about._close_price > 0)
            assert.is_true(m.about._net_profit == m.about._net_profit)
          end
        end
        local open_now = 0
        for i = 0, account.positions.count - 1 do
          local p = account.positions.rows[i]
          local b = believed[key(p)]
          assert.is_truthy(b)
          assert.is_true(b.volume == p._volume and b.sl == p._sl and b.tp == p._tp)
          open_now = open_now + 1
        end
        for _ in pairs(believed) do
          open_now = open_now - 1
        end
        assert.equal(0, open_now)
        assert.equal(trader.book.count, account.positions.count)
      end
    end
    return count
  end

  it("is told completely when no poll is lost, hedging or netting, in any currency", function()
    local all = { [OPENED] = 0, [MODIFIED] = 0, [CLOSED] = 0, [BALANCE] = 0, synthetic = 0 }
    for number = 1, 16 do
      open(number * 13, number, 60)
      local count = follow(300, function() return false end)
      for what in pairs(all) do
        all[what] = all[what] + count[what]
      end
      close()
    end
    for what, n in pairs(all) do
      assert.is_true(n > 20, "hardly any " .. tostring(what))
    end
  end)

  it("is told once and completely by a service that lists its deals late", function()
    for _, lag_ms in ipairs({ 700, 1700, 2700, 4700 }) do
      for number = 1, 8 do
        open(number * 19, number, 60)
        local open_ids, ended, deals, estimated, closed = {}, {}, {}, 0, 0
        for second = 0, 400 do
          poll(second, START_MS + (second - 61) * 1000, lag_ms)
          for i = 0, second == 0 and account.positions.count - 1 or -1 do
            open_ids[key(account.positions.rows[i])] = true
          end
          for i = 0, account.moments_count - 1 do
            local m = account.moments[i]
            local id = key(m.position)
            if m.kind == OPENED then
              assert.is_nil(open_ids[id])
              assert.is_nil(ended[id])
              open_ids[id] = true
            elseif m.kind == CLOSED then
              assert.is_true(open_ids[id])
              open_ids[id] = nil
              ended[id], closed = m.about._close_reason ~= REVERSAL, closed + 1
              if m.about._estimated == 1 then estimated = estimated + 1 end
            elseif m.kind == DEAL then
              local deal = tostring(m.deal._ticket)
              assert.is_nil(deals[deal], "deal told twice")
              deals[deal] = true
            end
            if ended[id] == false then ended[id] = nil end
          end
        end
        for i = 0, account.positions.count - 1 do
          assert.is_true(open_ids[key(account.positions.rows[i])])
        end
        assert.is_true(closed > 20)
        if lag_ms < 2000 then assert.is_true(estimated <= closed / 10, estimated .. " of " .. closed) end
        close()
      end
    end
  end)

  it("is told once and completely through outages", function()
    for number = 1, 16 do
      local rng = ffi.new("struct tg_rng", { number })
      open(number * 17, number, 60)
      local back = 0
      follow(400, function(second)
        if second >= back and tonumber(C.tg_rng_below(rng, 20)) == 0 then
          back = second + tonumber(C.tg_rng_below(rng, 45))
        end
        return second < back
      end)
      close()
    end
  end)
end)
