-- The account's figures: only what changed, as old, new and the difference.
return rule "account_update" {
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
