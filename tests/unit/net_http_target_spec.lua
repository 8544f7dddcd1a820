local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("net", { "net/http_target.h" })

local ENOTFOUND, EINVAL = -5, -1

describe("a request target", function()
  local function split(target)
    local text = ffi.new("char[?]", #target + 1, target)
    local path, query = ffi.new("const char *[1]"), ffi.new("const char *[1]")
    local rc = C.tg_target_split(text, path, query)
    if rc ~= 0 then return rc end
    return ffi.string(path[0]), ffi.string(query[0])
  end

  it("is a decoded path and a raw query", function()
    assert.same({ "/", "" }, { split("/") })
    assert.same({ "/a b/ä", "x=%41&y" }, { split("/a%20b/%C3%a4?x=%41&y") })
    assert.same({ "/a", "?" }, { split("/a??") })
    assert.same({ "/a", "" }, { split("/a?") })
  end)

  it("does not decode twice", function()
    assert.equal("/%41", (split("/%2541")))
  end)

  it("may be absolute (RFC 9112 §3.2.2)", function()
    assert.same({ "/a", "b" }, { split("http://host:80/a?b") })
    assert.same({ "/", "b" }, { split("HTTPS://host?b") })
    assert.same({ "/", "" }, { split("ws://host") })
  end)

  it("is refused in every other form", function()
    for _, target in ipairs({ "*", "host:443", "a/b", "", "?a", "ftp://host/", "/a#b", "/a?b#c" }) do
      assert.equal(EINVAL, (split(target)), target)
    end
  end)

  it("is refused when its path decodes to what no path should hold", function()
    for _, target in ipairs({ "/%", "/%4", "/%4g", "/%g4", "/a%00b", "/a%0ab", "/a%7f", "/%ff", "/%c3", "/%ed%a0%80" }) do
      assert.equal(EINVAL, (split(target)), target)
    end
  end)
end)

describe("a query parameter", function()
  local function get(query, name, size)
    local out = ffi.new("char[?]", 64, "untouched")
    local rc = C.tg_query_get(query, name, out, size or 64)
    local text = ffi.string(out)
    if rc < 0 then
      assert.equal("untouched", text)
      return rc
    end
    assert.equal(rc, #text)
    return text
  end

  it("is found among others, the first of its name", function()
    assert.equal("1", get("a=1&b=2&a=3", "a"))
    assert.equal("2", get("a=1&b=2&a=3", "b"))
    assert.equal("x=y", get("aa=1&a=x=y", "a"))
    assert.equal("", get("a=1&b", "b"))
    assert.equal("", get("b=&a=1", "b"))
    assert.equal("", get("b&a=1", "b"))
  end)

  it("is missing when no name is equal", function()
    for _, query in ipairs({ "", "&", "&&", "aa=1", "=a", "b=a", "A=1", "%41=1" }) do
      assert.equal(ENOTFOUND, get(query, "a"), query)
    end
  end)

  it("is decoded, and so is its name", function()
    assert.equal("a b+c/ä", get("t=a+b%2Bc%2f%C3%A4", "t"))
    assert.equal("1", get("%74oken=1", "token"))
  end)

  it("is refused with a bad escape or a NUL", function()
    for _, query in ipairs({ "a=%", "a=%4", "a=%4x", "a=%00", "a=x%00y", "a=1%&b=2" }) do
      assert.equal(EINVAL, get(query, "a"), query)
    end
  end)

  it("is bounded by the room for it", function()
    assert.equal("123", get("a=123", "a", 4))
    assert.equal(EINVAL, get("a=1234", "a", 4))
    assert.equal("", get("a=", "a", 1))
    assert.equal(EINVAL, get("a=1", "a", 0))
  end)
end)
