local gate = require("support.gate")
local jws = require("support.jws")

local now = gate.now

describe("claims", function()
  local auth

  local function open(options)
    if auth then auth:close() end
    auth = gate.new(options)
  end

  before_each(function()
    open({ leeway = 30 })
  end)

  after_each(function()
    auth:close()
    auth = nil
  end)

  -- Signs a payload; `%d` stands for a good expiry.
  local function verify(payload)
    return auth:verify(jws.sign('{"alg":"HS256"}', (payload:gsub("%%d", tostring(now + 600))), gate.secret))
  end

  local function accepted(payload)
    local result, why = verify(payload)
    assert.equal("OK", result, type(why) == "string" and why or nil)
    return why
  end

  local function refused(reason, payload)
    local result, why = verify(payload)
    assert.equal("FAILED", result, payload)
    assert.is_truthy(why:find(reason, 1, true), ("%q is not the reason %q"):format(why, reason))
  end

  describe("exp", function()
    it("is required", function()
      refused("never expires", '{"sub":"a"}')
      refused("never expires", '{"sub":"a","EXP":%d}')
      refused("never expires", '{"sub":"a","x":{"exp":%d}}')
    end)

    it("must be a number of seconds between 0 and the end of 9999", function()
      for _, bad in ipairs({ '"%d"', "null", "true", "[%d]", "{}", "-1", "-0.5", "1e300", "253402300800", now * 1000 .. "",
                             "9007199254740993000", "1700000600." .. ("0"):rep(80) }) do
        refused("exp is not a time in seconds", '{"sub":"a","exp":' .. bad .. "}")
      end
      accepted('{"sub":"a","exp":253402300799}')
    end)

    it("must be a number that JSON knows and a double can hold", function()
      for _, bad in ipairs({ "1e400", "-1e400", "NaN", "Infinity", "-Infinity", "0x7fffffff", "01700000600", "+1700000600",
                             ("9"):rep(400), "99999999999999999999", "1700000600.", ".5", "1_700" }) do
        assert.equal("FAILED", (verify('{"sub":"a","exp":' .. bad .. "}")), bad)
      end
    end)

    it("may be written with a fraction or an exponent; the fraction is dropped", function()
      assert.equal((now + 1) * 1000, accepted('{"sub":"a","exp":' .. now + 1 .. ".999}").expires_ms)
      assert.equal(1800000000000, accepted('{"sub":"a","exp":1.8e9}').expires_ms)
      assert.equal(1800000000000, accepted('{"sub":"a","exp":1800000000.0}').expires_ms)
    end)

    it("ends the token at the millisecond, with the leeway on top", function()
      local token = jws.sign('{"alg":"HS256"}', '{"sub":"a","exp":' .. now + 10 .. "}", gate.secret)
      local _, identity = auth:verify(token)
      assert.equal((now + 10) * 1000, identity.expires_ms)
      assert.equal((now + 40) * 1000, identity.accepted_until_ms)
      auth:advance(39999)
      assert.equal("OK", (auth:verify(token)))
      auth:advance(1)
      assert.equal("EXPIRED", (auth:verify(token)))
    end)

    it("ends the token at once when there is no leeway", function()
      open({ leeway = 0 })
      assert.equal("EXPIRED", (verify('{"sub":"a","exp":' .. now .. "}")))
      accepted('{"sub":"a","exp":' .. now + 1 .. "}")
      assert.equal("EXPIRED", (verify('{"sub":"a","exp":0}')))
    end)

    it("is what is told only when nothing else is wrong", function()
      open({ issuer = "us" })
      refused("configured issuer", '{"sub":"a","exp":1,"iss":"them"}')
      assert.equal("EXPIRED", (verify('{"sub":"a","exp":1,"iss":"us"}')))
      assert.equal("FAILED", (verify('{"exp":1,"iss":"us"}')))
    end)
  end)

  for _, name in ipairs({ "nbf", "iat" }) do
    describe(name, function()
      it("may be up to the leeway in the future", function()
        accepted(('{"sub":"a","exp":%%d,"%s":%d}'):format(name, now + 30))
        refused("not valid yet", ('{"sub":"a","exp":%%d,"%s":%d}'):format(name, now + 31))
        accepted(('{"sub":"a","exp":%%d,"%s":0}'):format(name))
      end)

      it("lets the token in at the millisecond", function()
        local token = jws.sign('{"alg":"HS256"}', ('{"sub":"a","exp":%d,"%s":%d}'):format(now + 600, name, now + 40), gate.secret)
        auth:advance(9999)
        assert.equal("FAILED", (auth:verify(token)))
        auth:advance(1)
        assert.equal("OK", (auth:verify(token)))
      end)

      it("must be a time when it is there", function()
        for _, bad in ipairs({ '"0"', "null", "-1", "1e300", "false", "[0]" }) do
          refused(name .. " is not a time", ('{"sub":"a","exp":%%d,"%s":%s}'):format(name, bad))
        end
      end)
    end)
  end

  it("count both nbf and iat, whichever is later", function()
    refused("not valid yet", ('{"sub":"a","exp":%%d,"nbf":0,"iat":%d}'):format(now + 99))
    refused("not valid yet", ('{"sub":"a","exp":%%d,"iat":0,"nbf":%d}'):format(now + 99))
  end)

  it("hold no one to a token that ends before it begins", function()
    refused("not valid yet", ('{"sub":"a","exp":1,"nbf":%d}'):format(now + 99))
  end)

  describe("sub", function()
    it("is required", function()
      for _, bad in ipairs({ '{"exp":%d}', '{"exp":%d,"sub":""}', '{"exp":%d,"sub":null}', '{"exp":%d,"sub":7}',
                             '{"exp":%d,"sub":["a"]}', '{"exp":%d,"Sub":"a"}' }) do
        refused("sub is not a printable string", bad)
      end
    end)

    it("has at most 256 bytes", function()
      accepted('{"exp":%d,"sub":"' .. ("x"):rep(256) .. '"}')
      refused("sub is not", '{"exp":%d,"sub":"' .. ("x"):rep(257) .. '"}')
      accepted('{"exp":%d,"sub":"' .. ("é"):rep(128) .. '"}')
      refused("sub is not", '{"exp":%d,"sub":"' .. ("é"):rep(128) .. 'x"}')
    end)

    it("prints as it reads", function()
      for _, bad in ipairs({ "a\\nb", "\\u0001", "\\u007f", "\\u0085", "\\u009f", "\\u2028", "\\u202e", "\\u2066",
                             "\\u200f", "\\ufeff", "a\\r\\nX-Admin: 1", "\127", "\194\133", "\226\128\174" }) do
        refused("sub is not", '{"exp":%d,"sub":"' .. bad .. '"}')
      end
      for _, good in ipairs({ "alice", "auth0|5f7c", "user@example.com", "Zoë", "山田", "😀", "a b", "\194\160", "\\u00e9" }) do
        accepted('{"exp":%d,"sub":"' .. good .. '"}')
      end
      assert.equal("\195\169", accepted('{"exp":%d,"sub":"\\u00e9"}').subject)
    end)
  end)

  describe("iss", function()
    it("is compared byte by byte when an issuer is configured", function()
      open({ issuer = "https://id.example.com" })
      accepted('{"sub":"a","exp":%d,"iss":"https://id.example.com"}')
      accepted('{"sub":"a","exp":%d,"iss":"https:\\/\\/id.example.com"}')
      for _, bad in ipairs({ '"https://id.example.com/"', '"HTTPS://id.example.com"', '""' }) do
        refused("configured issuer", '{"sub":"a","exp":%d,"iss":' .. bad .. "}")
      end
      refused("configured issuer", '{"sub":"a","exp":%d}')
    end)

    it("is a string even when nobody asks", function()
      for _, bad in ipairs({ "1", "null", '["https://id.example.com"]' }) do
        refused("iss is not a string", '{"sub":"a","exp":%d,"iss":' .. bad .. "}")
      end
      accepted('{"sub":"a","exp":%d,"iss":"anyone"}')
    end)
  end)

  describe("aud", function()
    it("names the configured audience alone or in a list", function()
      open({ audience = "tidegate" })
      accepted('{"sub":"a","exp":%d,"aud":"tidegate"}')
      accepted('{"sub":"a","exp":%d,"aud":["other","tidegate"]}')
      for _, bad in ipairs({ '"other"', '"Tidegate"', '"tidegate "', "[]", '["other"]', '""' }) do
        refused("configured audience", '{"sub":"a","exp":%d,"aud":' .. bad .. "}")
      end
      refused("configured audience", '{"sub":"a","exp":%d}')
    end)

    it("is a string or a list of strings even when nobody asks", function()
      for _, bad in ipairs({ "1", "null", '{"tidegate":1}', '["tidegate",1]', '[["tidegate"]]' }) do
        refused("aud is not", '{"sub":"a","exp":%d,"aud":' .. bad .. "}")
        open({ audience = "tidegate" })
        refused("aud is not", '{"sub":"a","exp":%d,"aud":' .. bad .. "}")
        open({})
      end
      accepted('{"sub":"a","exp":%d,"aud":["anyone"]}')
    end)
  end)

  describe("as JSON", function()
    it("are refused when they are not a strict object", function()
      for _, bad in ipairs({ "null", "[]", "7", '"sub"', "{", '{"sub":"a","exp":%d', '{"sub":"a","exp":%d}x', '{"sub":"a","exp":%d}\0',
                             '{"sub":"a","exp":%d,}', "{'sub':'a','exp':%d}", '{"sub":"a\255","exp":%d}', '{"sub":"\\ud800","exp":%d}',
                             '{"sub":"a","exp":%d,"x":"\1"}', '\239\187\191{"sub":"a","exp":%d}' }) do
        assert.equal("FAILED", (verify(bad)), bad)
      end
    end)

    it("are refused when they hold what libjwt's JSON cannot", function()
      for _, bad in ipairs({ '"sub":"\\u0000"', '"sub":"a\\u0000b"', '"sub":"a","x":1e400', '"sub":"a","x":9223372036854775808' }) do
        refused("beyond libjwt's JSON", '{"exp":%d,' .. bad .. "}")
      end
      accepted('{"exp":%d,"sub":"a","x":9223372036854775807}')
    end)

    it("are refused when a member is named twice, at any depth and in any spelling", function()
      refused("named twice", '{"sub":"a","exp":%d,"sub":"b"}')
      refused("named twice", '{"sub":"a","exp":1,"exp":%d}')
      refused("named twice", '{"sub":"a","exp":%d,"\\u0073ub":"b"}')
      refused("named twice", '{"sub":"a","exp":%d,"m":{"accounts":[],"accounts":["*"]}}')
      refused("named twice", '{"sub":"a","exp":%d,"l":[0,{"":1,"":2}]}')
      accepted('{"sub":"a","exp":%d,"x":{"sub":"b"},"y":{"sub":"c"}}')
    end)

    it("are refused when they are nested too deep", function()
      accepted('{"sub":"a","exp":%d,"x":' .. ("["):rep(63) .. ("]"):rep(63) .. "}")
      refused("nested too deep", '{"sub":"a","exp":%d,"x":' .. ("["):rep(64) .. ("]"):rep(64) .. "}")
    end)

    it("cost little however many members they have", function()
      open({ token_bytes = 65536, cache = -1 })
      -- The best of a few, in processor time: others may be at work on this machine.
      local function cost(count)
        local members, best = {}, math.huge
        for i = 1, count do
          members[i] = ('"%x":0'):format(i)
        end
        local token = jws.sign('{"alg":"HS256"}', '{"sub":"a","exp":' .. now + 9 .. "," .. table.concat(members, ",") .. "}", gate.secret)
        for _ = 1, 5 do
          local started = os.clock()
          assert.equal("OK", (auth:verify(token)))
          best = math.min(best, os.clock() - started)
        end
        return best
      end
      local few, many = cost(1000), cost(5000)
      assert.is_true(many < few * 12, ("five times as many cost %.1f times as much"):format(many / few)) -- squares: 25 times
    end)
  end)
end)
