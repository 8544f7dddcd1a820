-- The simulator seen by the model: in time every kind of event comes, each explained by its deals and orders, and from one
-- seed the same ones.
local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("app", { "source/trader.h", "model/account.h", "model/field.h" })

local STEP_MS, START_MS, STRIDE = 250, 1700000000000, 4
local KINDS = { [0] = "opened", "modified", "closed", "deal", "balance", "placed", "order", "removed" }

local function names_of(entity, field)
  local names, list, i = {}, C.tg_field_find(entity, field).names, 0
  while list[i] ~= nil do
    names[i] = ffi.string(list[i])
    i = i + 1
  end
  return names
end
local CHANGE, REASON = names_of(C.tg_moment_entity, "change"), names_of(C.tg_moment_entity, "close_reason")
local STATE, ACTION = names_of(C.tg_order_entity, "state"), names_of(C.tg_deal_entity, "action")

describe("the simulator as a demonstration", function()
  local policy = ffi.new("struct tg_account_policy", { 3 })

  -- Lives an account through so many polls of a second; `note(word)` for everything that is told.
  local function live(seed, number, polls, rate, note)
    local market = C.tg_market_new(seed)
    local records, account = ffi.new("struct tg_records"), ffi.new("struct tg_account")
    C.tg_market_advance(market, 0, START_MS)
    local trader = C.tg_trader_new(market, seed, number, rate)
    C.tg_account_init(account, "demo")
    for poll = 0, polls do
      local wall = START_MS + poll * STRIDE * STEP_MS
      C.tg_market_advance(market, poll * STRIDE, wall)
      C.tg_trader_run(trader)
      C.tg_records_clear(records)
      assert(C.tg_book_write_state(trader.book, trader.step, records) == 0)
      if C.tg_account_wants_deals(account, records) then
        assert(C.tg_book_write_deals(trader.book, C.tg_account_deals_since(account, wall), records) == 0)
      end
      assert(C.tg_account_apply(account, records, policy, poll * 1000 + 1, wall) == 0)
      for i = 0, account.moments_count - 1 do
        local moment = account.moments[i]
        local kind = KINDS[moment.kind]
        note(kind)
        if moment.about._estimated ~= 0 then note("estimated") end
        if moment.about._synthetic ~= 0 then note("synthetic") end
        if kind == "modified" or kind == "order" then note(kind .. " " .. CHANGE[moment.about._change]) end
        if kind == "closed" then
          note("closed " .. REASON[moment.about._close_reason])
          if moment.about._position_by_id ~= 0 then note("closed by another") end
        end
        if kind == "removed" then note("removed " .. STATE[moment.order._state]) end
        if kind == "balance" then note("balance " .. ACTION[moment.deal._action]) end
      end
    end
    C.tg_account_fini(account)
    C.tg_records_fini(records)
    C.tg_trader_free(trader)
    C.tg_market_free(market)
  end

  it("tells every kind of event, and guesses none", function()
    local seen = {}
    for number = 1, 18 do
      -- The bold are stopped out, when they are left alone with what they lose.
      live(number * 31, number, 2400, number % 6 == 5 and 8 or 40, function(word) seen[word] = (seen[word] or 0) + 1 end)
    end
    live(3, 1, 3700, 20, function(word) seen[word] = (seen[word] or 0) + 1 end) -- an hour and its rollover
    for _, word in ipairs({
      "opened", "modified", "closed", "deal", "balance", "placed", "order", "removed", "synthetic",
      "modified levels", "modified volume_increase", "modified partial_close", "modified rollover",
      "closed sl", "closed tp", "closed manual", "closed expert", "closed stop_out", "closed reversal", "closed by another",
      "order levels", "order partial_fill", "removed filled", "removed cancelled", "removed expired",
      "balance balance", "balance credit", "balance bonus", "balance charge", "balance correction", "balance dividend",
    }) do
      assert.is_truthy(seen[word], "never: " .. word)
    end
    assert.is_nil(seen.estimated)
    assert.is_nil(seen["closed unknown"])
    assert.is_nil(seen["removed unknown"])
  end)

  it("tells the same story twice from one seed, and another from another", function()
    local function story(seed)
      local out = {}
      live(seed, 2, 600, 40, function(word) out[#out + 1] = word end)
      return table.concat(out, " ")
    end
    local one = story(5)
    assert.equal(one, story(5))
    assert.are_not.equal(one, story(6))
  end)
end)
