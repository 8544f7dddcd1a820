local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("model", { "model/field.h" })

local KIND = { TEXT = 0, ENUM = 1, BOOL = 2, INT = 3, ID = 4, MAGIC = 5, TIME = 6, MONEY = 7, PERCENT = 8, PRICE = 9, LEVEL = 10, VOLUME = 11, OFFSET = 12 }

describe("record", function()
  local records

  before_each(function()
    records = ffi.new("struct tg_records")
  end)

  after_each(function()
    C.tg_records_fini(records)
  end)

  it("knows nothing when it is blank", function()
    for _, name in ipairs({ "account", "position", "order", "deal", "moment" }) do
      local entity = C["tg_" .. name .. "_entity"]
      local record = ffi.new("struct tgl_" .. name)
      ffi.fill(record, ffi.sizeof(record), 0x55)
      C["tg_" .. name .. "_blank"](record)
      for i = 0, entity.count - 1 do
        local f = entity.fields[i]
        local at = ffi.cast("char *", record) + f.offset
        local label = name .. "." .. ffi.string(f.name)
        if ffi.string(f.name) == "currency_digits" then
          assert.equal(2, ffi.cast("int32_t *", at)[0])
        elseif f.kind == KIND.TEXT then
          assert.equal("", ffi.string(at), label)
        elseif f.kind == KIND.MONEY or f.kind == KIND.PERCENT or f.kind == KIND.PRICE then
          local value = ffi.cast("double *", at)[0]
          assert.is_true(value ~= value, label)
        elseif f.kind == KIND.BOOL then
          assert.equal(-1, ffi.cast("int32_t *", at)[0], label)
        elseif f.kind == KIND.LEVEL or f.kind == KIND.VOLUME then
          assert.equal(0, ffi.cast("double *", at)[0], label)
        elseif f.kind == KIND.OFFSET then
          assert.equal(-2147483648, ffi.cast("int32_t *", at)[0], label)
        elseif f.size == 4 then
          assert.equal(0, ffi.cast("int32_t *", at)[0], label)
        else
          assert.is_true(ffi.cast("int64_t *", at)[0] == 0, label)
        end
      end
    end
  end)

  it("has no byte that a blank leaves as it was", function()
    local a, b = ffi.new("struct tgl_deal"), ffi.new("struct tgl_deal")
    ffi.fill(a, ffi.sizeof(a), 0xff)
    C.tg_deal_blank(a)
    C.tg_deal_blank(b)
    assert.equal(ffi.string(b, ffi.sizeof(b)), ffi.string(a, ffi.sizeof(a)))
  end)

  it("adds blank rows and keeps those before", function()
    for i = 1, 1000 do
      local row = C.tg_records_add_position(records)
      assert.equal(0, tonumber(row._ticket))
      assert.is_true(row._profit ~= row._profit)
      row._ticket = i
      local deal = C.tg_records_add_deal(records)
      assert.equal(0, tonumber(deal._ticket))
      deal._ticket = i * 2
    end
    assert.equal(1000, records.positions_count)
    assert.equal(1000, records.deals_count)
    for i = 1, 1000 do
      assert(tonumber(records.positions[i - 1]._ticket) == i)
      assert(tonumber(records.deals[i - 1]._ticket) == i * 2)
    end
  end)

  it("forgets everything on clear and keeps the memory", function()
    C.tg_records_add_position(records)
    C.tg_records_add_deal(records)
    records.account_known, records.positions_known, records.deals_known = true, true, true
    records.account._balance, records.account_fields, records.source_time_ms = 5, 7, 9
    local rows = records.positions
    C.tg_records_clear(records)
    assert.is_false(records.account_known or records.positions_known or records.deals_known)
    assert.equal(0, records.positions_count + records.deals_count)
    assert.is_true(records.account._balance ~= records.account._balance)
    assert.is_true(records.account_fields == 0 and records.source_time_ms == 0)
    assert.is_true(records.positions == rows)
    local row = C.tg_records_add_position(records)
    assert.is_true(row == rows)
    assert.equal(0, tonumber(row._ticket))
  end)

  it("is as new after it was freed, also twice", function()
    C.tg_records_add_position(records)
    C.tg_records_fini(records)
    C.tg_records_fini(records)
    assert.is_true(records.positions == nil and records.positions_cap == 0)
    assert.is_true(C.tg_records_add_position(records) ~= nil)
  end)
end)
