-- The account's figures, but at most every few seconds: for pages with many accounts, and for phones. It takes
-- the place of the default set's file of the same name; positions are told as ever. Nothing is lost by waiting:
-- `changes` tells everything since what the client last saw.
local seconds = option("seconds", 5)

rule "account_update" {
  watch = { "balance", "credit", "equity", "profit", "margin", "margin_free", "margin_level" },
  lane = "latest",
  every = seconds,
  payload = {
    changes = changes {
      "balance", "credit", "equity", "profit", "margin", { free_margin = "margin_free" }, "margin_level",
    },
  },
}

expect "account_update" {
  { now = { equity = 10010 }, gives = { changes = { equity = { old = 10000, new = 10010, diff = 10 } } } },
  { now = { equity = 10020 }, gives = nothing },
  { now = { equity = 10030 }, gives = nothing },
  { after = 3, gives = { changes = { equity = { old = 10010, new = 10030, diff = 20 } } } },
  { after = 5, now = { equity = 10040 }, gives = including { changes = including { equity = any } } },
  { after = 1, now = { equity = 10000 }, gives = nothing },
  { after = 1, now = { equity = 10040 }, gives = nothing },
  { after = 3, gives = nothing }, -- it is back at what the client knows
}
