local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("base", { "base/log.h", "base/json.h" })

ffi.cdef([[
FILE *tmpfile(void);
void rewind(FILE *file);
size_t fread(void *out, size_t size, size_t n, FILE *file);
int fclose(FILE *file);
]])

local DEBUG, INFO, WARN, ERROR = 0, 1, 2, 3
local TEXT, JSON = 0, 1

describe("log", function()
  local file, clock

  before_each(function()
    file = ffi.C.tmpfile()
    clock = ffi.new("struct tg_clock_virtual")
    C.tg_clock_virtual_init(clock, 1000, 1700000000007)
    C.tg_log_clock(clock.clock)
    C.tg_log_setup(INFO, JSON, file)
  end)

  after_each(function()
    C.tg_log_setup(INFO, JSON, nil)
    C.tg_log_clock(nil)
    ffi.C.fclose(file)
  end)

  -- All that was written so far, as lines.
  local function lines()
    local buffer = ffi.new("char[1048576]")
    ffi.C.rewind(file)
    local text = ffi.string(buffer, ffi.C.fread(buffer, 1, 1048576, file))
    assert.is_true(text == "" or text:sub(-1) == "\n")
    local all = {}
    for line in text:gmatch("(.-)\n") do
      all[#all + 1] = line
    end
    return all
  end

  local function fields(...)
    local list = { ... }
    local out = ffi.new("struct tg_kv[?]", #list + 1)
    for i, f in ipairs(list) do
      out[i - 1].key = f[1]
      if type(f[2]) == "string" then out[i - 1].text = f[2] else out[i - 1].number = f[2] end
    end
    return out
  end

  local function write(level, event, ...)
    C.tg_log_write(level, "test", event, fields(...))
  end

  -- The members of a JSON line in order; fails when it is not one JSON object of scalars.
  local function members(line)
    local json, err, out = ffi.new("struct tg_json"), ffi.new("struct tg_err"), {}
    assert.equal(0, C.tg_json_parse(json, line, #line, err), ffi.string(err.text) .. line)
    assert.equal(6, json.tokens[0].type)
    for i = 1, json.count - 1, 2 do
      local text = ffi.new("struct tg_buf")
      C.tg_json_unescape(text, json.tokens[i + 1])
      local value = text.data ~= nil and ffi.string(text.data, text.len) or ""
      C.tg_buf_fini(text)
      out[#out + 1] = { ffi.string(json.tokens[i].text, json.tokens[i].len), value }
      out[out[#out][1]] = value
    end
    C.tg_json_fini(json)
    return out
  end

  it("writes one JSON object a line: time, level, module, event, then the fields", function()
    write(INFO, "opened", { "account", "demo-1" }, { "port", 8080 }, { "ticket", 9223372036854775807LL })
    local m = members(lines()[1])
    assert.same({ { "time", "2023-11-14T22:13:20.007Z" }, { "level", "info" }, { "module", "test" }, { "event", "opened" },
      { "account", "demo-1" }, { "port", "8080" }, { "ticket", "9223372036854775807" } }, { unpack(m) })
  end)

  it("stays one line of valid JSON whatever strangers put into a field", function()
    local all = {}
    for byte = 1, 255 do
      all[byte] = string.char(byte)
    end
    local hostile = { table.concat(all), 'a","level":"error', "x\ny", "\r\n{}", "\\", '"', "\xff\xfe", ("long"):rep(10000), "",
      "\27[2J\27]0;owned\7", "\xe2\x80\xa8", "é" }
    for _, text in ipairs(hostile) do
      write(INFO, "hostile", { "value", text })
    end
    local written = lines()
    assert.equal(#hostile, #written)
    for i, line in ipairs(written) do
      assert.is_nil(line:find("[%z\1-\31\127]"))
      local m = members(line)
      assert.equal(5, #m)
      assert.equal("info", m.level)
      if not hostile[i]:find("[\128-\255]") then assert.equal(hostile[i], m.value) end
    end
  end)

  it("masks whatever looks like a token, in both forms, wherever it was put", function()
    local jws = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
    write(INFO, "refused", { "path", "/ws/account/" .. jws }, { "reason", "token=" .. jws .. "&x=1" })
    C.tg_log_setup(INFO, TEXT, file)
    write(INFO, "refused", { "path", "/ws/account/" .. jws })
    local written = lines()
    assert.equal(2, #written)
    assert.equal("/ws/account/[redacted]", members(written[1]).path)
    assert.equal("token=[redacted]&x=1", members(written[1]).reason)
    assert.equal("22:13:20 info  test refused path=/ws/account/[redacted]", written[2])
  end)

  it("moves no terminal's cursor in its text form", function()
    C.tg_log_setup(INFO, TEXT, file)
    write(INFO, "hostile", { "value", "a\27[2Jb\nc\127d\194\155e\194\133f é \194" }, { "n", -5 })
    local written = lines()
    assert.equal(1, #written)
    assert.equal("22:13:20 info  test hostile value=a.[2Jb.c.d.e.f é \194 n=-5", written[1])
  end)

  it("is silent below its level", function()
    C.tg_log_setup(WARN, JSON, file)
    assert.is_false(C.tg_log_on(INFO))
    assert.is_true(C.tg_log_on(WARN))
    write(DEBUG, "a")
    write(INFO, "b")
    write(WARN, "c")
    write(ERROR, "d")
    local written = lines()
    assert.equal(2, #written)
    assert.equal("warn", members(written[1]).level)
    assert.equal("error", members(written[2]).level)
  end)

  it("says the same fault at most once a second, and how often it was held back", function()
    for _ = 1, 1000 do
      write(ERROR, "down")
    end
    assert.equal(1, #lines())
    C.tg_clock_virtual_advance(clock, 999)
    write(ERROR, "down")
    assert.equal(1, #lines())
    C.tg_clock_virtual_advance(clock, 1)
    write(ERROR, "down", { "code", "X" })
    local written = lines()
    assert.equal(2, #written)
    assert.is_nil(members(written[1]).repeated)
    assert.equal("1000", members(written[2]).repeated)
    assert.equal("X", members(written[2]).code)
    C.tg_clock_virtual_advance(clock, 5000)
    write(ERROR, "down")
    assert.is_nil(members(lines()[3]).repeated)
  end)

  it("holds no information back, only faults", function()
    for _ = 1, 10 do
      write(INFO, "same")
    end
    assert.equal(10, #lines())
  end)

  it("holds each kind of fault back for itself, however many kinds there are", function()
    for _ = 1, 3 do
      for kind = 1, 60 do
        write(WARN, "kind" .. kind)
      end
    end
    assert.equal(60, #lines())
    C.tg_clock_virtual_advance(clock, 1000)
    for kind = 1, 60 do
      write(WARN, "kind" .. kind)
    end
    local written = lines()
    assert.equal(120, #written)
    for i = 61, 120 do
      assert.equal("2", members(written[i]).repeated)
    end
  end)

  it("goes on writing when there are more kinds of faults than it can hold back", function()
    for kind = 1, 300 do
      write(WARN, "kind" .. kind)
    end
    assert.equal(300, #lines())
  end)

  it("never holds the audit stream back and never filters it", function()
    C.tg_log_setup(ERROR, JSON, file)
    for _ = 1, 5 do
      C.tg_audit_write("auth", "refused", fields({ "subject", "alice" }))
    end
    local written = lines()
    assert.equal(5, #written)
    assert.equal("audit", members(written[5]).level)
    assert.equal("alice", members(written[5]).subject)
  end)

  it("keeps thirty fields and the count of what was held back", function()
    local many = {}
    for i = 1, 40 do
      many[i] = { "f" .. i, i }
    end
    write(WARN, "many", unpack(many))
    write(WARN, "many", unpack(many))
    C.tg_clock_virtual_advance(clock, 1000)
    write(WARN, "many", unpack(many))
    local m = members(lines()[2])
    assert.equal("30", m.f30)
    assert.is_nil(m.f31)
    assert.equal("1", m.repeated)
  end)
end)
