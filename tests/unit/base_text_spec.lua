local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("base", { "base/text.h" })

describe("text", function()
  it("matches globs", function()
    local function match(pattern, text)
      return C.tg_glob_match(pattern, #pattern, text, #text)
    end
    for _, case in ipairs({
      { "position_*", "position_opened", true }, { "position_*", "position_", true }, { "position_*", "position", false },
      { "*", "", true }, { "*", "anything", true }, { "", "", true }, { "", "x", false }, { "**", "x", true },
      { "*_closed", "position_closed", true }, { "*_closed", "position_closed_", false }, { "a*b*c", "aXbYbZc", true },
      { "a*b*c", "aXbYbZ", false }, { "exact", "exact", true }, { "exact", "exactly", false }, { "a*a", "a", false },
      { "*a*", "bbb", false }, { "[a]", "a", false }, { "?", "x", false },
    }) do
      assert.equal(case[3], match(case[1], case[2]), case[1] .. " on " .. case[2])
    end
  end)

  it("is not made to toil by a hostile glob", function()
    local pattern, text = ("*a"):rep(500) .. "b", ("a"):rep(5000)
    local before = os.clock()
    assert.is_false(C.tg_glob_match(pattern, #pattern, text, #text))
    assert.is_true(os.clock() - before < 0.1)
  end)

  it("accepts UTF-8 as RFC 3629 has it", function()
    for _, good in ipairs({ "", "plain", "\0", "é", "€", "𝄞", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
      "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf" }) do
      assert.is_true(C.tg_utf8_valid(good, #good), (good:gsub(".", function(c) return ("%02x "):format(c:byte()) end)))
    end
  end)

  it("refuses overlongs, surrogates, what is beyond U+10FFFF, and what is cut", function()
    for _, bad in ipairs({ "\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2 ", "\xe0\x80\x80", "\xe0\x9f\xbf",
      "\xe2\x82", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
      "\xf8\x88\x80\x80\x80", "\xfe", "\xff", "ok\xff", "\xe2\x82\x41", "\xf0\x9d\x84" }) do
      assert.is_false(C.tg_utf8_valid(bad, #bad), (bad:gsub(".", function(c) return ("%02x "):format(c:byte()) end)))
    end
  end)

  it("agrees with every prefix and every cut of a long text", function()
    local text = ("aé€𝄞"):rep(3)
    local boundary = { [0] = true }
    for _, ends in ipairs({ 1, 3, 6, 10, 11, 13, 16, 20, 21, 23, 26, 30 }) do
      boundary[ends] = true
    end
    for i = 0, #text do
      assert.equal(boundary[i] or false, C.tg_utf8_valid(text, i))
    end
  end)

  it("reads unsigned integers to the last one", function()
    local out = ffi.new("uint64_t[1]")
    for _, case in ipairs({ { "0", 0ULL }, { "7", 7ULL }, { "4611686018427387905", 4611686018427387905ULL },
      { "18446744073709551615", 18446744073709551615ULL } }) do
      assert.equal(0, C.tg_read_u64(case[1], #case[1], out))
      assert.is_true(out[0] == case[2])
    end
  end)

  it("refuses what is no unsigned integer and leaves the old value", function()
    local out = ffi.new("uint64_t[1]", 99)
    for _, bad in ipairs({ "", "-1", "+1", " 1", "1 ", "01", "00", "1.0", "1e3", "0x1", "18446744073709551616",
      "99999999999999999999", "184467440737095516150", "١" }) do
      assert.equal(-1, C.tg_read_u64(bad, #bad, out), bad)
    end
    assert.is_true(out[0] == 99ULL)
  end)

  it("reads signed integers to both ends", function()
    local out = ffi.new("int64_t[1]")
    for _, case in ipairs({ { "0", 0LL }, { "-1", -1LL }, { "9223372036854775807", 9223372036854775807LL },
      { "-9223372036854775808", -9223372036854775807LL - 1LL } }) do
      assert.equal(0, C.tg_read_i64(case[1], #case[1], out))
      assert.is_true(out[0] == case[2])
    end
    out[0] = 99
    for _, bad in ipairs({ "", "-", "--1", "-01", "9223372036854775808", "-9223372036854775809", "+1" }) do
      assert.equal(-1, C.tg_read_i64(bad, #bad, out), bad)
    end
    assert.is_true(out[0] == 99LL)
  end)

  it("finds the name that was meant, and none for a stranger", function()
    local function nearest(word, ...)
      local names = { ... }
      local array = ffi.new("const char *[?]", #names + 1)
      for i, name in ipairs(names) do
        array[i - 1] = name
      end
      local hit = C.tg_nearest(word, array)
      return hit ~= nil and ffi.string(hit) or nil
    end
    assert.equal("margin_level", nearest("margin_levle", "margin", "margin_free", "margin_level"))
    assert.equal("equity", nearest("equitty", "balance", "equity"))
    assert.equal("equity", nearest("equity", "equitx", "equity", "equitz"))
    assert.equal("sl", nearest("sk", "sl", "tp"))
    assert.is_nil(nearest("zzzzzz", "balance", "equity"))
    assert.is_nil(nearest("x"))
    assert.equal("a", nearest("", "a"))
    assert.is_nil(nearest(("m"):rep(200), "margin", ("m"):rep(199)))
  end)

  it("copies within bounds and never cuts a character in half", function()
    local out = ffi.new("char[8]")
    local function copy(size, text)
      ffi.fill(out, 8, 0x55)
      C.tg_copy(out, size, text, #text)
      return ffi.string(out)
    end
    assert.equal("abc", copy(8, "abc"))
    assert.equal("abcdefg", copy(8, "abcdefghij"))
    assert.equal("", copy(1, "abc"))
    assert.equal("aé", copy(4, "aéé"))
    assert.equal("aé", copy(5, "aéé"))
    assert.equal("€", copy(6, "€€"))
    assert.equal("", copy(4, "𝄞"))
    assert.equal("𝄞", copy(5, "𝄞"))
    ffi.fill(out, 8, 0x55)
    C.tg_copy(out, 0, "abc", 3)
    assert.equal(0x55, out[0])
  end)
end)
