-- Rules that eat memory.
return {
  threat = "the process is killed for its memory, or another rule is made to pay",
  bound = "rules.memory_mb for all rules together; whoever holds most when it is used up is muted and let go of",
  stop = "muted", budget_ms = 1000, -- time must not be what stops them here

  -- In one call.
  { "a table of tables", "while true do t[#t + 1] = { n } end" },
  { "a table of names", "while true do n = n + 1 t['k' .. n] = n end" },
  { "table.insert", "while true do table.insert(t, ('x'):rep(100) .. #t) end" },
  { "a text that doubles", "while true do s = s .. s end" },
  { "a text that grows", "while true do s = s .. ('y'):rep(60000) end" },
  { "closures", "while true do local k = n n = n + 1 t[n] = function() return k + n end end" },
  { "views", "while true do n = n + 1 for p in now:positions() do t[n] = p end t[-n] = { now } end" },
  { "a chain", "while true do t = { t, t, t } end" },
  { "numbers of 64 bits", "while true do n = n + 1 t[n] = n * 1LL end" },
  { "errors that are swallowed", "while true do pcall(function() while true do t[#t + 1] = { n } end end) end" },
  { "errors that are swallowed and kept", "while true do t[#t + 1] = { pcall(error, ('e'):rep(60000) .. #t) } end" },
  { "joins of joins", "for i = 1, 64 do t[i] = ('x'):rep(60000) end while true do n = n + 1 t[64 + n] = table.concat(t, n, 1, 64) end" },
  { "formats", "while true do n = n + 1 t[n] = ('%99s'):format(n) .. ('%99.99f'):format(n) end" },
  { "gsub", "s = ('x'):rep(60000) while true do n = n + 1 t[n] = (s:gsub('x', { x = n % 10 }, 10)) .. n end" },
  { "upper and lower", "s = ('x'):rep(60000) while true do n = n + 1 t[n] = (s .. n):upper() t[-n] = (s .. n):reverse() end" },
  { "in only", "while true do t[#t + 1] = { n } end", at = "only" },
  { "in payload", "while true do t[#t + 1] = { n } end", at = "payload" },
  { "in to", "while true do t[#t + 1] = { n } end", at = "to" },
  { "in the snapshot", "while true do t[#t + 1] = { n } end", at = "snapshot" },

  -- Small here, endless as bytes: a reload carries what rules remember.
  { "a memory that shares its branches", "local m = { 1 } for _ = 1, 50 do m = { m, m } end memory.m = m return { it = true }",
    stop = "harmless", gives = '{"it":true}' },
  { "a memory that holds itself", "memory.me = memory return { it = true }", stop = "harmless", gives = '{"it":true}' },
  { "a memory of views and functions", "memory.a, memory.b = now, print return { it = true }", stop = "harmless",
    gives = '{"it":true}' },

  -- A little at every call: the one who holds it pays, not the one who asks last.
  { "texts in memory", "for _ = 1, 10 do memory[#memory + 1] = ('x'):rep(20000) .. #memory .. now.balance end", ticks = 200 },
  { "tables in memory", "for _ = 1, 5000 do memory[#memory + 1] = { now.balance } end", ticks = 200 },
  { "views in memory", "for _ = 1, 1000 do memory[#memory + 1] = now for p in now:positions() do memory[-#memory] = p end end",
    ticks = 200 },
  { "tables that are full of nothing", "local big = {} for i = 1, 20000 do big[i] = i end for i = 1, 20000 do big[i] = nil end "
    .. "memory[#memory + 1] = big", ticks = 200 },
  { "what a closure holds", "for _ = 1, 5000 do t[#t + 1] = { now.balance } end", ticks = 200 },
  { "what its globals hold", "hoard = hoard or {} for _ = 1, 5000 do hoard[#hoard + 1] = { now.balance } end",
    ticks = 200, alone = true, before = "hoard = false" }, -- the globals are the file's: its rules share them
}
