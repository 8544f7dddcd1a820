local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("source", { "source/webapi_document.h", "source/webapi_command.h", "source/webapi_retcode.h" })

jit.off(true, true)

describe("a Web API document", function()
  local rows
  local on_row = ffi.cast("tg_webapi_on_row", function(_, row)
    rows[#rows + 1] = ffi.string(row.text, row.len)
  end)

  -- Feeds a document in steps; its rows, whether it is complete, its fields, and the code of a failure.
  local function read(text, envelope, step, row_max)
    local doc, fields = ffi.new("struct tg_webapi_document"), ffi.new("struct tg_webapi_fields")
    doc.row_max, doc.on_row = row_max or 1000, on_row
    C.tg_webapi_document_begin(doc, envelope, fields)
    rows = {}
    local rc = 0
    for at = 1, #text, step or #text do
      local piece = text:sub(at, at + (step or #text) - 1)
      rc = C.tg_webapi_document_feed(doc, piece, #piece)
      if rc ~= 0 then break end
    end
    local got = {}
    for i = 0, fields.count - 1 do
      got[ffi.string(fields.text.data + fields.names[i])] = ffi.string(fields.text.data + fields.values[i])
    end
    local result = { rc = rc, rows = rows, complete = C.tg_webapi_document_complete(doc), fields = got, listed = doc.listed, single = doc.single }
    C.tg_webapi_document_fini(doc)
    C.tg_webapi_fields_fini(fields)
    return result
  end

  local ROWS = { '{"Login" : "1",\r\n"Comment" : "a \\"quoted\\" }] \\\\"}', '{"Login" : "2", "ApiData" : [{"x":[1,2]}]}', "{}" }

  it("gives its rows, cut anywhere", function()
    local text = "[\r\n" .. table.concat(ROWS, ",\r\n") .. "\r\n]\r\n"
    for step = 1, #text do
      local got = read(text, false, step)
      assert.same({ 0, ROWS, true, true }, { got.rc, got.rows, got.complete, got.listed })
    end
  end)

  it("finds the values of rows that look like the one before", function()
    local shape = ffi.new("struct tg_webapi_shape")
    local model = '{"Login" : "1", "Name":"a\\"b", "n" : 5, "ApiData" : [{"x":"y"}], "Last" : ""}'
    local function match(text) return tonumber(C.tg_webapi_shape_match(shape, text, #text)) end
    assert.equal(0, match(model))
    assert.equal(0, C.tg_webapi_shape_learn(shape, model, #model))
    local like = '{"Login" : "4711", "Name":"Zoë", "n" : 5, "ApiData" : [{"x":"y"}], "Last" : "z"}'
    assert.equal(#like, match(like .. ",{"))
    local token = shape.json.tokens[2]
    assert.equal("4711", ffi.string(token.text, token.len))
    for len = 0, #like - 1 do
      assert.equal(0, match(like:sub(1, len)), len)
    end
    local others = { ["Zoë"] = "Zo\xeb", ["4711"] = "47\n11", ["Zo"] = "Z\\n", [": 5"] = ": [5]", ["Last"] = "last", ["}$"] = "]", ['"y"'] = '"z"' }
    for from, to in pairs(others) do
      assert.equal(0, match((like:gsub(from, to))), from)
    end
    for _, bad in ipairs({ "", "[]", '"x"', "{", '{"a":"\n"}', '{"a":01}' }) do
      assert.equal(-1, C.tg_webapi_shape_learn(shape, bad, #bad), bad)
      assert.equal(0, match(bad))
    end
    C.tg_webapi_shape_fini(shape)
  end)

  it("takes any scalar for a value, whatever it was before, and nothing else", function()
    local shape = ffi.new("struct tg_webapi_shape")
    local model = '{"Login":1,"Profit": "a" ,"Name":"a","ok":null,"Last":true}'
    local function match(text) return tonumber(C.tg_webapi_shape_match(shape, text, #text)) end
    assert.equal(0, C.tg_webapi_shape_learn(shape, model, #model))
    assert.equal(#model, match(model))
    local function row(value, last) return ('{"Login":"4711","Profit": %s ,"Name":7,"ok":"b","Last":%s}'):format(value, last or "5") end
    local NULL, FALSE, TRUE, NUMBER, STRING = 0, 1, 2, 3, 4
    local scalars = { null = NULL, ["false"] = FALSE, ["true"] = TRUE, ['""'] = STRING, ['"x y"'] = STRING, ['"null"'] = STRING, ['"1"'] = STRING }
    for _, number in ipairs({ "0", "-0", "7", "10.25", "-3", "0.10", "1e5", "1E+05", "-12.5e-10", "18446744073709551615" }) do
      scalars[number] = NUMBER
    end
    for value, type in pairs(scalars) do
      for _, text in ipairs({ row(value), row("1", value) }) do
        assert.equal(#text, match(text .. ",5"), text)
        for len = 0, #text - 1 do
          assert.equal(0, match(text:sub(1, len)), len)
        end
      end
      assert.equal(#row(value), match(row(value)))
      local token = shape.json.tokens[4]
      assert.same({ type, (value:gsub('"', "")) }, { token.type, ffi.string(token.text, token.len) })
      local learnt = row("1", value) -- with this value in it, and behind it, the end
      assert.equal(0, C.tg_webapi_shape_learn(shape, learnt, #learnt))
      assert.equal(#model, match(model))
    end
    local none = { "", "-", "+1", "01", "-01", "1.", ".5", "1e", "1e+", "1.e5", "1 2", "0x1", "NaN", "1a", "--1", "1,", '"1', '1"', "[1]", "{}" }
    for _, other in ipairs({ "nul", "nulll", "True", "tru", "truefalse", "falsey", "\0", '"a"b', '"a""b"', "\255" }) do
      none[#none + 1] = other
    end
    for _, other in ipairs(none) do
      assert.equal(0, match(row(other)), other)
      assert.equal(0, match(row("1", other)), other)
    end
    C.tg_webapi_shape_fini(shape)
  end)

  it("finds in a row what the reader of any JSON finds, or nothing: rows with bytes changed, taken away and put in", function()
    local shape, json = ffi.new("struct tg_webapi_shape"), ffi.new("struct tg_json")
    local model = '{"Login":"17","Profit": -1.50,"Name":"Zoë","ok":null,"ApiData" : [{"x":1}],"on":true,"Last":"","n":0}'
    local bytes = { '"', ",", ":", "\\", "0", "1", "-", ".", "e", "n", "t", "{", "}", "[", "]", " ", "\0", "\n", "\xeb", "null", "true", '""', "" }
    local seed, matched = 1, 0
    local function below(n)
      seed = (seed * 16807) % 2147483647
      return seed % n
    end
    assert.equal(0, C.tg_webapi_shape_learn(shape, model, #model))
    for _ = 1, 20000 do
      local row = model
      for _ = 0, below(3) do
        local at = below(#row)
        row = row:sub(1, at) .. bytes[below(#bytes) + 1] .. row:sub(at + 1 + below(3))
      end
      local len = tonumber(C.tg_webapi_shape_match(shape, row, #row))
      if len > 0 then
        matched = matched + 1
        local text = row:sub(1, len)
        assert.equal(0, C.tg_json_parse(json, text, len, nil), text)
        assert.equal(json.count, shape.json.count)
        for i = 1, json.count - 1 do
          local a, b = json.tokens[i], shape.json.tokens[i]
          assert.is_true(a.type == b.type and a.next == b.next and a.escaped == b.escaped, text)
          assert.equal(ffi.string(a.text, a.len), ffi.string(b.text, b.len), text)
        end
      end
    end
    assert.is_true(matched > 300 and matched < 15000, matched)
    C.tg_json_fini(json)
    C.tg_webapi_shape_fini(shape)
  end)

  it("gives the same rows whether they look alike or not, cut anywhere", function()
    local alike = {}
    for i, value in ipairs({ "1", "-2.5", '"3"', "4e1", "5", "null", '"x\\"y"', "7" }) do
      alike[i] = ('{"Login":%d,\r\n"Value":%s}'):format(i, value)
    end
    local text = "[" .. table.concat(alike, ",") .. "]"
    for step = 1, #text do
      assert.same(alike, read(text, false, step).rows)
    end
  end)

  it("is an envelope on REST, whose scalars are fields", function()
    local text = '{"retcode" : "0 Done", "version_access":1290, "trade" : {"a":[1,"}"]}, "answer" : [' .. table.concat(ROWS, ",") .. '], "last":null}'
    for step = 1, #text do
      local got = read(text, true, step)
      assert.same({ 0, ROWS, true }, { got.rc, got.rows, got.complete })
      assert.same({ RETCODE = "0 Done", VERSION_ACCESS = "1290", LAST = "null" }, got.fields)
    end
  end)

  it("may be one object, or hold nothing", function()
    assert.same({ { '{"Login":"1"}' }, true, false }, { read('{"Login":"1"}', false).rows, read('{"a":1}', false).single, read("{}", false).listed })
    local got = read('{"retcode":"0 Done","answer":{"Login":"1"}}', true)
    assert.same({ { '{"Login":"1"}' }, true, true }, { got.rows, got.complete, got.single })
    got = read('{"retcode":"13 Not found"}', true)
    assert.same({ true, false, false }, { got.complete, got.listed, got.single })
    assert.is_true(read("[]", false).listed)
    assert.is_true(read('{"answer":[]}', true).listed)
  end)

  it("is not complete when it is cut off", function()
    local text = '{"retcode":"0 Done","answer":[{"a":"b"}]}'
    for len = 0, #text - 1 do
      assert.is_false(read(text:sub(1, len), true).complete, len)
    end
  end)

  it("is refused when it is no such document", function()
    for _, bad in ipairs({ "<html>", '"x"', "1", "[1]", "[{} {}]", '{"a" 1}', '{"answer":[]}x', "{}{}" }) do
      local got = read(bad, true)
      assert.is_true(got.rc == -7 or not got.complete, bad)
    end
    assert.equal(-7, read('{"answer":[],"answer":[]}', true).rc)
  end)

  it("bounds a row", function()
    local row = '{"a":"' .. ("x"):rep(100) .. '"}'
    assert.equal(0, read("[" .. row .. "]", false, nil, #row).rc)
    assert.equal(-3, read("[" .. row .. "]", false, nil, #row - 1).rc)
    for step = 1, 20 do
      assert.equal(-3, read("[" .. row .. "]", false, step, #row - 1).rc)
    end
    assert.equal(-3, read('{"a":"' .. ("x"):rep(100) .. '"}', true, nil, 50).rc)
  end)
end)

describe("the Web API's commands", function()
  it("all read, and there are no others", function()
    local known = {
      AUTH_START = 1, AUTH_ANSWER = 1, TEST_ACCESS = 1, QUIT = 1, TIME_GET = 1, TIME_SERVER = 1, USER_GET = 1, USER_GET_BATCH = 1,
      USER_ACCOUNT_GET = 1, USER_ACCOUNT_GET_BATCH = 1, POSITION_GET_BATCH = 1, ORDER_GET_BATCH = 1, HISTORY_GET_BATCH = 1,
      DEAL_GET_BATCH = 1, GROUP_GET = 1, SYMBOL_GET = 1,
    }
    local count = tonumber(C.TG_WEBAPI_COMMANDS)
    for i = 0, count - 1 do
      local name, path = ffi.string(C.tg_webapi_command_name(i)), ffi.string(C.tg_webapi_command_path(i))
      assert.equal(1, known[name], name)
      known[name] = 2
      assert.equal("/api/" .. name:lower():gsub("_", "/", name:match("^USER_ACCOUNT") and 2 or 1), path)
    end
    for name, seen in pairs(known) do
      assert.equal(2, seen, name)
    end
  end)

  it("stand in one file, and nothing else spells a path or a command", function()
    local pipe = io.popen("grep -lE '/api/|_GET_BATCH\"' core/source/webapi_*.c")
    assert.equal("core/source/webapi_command.c\n", pipe:read("*a"))
    pipe:close()
  end)
end)

describe("the Web API's return codes", function()
  local function class(code) return tonumber(C.tg_webapi_classify(code)) end

  it("are read off their text", function()
    for text, code in pairs({ ["0 Done"] = 0, ["13 Not found"] = 13, ["13"] = 13, [""] = -1, ["x"] = -1, ["12x"] = -1, ["-1"] = -1, ["99999999"] = -1 }) do
      assert.equal(code, C.tg_webapi_retcode(text), text)
    end
  end)

  it("are classified as the facts say", function()
    local DONE, NO_DATA, RETRY, SLOW, MOVE, REFUSED = 0, 1, 2, 3, 4, 5
    assert.equal(DONE, class(0))
    local wanted = { [NO_DATA] = { 1, 13, 5003 }, [SLOW] = { 12, 1018 }, [MOVE] = { 12001 } }
    wanted[RETRY] = { 2, 7, 9, 10, 11, 14, 15, 16, 1007, 1009, 12003, 12004, 424242 }
    wanted[REFUSED] = { 3, 8, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1008, 1010, 1011, 1012, 1013, 1019, 1020, 1021, 1022, 1023, 1024, 1025,
      1026, 1027, 12000, 12002 }
    for what, codes in pairs(wanted) do
      for _, code in ipairs(codes) do
        assert.equal(what, class(code), code)
      end
    end
    assert.equal("INVALID_ACCOUNT", ffi.string(C.tg_webapi_retcode_name(1001)))
    assert.equal("MT_RETCODE", ffi.string(C.tg_webapi_retcode_name(424242)))
  end)
end)
