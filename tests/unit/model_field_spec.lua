local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("model", { "model/field.h" })

local ENTITIES = {
  account = C.tg_account_entity, position = C.tg_position_entity, order = C.tg_order_entity, deal = C.tg_deal_entity, moment = C.tg_moment_entity,
}
local TEXT, ENUM, BOOL, INT, ID, MAGIC, TIME, MONEY, PERCENT, PRICE, LEVEL, VOLUME, OFFSET = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
local NAN = 0 / 0

local function blank(name)
  local record = ffi.new("struct tgl_" .. name)
  C["tg_" .. name .. "_blank"](record)
  return record
end

local function field(name, of)
  local f = C.tg_field_find(ENTITIES[name], of)
  assert(f ~= nil, of)
  return f
end

local function set_text(record, name, of, text)
  local f = field(name, of)
  ffi.fill(ffi.cast("char *", record) + f.offset, f.size)
  ffi.copy(ffi.cast("char *", record) + f.offset, text, #text)
end

local function written(name, of, record, ids_as_text)
  local out = ffi.new("struct tg_buf")
  C.tg_field_write(out, ENTITIES[name], field(name, of), record, ids_as_text or false)
  local text = ffi.string(out.data, out.len)
  C.tg_buf_fini(out)
  return text
end

-- The names of the fields that differ.
local function diff(name, a, b)
  local bits, names = C.tg_entity_diff(ENTITIES[name], a, b), {}
  for i = 0, ENTITIES[name].count - 1 do
    if bit.band(bits, bit.lshift(1ULL, i)) ~= 0 then names[#names + 1] = ffi.string(ENTITIES[name].fields[i].name) end
  end
  return names
end

describe("field", function()
  it("is listed once, documented, and fits a bit of the mask", function()
    for name, entity in pairs(ENTITIES) do
      local seen = {}
      assert.equal(name, ffi.string(entity.name))
      assert.is_true(entity.count > 0 and entity.count <= 64)
      for i = 0, entity.count - 1 do
        local f = entity.fields[i]
        local key = ffi.string(f.name)
        assert.is_nil(seen[key], key)
        seen[key] = true
        assert.is_true(#ffi.string(f.doc) > 0)
        assert.is_true(f.kind <= OFFSET)
        assert.equal(f.kind == ENUM, f.names ~= nil)
        assert.is_true(C.tg_field_bit(entity, entity.fields + i) == bit.lshift(1ULL, i))
        assert.is_true(C.tg_field_find(entity, key) == entity.fields + i)
      end
    end
  end)

  it("lies where LuaJIT believes it to lie", function()
    for name, entity in pairs(ENTITIES) do
      local struct = "struct tgl_" .. name
      assert.equal(entity.size, ffi.sizeof(struct))
      for i = 0, entity.count - 1 do
        local f = entity.fields[i]
        local member = "_" .. ffi.string(f.name) .. (f.kind == TEXT and "_0" or "")
        assert.equal(f.offset, ffi.offsetof(struct, member), name .. "." .. member)
        if f.kind == TEXT then
          assert.equal(0, f.size % 8)
          assert.is_number(ffi.offsetof(struct, "_" .. ffi.string(f.name) .. "_" .. (f.size / 8 - 1)))
        end
      end
      assert.equal(ffi.offsetof(struct, "_currency_digits"), entity.currency_digits)
      assert.equal(ffi.offsetof(struct, "_digits") or 65535, entity.digits)
    end
  end)

  it("starts every list of names with what is not known", function()
    for _, entity in pairs(ENTITIES) do
      for i = 0, entity.count - 1 do
        local f = entity.fields[i]
        if f.kind == ENUM then
          local first = ffi.string(f.names[0])
          assert.is_true(first == "unknown" or first == "none")
        end
      end
    end
  end)

  it("is found by its name and by nothing else", function()
    assert.is_true(C.tg_field_find(ENTITIES.account, "margin_levle") == nil)
    assert.is_true(C.tg_field_find(ENTITIES.account, "") == nil)
    assert.is_true(C.tg_field_find(ENTITIES.account, "Balance") == nil)
    assert.is_true(C.tg_field_find(ENTITIES.account, "price_open") == nil)
    assert.equal("margin_level", ffi.string(C.tg_field_nearest(ENTITIES.account, "margin_levle")))
    assert.equal("price_open", ffi.string(C.tg_field_nearest(ENTITIES.position, "price_opn")))
    assert.is_true(C.tg_field_nearest(ENTITIES.account, "qqqqqqqqqq") == nil)
  end)

  it("says which fields differ, and no others", function()
    local a, b = blank("account"), blank("account")
    assert.same({}, diff("account", a, b))
    b._balance, b._leverage, b._margin_mode, b._trade_allowed = 100, 200, 3, 1
    set_text(b, "account", "currency", "EUR")
    assert.same({ "currency", "balance", "leverage", "margin_mode", "trade_allowed" }, diff("account", a, b))
    assert.same(diff("account", a, b), diff("account", b, a))
  end)

  it("compares money at the currency's decimals and prices at the symbol's", function()
    local a, b = blank("position"), blank("position")
    a._digits, b._digits = 5, 5
    a._profit, b._profit = 0.1 + 0.2, 0.3
    a._price_current, b._price_current = 1.085, 1.0850000001
    assert.same({}, diff("position", a, b))
    b._profit, b._price_current = 0.31, 1.08501
    assert.same({ "price_current", "profit" }, diff("position", a, b))
    a._currency_digits, b._currency_digits = 0, 0
    assert.same({ "price_current" }, diff("position", a, b))
  end)

  it("compares at the finer decimals when the two disagree", function()
    local a, b = blank("position"), blank("position")
    a._digits, b._digits = 2, 3
    a._price_current, b._price_current = 1.001, 1.002
    assert.same({ "price_current", "digits" }, diff("position", a, b))
  end)

  it("compares volumes at eight decimals and percents at two", function()
    local a, b = blank("position"), blank("position")
    a._volume, b._volume = 0.01, 0.01000000001
    assert.same({}, diff("position", a, b))
    b._volume = 0.01000001
    assert.same({ "volume" }, diff("position", a, b))
    local x, y = blank("account"), blank("account")
    x._margin_level, y._margin_level = 150.001, 150.004
    assert.same({}, diff("account", x, y))
    y._margin_level = 150.006
    assert.same({ "margin_level" }, diff("account", x, y))
  end)

  it("tells tickets apart that differ in the last of 64 bits", function()
    local a, b = blank("position"), blank("position")
    a._ticket, b._ticket = 4611686018427387904ULL, 4611686018427387905ULL
    a._magic, b._magic = -9007199254740993LL, -9007199254740992LL
    assert.same({ "ticket", "magic" }, diff("position", a, b))
  end)

  it("takes not known as a value of its own", function()
    local a, b = blank("account"), blank("account")
    b._equity = 0
    b._trade_allowed = 0
    assert.same({ "equity", "trade_allowed" }, diff("account", a, b))
  end)

  it("does not call a zero of the other sign a change", function()
    local a, b = blank("account"), blank("account")
    a._profit, b._profit = 0, -0.0
    assert.same({}, diff("account", a, b))
  end)

  it("writes null for what is not known or not set", function()
    local account, position = blank("account"), blank("position")
    for _, name in ipairs({ "balance", "margin_level", "trade_allowed" }) do
      assert.equal("null", written("account", name, account), name)
    end
    for _, name in ipairs({ "sl", "tp", "price_open", "time_open", "profit" }) do
      assert.equal("null", written("position", name, position), name)
    end
    account._balance = 1 / 0
    assert.equal("null", written("account", "balance", account))
  end)

  it("writes each kind in its form", function()
    local a, p = blank("account"), blank("position")
    a._balance, a._margin_level, a._leverage, a._trade_allowed, a._margin_mode = 10050, 1234.567, 100, 1, 3
    set_text(a, "account", "name", 'O"Neil é')
    assert.equal("10050.00", written("account", "balance", a))
    assert.equal("1234.57", written("account", "margin_level", a))
    assert.equal("100", written("account", "leverage", a))
    assert.equal("true", written("account", "trade_allowed", a))
    assert.equal('"hedging"', written("account", "margin_mode", a))
    assert.equal('"O\\"Neil é"', written("account", "name", a))
    p._digits, p._price_open, p._sl, p._side, p._time_open = 5, 1.085, 1.08, 2, 1700000000007
    assert.equal("1.08500", written("position", "price_open", p))
    assert.equal("1.08000", written("position", "sl", p))
    assert.equal('"sell"', written("position", "side", p))
    assert.equal('"2023-11-14T22:13:20.007Z"', written("position", "time_open", p))
    a._currency_digits, a._balance = 0, 1500000.4
    assert.equal("1500000", written("account", "balance", a))
    a._trade_allowed = 0
    assert.equal("false", written("account", "trade_allowed", a))
  end)

  it("writes lots with two decimals at least and as many as they have", function()
    local p = blank("position")
    for volume, text in pairs({ [1] = "1.00", [0.1] = "0.10", [0.01] = "0.01", [0.001] = "0.001", [0.12345678] = "0.12345678",
      [100] = "100.00", [0.1 + 0.2] = "0.30", [0] = "0.00", [2.5] = "2.50" }) do
      p._volume = volume
      assert.equal(text, written("position", "volume", p))
    end
    p._volume = NAN
    assert.equal("null", written("position", "volume", p))
  end)

  it("writes ids with their exact digits, or as text when that is asked", function()
    local p = blank("position")
    p._ticket, p._magic = 18446744073709551615ULL, -9007199254740993LL
    assert.equal("18446744073709551615", written("position", "ticket", p))
    assert.equal('"18446744073709551615"', written("position", "ticket", p, true))
    assert.equal("-9007199254740993", written("position", "magic", p))
    assert.equal('"-9007199254740993"', written("position", "magic", p, true))
  end)

  it("writes unknown for an index that the list does not have", function()
    local p = blank("position")
    for _, index in ipairs({ -1, 3, 99, 2147483647, -2147483648 }) do
      p._side = index
      assert.equal('"unknown"', written("position", "side", p))
    end
  end)

  it("stops at the end of a text without a terminator", function()
    local a = blank("account")
    set_text(a, "account", "currency", ("X"):rep(16))
    assert.equal('"' .. ("X"):rep(16) .. '"', written("account", "currency", a))
  end)

  it("gives an offset in seconds, and none where it is not known", function()
    local a = blank("account")
    local offset = field("account", "utc_offset_s")
    assert.equal("null", written("account", "utc_offset_s", a))
    local none = C.tg_field_number(offset, a)
    assert.is_true(none ~= none)
    a._utc_offset_s = -18000
    assert.equal("-18000", written("account", "utc_offset_s", a))
    assert.equal(-18000, C.tg_field_number(offset, a))
    assert.same({ "utc_offset_s" }, diff("account", a, blank("account")))
  end)

  it("gives numbers as numbers", function()
    local a, p = blank("account"), blank("position")
    a._balance, a._leverage = 12.5, 30
    p._ticket, p._magic, p._time_open = 18446744073709551615ULL, -5, 1700000000007
    assert.equal(12.5, C.tg_field_number(field("account", "balance"), a))
    assert.equal(30, C.tg_field_number(field("account", "leverage"), a))
    assert.equal(2 ^ 64, C.tg_field_number(field("position", "ticket"), p))
    assert.equal(-5, C.tg_field_number(field("position", "magic"), p))
    assert.equal(1700000000007, C.tg_field_number(field("position", "time_open"), p))
    local none = C.tg_field_number(field("account", "currency"), a)
    assert.is_true(none ~= none)
    none = C.tg_field_number(field("position", "side"), p)
    assert.is_true(none ~= none)
  end)

  it("knows the decimals of each kind", function()
    local p = blank("position")
    p._digits, p._currency_digits = 3, 0
    for name, digits in pairs({ price_open = 3, sl = 3, profit = 0, volume = 8, ticket = 0, side = 0, symbol = 0 }) do
      assert.equal(digits, C.tg_field_digits(ENTITIES.position, field("position", name), p), name)
    end
    assert.equal(2, C.tg_field_digits(ENTITIES.account, field("account", "margin_level"), blank("account")))
  end)

  it("has every kind in use, so that none is untested", function()
    local seen = {}
    for _, entity in pairs(ENTITIES) do
      for i = 0, entity.count - 1 do
        seen[entity.fields[i].kind] = true
      end
    end
    for _, kind in ipairs({ TEXT, ENUM, BOOL, INT, ID, MAGIC, TIME, MONEY, PERCENT, PRICE, LEVEL, VOLUME, OFFSET }) do
      assert.is_true(seen[kind], kind)
    end
  end)
end)
