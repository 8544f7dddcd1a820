-- Tells a trader when an account enters a margin zone, and again when it leaves it.
local warn, call = option("warn", 150), option("call", 100) -- percent

local function zone_of(account)
  if account.margin == nil or account.margin_level == nil then return nil end -- not known is no zone
  if account.margin == 0 then return "flat" end
  if account.margin_level < call then return "call" end
  if account.margin_level < warn then return "warn" end
  return "safe"
end

rule "margin_zone" {
  watch = { "margin", "margin_level" },
  detect = function(now, was, memory)
    local zone = zone_of(now)
    local before = memory.zone or zone_of(was) or "safe"
    if not zone or zone == before then return nil end
    memory.zone = zone
    return { zone = zone, before = before }
  end,
  payload = function(now, _, moved)
    return {
      zone = moved.zone,
      before = moved.before,
      level = round(now.margin_level, 2),
      equity = round(now.equity, 2),
    }
  end,
}

expect "margin_zone" {
  { was = { margin_level = 160 }, now = { margin_level = 140 }, gives = including { zone = "warn", before = "safe" } },
  { now = { margin_level = 130 }, gives = nothing }, -- still there
  { now = { margin_level = 90 }, gives = including { zone = "call", before = "warn" } },
  { now = { margin = nothing, margin_level = nothing }, gives = nothing }, -- not known is no zone
  { now = { margin = 0, margin_level = 0 }, gives = { zone = "flat", before = "call", level = 0, equity = 10000 } },
}

expect "margin_zone" { options = { warn = 130 }, now = { margin_level = 140 }, gives = nothing }
