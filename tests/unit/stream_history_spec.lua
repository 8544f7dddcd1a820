local ffi = require("ffi")
local C = require("support.stream").C

describe("history", function()
  local history

  local function new(events, age)
    history = ffi.new("struct tg_history")
    C.tg_history_init(history, events, age or 300000)
  end

  local function add(seq, now)
    local text = "event " .. seq
    local frame = C.tg_blob_new(text, #text)
    C.tg_history_add(history, seq, frame, now or 0)
    C.tg_blob_unref(frame)
  end

  local function at(seq)
    local entry = C.tg_history_at(history, seq)
    return entry ~= nil and ffi.string(entry.frame.data, entry.frame.len) or nil
  end

  after_each(function()
    C.tg_history_fini(history)
    assert.equal(0, tonumber(C.tg_blob_bytes_alive()))
  end)

  it("covers everything while nothing was lost, and nothing that has not happened", function()
    new(512)
    assert.is_true(C.tg_history_covers(history, 0))
    assert.is_false(C.tg_history_covers(history, 1))
    for seq = 1, 20 do add(seq) end
    for since = 0, 20 do assert.is_true(C.tg_history_covers(history, since)) end
    assert.is_false(C.tg_history_covers(history, 21))
    assert.equal("event 1", at(1))
    assert.equal("event 20", at(20))
    assert.is_nil(at(0))
    assert.is_nil(at(21))
  end)

  it("keeps exactly as many as it may", function()
    for _, max in ipairs({ 1, 7, 8, 9, 100 }) do
      new(max)
      for seq = 1, 3 * max do
        add(seq)
        local oldest = math.max(1, seq - max + 1)
        assert.is_true(C.tg_history_covers(history, oldest - 1))
        if oldest > 1 then
          assert.is_false(C.tg_history_covers(history, oldest - 2))
          assert.is_nil(at(oldest - 1))
        end
        assert.equal("event " .. oldest, at(oldest))
        assert.equal("event " .. seq, at(seq))
      end
      assert.equal(max, history.count)
      C.tg_history_fini(history)
    end
  end)

  it("forgets by age, and knows that it did", function()
    new(512, 1000)
    for seq = 1, 10 do add(seq, seq * 100) end
    C.tg_history_expire(history, 1500)
    assert.is_true(C.tg_history_covers(history, 4))
    assert.is_false(C.tg_history_covers(history, 3))
    C.tg_history_expire(history, 99999)
    assert.is_true(C.tg_history_covers(history, 10))
    assert.is_false(C.tg_history_covers(history, 9))
    assert.is_true(history.ring == nil)
    add(11, 100000)
    assert.is_true(C.tg_history_covers(history, 10))
    assert.is_false(C.tg_history_covers(history, 9))
  end)

  it("with no events to keep still knows what it has missed", function()
    new(0)
    add(1)
    assert.is_true(C.tg_history_covers(history, 1))
    assert.is_false(C.tg_history_covers(history, 0))
  end)

  it("starts again at one after a reset", function()
    new(4)
    for seq = 1, 6 do add(seq) end
    C.tg_history_reset(history)
    assert.is_nil(at(6))
    assert.is_false(C.tg_history_covers(history, 6))
    add(1)
    assert.equal("event 1", at(1))
  end)
end)
