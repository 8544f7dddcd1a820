local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("base", { "base/histogram.h" })

describe("histogram", function()
  local histogram, out

  before_each(function()
    histogram = ffi.new("struct tg_histogram")
    out = ffi.gc(ffi.new("struct tg_buf"), C.tg_buf_fini)
  end)

  local function text()
    C.tg_histogram_write(histogram, out, "tidegate_poll_seconds", "How long polls took.")
    return ffi.string(out.data, out.len)
  end

  it("writes cumulative buckets in seconds, the last as +Inf, with sum and count", function()
    for _, us in ipairs({ 0, 100, 101, 999999, 1000001, 99000000 }) do
      C.tg_histogram_note(histogram, us)
    end
    local page = text()
    assert.truthy(page:find("# HELP tidegate_poll_seconds How long polls took.\n# TYPE tidegate_poll_seconds histogram\n", 1, true))
    assert.truthy(page:find('_bucket{le="0.0001"} 2\n', 1, true))
    assert.truthy(page:find('_bucket{le="0.00025"} 3\n', 1, true))
    assert.truthy(page:find('_bucket{le="0.25"} 3\n', 1, true))
    assert.truthy(page:find('_bucket{le="1"} 4\n', 1, true))
    assert.truthy(page:find('_bucket{le="10"} 5\n', 1, true))
    assert.truthy(page:find('_bucket{le="+Inf"} 6\n', 1, true))
    assert.truthy(page:find("_sum 101.000201\n", 1, true))
    assert.truthy(page:find("_count 6\n", 1, true))
  end)

  it("has buckets that never go down", function()
    math.randomseed(3)
    for _ = 1, 1000 do
      C.tg_histogram_note(histogram, math.random(20000000))
    end
    local before, n = 0, 0
    for count in text():gmatch("} (%d+)") do
      assert.is_true(tonumber(count) >= before)
      before, n = tonumber(count), n + 1
    end
    assert.equal(1000, before)
    assert.equal(14, n)
  end)

  it("takes a clock that went back for no time at all", function()
    C.tg_histogram_note(histogram, -5)
    assert.truthy(text():find("_sum 0.000000\n", 1, true))
  end)
end)
