-- Loss limits as prop firms set them: so much of the day's start may be lost in a day, so much of the account's
-- start at all. A client is told when a limit comes near, when it is broken, and when a new day begins.
--
-- The day's start is the higher of balance and equity at the reset. A gateway that polls an account only while somebody
-- looks sees the first state after that: put such accounts into accounts.always, and read `reference_at`.
local daily_percent = option("daily_percent", 5) -- 0: no such limit
local total_percent = option("total_percent", 10)
local warn_percent = option("warn_percent", 80) -- of a limit
local reset_minutes = option("reset_minutes", 0) -- after midnight …
local clock = option("clock", "broker") -- … of the "broker", or "utc"
local initial = option("initial_balance", 0) -- 0: what the account had when it was first seen

local DAY_S = 86400
-- These move the account's money without being won or lost; charges and commissions are losses.
local transfers = { balance = true, credit = true, bonus = true }

local function offset_s(account)
  return (clock == "broker" and account.utc_offset_s or 0) - reset_minutes * 60
end

local function day_of(account)
  return math.floor((now() / 1000 + offset_s(account)) / DAY_S)
end

-- The state of a loss against a limit; once broken it stays so.
local function state_of(before, loss, limit)
  if before == "breached" or loss >= limit then return "breached" end
  if loss >= limit * warn_percent / 100 then return "warning" end
  return "ok"
end

-- Keeps `memory.reference` and answers what has changed for the client, if anything.
local function judge(memory, account, percent_allowed)
  local limit = memory.reference * percent_allowed / 100
  local loss = math.max(0, memory.reference - account.equity)
  local before = memory.state or "ok"
  local state = state_of(before, loss, limit)
  if state == before and not memory.fresh then return nil end
  memory.state, memory.fresh = state, nil
  local digits = account.currency_digits
  return {
    state = state,
    before = before,
    loss = round(loss, digits),
    loss_percent = round(percent(loss, memory.reference), 2),
    limit = round(limit, digits),
    limit_percent = percent_allowed,
    reference = round(memory.reference, digits),
    reference_at = iso8601(memory.reference_at),
  }
end

local function known(account)
  return account.balance ~= nil and account.equity ~= nil
end

-- A deposit or withdrawal moves what losses are measured from.
local function transfer(moment, memory)
  if memory.reference and transfers[moment.action] then memory.reference = memory.reference + (moment.profit or 0) end
end

rule "daily_drawdown" {
  on = { "balance_operation", "tick" },
  only = function() return daily_percent > 0 end,
  detect = function(moment, memory, account)
    if moment.kind == "balance_operation" then return transfer(moment, memory) end
    if not known(account) then return nil end
    local day = day_of(account)
    if memory.day ~= day then
      memory.fresh = memory.day ~= nil and memory.state ~= nil and memory.state ~= "ok" or nil
      memory.day, memory.state = day, nil
      memory.reference, memory.reference_at = math.max(account.balance, account.equity), now()
    end
    return judge(memory, account, daily_percent)
  end,
  payload = function(_, memory, account, told)
    told.resets_at = iso8601(((memory.day + 1) * DAY_S - offset_s(account)) * 1000)
    return told
  end,
}

rule "total_drawdown" {
  on = { "balance_operation", "tick" },
  only = function() return total_percent > 0 end,
  detect = function(moment, memory, account)
    if moment.kind == "balance_operation" then return transfer(moment, memory) end
    if not known(account) then return nil end
    if not memory.reference then
      memory.reference, memory.reference_at = initial > 0 and initial or account.balance, now()
    end
    return judge(memory, account, total_percent)
  end,
}

expect "daily_drawdown" {
  { at = "2026-01-31T10:00:00Z", gives = nothing }, -- the first state is what the day is measured from
  { now = { equity = 9700 }, gives = nothing },
  {
    now = { equity = 9590 },
    gives = {
      state = "warning", before = "ok", loss = 410, loss_percent = 4.1, limit = 500, limit_percent = 5,
      reference = 10000, reference_at = "2026-01-31T10:00:00.000Z", resets_at = "2026-02-01T00:00:00.000Z",
    },
  },
  { now = { equity = 9500 }, gives = including { state = "breached", loss = 500 } },
  { now = { equity = 9900 }, gives = nothing }, -- broken is broken, until tomorrow
  {
    at = "2026-02-01T00:00:00Z",
    gives = including { state = "ok", reference = 10000, reference_at = "2026-02-01T00:00:00.000Z" },
  },
}

-- A withdrawal is no loss.
expect "daily_drawdown" {
  { at = "2026-01-31T10:00:00Z", gives = nothing },
  {
    was = { balance = 10000 }, now = { balance = 4000, equity = 4000 },
    moment = { kind = "balance_operation", profit = -6000 }, gives = nothing, remembers = { reference = 4000 },
  },
}

-- The broker's day: its clock is two hours ahead, and this firm resets at 17:30.
expect "daily_drawdown" {
  options = { reset_minutes = 1050 },
  { at = "2026-01-31T15:00:00Z", was = { utc_offset_s = 7200 }, gives = nothing },
  {
    at = "2026-01-31T15:29:59Z", now = { equity = 9400 },
    gives = including { state = "breached", resets_at = "2026-01-31T15:30:00.000Z" },
  },
  { at = "2026-01-31T15:30:00Z", now = { equity = 10000 }, gives = including { state = "ok", reference = 10000 } },
}

expect "daily_drawdown" { options = { daily_percent = 0 }, now = { equity = 1 }, gives = nothing }
expect "daily_drawdown" { now = { equity = nothing }, gives = nothing } -- not known is no loss

expect "total_drawdown" {
  { gives = nothing },
  { now = { equity = 9100, balance = 9100 }, gives = including { state = "warning", loss = 900, limit = 1000 } },
  { now = { equity = 9000 }, gives = including { state = "breached", before = "warning" } },
  { at = "2026-03-01T00:00:00Z", now = { equity = 20000 }, gives = nothing }, -- for good
}

expect "total_drawdown" {
  options = { initial_balance = 100000, total_percent = 8 },
  now = { balance = 95000, equity = 92000 },
  gives = including { state = "breached", reference = 100000, limit = 8000 },
}
