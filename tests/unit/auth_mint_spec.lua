local gate = require("support.gate")
local jws = require("support.jws")

describe("mint", function()
  local auth

  after_each(function()
    if auth then auth:close() end
    auth = nil
  end)

  for _, algorithm in ipairs({ "HS256", "HS384", "HS512" }) do
    it("signs with " .. algorithm .. " what verifies, here and by hand", function()
      auth = gate.new({ keys = { { algorithm = algorithm, secret = gate.secret } } })
      local token = auth:mint("alice", '{"accounts":["demo-1"]}', 60)
      local result, identity = auth:verify(token)
      assert.equal("OK", result)
      assert.equal("alice", identity.subject)
      assert.equal((gate.now + 60) * 1000, identity.expires_ms)
      assert.equal("OK", auth:owns("alice", identity.claims, "demo-1"))
      local input, signature = token:match("^(.+)%.(.-)$")
      assert.equal(jws.encode(jws.hmac(algorithm, gate.secret, input)), signature)
    end)
  end

  it("names the key, the issuer and the audience of the configuration", function()
    auth = gate.new({ keys = { { algorithm = "HS256", secret = gate.secret, kid = "k1" } }, issuer = "us", audience = "tidegate" })
    local token = auth:mint("alice", nil)
    local result, identity = auth:verify(token)
    assert.equal("OK", result)
    assert.is_truthy(identity.claims:find('"iss":"us"', 1, true))
    assert.is_truthy(identity.claims:find('"aud":"tidegate"', 1, true))
  end)

  it("lets the caller name another issuer and audience", function()
    auth = gate.new({ issuer = "us", audience = "tidegate" })
    assert.equal("OK", (auth:verify(auth:mint("alice", '{"aud":["x","tidegate"]}'))))
    local result, why = auth:verify(auth:mint("alice", '{"iss":"them"}'))
    assert.equal("FAILED", result)
    assert.is_truthy(why:find("issuer", 1, true))
  end)

  it("ends when it was told to", function()
    auth = gate.new({})
    local token = auth:mint("alice", nil, 1)
    auth:advance(999)
    assert.equal("OK", (auth:verify(token)))
    auth:advance(1)
    assert.equal("EXPIRED", (auth:verify(token)))
  end)

  it("refuses what could not be verified or would lie", function()
    auth = gate.new({})
    local function refused(code, reason, ...)
      local token, rc, why = auth:mint(...)
      assert.is_nil(token)
      assert.equal(code, rc)
      assert.is_truthy(why:find(reason, 1, true), why)
    end
    refused(-1, "time to live", "alice", nil, 0)
    refused(-1, "time to live", "alice", nil, -5)
    refused(-1, "subject", "", nil)
    refused(-1, "subject", "a\nb", nil)
    refused(-1, "subject", ("x"):rep(257), nil)
    refused(-1, "no good", "alice", "[]")
    refused(-1, "no good", "alice", "{")
    refused(-1, "named twice", "alice", '{"a":1,"a":2}')
    refused(-1, "out of range", "alice", '{"a":1e400}')
    for _, name in ipairs({ "sub", "iat", "exp" }) do
      refused(-1, "must not name " .. name, "alice", '{"' .. name .. '":1}')
    end
    refused(-3, "would be longer than 8192", "alice", '{"a":"' .. ("x"):rep(7000) .. '"}')
    refused(-3, "exceed 8192", "alice", '{"a":"' .. ("x"):rep(9e6) .. '"}')
  end)
end)
