local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("model", { "model/store.h" })

describe("store", function()
  local store

  before_each(function()
    store = C.tg_store_new()
  end)

  after_each(function()
    C.tg_store_free(store)
  end)

  it("makes an account once and finds it by id and by slot", function()
    assert.is_true(C.tg_store_find(store, "a") == nil)
    local a = C.tg_store_open(store, "a")
    assert.equal("a", ffi.string(a.id))
    assert.is_true(C.tg_store_open(store, "a") == a)
    assert.is_true(C.tg_store_find(store, "a") == a)
    assert.is_true(C.tg_store_at(store, a.slot) == a)
    assert.equal(1, C.tg_store_count(store))
  end)

  it("tells ids apart exactly", function()
    local a, b = C.tg_store_open(store, "demo-1"), C.tg_store_open(store, "demo-10")
    assert.is_true(a ~= b)
    assert.is_true(C.tg_store_find(store, "Demo-1") == nil)
    assert.is_true(C.tg_store_find(store, "") == nil)
  end)

  it("gives dense slots", function()
    for i = 0, 199 do
      assert.equal(i, C.tg_store_open(store, "a" .. i).slot)
    end
    assert.equal(200, C.tg_store_slots(store))
    assert.is_true(C.tg_store_at(store, 200) == nil)
  end)

  it("reuses a slot, under another birth and with nothing left of the former user", function()
    local a = C.tg_store_open(store, "a")
    C.tg_store_open(store, "b")
    local slot, birth = a.slot, a.birth
    a.known, a.sweep = true, 3
    C.tg_store_drop(store, a)
    assert.is_true(C.tg_store_find(store, "a") == nil)
    assert.is_true(C.tg_store_at(store, slot) == nil)
    assert.equal(1, C.tg_store_count(store))
    local c = C.tg_store_open(store, "c")
    assert.equal(slot, c.slot)
    assert.is_true(c.birth > birth)
    assert.is_false(c.known)
    assert.equal(0, c.sweep)
    assert.equal(2, C.tg_store_slots(store))
  end)

  it("gives the same account a new birth when it comes back", function()
    local a = C.tg_store_open(store, "a")
    local birth = a.birth
    C.tg_store_drop(store, a)
    assert.is_true(C.tg_store_open(store, "a").birth ~= birth)
  end)

  it("stays consistent while accounts come and go", function()
    local open, slots = {}, {}
    math.randomseed(7)
    for step = 1, 5000 do
      local id = "acc" .. math.random(300)
      if open[id] then
        slots[open[id].slot] = nil
        C.tg_store_drop(store, open[id])
        open[id] = nil
      else
        local account = C.tg_store_open(store, id)
        assert.is_nil(slots[account.slot], "slot taken twice at step " .. step)
        open[id], slots[account.slot] = account, id
      end
    end
    local n = 0
    for id, account in pairs(open) do
      n = n + 1
      assert.is_true(C.tg_store_find(store, id) == account)
    end
    assert.equal(n, C.tg_store_count(store))
    assert.is_true(C.tg_store_slots(store) <= 300)
  end)

  it("takes an id of 64 characters and no longer one", function()
    local id = ("x"):rep(64)
    assert.equal(id, ffi.string(C.tg_store_open(store, id).id))
    assert.is_true(C.tg_store_open(store, id .. "y") == nil)
    assert.equal(1, C.tg_store_count(store))
  end)
end)
