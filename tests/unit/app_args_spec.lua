local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("app", { "app/args.h" })

describe("arguments", function()
  local options = ffi.new("struct tg_option[5]")
  options[0].name, options[0].value = "config", "FILE"
  options[1].name, options[1].value, options[1].many = "account", "ID", true
  options[2].name = "raw"
  options[3].name, options[3].value = "count", "N"

  local args, err, keep

  local function read(operands, ...)
    keep = { ... }
    args, err = ffi.new("struct tg_args"), ffi.new("struct tg_err")
    local argv = ffi.new("char *[?]", #keep + 1)
    for i, text in ipairs(keep) do
      keep[-i] = ffi.new("char[?]", #text + 1, text)
      argv[i - 1] = keep[-i]
    end
    keep.argv = argv
    return C.tg_args_read(args, options, operands, #keep, argv, err)
  end

  local function refused(...)
    assert.equal(-1, read(...))
    return ffi.string(err.text)
  end

  local function get(name)
    local value = C.tg_args_get(args, name)
    return value ~= nil and ffi.string(value) or nil
  end

  local function all(name)
    local cursor, list = ffi.new("int[1]"), {}
    while true do
      local value = C.tg_args_next(args, name, cursor)
      if value == nil then return list end
      list[#list + 1] = ffi.string(value)
    end
  end

  it("takes values apart and with an equals sign, switches, lists and operands", function()
    assert.equal(0, read(1, "--config", "a.lua", "--account=x", "rules/", "--raw", "--account", "y="))
    assert.equal("a.lua", get("config"))
    assert.same({ "x", "y=" }, all("account"))
    assert.same({ "rules/" }, all(nil))
    assert.equal("", get("raw"))
    assert.is_nil(get("count"))
  end)

  it("takes a value that looks like an option, and what stands behind --", function()
    assert.equal(0, read(1, "--config", "--raw", "--", "--raw"))
    assert.equal("--raw", get("config"))
    assert.is_nil(get("raw"))
    assert.same({ "--raw" }, all(nil))
    assert.equal(0, read(1, "-"))
    assert.same({ "-" }, all(nil))
  end)

  it("names what is wrong", function()
    assert.equal("there is no option --confg; did you mean --config?", refused(0, "--confg", "x"))
    assert.equal("there is no option --zzzzzzzz", refused(0, "--zzzzzzzz=1"))
    assert.equal("there is no option -c; options begin with --", refused(0, "-c"))
    assert.equal("--config needs a value: FILE", refused(0, "--config"))
    assert.equal("--config is empty: it needs a value: FILE", refused(0, "--config", ""))
    assert.equal("--config is empty: it needs a value: FILE", refused(0, "--config="))
    assert.equal("--account is empty: it needs a value: ID", refused(0, "--account", "a", "--account", ""))
    assert.equal("an argument is empty", refused(2, "a", ""))
    assert.equal("an argument is empty", refused(1, "--", ""))
    assert.equal("--raw takes no value", refused(0, "--raw=1"))
    assert.equal("--raw takes no value", refused(0, "--raw="))
    assert.equal("--config is given twice", refused(0, "--config", "a", "--config", "b"))
    assert.equal('"b" is one argument too many', refused(1, "a", "b"))
    assert.equal('"a" is one argument too many', refused(0, "a"))
    local many = {}
    for i = 1, 257 do many[i] = "--account=a" end
    assert.equal("more than 256 arguments", refused(0, unpack(many)))
  end)

  it("sees --help wherever it stands", function()
    assert.equal(0, read(0, "--config", "a", "-h", "--nonsense"))
    assert.is_true(args.help)
  end)

  it("reads numbers within their range", function()
    local out = ffi.new("long[1]", 7)
    assert.equal(0, read(0))
    assert.equal(0, C.tg_args_number(args, "count", 1, 9, out, err))
    assert.equal(7, tonumber(out[0]))
    read(0, "--count", "9")
    assert.equal(0, C.tg_args_number(args, "count", 1, 9, out, err))
    assert.equal(9, tonumber(out[0]))
    for _, text in ipairs({ "10", "0", "-1", "x", "1.5", " 1", "99999999999999999999" }) do
      read(0, "--count", text)
      assert.equal(-1, C.tg_args_number(args, "count", 1, 9, out, err))
      assert.is_truthy(ffi.string(err.text):find("--count: expected a whole number from 1 to 9", 1, true))
    end
    assert.equal(9, tonumber(out[0]))
  end)

  it("says which option is needed", function()
    read(0)
    assert.is_true(C.tg_args_need(args, "config", err) == nil)
    assert.equal("--config is needed", ffi.string(err.text))
  end)
end)
