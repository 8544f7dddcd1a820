-- Connecting to one of several addresses. The listeners are luv's, whose loop does not turn: the kernel takes
-- connections for them while there is room in the backlog, and leaves those unanswered that come after.
local ffi = require("ffi")
local uv = require("luv")
local cdef = require("support.cdef")

ffi.cdef([[
typedef struct uv_tcp_s uv_tcp_t;
typedef struct uv_handle_s uv_handle_t;
struct sockaddr;
struct addrinfo {
  int ai_flags, ai_family, ai_socktype, ai_protocol;
  unsigned ai_addrlen;
  struct sockaddr *ai_addr;
  char *ai_canonname;
  struct addrinfo *ai_next;
};
size_t uv_loop_size(void);
int uv_loop_init(uv_loop_t *);
int uv_loop_close(uv_loop_t *);
int uv_run(uv_loop_t *, int mode);
void uv_close(uv_handle_t *, void (*)(uv_handle_t *));
int uv_tcp_getpeername(const uv_tcp_t *, struct sockaddr *, int *);
int uv_ip4_addr(const char *, int, struct sockaddr *);
int uv_ip6_addr(const char *, int, struct sockaddr *);
]])

local C = cdef.library("source", { "source/dial.h" })
local libuv = ffi.load("uv.so.1")
local NOWAIT, INET, INET6, MOST = 2, 2, 10, 16

-- C calls back into Lua from uv_run: that may not be in compiled code.
jit.off(true, true)

describe("dial", function()
  local loop, host, told, closed, listeners, kept

  local on_connected = ffi.cast("void (*)(void *, uv_tcp_t *)", function(_, tcp)
    told[#told + 1] = { "connected", tcp }
  end)
  local on_failed = ffi.cast("void (*)(void *, const char *, const char *)", function(_, code, message)
    told[#told + 1] = { ffi.string(code), ffi.string(message) }
  end)
  local on_gone = ffi.cast("void (*)(void *)", function()
    told[#told + 1] = { "gone" }
  end)
  local on_closed = ffi.cast("void (*)(uv_handle_t *)", function(tcp)
    ffi.C.free(tcp)
    closed = closed + 1
  end)

  teardown(function()
    on_connected:free()
    on_failed:free()
    on_gone:free()
    on_closed:free()
  end)

  before_each(function()
    loop = ffi.cast("uv_loop_t *", ffi.C.calloc(1, libuv.uv_loop_size()))
    assert(libuv.uv_loop_init(loop) == 0)
    host = ffi.new("struct tg_dial_host", { on_connected, on_failed, on_gone, nil })
    told, closed, listeners, kept = {}, 0, {}, {}
  end)

  after_each(function()
    assert.equal(0, libuv.uv_loop_close(loop), "handles are still open")
    ffi.C.free(loop)
    for _, handle in ipairs(listeners) do
      handle:close()
    end
    uv.run("nowait")
  end)

  local function run(until_true)
    local deadline = uv.hrtime() / 1e6 + 20000
    while not until_true() and uv.hrtime() / 1e6 < deadline do
      libuv.uv_run(loop, NOWAIT)
      uv.sleep(1)
    end
    return until_true()
  end

  -- A port that takes connections; with `full`, one whose backlog has no room for another.
  local function listen(name, full)
    local listener = uv.new_tcp()
    listeners[#listeners + 1] = listener
    if not listener:bind(name, 0) then return nil end
    assert(listener:listen(full and 0 or 16, function() end))
    local port = listener:getsockname().port
    for _ = 1, full and 4 or 0 do
      local filler = uv.new_tcp()
      listeners[#listeners + 1] = filler
      filler:connect(name, port, function() end)
    end
    return port
  end

  -- A port where nobody listens.
  local function refusing()
    local listener = uv.new_tcp()
    listeners[#listeners + 1] = listener
    assert(listener:bind("127.0.0.1", 0))
    return listener:getsockname().port
  end

  -- { { "127.0.0.1", port }, … } as a resolver would tell them.
  local function addresses(list)
    local first
    for i = #list, 1, -1 do
      local name, port = list[i][1], list[i][2]
      local six = name:find(":", 1, true) ~= nil
      local storage = ffi.new("char[128]")
      local address = ffi.cast("struct sockaddr *", storage)
      assert(libuv[six and "uv_ip6_addr" or "uv_ip4_addr"](name, port, address) == 0)
      local info = ffi.new("struct addrinfo")
      info.ai_family, info.ai_addrlen, info.ai_addr = six and INET6 or INET, six and 28 or 16, address
      info.ai_next = first
      kept[#kept + 1] = { storage, info }
      first = info
    end
    return first
  end

  -- Dials and waits until it is gone; what it told, and to which port it connected.
  local function dial(list)
    local began = C.tg_dial_addresses(loop, list[1] and addresses(list), host)
    assert.is_true(began ~= nil)
    assert.same({}, told)
    assert.is_truthy(run(function()
      return told[2]
    end), "the dial did not end")
    assert.same({ "gone" }, told[2])
    assert.is_nil(told[3])
    local kind, rest = told[1][1], told[1][2]
    if kind ~= "connected" then return kind, rest end
    local name, len = ffi.new("unsigned char[128]"), ffi.new("int[1]", 128)
    assert.equal(0, libuv.uv_tcp_getpeername(rest, ffi.cast("struct sockaddr *", name), len))
    libuv.uv_close(ffi.cast("uv_handle_t *", rest), on_closed)
    assert.is_truthy(run(function()
      return closed == 1
    end))
    return kind, name[2] * 256 + name[3]
  end

  it("connects to the only address", function()
    local port = listen("127.0.0.1")
    assert.same({ "connected", port }, { dial({ { "127.0.0.1", port } }) })
  end)

  it("goes on to the next when one refuses", function()
    local port = listen("127.0.0.1")
    assert.same({ "connected", port }, { dial({ { "127.0.0.1", refusing() }, { "127.0.0.1", port } }) })
  end)

  it("does not wait for one that says nothing", function()
    local silent, port = listen("127.0.0.1", true), listen("127.0.0.1")
    assert.same({ "connected", port }, { dial({ { "127.0.0.1", silent }, { "127.0.0.1", silent }, { "127.0.0.1", port } }) })
  end)

  it("lets the families take turns", function()
    local six = listen("::1")
    if not six then
      pending("this machine has no IPv6")
      return
    end
    local four = listen("127.0.0.1")
    local list = { { "127.0.0.1", refusing() }, { "127.0.0.1", four }, { "127.0.0.1", four }, { "::1", six } }
    assert.same({ "connected", six }, { dial(list) })
  end)

  it("tells how the last one failed when all did", function()
    assert.same({ "CONNECT_FAILED", "connection refused" },
      { dial({ { "127.0.0.1", refusing() }, { "127.0.0.1", refusing() } }) })
  end)

  it("tries the last that it takes up, and none beyond", function()
    local port, list = listen("127.0.0.1"), {}
    for i = 1, MOST do
      list[i] = { "127.0.0.1", refusing() }
    end
    list[MOST] = { "127.0.0.1", port }
    assert.equal("connected", (dial(list)))
    told, closed = {}, 0
    list[MOST], list[MOST + 1] = { "127.0.0.1", refusing() }, { "127.0.0.1", port }
    assert.equal("CONNECT_FAILED", (dial(list)))
  end)

  it("tells when there is no address", function()
    assert.equal("RESOLVE_FAILED", (dial({})))
  end)

  it("resolves a name", function()
    local port = listen("127.0.0.1")
    assert.is_true(C.tg_dial_open(loop, "127.0.0.1", port, host) ~= nil)
    assert.is_truthy(run(function()
      return told[2]
    end))
    assert.equal("connected", told[1][1])
    libuv.uv_close(ffi.cast("uv_handle_t *", told[1][2]), on_closed)
    assert.is_truthy(run(function()
      return closed == 1
    end))
  end)

  it("tells of a name that is none", function()
    assert.is_true(C.tg_dial_open(loop, ("x"):rep(300), 1, host) ~= nil)
    assert.same({}, told)
    assert.is_truthy(run(function()
      return told[2]
    end))
    assert.equal("RESOLVE_FAILED", told[1][1])
  end)

  it("tells nothing but its end when it is stopped", function()
    local silent, port = listen("127.0.0.1", true), listen("127.0.0.1")
    local moments = {
      function() end, -- before anything
      function() -- while an address says nothing
        for _ = 1, 5 do
          libuv.uv_run(loop, NOWAIT)
        end
      end,
    }
    for i, wait in ipairs(moments) do
      for _, list in ipairs({ { { "127.0.0.1", silent } }, { { "127.0.0.1", silent }, { "127.0.0.1", port } } }) do
        told = {}
        local began = C.tg_dial_addresses(loop, addresses(list), host)
        wait()
        C.tg_dial_stop(began)
        assert.is_truthy(run(function()
          return told[1]
        end), "moment " .. i)
        assert.same({ { "gone" } }, told)
      end
    end
    told = {}
    C.tg_dial_stop(C.tg_dial_open(loop, "127.0.0.1", port, host))
    assert.is_truthy(run(function()
      return told[1]
    end))
    assert.same({ { "gone" } }, told)
  end)
end)
