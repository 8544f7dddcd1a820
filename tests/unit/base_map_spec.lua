local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("base", { "base/map.h", "base/rand.h" })

describe("map", function()
  local map, old

  before_each(function()
    map, old = ffi.new("struct tg_map"), ffi.new("void *[1]")
  end)

  after_each(function()
    C.tg_map_fini(map)
  end)

  local function value(n)
    return ffi.cast("void *", n)
  end

  local function number(pointer)
    if pointer == nil then return nil end
    return tonumber(ffi.cast("uintptr_t", pointer))
  end

  local function put(key, n)
    old[0] = nil
    assert(C.tg_map_put(map, key, #key, value(n), old) == 0)
    return number(old[0])
  end

  local function get(key)
    return number(C.tg_map_get(map, key, #key))
  end

  it("has nothing when it is new", function()
    assert.is_nil(get("x"))
    assert.is_nil(number(C.tg_map_remove(map, "x", 1)))
    assert.is_true(C.tg_map_next(map, ffi.new("size_t[1]")) == nil)
  end)

  it("keeps, replaces and removes", function()
    assert.is_nil(put("a", 1))
    assert.equal(1, put("a", 2))
    assert.equal(2, get("a"))
    assert.equal(1, tonumber(map.count))
    assert.equal(2, number(C.tg_map_remove(map, "a", 1)))
    assert.is_nil(get("a"))
    assert.equal(0, tonumber(map.count))
  end)

  it("takes a replacement without telling the old value when nobody asks", function()
    put("a", 1)
    assert.equal(0, C.tg_map_put(map, "a", 1, value(2), nil))
    assert.equal(2, get("a"))
  end)

  it("copies its keys", function()
    local key = ffi.new("char[4]", "key")
    assert.equal(0, C.tg_map_put(map, key, 3, value(1), nil))
    ffi.copy(key, "xyz")
    assert.equal(1, get("key"))
    assert.is_nil(get("xyz"))
  end)

  it("tells keys apart that differ in length, in a NUL or in the last byte", function()
    local keys = { "", "\0", "\0\0", "a", "a\0", "aaaaaaa", "aaaaaaaa", "aaaaaaaaa", "aaaaaaaab", "aaaaaaaa\0" }
    for i, key in ipairs(keys) do
      assert.is_nil(put(key, i))
    end
    for i, key in ipairs(keys) do
      assert.equal(i, get(key))
    end
    assert.equal(#keys, tonumber(map.count))
  end)

  it("behaves as a Lua table through a hundred thousand random operations", function()
    local rng, mirror, count = ffi.new("struct tg_rng", { 42 }), {}, 0
    for step = 1, 100000 do
      local r = tonumber(C.tg_rng_below(rng, 3000))
      local key = ("account-%d"):format(r)
      local what = tonumber(C.tg_rng_below(rng, 10))
      local grow = step % 40000 < 20000
      if what < (grow and 6 or 3) then
        local was = put(key, step)
        assert(was == mirror[key])
        if not mirror[key] then count = count + 1 end
        mirror[key] = step
      elseif what < 8 then
        assert(number(C.tg_map_remove(map, key, #key)) == mirror[key])
        if mirror[key] then count = count - 1 end
        mirror[key] = nil
      else
        assert(get(key) == mirror[key])
      end
      assert(tonumber(map.count) == count)
    end
    for r = 0, 2999 do
      local key = ("account-%d"):format(r)
      assert(get(key) == mirror[key])
    end
    local cursor, seen = ffi.new("size_t[1]"), 0
    while true do
      local slot = C.tg_map_next(map, cursor)
      if slot == nil then break end
      assert(mirror[ffi.string(slot.key, slot.len)] == number(slot.value))
      seen = seen + 1
    end
    assert.equal(count, seen)
  end)

  it("does not grow when keys come and go", function()
    for round = 1, 5000 do
      put("k" .. round, round)
      if round > 10 then
        local gone = "k" .. (round - 10)
        C.tg_map_remove(map, gone, #gone)
      end
    end
    assert.is_true(tonumber(map.cap) <= 32)
  end)

  it("keeps a quarter of its slots free, so a search always ends", function()
    for i = 1, 3000 do
      put("k" .. i, i)
      assert(map.count * 4 <= map.cap * 3)
    end
  end)
end)
