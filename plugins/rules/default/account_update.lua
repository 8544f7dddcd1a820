-- The account's figures: only what changed, as old, new and the difference.
rule "account_update" {
  watch = {
    "balance", "credit", "equity", "profit", "margin", "margin_free", "margin_level", "leverage", "currency",
    "login", "name", "server",
  },
  lane = "latest", -- a slow client is given the newest figures, not every one
  payload = {
    changes = changes {
      "balance", "credit", "equity", "profit", "margin", { free_margin = "margin_free" }, "margin_level", "leverage",
      "currency", "login", "name", "server",
    },
  },
}

expect "account_update" {
  was = { equity = 10000, profit = 0 },
  now = { equity = 10050.5, profit = 50.5 },
  gives = {
    changes = {
      equity = { old = 10000, new = 10050.5, diff = 50.5 },
      profit = { old = 0, new = 50.5, diff = 50.5 },
    },
  },
}

expect "account_update" { -- a price moved, and no figure with it
  now = { positions = { { price_current = 1.0851 } } },
  gives = nothing,
}

expect "account_update" {
  was = { margin_free = nothing }, -- not known yet
  now = { margin_free = 9000 },
  gives = { changes = { free_margin = { new = 9000 } } },
}
