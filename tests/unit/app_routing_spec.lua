-- Where accounts are found: the table of rows, and the order of function, table and default.
local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("app", { "app/config.h", "app/routing_table.h", "app/router.h" })
local libuv = ffi.load("uv.so.1")

ffi.cdef([[
size_t uv_loop_size(void);
int uv_loop_init(uv_loop_t *);
int uv_loop_close(uv_loop_t *);
int uv_run(uv_loop_t *, int mode);
]])

local ENOTFOUND, EINVAL = -5, -1

local SOURCES = [[ sources = { main = { url = "http://main:1" }, other = { url = "http://other:2" }, bare = {},
  sim = { driver = "sim" } },
  auth = { keys = { { algorithm = "HS256", secret = ("s"):rep(32) } } }, ]]

describe("routing", function()
  local folder, config, err

  local function write(name, text)
    local file = assert(io.open(folder .. "/" .. name .. "~", "wb"))
    file:write(text)
    file:close()
    os.rename(folder .. "/" .. name .. "~", folder .. "/" .. name)
  end

  local function configure(text)
    write("gateway.lua", "return {" .. SOURCES .. text .. "}")
    local out = ffi.new("struct tg_config *[1]")
    err = ffi.new("struct tg_err")
    local rc = C.tg_config_load(folder .. "/gateway.lua", out, err)
    assert(rc == 0, ffi.string(err.text))
    config = out[0]
  end

  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    os.execute("mkdir -p " .. folder)
    err = ffi.new("struct tg_err")
  end)

  after_each(function()
    if config then C.tg_config_free(config) end
    config = nil
    os.execute("rm -rf " .. folder)
  end)

  -- The routing as a Lua table, or nil and the reason.
  local function told(rc, out)
    if rc ~= 0 then return nil, rc == ENOTFOUND and "not found" or ffi.string(err.text) end
    if out[0] == nil then return "default" end
    local route, result = out[0].route, {}
    for _, name in ipairs({ "source", "login", "url" }) do
      if route[name] ~= nil then result[name] = ffi.string(route[name]) end
    end
    for i = 0, route.headers_count - 1 do
      result.headers = result.headers or {}
      result.headers[ffi.string(route.headers[i].name)] = ffi.string(route.headers[i].value)
    end
    result.upstream = ffi.string(config.sources[out[0].upstream].name)
    C.tg_routing_free(out[0])
    return result
  end

  describe("table", function()
    local table_

    before_each(function()
      configure('routes = { file = "routes.json" },')
      table_ = C.tg_routing_table_new(config)
    end)

    after_each(function() C.tg_routing_table_free(table_) end)

    local function take(text)
      local buf = ffi.new("struct tg_buf")
      C.tg_buf_puts(buf, text)
      local rc = C.tg_routing_table_take(table_, buf, err)
      assert.is_true(buf.data == nil)
      return rc, ffi.string(err.text)
    end

    local function find(id)
      local out = ffi.new("struct tg_routing *[1]")
      err = ffi.new("struct tg_err")
      return told(C.tg_routing_table_find(table_, id, out, err), out)
    end

    it("tells source, login, url and headers of an account", function()
      assert.equal(1, take([[{"a": {"source": "other", "login": 9007199254740993, "url": "https://b/x", "headers": {"X-Key": "k"}},
        "b": "other", "c": {}, "d": {"login": "7", "url": null}, "e": null}]]))
      assert.same({ source = "other", upstream = "other", login = "9007199254740993", url = "https://b/x",
        headers = { ["X-Key"] = "k" } }, find("a"))
      assert.same({ source = "other", upstream = "other" }, find("b"))
      assert.same({ upstream = "main" }, find("c"))
      assert.same({ login = "7", upstream = "main" }, find("d"))
      assert.same({ nil, "not found" }, { find("e") })
      assert.same({ nil, "not found" }, { find("aa") })
      assert.equal(5, C.tg_routing_table_count(table_))
    end)

    it("makes a faulty row the fault of its account alone", function()
      assert.equal(1, take([[{"good": "other", "1": 5, "2": {"source": "othr"}, "3": {"url": "ftp://x"},
        "4": {"url": "http://u:p@x"}, "5": {"headers": []}, "6": {"headers": {"Host:": "x"}}, "7": {"logn": "1"},
        "8": {"login": ""}, "9": {"login": true}, "10": {"source": "bare"}, "11": {"headers": {"X": "a\nb"}},
        "12": {"headers": {"X": "1", "x": "2"}}, "13": {"login": "a\u0000b"}, "14": "nowhere",
        "15": {"headers": {"Content-Length": "0"}}, "16": [],
        "17": {"source": "sim", "url": "http://x"} }]]))
      local function wrong(id, wanted)
        local got, why = find(id)
        assert.is_nil(got, id)
        assert.is_truthy(why:find(wanted, 1, true), id .. ": " .. why)
      end
      assert.same({ source = "other", upstream = "other" }, find("good"))
      wrong("1", "neither an object nor the name of a source")
      wrong("2", 'there is no source "othr"; did you mean "other"?')
      wrong("3", "its url: ")
      wrong("4", "its url: ")
      wrong("5", "its headers are not an object")
      wrong("6", "its headers: a header's name is malformed")
      wrong("7", 'a route has no "logn"; did you mean "login"?')
      wrong("8", "its login is empty")
      wrong("9", 'its "login" is not a text')
      wrong("10", "it has no url, and neither has its source")
      wrong("11", "its headers: the header X has a control character")
      wrong("12", "is given twice")
      wrong("13", 'its "login" is not a text')
      wrong("14", 'there is no source "nowhere"')
      wrong("15", "cannot be set")
      wrong("16", "neither an object")
      wrong("17", 'which the driver "sim" of source sim does not take')
    end)

    it("keeps what it had when the new one is no table", function()
      assert.equal(1, take('{"a": "other"}'))
      assert.equal(0, take('{"a": "other"}'))
      for _, bad in ipairs({ "", "[]", '{"a": "main"', '{"a": "main", "a": "other"}', "null", '"x"' }) do
        local rc = take(bad)
        assert.equal(EINVAL, rc, bad)
        assert.same({ source = "other", upstream = "other" }, find("a"))
      end
      assert.equal(1, take("{}"))
      assert.same({ nil, "not found" }, { find("a") })
    end)
  end)

  describe("order", function()
    local loop, router

    local function open(text)
      configure(text)
      loop = ffi.cast("uv_loop_t *", ffi.C.calloc(1, libuv.uv_loop_size()))
      assert(libuv.uv_loop_init(loop) == 0)
      local out = ffi.new("struct tg_router *[1]")
      local rc = C.tg_router_open(loop, config, config.functions, out, err)
      if rc ~= 0 then return nil, ffi.string(err.text) end
      router = out[0]
      return true
    end

    after_each(function()
      if router then C.tg_router_close(router) end
      router = nil
      libuv.uv_run(loop, 0)
      assert.equal(0, libuv.uv_loop_close(loop))
      ffi.C.free(loop)
    end)

    local function find(id)
      local out = ffi.new("struct tg_routing *[1]")
      err = ffi.new("struct tg_err")
      return told(C.tg_router_find(router, id, out, err), out)
    end

    it("asks the function first, then the table, then says that nobody has it", function()
      write("routes.json", '{"t": {"source": "other"}, "both": {"source": "other"}, "never": "other"}')
      assert(open([[ routes = { file = "routes.json" }, route = function(id)
        if id == "f" or id == "both" then return { login = 12345678, headers = { ["X-A"] = "b" } } end
        if id == "word" then return "other" end
        if id == "never" then return false end
      end, ]]))
      assert.same({ login = "12345678", headers = { ["X-A"] = "b" }, upstream = "main" }, find("f"))
      assert.same({ login = "12345678", headers = { ["X-A"] = "b" }, upstream = "main" }, find("both"))
      assert.same({ source = "other", upstream = "other" }, find("word"))
      assert.same({ source = "other", upstream = "other" }, find("t"))
      assert.same({ nil, "not found" }, { find("never") })
      assert.same({ nil, "not found" }, { find("stranger") })
    end)

    it("falls through to the default where the configuration says so, or where there is no table", function()
      write("routes.json", "{}")
      assert(open('routes = { file = "routes.json", missing = "default" },'))
      assert.equal("default", find("stranger"))
      C.tg_router_close(router)
      router = nil
      libuv.uv_run(loop, 0)
      libuv.uv_loop_close(loop)
      ffi.C.free(loop)
      C.tg_config_free(config)
      assert(open("route = function() end,"))
      assert.equal("default", find("stranger"))
    end)

    it("takes no other way because the function failed", function()
      write("routes.json", '{"1": "other", "2": "other", "3": "other", "4": "other", "5": "other", "6": "other", "7": "other"}')
      assert(open([[ routes = { file = "routes.json", missing = "default" }, hooks = { budget_ms = 100, memory_mb = 4 },
        route = function(id)
          if id == "1" then return missing.x end
          if id == "2" then while true do end end
          if id == "3" then local s = "x" while true do s = s .. s end end
          if id == "4" then return 5 end
          if id == "5" then return { source = "othr" } end
          if id == "6" then return { [1] = "x" } end
          if id == "7" then return { headers = { ["X"] = {} } } end
          if id == "8" then return env "HOME" end
          if id == "9" then error({}) end
          if id == "10" then return ("a"):rep(40):match(("a?"):rep(40) .. ("a"):rep(40)) end
          if id == "11" then local function f() return f() + 1 end return f() end
          return "other"
        end, ]]))
      local wanted = { 'there is no "missing" here', "it ran for too long", "not enough memory", "it is a number",
        'there is no source "othr"', "a member without a name", "its headers are not all texts",
        "env is only there while the file is read", "an error that is no text", "may take too long", "stack overflow" }
      for round = 1, 3 do
        for i, text in ipairs(wanted) do
          local got, why = find(tostring(i))
          assert.is_nil(got, i)
          assert.is_truthy(why:find(text, 1, true), i .. ": " .. why)
          assert.is_truthy(why:find('^route%("' .. i .. '"%): '), why)
          if i == 1 or i == 2 then assert.is_truthy(why:find("gateway.lua:%d+"), why) end
          assert.same({ source = "other", upstream = "other" }, find("fine"), round)
        end
      end
      local counters = config.functions.counters
      assert.equal(3 * 7, tonumber(counters.faults[C.TG_HOOK_ROUTE]))
      assert.equal(3 * 22, tonumber(counters.calls[C.TG_HOOK_ROUTE]))
      assert.is_true(tonumber(config.functions.sandbox.used) < 4 * 1048576)
    end)

    it("follows the file, and keeps the old table while the new one is bad", function()
      write("routes.json", '{"a": "main"}')
      assert(open('routes = { file = "routes.json" },'))
      assert.same({ source = "main", upstream = "main" }, find("a"))
      write("routes.json", '{"a": "other"}')
      assert.equal(1, C.tg_router_refresh(router, err))
      assert.same({ source = "other", upstream = "other" }, find("a"))
      assert.equal(0, C.tg_router_refresh(router, err))
      write("routes.json", '{"a": ')
      assert.equal(EINVAL, C.tg_router_refresh(router, err))
      assert.is_truthy(ffi.string(err.text):find("routes.json: ", 1, true))
      assert.equal(EINVAL, C.tg_router_refresh(router, err))
      assert.same({ source = "other", upstream = "other" }, find("a"))
      os.remove(folder .. "/routes.json")
      assert.is_true(C.tg_router_refresh(router, err) < 0)
      assert.same({ source = "other", upstream = "other" }, find("a"))
      write("routes.json", "{}")
      assert.equal(1, C.tg_router_refresh(router, err))
      assert.same({ nil, "not found" }, { find("a") })
    end)

    it("does not start without its file", function()
      local ok, why = open('routes = { file = "routes.json" },')
      assert.is_nil(ok)
      assert.is_truthy(why:find("routes.json", 1, true), why)
    end)
  end)
end)
