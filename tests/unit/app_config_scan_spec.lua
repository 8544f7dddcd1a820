local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("app", { "app/config_scan.h", "app/config_lex.h" })

describe("the scan of gateway.lua", function()
  local scan

  before_each(function()
    scan = ffi.new("struct tg_config_scan")
  end)

  after_each(function()
    C.tg_config_scan_fini(scan)
  end)

  -- `scan.source` is borrowed: keep the string alive for as long as the scan is asked.
  local source
  local function read(text)
    source = text
    C.tg_config_scan_fini(scan)
    assert.equal(0, C.tg_config_scan_read(scan, source, #source))
    return function(path)
      return C.tg_config_scan_line(scan, path)
    end
  end

  it("finds keys at every depth", function()
    local line = read('return {\n  listen = {\n    port = 1,\n  },\n  log = { level = "info" },\n}')
    assert.equal(2, line("listen"))
    assert.equal(3, line("listen.port"))
    assert.equal(5, line("log"))
    assert.equal(5, line("log.level"))
  end)

  it("counts list entries from 1 and takes explicit indices", function()
    local line = read('return { auth = { keys = {\n{ secret = 1 },\n{ secret = 2 },\n[7] = 3 } } }')
    assert.equal(2, line("auth.keys[1].secret"))
    assert.equal(3, line("auth.keys[2].secret"))
    assert.equal(4, line("auth.keys[7]"))
  end)

  it("finds quoted keys, and ignores computed ones", function()
    local line = read('return { headers = {\n["X-Key"] = 1,\n["a" .. "b"] = 2,\n[x[1]] = 5,\n["c\\65"] = 3,\nplain = 4 } }')
    assert.equal(2, line('headers["X-Key"]'))
    assert.equal(6, line("headers.plain"))
    assert.equal(1, line("headers.ab"))
    assert.equal(3, scan.count)
  end)

  it("falls back to the nearest table that is written out", function()
    local line = read('local l = { port = 1 }\nreturn {\n  listen = l,\n}')
    assert.equal(3, line("listen.port"))
    assert.equal(3, line('listen["a.b"][1]'))
    assert.equal(0, line("admin.port"))
  end)

  it("skips comments and strings that look like keys", function()
    local line = read([==[#!/usr/bin/env lua
-- return { a = 1 }
--[[ return { a = 2,
]]
--[=[ ]] return { a = 3 } ]=]
local x = "return { a = 4 }" .. 'it\'s { return'
local y = [[
return { a = 5 }]]
return {
  b = "a = 6, }", --[[ c = 7 ]] d = [=[ ]] e = 8 ]=],
  a = 9, -- a = 10
}]==])
    assert.equal(11, line("a"))
    assert.equal(10, line("b"))
    assert.equal(10, line("d"))
    assert.equal(3, scan.count)
  end)

  it("steps over functions, calls, operators and separators of both kinds", function()
    local line = read([[
return {
  a = (function(x, y) local t = { q = 1 }; if x then return 1, 2 end for i = 1, 2 do end return x end)(1, 2);
  b = env("X", { z = 1 }) == 3 and { p = 1 } or { p = 2 },
  c = #"abc" .. 0x1F .. 1e+5,
  d = { e = 1 },
}]])
    assert.equal(2, line("a"))
    assert.equal(3, line("b"))
    assert.equal(4, line("c"))
    assert.equal(5, line("d.e"))
    assert.equal(5, scan.count)
  end)

  it("gives no lines rather than wrong ones when several tables may be returned", function()
    local line = read("if x then return { a = 1 } end\nreturn { a = 2 }")
    assert.equal(0, line("a"))
    line = read("local t = { a = 1 }\nreturn t")
    assert.equal(0, line("a"))
    line = read("")
    assert.equal(0, line("a"))
  end)

  it("is not misled by a return inside a function", function()
    local line = read("local function f() if x then return { a = 1 } end return 2 end\nreturn { a = 2 }")
    assert.equal(2, line("a"))
  end)

  it("notes a key that is written twice", function()
    read("return { listen = { port = 1,\n port = 2 } }")
    local again = {}
    for i = 0, scan.count - 1 do
      if scan.places[i].again > 0 then again[ffi.string(scan.places[i].path)] = scan.places[i].again end
    end
    assert.same({ ["listen.port"] = 2 }, again)
  end)

  it("tells which key a text on a line belongs to", function()
    read('return {\n auth = { keys = { { secret = env "A", kid = env "B" } } },\n token = env\n "A",\n}')
    local function holder(line, text)
      local path = C.tg_config_scan_holder(scan, line, text)
      return path ~= nil and ffi.string(path) or nil
    end
    assert.equal("auth.keys[1].secret", holder(2, "A"))
    assert.equal("auth.keys[1].kid", holder(2, "B"))
    assert.equal("token", holder(4, "A"))
    assert.is_nil(holder(2, "nowhere"))
    assert.is_nil(holder(1, "A"))
  end)

  it("survives any cut of a file, and bytes that are no Lua", function()
    local text = 'return { a = { "x", [[y]], [1] = { b = (1) } }, ["k"] = function() return { 1 } end, --[[ c ]] d = 0x1 }'
    for cut = 0, #text do
      read(text:sub(1, cut))
      read(text:sub(cut + 1))
      read(text:sub(1, cut) .. ")]}end\0\255" .. text:sub(cut + 1))
    end
  end)

  it("stands deep nesting and long lists", function()
    read("return " .. ("{"):rep(100000))
    read("return { " .. ("function() "):rep(5000))
    local line = read("return { list = {" .. ('"x",\n'):rep(50000) .. "} }")
    assert.equal(50000, line("list[50000]"))
  end)
end)
