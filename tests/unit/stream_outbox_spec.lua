local ffi = require("ffi")
local C = require("support.stream").C

describe("outbox", function()
  local outbox
  local rev

  local function new(bound)
    outbox = C.tg_outbox_new(bound or 100000)
    rev = 0
  end

  local function blob(text)
    return C.tg_blob_new(text, #text)
  end

  local function put(text)
    local frame = blob(text)
    local rc = C.tg_outbox_put(outbox, frame)
    C.tg_blob_unref(frame)
    return rc
  end

  local function snapshot(size)
    rev = rev + 1
    local frame = blob('{"type":"snapshot","rev":' .. rev .. ',"x":"' .. ("x"):rep(size or 0) .. '"}')
    local rc = C.tg_outbox_put_snapshot(outbox, frame)
    C.tg_blob_unref(frame)
    return rc
  end

  local reframe = ffi.cast("struct tg_blob *(*)(const char *, size_t)", C.tg_blob_new)

  local function latest(type, old, new_value)
    rev = rev + 1
    local head = '{"type":"' .. type .. '"'
    local change = '{"old":' .. (old or 0) .. ',"new":' .. (new_value or rev) .. "}"
    local text = blob(head .. ',"rev":' .. rev .. ',"changes":{"v":' .. change .. "}}")
    local l = ffi.new("struct tg_outbox_latest")
    l.frame, l.text, l.head, l.payload, l.reframe = text, text, #head, "", reframe
    local rc = C.tg_outbox_put_latest(outbox, l)
    C.tg_blob_unref(text)
    return rc
  end

  local function take()
    local frame = C.tg_outbox_take(outbox)
    if frame == nil then return nil end
    local text = ffi.string(frame.data, frame.len)
    C.tg_blob_unref(frame)
    return text
  end

  -- "a A5 b" : ordered frames by their text, latest ones by type and rev.
  local function brief(text)
    local type, number = text:match('^{"type":"(%w+)","rev":(%d+)')
    return type and type .. number or text
  end

  local function drain()
    local list = {}
    for text in take do list[#list + 1] = brief(text) end
    return table.concat(list, " ")
  end

  after_each(function()
    C.tg_outbox_free(outbox)
    assert.equal(0, tonumber(C.tg_blob_bytes_alive()))
  end)

  it("gives what was put, in order, growing and shrinking on the way", function()
    new()
    local next_in, next_out = 1, 1
    for round = 1, 50 do
      for _ = 1, round % 23 do
        put("m" .. next_in)
        next_in = next_in + 1
      end
      for _ = 1, round % 19 do
        local text = take()
        if not text then break end
        assert.equal("m" .. next_out, text)
        next_out = next_out + 1
      end
    end
    while next_out < next_in do
      assert.equal("m" .. next_out, take())
      next_out = next_out + 1
    end
    assert.is_nil(take())
    assert.equal(0, tonumber(C.tg_outbox_bytes(outbox)))
  end)

  it("takes frames up to its bound and not a byte more", function()
    new(100)
    assert.equal(0, put(("a"):rep(60)))
    assert.equal(0, put(("b"):rep(40)))
    assert.equal(-3, put("c"))
    assert.equal(100, tonumber(C.tg_outbox_bytes(outbox)))
    take()
    assert.equal(0, put(("d"):rep(60)))
    assert.equal(-3, put("e"))
    assert.equal(("b"):rep(40) .. " " .. ("d"):rep(60), drain())
    assert.equal(-3, put(("x"):rep(101)))
  end)

  it("lets one snapshot wait outside the bound, and counts the second", function()
    new(100)
    assert.equal(0, snapshot(5000))
    assert.equal(0, put(("a"):rep(100)))
    assert.equal(-3, snapshot(0))
    assert.equal("snapshot1", brief(take()))
    assert.equal(0, snapshot(5000))
    assert.is_true(tonumber(C.tg_outbox_bytes(outbox)) > 5000)
  end)

  it("keeps the latest lane in its place among the ordered ones", function()
    new()
    put("a")
    latest("U")
    put("b")
    latest("U")
    put("c")
    assert.equal("a U2 b c", drain())
    assert.equal(1, tonumber(C.tg_outbox_merged(outbox)))
  end)

  it("merges the first old with the last new, also many times", function()
    new()
    latest("U", 100, 110)
    for value = 110, 500, 10 do latest("U", value, value + 10) end
    assert.truthy(take():find('"changes":{"v":{"old":100,"new":510}}', 1, true))
    assert.is_nil(take())
  end)

  it("does not let the latest lane count while it can merge", function()
    new(100)
    for _ = 1, 1000 do assert.equal(0, latest("U")) end
    assert.equal(0, put(("a"):rep(100)))
  end)

  it("does not take one type for another whose name it begins", function()
    new()
    latest("U")
    latest("UU")
    latest("U")
    assert.equal("U1 UU2 U3", drain())
  end)

  it("never lets rev fall, whatever merges, and loses nobody's newest", function()
    new()
    local seed = 12345
    local function random(n)
      seed = (seed * 1103515245 + 12345) % 2147483648
      return math.floor(seed / 65536) % n
    end
    local newest, seen, last_rev = {}, {}, 0
    local function look(text)
      local type, number = text:match('"type":"(%w+)","rev":(%d+)')
      if not type then return end
      number = tonumber(number)
      assert.is_true(number > last_rev, "rev " .. number .. " after " .. last_rev)
      last_rev, seen[type] = number, number
    end
    for _ = 1, 5000 do
      local what = random(8)
      if what == 0 then
        put("ordered")
      elseif what == 1 and random(5) == 0 then
        snapshot()
      elseif what < 6 then
        local type = ({ "A", "B", "C" })[random(3) + 1]
        latest(type)
        newest[type] = rev
      else
        local text = take()
        if text then look(text) end
      end
    end
    for text in take do look(text) end
    for type, number in pairs(newest) do assert.equal(number, seen[type]) end
  end)

  it("never lets two waiting types starve each other", function()
    new()
    local sent = { A = 0, B = 0 }
    for _ = 1, 100 do
      latest("A")
      latest("B")
      local type = take():match('"type":"(%w+)"')
      sent[type] = sent[type] + 1
    end
    assert.is_true(sent.A > 30 and sent.B > 30, sent.A .. " " .. sent.B)
    assert.is_true(tonumber(C.tg_outbox_bytes(outbox)) < 1000)
  end)

  it("never merges across a snapshot: what it shows may be what returned", function()
    new()
    latest("U", 100, 110)
    snapshot()
    latest("U", 110, 100)
    local first, second, third = take(), take(), take()
    assert.truthy(first:find('"old":100,"new":110', 1, true))
    assert.equal("snapshot2", brief(second))
    assert.truthy(third:find('"old":110,"new":100', 1, true))
  end)

  it("counts what cannot merge any more, so a flood of snapshots ends too", function()
    new(2000)
    local rc
    for _ = 1, 100 do
      latest("U")
      rc = snapshot()
      if rc ~= 0 then break end
    end
    assert.equal(-3, rc)
    assert.is_true(tonumber(C.tg_outbox_bytes(outbox)) < 3000)
  end)

  it("gives the room of a message that could not merge back when it is taken", function()
    new(300)
    for _ = 1, 50 do
      latest("U")
      assert.equal(0, snapshot())
      assert.equal(0, latest("U"))
      assert.equal(0, latest("V"))
      assert.equal(0, latest("U"))
      drain()
    end
    assert.equal(0, put(("a"):rep(300)))
  end)

  it("queues types beyond its slots like ordered ones, in order and within the bound", function()
    new(20000)
    local expected = {}
    for i = 1, 80 do
      assert.equal(0, latest("T" .. i .. "x"))
      expected[i] = "T" .. i .. "x" .. i
    end
    assert.equal(0, latest("T1x"))
    assert.equal(table.concat(expected, " ") .. " T1x81", drain())
    for _ = 1, 10 do latest("T1x") end
    assert.equal("T1x91", drain())
  end)

  it("replaces a message that it cannot read", function()
    new()
    for _, body in ipairs({ ',"broken', ',"also broken' }) do
      local text = blob('{"type":"U"' .. body)
      local l = ffi.new("struct tg_outbox_latest")
      l.frame, l.text, l.head, l.payload, l.reframe = text, text, 11, "", reframe
      assert.equal(0, C.tg_outbox_put_latest(outbox, l))
      C.tg_blob_unref(text)
    end
    assert.equal('{"type":"U","also broken', take())
    assert.is_nil(take())
  end)

  it("frees what still waits", function()
    new()
    for _ = 1, 100 do
      put("x")
      latest("U")
      latest("V")
      snapshot()
    end
  end)
end)
