-- Rules that do not come back.
return {
  threat = "the gateway stands still: no event for anybody",
  bound = "rules.budget_ms of processor time a call; then the rule is muted and the walk goes on behind it",
  stop = "muted", budget_ms = 5,

  -- Every kind of loop.
  { "an empty loop", "while true do end" },
  { "a compiled loop", "while true do n = n + 1 end" },
  { "a numeric for without end", "for i = 1, math.huge do n = n + i % 7 end" },
  { "a for that never moves", "for _ = 1, 2, 0 do n = n + 1 end" },
  { "a repeat that allocates", "repeat t = { t and 1 } until false" },
  { "a goto", "::top:: n = n + 1 goto top" },
  { "two gotos", "::a:: n = n + 1 goto b ::b:: n = n - 1 goto a" },
  { "tail calls in turn", "local f, g function f() return g() end function g() return f() end return f()" },
  { "loops within loops", "for i = 1, 1e9 do for j = 1, 1e9 do n = i + j end end" },
  { "recursion without depth", "local function f(k) if k == 0 then return 1 end return f(k - 1) + f(k - 1) end f(60)" },
  { "an iterator that never ends", "for i in function(_, i) return (i or 0) + 1 end do n = i end" },
  { "the same entry again and again", "local k = { a = 1 } while next(k) do n = n + k.a end" },
  { "a table that grows while it is walked", "t.a = 1 while true do for k in pairs(t) do t[k] = n n = n + 1 end end" },

  -- What swallows errors must not swallow the stop.
  { "a loop inside pcall", "pcall(function() while true do n = n + 1 end end)" },
  { "a loop around pcall", "while true do pcall(function() while true do n = n + 1 end end) end" },
  { "a loop of pcalls of errors", "while true do pcall(error) end" },
  { "pcall of pcall of a loop", "while true do pcall(pcall, pcall, function() while true do n = n + 1 end end) end" },
  { "pcalls nested a hundred deep", "local function f(d) while true do pcall(d > 0 and f or error, d - 1) end end f(100)" },
  { "recursion through pcall", "local function f() pcall(f) pcall(f) end f()" },
  { "recursion without end inside pcall", "local function f() return f() end pcall(f) return f()" },
  { "a stop that is answered by a loop", "repeat local good = pcall(function() while true do n = n + 1 end end) until good" },

  -- Inside what C calls back.
  { "a comparison that does not return", "for i = 1, 100 do t[i] = -i end table.sort(t, function() while true do n = n + 1 end end)" },
  { "a comparison that always says yes, over and over", "for i = 1, 1e4 do t[i] = i % 7 end "
    .. "while true do table.sort(t, function() return true end) end" },
  { "a sort without a comparison, over and over", "for i = 1, 1e4 do t[i] = i * 7919 % 10007 end while true do table.sort(t) t[1] = 9e9 end" },
  { "a gsub callback", 's:gsub(".", function() while true do n = n + 1 end end)' },
  { "a gsub callback inside another", '("ab"):gsub(".", function(c) return (c:gsub(".", function() while true do end end)) end)' },
  { "a gmatch that is asked for ever", 'while true do for w in ("a b c"):gmatch("%a") do s = w end end' },

  -- What is cheap once and dear for ever.
  { "formats", 'while true do s = ("%s %d %.3f"):format(s:sub(1, 5), n, n / 3) n = n + 1 end' },
  { "joins", "for i = 1, 100 do t[i] = i end while true do s = table.concat(t, ',') end" },
  { "texts", "while true do s = now.currency .. n % 10 n = n + 1 end" },
  { "patterns near their bound", 's = ("a"):rep(600) while true do s:find("a-b") end' },
  { "json", 'while true do s = json({ a = { 1, 2, { b = "c" } } }) end' },
  { "log lines", 'while true do log("again", n) end' },
  { "fields of a view", "while true do n = n + now.equity end" },
  { "misspelt fields in pcall", "while true do pcall(function() return now.balanse end) end" },
  { "positions", "while true do for p in now:positions() do n = n + p.volume end end" },
  { "numbers of 64 bits", "local i = 1LL while true do i = i * 3LL + 1LL end" },
  { "complex numbers", "local i = 1i while true do n = n + i.im end" },

  -- In every place that an author can write a function.
  { "in only", "while true do n = n + 1 end", at = "only" },
  { "in only, with pcall", "while true do pcall(error) end", at = "only" },
  { "in payload", "while true do n = n + 1 end", at = "payload" },
  { "in the detect of a moment", "while true do n = n + 1 end", at = "moment" },
  { "in to", "while true do n = n + 1 end", at = "to" },
  { "in to, with pcall", "while true do pcall(function() while true do n = n + 1 end end) end", at = "to" },
  { "in the snapshot", "while true do n = n + 1 end", at = "snapshot" },
  { "in the snapshot, with pcall", "while true do pcall(function() while true do n = n + 1 end end) end", at = "snapshot" },
}
