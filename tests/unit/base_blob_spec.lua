local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("base", { "base/blob.h" })

describe("blob", function()
  local before

  local function alive()
    return tonumber(C.tg_blob_bytes_alive()) - before
  end

  before_each(function()
    before = tonumber(C.tg_blob_bytes_alive())
  end)

  it("copies its bytes and is counted while it lives", function()
    local source = ffi.new("char[4]", "abc")
    local blob = C.tg_blob_new(source, 3)
    ffi.copy(source, "xyz")
    assert.equal("abc", ffi.string(blob.data, blob.len))
    assert.equal(3, alive())
    C.tg_blob_unref(blob)
    assert.equal(0, alive())
  end)

  it("lives until its last owner gives it back", function()
    local blob = C.tg_blob_new("shared", 6)
    for _ = 1, 1000 do
      assert.is_true(C.tg_blob_ref(blob) == blob)
    end
    for _ = 1, 1000 do
      C.tg_blob_unref(blob)
      assert.equal(6, alive())
    end
    assert.equal("shared", ffi.string(blob.data, blob.len))
    C.tg_blob_unref(blob)
    assert.equal(0, alive())
  end)

  it("may be empty, and may be filled later", function()
    local empty, blank = C.tg_blob_new(nil, 0), C.tg_blob_new(nil, 100)
    assert.equal(0, empty.len)
    assert.equal(100, blank.len)
    ffi.fill(blank.data, 100, 1)
    assert.equal(100, alive())
    C.tg_blob_unref(empty)
    C.tg_blob_unref(blank)
    assert.equal(0, alive())
  end)

  it("gives nothing back for nothing", function()
    C.tg_blob_unref(nil)
    assert.equal(0, alive())
  end)

  it("refuses a size that its length cannot hold", function()
    assert.is_true(C.tg_blob_new(nil, 2 ^ 32) == nil)
    assert.is_true(C.tg_blob_new(nil, ffi.cast("size_t", -1)) == nil)
    assert.equal(0, alive())
  end)
end)
