local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("base", { "base/json.h", "base/rand.h" })

ffi.cdef("void *memmove(void *to, const void *from, size_t n);")

local EINVAL = -1
local NULL, FALSE, TRUE, NUMBER, STRING, ARRAY, OBJECT = 0, 1, 2, 3, 4, 5, 6

describe("json reader", function()
  local json, err

  before_each(function()
    json, err = ffi.new("struct tg_json"), ffi.new("struct tg_err")
  end)

  after_each(function()
    C.tg_json_fini(json)
  end)

  -- The text is copied into memory of exactly its size, so that a sanitizer sees any byte read beyond.
  local held
  local function parse(text)
    held = ffi.gc(ffi.cast("char *", ffi.C.malloc(math.max(#text, 1))), ffi.C.free)
    ffi.copy(held, text, #text)
    return C.tg_json_parse(json, held, #text, err)
  end

  local function source(i)
    return ffi.string(json.tokens[i].text, json.tokens[i].len)
  end

  local function unescaped(i)
    local out = ffi.new("struct tg_buf")
    C.tg_json_unescape(out, json.tokens[i])
    local text = out.data ~= nil and ffi.string(out.data, out.len) or ""
    C.tg_buf_fini(out)
    return text
  end

  it("accepts what RFC 8259 accepts", function()
    for _, text in ipairs({
      "null", "true", "false", "0", "-0", "-1", "1.5", "0.0", "1e5", "1E+5", "1e-5", "0e0", "123456789012345678901234567890",
      "1e400", "-0.0e-0", '""', '"a"', '"\\u0000"', '"\\uD834\\uDD1E"', '"\\ud834\\udd1e"', '"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\127"',
      '"é€𝄞"', "[]", "{}", "[ ]", "{ }", " \t\r\n[\n1 , 2\t]\r ", '{"a":1}', '{"a":1,"a":2}', '{"":0}', '[[[]],{}]',
      '[[],[]]', '{"a":{"b":[{}]}}', '["\\u00e9","\\uFFFF","\\uE000"]', "[null,true,false]", '{"a" : 1 , "b" : [ ] }',
    }) do
      assert.equal(0, parse(text), text)
    end
  end)

  it("refuses everything else", function()
    for _, text in ipairs({
      "", " ", "nul", "nulll", "True", "NULL", "tru", "truefalse", "NaN", "Infinity", "-Infinity", "undefined", "+1", "01", "-01", "00", "1.",
      ".5", "-", "-.5", "1e", "1e+", "1.e5", "0x10", "1_000", "1,5", "1 2", "'a'", '"', '"a', '"a\\', '"\\"', '"\\x41"', '"\\u12"',
      '"\\u123', '"\\uGGGG"', '"\\ud834"', '"\\udd1e"', '"\\ud834\\ud834"', '"\\ud834x"', '"\\ud834\\n"', '"\\ud834\\u0041"', '"\\u 123"',
      '"\\a"', '"\\\0"', '"\0"', '"\n"', '"\t"', '"\31"', '"\xff"', '"\xc0\x80"', '"\xed\xa0\x80"', '"\xf4\x90\x80\x80"', '"\xc3"', '"\xe2\x82"',
      "[", "]", "{", "}", "[1", "[1,", "[1,]", "[,1]", "[,]", "[1 2]", "[1,,2]", "[1}", "{1}", '{"a"}', '{"a":}', '{"a":1,}', '{,}', '{"a":1',
      '{"a":1,"b"}', '{"a" 1}', '{"a"::1}', "{a:1}", "{1:1}", "{null:1}", '{"a":1]', '{"a":1 "b":2}', "[1]]", "{}{}", "[] []", "null,", "//x\n1",
      "/**/1", "[1]#", "\239\187\1911", "\0", "1\0", "[1]\0", "\12[]", "\194\160[]", '["a" "b"]', '["a":1]', "[:]", ",", ":", '"a":1', "-a", "[-]",
      "[1e]", "tRue", "{\"a\":tru}", "[nul]",
    }) do
      assert.equal(EINVAL, parse(text), text)
      assert.is_truthy(ffi.string(err.text):match("^JSON: .+ at byte %d+$"), ffi.string(err.text))
    end
  end)

  it("says where it stumbled", function()
    assert.equal(EINVAL, parse('{"a":1,"b":tru}'))
    assert.is_truthy(ffi.string(err.text):find("byte 11", 1, true), ffi.string(err.text))
  end)

  it("does without a place for its sentence", function()
    assert.equal(EINVAL, C.tg_json_parse(json, "[", 1, nil))
  end)

  it("refuses every cut of a document and never reads beyond it", function()
    local document = '{"a":[1,-2.5e3,"x\\u00e9é\\ud834\\udd1e"],"b":{"c":null,"d":true},"e":false}'
    assert.equal(0, parse(document))
    for len = 0, #document - 1 do
      assert.equal(EINVAL, parse(document:sub(1, len)), len)
    end
  end)

  it("counts depth to the level: 64 yes, 65 no", function()
    assert.equal(0, parse(("["):rep(64) .. ("]"):rep(64)))
    assert.equal(EINVAL, parse(("["):rep(65) .. ("]"):rep(65)))
    assert.equal(0, parse(('{"a":'):rep(63) .. "[1]" .. ("}"):rep(63)))
    assert.equal(EINVAL, parse(('{"a":'):rep(64) .. "[1]" .. ("}"):rep(64)))
    assert.equal(EINVAL, parse(("["):rep(100000)))
    assert.equal(0, parse("[" .. ("[],"):rep(1000) .. "[]]"))
  end)

  it("lays the tokens out flat, with counts and successors", function()
    assert.equal(0, parse('{"a":[1,{"x":true}],"b":"s","c":{}}'))
    local expected = {
      { OBJECT, 3, 11 }, { STRING, 0, 2 }, { ARRAY, 2, 7 }, { NUMBER, 0, 4 }, { OBJECT, 1, 7 }, { STRING, 0, 6 }, { TRUE, 0, 7 },
      { STRING, 0, 8 }, { STRING, 0, 9 }, { STRING, 0, 10 }, { OBJECT, 0, 11 },
    }
    assert.equal(#expected, json.count)
    for i, e in ipairs(expected) do
      local t = json.tokens[i - 1]
      assert.same(e, { t.type, t.count, t.next }, "token " .. i)
    end
    assert.equal('[1,{"x":true}]', source(2))
    assert.equal('{"x":true}', source(4))
    assert.equal("s", source(8))
    assert.equal("{}", source(10))
  end)

  it("forgets the document before", function()
    parse('{"a":1,"b":2}')
    assert.equal(0, parse("null"))
    assert.equal(1, json.count)
    assert.equal(NULL, json.tokens[0].type)
    parse("[false]")
    assert.equal(FALSE, json.tokens[1].type)
  end)

  it("finds members by name: escapes resolved, case kept, the last one wins", function()
    parse('{"a":1,"\\u0062":2,"A":3,"a":4,"n":{"deep":5},"":6,"z\\u0000":7}')
    local function get(name)
      local i = C.tg_json_get(json, 0, name)
      return i ~= 0 and source(i) or nil
    end
    assert.equal("4", get("a"))
    assert.equal("2", get("b"))
    assert.equal("3", get("A"))
    assert.equal("6", get(""))
    assert.is_nil(get("deep"))
    assert.is_nil(get("z"))
    assert.is_nil(get("missing"))
    assert.equal("5", source(C.tg_json_get(json, C.tg_json_get(json, 0, "n"), "deep")))
  end)

  it("finds nothing in what is no object", function()
    parse('["a",1]')
    assert.equal(0, C.tg_json_get(json, 0, "a"))
    assert.equal(0, C.tg_json_get(json, 1, "a"))
    assert.equal(0, C.tg_json_get(json, 99, "a"))
    parse("{}")
    assert.equal(0, C.tg_json_get(json, 0, "a"))
  end)

  it("resolves escapes", function()
    for text, plain in pairs({ ['"\\u0041\\n\\/"'] = "A\n/", ['"\\uD834\\uDD1E!"'] = "𝄞!", ['"\\u00e9\\u20ac"'] = "é€",
      ['"plain é"'] = "plain é", ['""'] = "", ['"a\\u0000b"'] = "a\0b", ['"\\\\u0041"'] = "\\u0041", ['"\\u007f\\u0080\\u07ff\\u0800\\uffff"']
        = "\127\194\128\223\191\224\160\128\239\191\191" }) do
      assert.equal(0, parse(text))
      assert.equal(plain, unescaped(0), text)
    end
  end)

  it("compares strings with escapes resolved", function()
    parse('["buy","b\\u0075y",1,"bu"]')
    assert.is_true(C.tg_json_is(json.tokens[1], "buy"))
    assert.is_true(C.tg_json_is(json.tokens[2], "buy"))
    assert.is_false(C.tg_json_is(json.tokens[3], "1"))
    assert.is_false(C.tg_json_is(json.tokens[4], "buy"))
    assert.is_false(C.tg_json_is(json.tokens[1], "bu"))
  end)

  it("keeps the digits of the source", function()
    parse("[1.08500,9223372036854775807,26000.00,1e-5]")
    assert.equal("1.08500", source(1))
    assert.equal("9223372036854775807", source(2))
    assert.equal("26000.00", source(3))
  end)

  local function numbers(text, read, kind)
    local out = ffi.new(kind .. "[1]", 77)
    assert.equal(0, parse("[" .. text .. "]"))
    local rc = read(json.tokens[1], out)
    if rc ~= 0 then
      assert.equal(EINVAL, rc)
      assert.is_true(out[0] == 77, "touched by " .. text)
      return nil
    end
    return out[0]
  end

  it("reads doubles, also wrapped in strings", function()
    for text, value in pairs({ ["1.5"] = 1.5, ["-0"] = 0, ['"26000.00"'] = 26000, ['"-1e3"'] = -1000, ["1e308"] = 1e308, ["0.1"] = 0.1,
      ["9007199254740993"] = 9007199254740992, ["1e-400"] = 0 }) do
      assert.equal(value, numbers(text, C.tg_json_read_double, "double"), text)
    end
    for _, bad in ipairs({ "1e400", "-1e400", '""', '"x"', '"1x"', '" 1"', '"1 "', '"nan"', '"inf"', '"0x10"', "null", "true", "[]", "{}", '"1,5"',
      '"\\u0031"', '"-"', '"e"', '"1e"', '"1.5.5"', '"' .. ("1"):rep(64) .. '"' }) do
      assert.is_nil(numbers(bad, C.tg_json_read_double, "double"), bad)
    end
  end)

  it("reads tickets to the last digit", function()
    for text, value in pairs({ ["4611686018427387905"] = 4611686018427387905ULL, ['"18446744073709551615"'] = 18446744073709551615ULL,
      ["501"] = 501ULL, ["501.00"] = 501ULL, ["0"] = 0ULL, ['"9007199254740993"'] = 9007199254740993ULL }) do
      assert.is_true(numbers(text, C.tg_json_read_u64, "uint64_t") == value, text)
    end
    for _, bad in ipairs({ "-1", "1.5", "1e3", "18446744073709551616", '""', '"."', '".0"', '"01"', '"1 "', "null", "true", "[]", '"0x1"', '"1.0x"' }) do
      assert.is_nil(numbers(bad, C.tg_json_read_u64, "uint64_t"), bad)
    end
  end)

  it("reads signed integers to both ends", function()
    assert.is_true(numbers("-9223372036854775808", C.tg_json_read_i64, "int64_t") == -9223372036854775807LL - 1LL)
    assert.is_true(numbers('"9223372036854775807"', C.tg_json_read_i64, "int64_t") == 9223372036854775807LL)
    assert.is_true(numbers("-5.000", C.tg_json_read_i64, "int64_t") == -5LL)
    for _, bad in ipairs({ "9223372036854775808", "-9223372036854775809", "0.1", "1e1", "false", '"-"' }) do
      assert.is_nil(numbers(bad, C.tg_json_read_i64, "int64_t"), bad)
    end
  end)

  it("survives a hundred thousand mutations, and what it accepts hangs together", function()
    local rng = ffi.new("struct tg_rng", { 2024 })
    local function below(n)
      return tonumber(C.tg_rng_below(rng, n))
    end
    local seeds = {
      '{"success":true,"account_id":"a","data":{"balance":10000.00,"equity":1e4,"currency":"USD"},"cached":false}',
      '{"positions":[{"ticket":4611686018427387905,"symbol":"EURUSD","type":"buy","sl":null,"comment":"\\u00e9\\ud834\\udd1e\\n"}]}',
      '[[],{},"",0,-1.5e-3,[true,[false,[null]]],{"a":{"b":{"c":[1,2,3]}}}]',
    }
    local alphabet = '{}[]",:\\u0123456789eE+-.ntrfalse \t\n\0\31\127\128\191\192\224\237\240\244\255'
    local accepted = 0
    for round = 1, 100000 do
      local seed = seeds[round % #seeds + 1]
      local len = #seed
      local text = ffi.cast("char *", ffi.C.malloc(len + 8))
      ffi.copy(text, seed, len)
      for _ = 0, below(3) do
        local what, at = below(4), below(len)
        if what == 0 then
          text[at] = alphabet:byte(below(#alphabet) + 1)
        elseif what == 1 then
          text[at] = below(256)
        elseif what == 2 and len > 1 then
          ffi.C.memmove(text + at, text + at + 1, len - at - 1)
          len = len - 1
        else
          text[at] = text[below(len)]
        end
      end
      if C.tg_json_parse(json, text, len, err) == 0 then
        accepted = accepted + 1
        assert(json.tokens[0].next == json.count)
        for i = 0, json.count - 1 do
          local t = json.tokens[i]
          assert(t.next > i and t.next <= json.count)
          assert(t.text >= text and t.text + t.len <= text + len)
          if t.type == OBJECT or t.type == ARRAY then
            local children, at = 0, i + 1
            while at < t.next do
              at = json.tokens[at].next
              children = children + 1
            end
            assert(at == t.next)
            assert(children == (t.type == OBJECT and 2 * t.count or t.count))
          end
        end
      end
      ffi.C.free(text)
    end
    assert.is_true(accepted > 1000 and accepted < 99000)
  end)
end)
