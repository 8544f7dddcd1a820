local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("net", { "net/send_queue.h" })

describe("send queue", function()
  local queue, alive

  before_each(function()
    alive = C.tg_blob_bytes_alive()
    queue = ffi.new("struct tg_send_queue")
    C.tg_send_queue_init(queue)
  end)

  after_each(function()
    C.tg_send_queue_fini(queue)
    assert.equal(alive, C.tg_blob_bytes_alive())
  end)

  local function put(text)
    local blob = C.tg_blob_new(text, #text)
    assert.equal(0, C.tg_send_queue_put(queue, blob))
    C.tg_blob_unref(blob)
  end

  local function peek(max, max_bytes)
    local pieces, got = ffi.new("struct tg_piece[64]"), {}
    for i = 0, C.tg_send_queue_peek(queue, pieces, max or 64, max_bytes or 1000) - 1 do
      got[#got + 1] = ffi.string(pieces[i].data, pieces[i].len)
    end
    return got
  end

  it("gives what was put, in order", function()
    put("ab")
    put("c")
    put("def")
    assert.same({ "ab", "c", "def" }, peek())
    assert.equal(6, tonumber(queue.bytes))
    assert.same({ "ab", "c" }, peek(2))
    assert.same({ "ab", "c", "d" }, peek(64, 4))
    assert.same({ "a" }, peek(64, 1))
  end)

  it("takes off what has gone, to the byte", function()
    put("ab")
    put("c")
    put("def")
    C.tg_send_queue_gone(queue, 1)
    assert.same({ "b", "c", "def" }, peek())
    C.tg_send_queue_gone(queue, 3)
    assert.same({ "ef" }, peek())
    C.tg_send_queue_gone(queue, 2)
    assert.same({}, peek())
    assert.equal(0, tonumber(queue.bytes))
  end)

  it("leaves empty blobs out", function()
    put("")
    assert.equal(0, queue.count)
  end)

  it("grows, wraps, and gives the memory of a burst back", function()
    for round = 1, 3 do
      put("x")
      C.tg_send_queue_gone(queue, 1)
      for i = 1, 50 * round do
        put(tostring(i % 10))
      end
      local text = table.concat(peek(64, 10))
      assert.equal("1234567890", text)
      C.tg_send_queue_gone(queue, 50 * round)
      assert.equal(queue.few, queue.ring)
    end
  end)

  it("shares one blob among many", function()
    local blob = C.tg_blob_new("shared", 6)
    for _ = 1, 10 do
      C.tg_send_queue_put(queue, blob)
    end
    assert.equal(11, blob.refs)
    C.tg_send_queue_gone(queue, 12)
    assert.equal(9, blob.refs)
    C.tg_blob_unref(blob)
  end)

  it("drops only what has not begun", function()
    put("one")
    put("two")
    C.tg_send_queue_cut(queue)
    assert.same({}, peek())
    put("one")
    put("two")
    C.tg_send_queue_gone(queue, 1)
    C.tg_send_queue_cut(queue)
    assert.same({ "ne" }, peek())
    assert.equal(2, tonumber(queue.bytes))
  end)

  it("never drops what a write under way still reads", function()
    put("one")
    put("two")
    put("three")
    C.tg_send_queue_lend(queue, 2)
    C.tg_send_queue_cut(queue)
    assert.same({ "one", "two" }, peek())
    C.tg_send_queue_lend(queue, 0)
    C.tg_send_queue_gone(queue, 3)
    C.tg_send_queue_cut(queue)
    assert.same({}, peek())
  end)
end)
