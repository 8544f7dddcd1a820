-- Rules that reach out, or over to others. Each answers { it = true } when it got nowhere.
local cases = {
  threat = "the machine, the gateway's own memory, another rule's code and memory, another's numbers",
  bound = "an allow list; an environment and libraries of its own for each file; views are copies that cannot be written",
  stop = "harmless", gives = '{"it":true}',

  -- Libraries.
  { "string.dump", "return { it = string.dump == nil and ('').dump == nil }" },
  { "chance", "return { it = math.random == nil and math.randomseed == nil }" },
  { "table.new and its like", "return { it = table.new == nil and table.clear == nil and table.foreach == nil and table.getn == nil }" },
  { "functions of other files", "string.upper = nil math.floor = nil table.insert = nil pairs = nil return { it = true }" },
  { "a sort that is poisoned for all", "table.sort = function() error('poison') end return { it = true }" },
  { "the helpers of others", "round = nil json = nil log = nil return { it = true }" },
  { "methods of texts", "return { it = not pcall(function() ('x').rep = nil end) and not pcall(function() ('x').new = 1 end) }" },
  { "the metatable of texts", "return { it = ('x').__index == nil and ('x').__metatable == nil }" },
  { "the unbounded functions behind texts", "return { it = not pcall(('x').rep, 'x', 1e9) and ('x').rep == string.rep }" },
  { "a metatable through an error", "local _, e = pcall(error, const(1)) return { it = not pcall(function() return e.kind.x end) }" },
  { "the kind behind a mark", "local m = const(1) return { it = m.kind == nil and m.__metatable == nil }" },
  { "the marks of others", "return { it = not pcall(function() list(list) end) and not pcall(list, 'x') }" },
  { "the words of examples", "return { it = not pcall(list, any) and not pcall(list, nothing) and not pcall(including, {}) "
    .. "and not pcall(expect, 'bad') }" },
  { "the environment through a level", "return { it = not pcall(function() return getfenv(1) end) and not pcall(function() return _G end) }" },
  { "what pcall is given to call", "return { it = not pcall(pcall) and not pcall(nil) and not pcall({}) }" },
  { "a coroutine by another name", "return { it = not pcall(function() return coroutine.wrap end) }" },
  { "a finalizer", "return { it = not pcall(function() return newproxy(true) end) and not pcall(function() return setmetatable({}, {}) end) }" },
  { "bytecode", "return { it = not pcall(function() return loadstring('\\27LJ') end) }" },

  -- Views.
  { "a write into a view", "return { it = not pcall(function() now.balance = 5 end) and not pcall(function() now._balance = 5 end) }" },
  { "a write into what was", "return { it = not pcall(function() was._equity = 5 end) and not pcall(function() was.x = 5 end) }" },
  { "a write by number", "return { it = not pcall(function() now[0] = 5 end) and not pcall(function() now[5LL] = 5 end) }" },
  { "a write into a moment's members", "return { it = not pcall(function() now._stay = 5 end) and not pcall(function() now._before = 1 end) }" },
  { "behind a view by number", "return { it = not pcall(function() return now[1] end) and not pcall(function() return was[2^40] end) "
    .. "and not pcall(function() return now[-1LL] end) }" },
  { "behind a view by table, function and view", "return { it = not pcall(function() return now[{}] end) "
    .. "and not pcall(function() return now[print] end) and not pcall(function() return now[was] end) }" },
  { "behind a view by arithmetic", "return { it = not pcall(function() return now + 1 end) and not pcall(function() return -now end) "
    .. "and not pcall(function() return now + 1LL end) and not pcall(function() return 2 ^ now end) }" },
  { "a view as a pointer in the libraries", "return { it = not pcall(string.rep, now, 5) and not pcall(table.insert, now, 1) "
    .. "and not pcall(table.concat, now) and not pcall(unpack, now) and not pcall(bit.band, now, 1) and not pcall(math.floor, now) }" },
  { "a view as a text", "return { it = ('%s'):format(now):find('account', 1, true) == 1 and tostring(now):find('account') == 1 }" },
  { "a view as a number", "return { it = not tonumber(now) and not pcall(string.char, now) }" },
  { "a view as a set of entries", "return { it = not pcall(pairs, now) and not pcall(ipairs, now) and not pcall(next, now) }" },
  { "a view as a function", "return { it = not pcall(now) and not pcall(pcall(function() return now.positions end) and now) }" },
  { "a view as a key", "memory[now] = 1 return { it = memory[was] == nil and memory[now] == 1 }" },
  { "views compared", "return { it = now ~= was and now == now and not pcall(function() return now < 5LL end) }" },
  { "a 64-bit number as a pointer", "local i = 5LL return { it = not pcall(function() return i[0] end) and not pcall(function() i.x = 1 end) }" },
  { "a complex number as an array", "local i = 1i return { it = pcall(function() return i[10] end) and not pcall(function() i.re = 5 end) "
    .. "and not pcall(function() i[2] = 5 end) }" },
  { "the iterator with a state of its own", "local f, v = now:positions() return { it = not pcall(f) and not pcall(f, v, { _index = -9 }) "
    .. "and not pcall(f, v, 3) and not pcall(f, { _stay = 1 }) and not pcall(now.positions, { _stay = 1 }) and not pcall(f, v, 9LL) }" },
  { "the iterator of another account", "local f, v = now:positions() local old, state = memory_f or f, memory_v or v "
    .. "memory_f, memory_v = f, v return { it = state == v or not pcall(old, state) }", before = "memory_f, memory_v = false, false" },

  -- The gateway's own words, said too late.
  { "an envelope that is declared late", "local good, why = pcall(envelope, { payload = 'data' }) "
    .. "return { it = not good and why:find('only while its file is loaded', 1, true) ~= nil }" },
  { "an envelope that opens the gateway's names", "pcall(function() envelope({ payload = 'data' }) end) return { it = true }" },
  { "a rule that is declared late", "return { it = not pcall(rule, 'another') }" },
  { "an option that is asked late", "return { it = not pcall(option, 'x' .. n, 5) }" },

  -- Edges of the libraries.
  { "edges of select", "return { it = select('#') == 0 and select('#', nil, nil) == 2 and select(3, 1, 2) == nil }" },
  { "edges of unpack", "return { it = select('#', unpack({}, 5, 1)) == 0 and select('#', unpack({}, 2, -2^31)) == 0 }" },
  { "edges of numbers", "return { it = tonumber('0x') == nil and tonumber('1e') == nil and tonumber('zz', 36) == 1295 and tonumber('') == nil }" },
  { "edges of mathematics", "return { it = math.floor(2^53) == 2^53 and math.fmod(5, math.huge) == 5 and math.ldexp(1, 1e308) ~= nil "
    .. "and not pcall(math.max) and bit.tohex(1, -2147483648):len() <= 254 }" },
  { "edges of round", "return { it = round(2.5, 1e9) == 2.5 and round(1e300, -1e300) == 1e300 and round(0 / 0) ~= round(0 / 0) and round(nil) == nil }" },
  { "edges of iso8601", "return { it = iso8601(1e300) == '' and iso8601(0 / 0) == '' and #iso8601(-9e16) == 24 and #iso8601(9e16) == 24 }" },
  { "a walk over a table that shrinks", "for i = 1, 100 do t[i] = i end for k in pairs(t) do t[k] = nil t[201 - k] = nil end return { it = true }" },
  { "a walk over a table that grows", "for i = 1, 10 do t[i] = i end for k in pairs(t) do if n < 1e4 then n = n + 1 t['x' .. n] = k end end "
    .. "return { it = true }", may_fail = true },
  { "a comparison that contradicts itself", "for i = 1, 500 do t[i] = i % 3 end table.sort(t, function() n = n + 1 return n % 2 == 0 end) "
    .. "return { it = #t == 500 }" },
  { "a sort of two thousand in the worst order", "for i = 1, 2000 do t[i] = i % 2 == 0 and i or -i end table.sort(t) "
    .. "for i = 2, 2000 do if t[i - 1] > t[i] then return { it = false } end end return { it = true }" },
  { "a sort that keeps what is equal", "for i = 1, 100 do t[i] = { i % 3, i } end table.sort(t, function(a, b) return a[1] < b[1] end) "
    .. "for i = 2, 100 do if t[i - 1][1] == t[i][1] and t[i - 1][2] > t[i][2] then return { it = false } end end return { it = true }" },
}

-- Names that are not there at all: the file is refused, and says which.
for _, name in ipairs({
  "io", "os", "ffi", "debug", "require", "package", "jit", "load", "loadstring", "loadfile", "dofile", "_G", "getfenv",
  "setfenv", "getmetatable", "setmetatable", "rawget", "rawset", "rawequal", "rawlen", "newproxy", "xpcall", "coroutine",
  "collectgarbage", "gcinfo", "module", "arg", "native", "work", "rt", "tg_script_free",
}) do
  cases[#cases + 1] = { name, "local x = " .. name, at = "load", stop = "refused", says = ('m.lua:1: no name "%s"'):format(name) }
end
return cases
