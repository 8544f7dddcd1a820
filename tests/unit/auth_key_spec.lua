local gate = require("support.gate")
local jws = require("support.jws")

local claims = ('{"sub":"alice","exp":%d}'):format(gate.now + 600)
local old, new, other = ("o"):rep(64), ("n"):rep(64), ("x"):rep(64)

describe("keys", function()
  local auth

  after_each(function()
    if auth then auth:close() end
    auth = nil
  end)

  local function open(keys)
    auth = assert(gate.new({ keys = keys }))
  end

  local function verify(header, secret, algorithm)
    return (auth:verify(jws.sign(header, claims, secret, algorithm)))
  end

  describe("in the configuration", function()
    local function refused(reason, keys)
      local none, rc, why = gate.new({ keys = keys })
      assert.is_nil(none)
      assert.equal(-1, rc)
      assert.is_truthy(why:find(reason, 1, true), why)
      for _, key in ipairs(keys) do
        if key.secret and #key.secret > 3 then assert.is_nil(why:find(key.secret, 1, true)) end
      end
    end

    it("are at least one", function()
      refused("auth.keys: at least one key", {})
    end)

    it("have secrets as long as their hash", function()
      for algorithm, least in pairs({ HS256 = 32, HS384 = 48, HS512 = 64 }) do
        refused(("auth.keys[1]: the secret has %d bytes; %s wants at least %d"):format(least - 1, algorithm, least),
                { { algorithm = algorithm, secret = ("k"):rep(least - 1) } })
        open({ { algorithm = algorithm, secret = ("k"):rep(least) } })
        auth:close()
        auth = nil
      end
      refused("the secret has 0 bytes", { { algorithm = "HS256", secret = "" } })
      refused("the secret has 0 bytes", { { algorithm = "HS256" } })
      refused("auth.keys[2]", { { algorithm = "HS256", secret = old }, { algorithm = "HS256", secret = "short" } })
    end)

    it("have secrets of 64 KiB at most", function()
      open({ { algorithm = "HS256", secret = ("k"):rep(65536) } })
      refused("more than 65536 bytes", { { algorithm = "HS256", secret = ("k"):rep(65537) } })
    end)

    it("have an algorithm that is allowed", function()
      for _, name in ipairs({ "none", "hs256", "RS256", "", "HS256 " }) do
        refused("must be HS256, HS384 or HS512", { { algorithm = name, secret = old } })
      end
      refused("must be HS256, HS384 or HS512", { { secret = old } })
    end)

    it("have a kid that is not empty, not endless and not another's", function()
      refused("kid must have", { { algorithm = "HS256", secret = old, kid = "" } })
      refused("kid must have", { { algorithm = "HS256", secret = old, kid = ("k"):rep(257) } })
      refused("auth.keys[2]: another key has this kid",
              { { algorithm = "HS256", secret = old, kid = "a" }, { algorithm = "HS512", secret = new, kid = "a" } })
    end)
  end)

  it("may hold any bytes, NULs too", function()
    local secret = ("\0\255\1"):rep(11)
    open({ { algorithm = "HS256", secret = secret } })
    assert.equal("OK", verify('{"alg":"HS256"}', secret))
    assert.equal("FAILED", verify('{"alg":"HS256"}', secret .. "x"))
    assert.equal("FAILED", verify('{"alg":"HS256"}', ""))
  end)

  it("without names are tried in turn, each for its own algorithm", function()
    open({ { algorithm = "HS256", secret = new }, { algorithm = "HS256", secret = old }, { algorithm = "HS512", secret = other } })
    assert.equal("OK", verify('{"alg":"HS256"}', new))
    assert.equal("OK", verify('{"alg":"HS256"}', old))
    assert.equal("OK", verify('{"alg":"HS512"}', other, "HS512"))
    assert.equal("FAILED", verify('{"alg":"HS256"}', other))
    assert.equal("FAILED", verify('{"alg":"HS512"}', new, "HS512"))
    assert.equal("FAILED", verify('{"alg":"HS384"}', new, "HS384"))
  end)

  describe("with names", function()
    before_each(function()
      open({ { algorithm = "HS256", secret = new, kid = "2" }, { algorithm = "HS256", secret = old, kid = "1" } })
    end)

    it("verify what names them", function()
      assert.equal("OK", verify('{"alg":"HS256","kid":"2"}', new))
      assert.equal("OK", verify('{"alg":"HS256","kid":"1"}', old))
      assert.equal("OK", verify('{"alg":"HS256","kid":"\\u0031"}', old))
    end)

    it("verify nothing that names another key, or none", function()
      assert.equal("FAILED", verify('{"alg":"HS256","kid":"1"}', new))
      assert.equal("FAILED", verify('{"alg":"HS256","kid":"3"}', new))
      assert.equal("FAILED", verify('{"alg":"HS256"}', new))
      assert.equal("FAILED", verify('{"alg":"HS256","kid":"2\\u0000"}', new))
      assert.equal("FAILED", verify('{"alg":"HS512","kid":"2"}', new, "HS512"))
    end)

    it("say which of these it was", function()
      local function reason(header, secret)
        return select(2, auth:verify(jws.sign(header, claims, secret)))
      end
      assert.equal("no key is configured for the token's kid", reason('{"alg":"HS256","kid":"3"}', new))
      assert.equal("the signature does not verify", reason('{"alg":"HS256","kid":"1"}', new))
      assert.equal("the token's algorithm is not its key's",
                   select(2, auth:verify(jws.sign('{"alg":"HS512","kid":"2"}', claims, new, "HS512"))))
    end)
  end)

  it("with and without names: a named key is the only one tried, the nameless serve all others", function()
    open({ { algorithm = "HS256", secret = new, kid = "2" }, { algorithm = "HS256", secret = old } })
    assert.equal("OK", verify('{"alg":"HS256","kid":"2"}', new))
    assert.equal("FAILED", verify('{"alg":"HS256","kid":"2"}', old))
    assert.equal("OK", verify('{"alg":"HS256"}', old))
    assert.equal("OK", verify('{"alg":"HS256","kid":"whatever"}', old))
    assert.equal("FAILED", verify('{"alg":"HS256"}', new))
  end)

  it("are not chosen by a kid that is not a short string", function()
    open({ { algorithm = "HS256", secret = old } })
    for _, bad in ipairs({ '""', "1", "null", '["1"]', '"' .. ("k"):rep(257) .. '"' }) do
      local result, why = auth:verify(jws.sign('{"alg":"HS256","kid":' .. bad .. "}", claims, old))
      assert.equal("FAILED", result)
      assert.is_truthy(why:find("kid is not a string", 1, true))
    end
    assert.equal("OK", verify('{"alg":"HS256","kid":"' .. ("k"):rep(256) .. '"}', old))
  end)
end)

describe("the rest of the configuration", function()
  local function refused(reason, options)
    local none, rc, why = gate.new(options)
    assert.is_nil(none)
    assert.equal(-1, rc)
    assert.is_truthy(why:find(reason, 1, true), why)
  end

  it("is checked", function()
    refused("auth.leeway_seconds", { leeway = -1 })
    refused("auth.leeway_seconds", { leeway = 3601 })
    refused("auth.issuer: must not be empty", { issuer = "" })
    refused("auth.audience: must not be empty", { audience = "" })
    refused("auth.ownership: either", { claim = false })
    refused("auth.ownership: either", { claim = "accounts", file = "owners.json" })
    for _, path in ipairs({ "", ".", "a.", ".a", "a..b", ("a"):rep(257) }) do
      refused("auth.ownership.claim", { claim = path })
    end
  end)
end)

describe("reload", function()
  local auth

  after_each(function()
    auth:close()
  end)

  it("replaces keys, rules and limits, and forgets what was verified", function()
    auth = gate.new({ keys = { { algorithm = "HS256", secret = old } } })
    local token = jws.sign('{"alg":"HS256"}', claims, old)
    assert.equal("OK", (auth:verify(token)))
    assert.equal(0, (auth:reload({ keys = { { algorithm = "HS256", secret = new } } })))
    assert.equal("FAILED", (auth:verify(token)))
    assert.equal("OK", (auth:verify(jws.sign('{"alg":"HS256"}', claims, new))))
    assert.equal(0, (auth:reload({ keys = { { algorithm = "HS256", secret = new } }, issuer = "us" })))
    assert.equal("FAILED", (auth:verify(jws.sign('{"alg":"HS256"}', claims, new))))
  end)

  it("with a fault changes nothing", function()
    auth = gate.new({ keys = { { algorithm = "HS256", secret = old } } })
    local rc, why = auth:reload({ keys = { { algorithm = "HS256", secret = new }, { algorithm = "HS256", secret = "short" } } })
    assert.equal(-1, rc)
    assert.is_truthy(why:find("auth.keys[2]", 1, true))
    rc = auth:reload({ keys = { { algorithm = "HS256", secret = new } }, claim = false, file = "/nowhere/owners.json" })
    assert.equal(-9, rc)
    assert.equal("OK", (auth:verify(jws.sign('{"alg":"HS256"}', claims, old))))
    assert.equal("FAILED", (auth:verify(jws.sign('{"alg":"HS256"}', claims, new))))
  end)
end)
