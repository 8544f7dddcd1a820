local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("base", { "base/buf.h" })

describe("buf", function()
  local buf

  before_each(function()
    buf = ffi.new("struct tg_buf")
  end)

  after_each(function()
    C.tg_buf_fini(buf)
  end)

  local function text()
    return ffi.string(buf.data, buf.len)
  end

  it("appends pieces and stays terminated", function()
    C.tg_buf_puts(buf, "ab")
    C.tg_buf_add(buf, "c\0d", 3)
    C.tg_buf_putc(buf, 33)
    assert.equal("abc\0d!", text())
    assert.equal(0, buf.data[buf.len])
  end)

  it("grows far beyond its first size", function()
    for _ = 1, 1000 do
      C.tg_buf_puts(buf, "0123456789")
    end
    assert.equal(("0123456789"):rep(1000), text())
  end)

  it("consumes from the front, and no more than there is", function()
    C.tg_buf_puts(buf, "hello world")
    C.tg_buf_consume(buf, 6)
    assert.equal("world", text())
    C.tg_buf_consume(buf, 99)
    assert.equal(0, tonumber(buf.len))
  end)

  it("refuses a size that cannot be and says so once", function()
    C.tg_buf_puts(buf, "kept")
    assert.equal(-2, C.tg_buf_reserve(buf, ffi.cast("size_t", -1)))
    assert.is_true(buf.failed)
    C.tg_buf_puts(buf, "dropped")
    assert.equal("kept", text())
  end)

  it("gives its memory away", function()
    C.tg_buf_puts(buf, "mine")
    local data = C.tg_buf_take(buf)
    assert.equal("mine", ffi.string(data))
    assert.is_true(buf.data == nil)
    ffi.C.free(data)
  end)
end)
