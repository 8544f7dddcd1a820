local ffi = require("ffi")
local C = require("support.stream").C

describe("merge", function()
  local function merge(first, last, payload)
    local out = ffi.new("struct tg_buf")
    local rc = C.tg_merge(out, first, #first, last, #last, payload or "")
    local text = out.len > 0 and ffi.string(out.data, out.len) or nil
    C.tg_buf_fini(out)
    return text, rc
  end

  local function changes(first, last)
    local head = '{"type":"u","rev":1,"changes":'
    local text, rc = merge(head .. first .. "}", head .. last .. "}")
    assert.equal(0, rc)
    return text:match('"changes":(.*)}$')
  end

  it("tells the whole way from the first old to the last new", function()
    assert.equal('{"balance":{"old":10000.00,"new":10100.00,"diff":100.00}}',
      changes('{"balance":{"old":10000.00,"new":10050.00,"diff":50.00}}',
              '{"balance":{"old":10050.00,"new":10100.00,"diff":50.00}}'))
  end)

  it("unites the fields that either changed", function()
    assert.equal('{"a":{"old":1,"new":2},"b":{"old":3,"new":5},"c":{"old":7,"new":8}}',
      changes('{"a":{"old":1,"new":2},"b":{"old":3,"new":4}}', '{"c":{"old":7,"new":8},"b":{"old":4,"new":5}}'))
  end)

  it("drops a field that is back where it was, however it is written", function()
    for _, pair in ipairs({ { "100.00", "100.00" }, { "100.0", "100.00" }, { "1e2", "100" }, { "0", "-0.00" },
                            { "null", "null" }, { '"x"', '"x"' }, { "true", "true" },
                            { "9007199254740993", "9007199254740993" } }) do
      assert.equal('{"b":{"old":1,"new":2}}',
        changes('{"a":{"old":' .. pair[1] .. ',"new":5},"b":{"old":1,"new":2}}',
                '{"a":{"old":5,"new":' .. pair[2] .. "}}"))
    end
    assert.equal("{}", changes('{"a":{"old":1,"new":2}}', '{"a":{"old":2,"new":1}}'))
  end)

  it("keeps a field that only looks the same to a double", function()
    assert.equal('{"a":{"old":9007199254740993,"new":9007199254740992}}',
      changes('{"a":{"old":9007199254740993,"new":5}}', '{"a":{"old":5,"new":9007199254740992}}'))
    assert.equal('{"a":{"old":"1","new":1}}', changes('{"a":{"old":"1","new":5}}', '{"a":{"old":5,"new":1}}'))
  end)

  it("computes diff as decimals, never with binary noise", function()
    for _, case in ipairs({
      { "0.1", "0.3", "0.2" }, { "0.30", "0.1", "-0.20" }, { "1.08500", "1.085", nil }, { "-5.00", "5.00", "10.00" },
      { "99999999999999.99", "100000000000000.00", "0.01" }, { "1e-5", "0.00003", "0.00002" },
      { "1E2", "1.5e1", "-85" }, { "12345678901234567.8", "12345678901234567.9", "0.1" },
      { "0.12345678", "0.12345679", "0.00000001" }, { "0.1234567891", "0.2234567891", "0.10000000" },
      { "-0.00", "0.01", "0.01" }, { "null", "1.5", "null" }, { "1.5", "null", "null" }, { '"a"', "1", "null" },
    }) do
      local expected = "{}"
      if case[3] then
        expected = '{"a":{"diff":' .. case[3] .. ',"old":' .. case[1] .. ',"new":' .. case[2] .. "}}"
      end
      assert.equal(expected, changes('{"a":{"old":' .. case[1] .. ',"new":77,"diff":0}}',
                                     '{"a":{"diff":1,"old":77,"new":' .. case[2] .. "}}"))
    end
  end)

  it("takes everything else from the last, byte for byte", function()
    assert.equal('{ "type":"u","rev":9, "changes":{"a":{"old":1,"new":3,"why":"last"}} ,"n":{"x":[1,2.50]} }',
      (merge('{"type":"u","rev":8,"gone":1,"changes":{"a":{"old":1,"new":2,"why":"first"}}}',
             '{ "type":"u","rev":9, "changes":{"a":{"old":2,"new":3,"why":"last"}} ,"n":{"x":[1,2.50]} }')))
  end)

  it("takes a field that has no old and new from the last", function()
    assert.equal('{"a":2,"b":{"new":2}}', changes('{"a":1,"b":{"old":0,"new":1}}', '{"a":2,"b":{"new":2}}'))
    assert.equal('{"a":[2]}', changes('{"a":{"old":1,"new":2}}', '{"a":[2]}'))
  end)

  it("is the last message when there are no changes to unite", function()
    local plain = '{"type":"u","rev":2,"value":7}'
    assert.equal(plain, (merge('{"type":"u","rev":1,"value":6}', plain)))
    assert.equal(plain, (merge('{"type":"u","changes":{"a":{"old":1,"new":2}}}', plain)))
    assert.equal('{"changes":[1]}', (merge('{"changes":{"a":1}}', '{"changes":[1]}')))
  end)

  it("looks into the member in which the envelope nests the payload, and only there", function()
    local first = '{"event":"u","v":1,"changes":{"z":1},"data":{"changes":{"a":{"old":1,"new":2}}}}'
    local last = '{"event":"u","v":2,"changes":{"y":1},"data":{"changes":{"a":{"old":2,"new":3}}}}'
    assert.equal('{"event":"u","v":2,"changes":{"y":1},"data":{"changes":{"a":{"old":1,"new":3}}}}',
      (merge(first, last, "data")))
    assert.equal(last, (merge(first, last, "other")))
  end)

  it("refuses what is not JSON and appends nothing", function()
    for _, pair in ipairs({ { "", "{}" }, { "{}", "" }, { "{", "{}" }, { "{}", "{}x" } }) do
      local text, rc = merge(pair[1], pair[2])
      assert.equal(-1, rc)
      assert.is_nil(text)
    end
  end)

  it("is quick with thousands of fields in another order", function()
    local function fields(from, to, step)
      local list = {}
      for i = from, to, step do list[#list + 1] = '"f' .. i .. '":{"old":1,"new":2}' end
      return "{" .. table.concat(list, ",") .. "}"
    end
    local started = os.clock()
    changes(fields(1, 3000, 1), fields(6000, 2001, -1))
    assert.is_true(os.clock() - started < 0.5)
  end)
end)
