local ffi = require("ffi")
local cdef = require("support.cdef")
local frames = require("support.frames")
local C = cdef.library("net", { "net/frame.h" })

describe("a server frame", function()
  local function bytes(blob)
    assert.is_true(blob ~= nil)
    local text = ffi.string(blob.data, blob.len)
    C.tg_blob_unref(blob)
    return text
  end

  it("has the shortest header for its length (RFC 6455 §5.2)", function()
    for length, head in pairs({
      [0] = "\129\0", [1] = "\129\1", [125] = "\129\125", [126] = "\129\126\0\126", [65535] = "\129\126\255\255",
      [65536] = "\129\127\0\0\0\0\0\1\0\0",
    }) do
      local payload = ("x"):rep(length)
      assert.equal(head .. payload, bytes(C.tg_frame_new(false, payload, length)))
    end
  end)

  it("is unmasked, final and of its kind", function()
    local frame = frames.decode(bytes(C.tg_frame_new(true, "\0\1", 2)), 1)
    assert.same({ fin = true, rsv = 0, opcode = frames.BINARY, payload = "\0\1" }, frame)
    frame = frames.decode(bytes(C.tg_frame_control(C.TG_OPCODE_PONG, "abc", 3)), 1)
    assert.same({ fin = true, rsv = 0, opcode = frames.PONG, payload = "abc" }, frame)
  end)

  it("gives its payload back", function()
    local len = ffi.new("size_t[1]")
    for _, length in ipairs({ 0, 5, 125, 126, 65535, 65536, 70000 }) do
      local payload = ("p"):rep(length)
      local blob = C.tg_frame_new(false, payload, length)
      local data = C.tg_frame_payload(blob, len)
      assert.equal(payload, ffi.string(data, len[0]))
      C.tg_blob_unref(blob)
    end
  end)

  it("can write the header of a frame larger than memory", function()
    local head = ffi.new("uint8_t[10]")
    assert.equal(10, C.tg_frame_head_write(head, 2, 0x123456789abcdef0ULL))
    assert.equal("\130\127\18\52\86\120\154\188\222\240", ffi.string(head, 10))
  end)
end)

describe("a Close frame", function()
  local function close(code, reason)
    local blob = C.tg_frame_close(code, reason)
    local text = ffi.string(blob.data, blob.len)
    C.tg_blob_unref(blob)
    return text
  end

  it("has a code and a reason, a code alone, or nothing (§5.5.1)", function()
    assert.equal("\136\5\15\160bye", close(4000, "bye"))
    assert.equal("\136\2\3\232", close(1000, nil))
    assert.equal("\136\0", close(0, nil))
  end)

  it("cuts a reason to 123 bytes, between characters", function()
    assert.equal(2 + 125, #close(1000, ("x"):rep(200)))
    local text = close(1000, "x" .. ("ä"):rep(100))
    assert.equal("x" .. ("ä"):rep(61), text:sub(5))
  end)

  it("may carry only codes that a peer may send (§7.4)", function()
    local function valid(code)
      return C.tg_close_code_valid(code)
    end
    for _, code in ipairs({ 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999 }) do
      assert.is_true(valid(code), tostring(code))
    end
    for _, code in ipairs({ -1, 0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535 }) do
      assert.is_false(valid(code), tostring(code))
    end
  end)
end)
