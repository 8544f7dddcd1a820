local ffi = require("ffi")
local gate = require("support.gate")
local jws = require("support.jws")
local cdef = require("support.cdef")
local C = cdef.library("auth", { "auth/cache.h" })

describe("token cache", function()
  local cache

  before_each(function()
    cache = ffi.new("struct tg_token_cache")
    C.tg_token_cache_init(cache, 3)
  end)

  after_each(function()
    C.tg_token_cache_fini(cache)
  end)

  local function key(name)
    local out = ffi.new("unsigned char[32]")
    C.tg_token_cache_key(out, name, #name)
    return out
  end

  local function put(name, from, till)
    local subject = ffi.new("char[?]", #name + 1, name)
    local identity = ffi.new("struct tg_identity", { subject = subject, claims = subject, claims_len = #name,
                                                     expires_ms = till, accepted_until_ms = till })
    C.tg_token_cache_put(cache, key(name), identity, from)
  end

  local function get(name, now)
    local out = ffi.new("struct tg_identity")
    local rc = C.tg_token_cache_get(cache, key(name), now, out)
    if rc ~= 0 then return nil, rc end
    local subject = ffi.string(out.subject)
    assert.equal(name, ffi.string(out.claims, out.claims_len))
    C.tg_identity_fini(out)
    return subject
  end

  it("gives back a copy of what was put", function()
    put("alice", 0, 100)
    assert.equal("alice", get("alice", 50))
    assert.equal("alice", get("alice", 50))
    assert.same({ nil, -5 }, { get("bob", 50) })
  end)

  it("has digests for keys (FIPS 180-4)", function()
    local hex = ffi.string(key("abc"), 32):gsub(".", function(c) return ("%02x"):format(c:byte()) end)
    assert.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", hex)
  end)

  it("drops what has expired, and what does not count yet", function()
    put("alice", 10, 100)
    assert.equal("alice", get("alice", 99))
    assert.is_nil((get("alice", 100)))
    assert.equal(0, tonumber(cache.map.count))
    put("alice", 10, 100)
    assert.is_nil((get("alice", 9)))
    assert.equal(0, tonumber(cache.map.count))
  end)

  it("lets the one used longest ago make room", function()
    put("a", 0, 100)
    put("b", 0, 100)
    put("c", 0, 100)
    assert.equal("a", get("a", 1))
    put("d", 0, 100)
    assert.is_nil((get("b", 1)))
    assert.equal("a", get("a", 1))
    assert.equal("c", get("c", 1))
    assert.equal("d", get("d", 1))
  end)

  it("holds one identity a token and never more than its bound", function()
    for round = 1, 200 do
      put("t" .. round % 7, 0, 100)
      put("t" .. round % 7, 0, 100)
      assert.is_true(tonumber(cache.map.count) <= 3)
    end
  end)

  it("holds nothing when its bound is nothing", function()
    C.tg_token_cache_reset(cache, 0)
    put("a", 0, 100)
    assert.is_nil((get("a", 1)))
  end)

  it("forgets everything when it is reset", function()
    put("a", 0, 100)
    C.tg_token_cache_reset(cache, 3)
    assert.is_nil((get("a", 1)))
  end)
end)

describe("a token that was verified before", function()
  local auth

  after_each(function()
    auth:close()
  end)

  local function token(exp, more)
    return jws.sign('{"alg":"HS256"}', ('{"sub":"a","exp":%d%s}'):format(exp, more or ""), gate.secret)
  end

  it("gives the same identity again", function()
    auth = gate.new({ leeway = 5 })
    local text = token(gate.now + 60)
    local _, first = auth:verify(text)
    local _, second = auth:verify(text)
    assert.same(first, second)
  end)

  it("is not brought back to life after it expired", function()
    auth = gate.new({ leeway = 5 })
    local text = token(gate.now + 60)
    assert.equal("OK", (auth:verify(text)))
    auth:advance(64999)
    assert.equal("OK", (auth:verify(text)))
    auth:advance(1)
    assert.equal("EXPIRED", (auth:verify(text)))
    assert.equal("EXPIRED", (auth:verify(text)))
  end)

  it("is refused when the clock steps back before it counts", function()
    auth = gate.new({})
    local text = token(gate.now + 60, (',"nbf":%d'):format(gate.now))
    assert.equal("OK", (auth:verify(text)))
    auth:advance(-1)
    assert.equal("FAILED", (auth:verify(text)))
    auth:advance(1)
    assert.equal("OK", (auth:verify(text)))
  end)

  it("is held to a reload's shorter bounds", function()
    auth = gate.new({ leeway = 30 })
    local text = token(gate.now - 10)
    assert.equal("OK", (auth:verify(text)))
    assert.equal(0, (auth:reload({ leeway = 0 })))
    assert.equal("EXPIRED", (auth:verify(text)))
  end)

  it("is the only one: a longer and a shorter text are others", function()
    auth = gate.new({})
    local text = token(gate.now + 60)
    assert.equal("OK", (auth:verify(text)))
    assert.equal("FAILED", (auth:verify(text .. "A")))
    assert.equal("FAILED", (auth:verify(text:sub(1, -2))))
    assert.equal("FAILED", (auth:verify(text .. "\0")))
  end)
end)
