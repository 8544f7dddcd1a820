local gate = require("support.gate")
local jws = require("support.jws")

local secret = gate.secret
local claims = ('{"sub":"alice","exp":%d}'):format(gate.now + 600)
local header = '{"alg":"HS256","typ":"JWT"}'

describe("token", function()
  local auth

  before_each(function()
    auth = gate.new({ keys = { { algorithm = "HS256", secret = secret } } })
  end)

  after_each(function()
    auth:close()
  end)

  -- A refusal, for the reason that was meant, which repeats nothing of the token.
  local function refused(reason, token)
    local result, why = auth:verify(token)
    assert.equal("FAILED", result)
    assert.is_truthy(why:find(reason, 1, true), ("%q is not the reason %q"):format(why, reason))
    return why
  end

  it("speaks for its subject until it expires", function()
    local result, identity = auth:verify(jws.sign(header, claims, secret))
    assert.equal("OK", result)
    assert.equal("alice", identity.subject)
    assert.equal(claims, identity.claims)
    assert.equal((gate.now + 600) * 1000, identity.expires_ms)
    assert.equal((gate.now + 600) * 1000, identity.accepted_until_ms)
  end)

  it("may come in the middle of a longer buffer, without a NUL", function()
    local ffi = require("ffi")
    local token = jws.sign(header, claims, secret)
    local identity = ffi.new("struct tg_identity")
    local text = "?token=" .. token .. "AAAA"
    assert.equal(0, tonumber(gate.C.tg_auth_verify(auth.auth, ffi.cast("const char *", text) + 7, #token, identity, nil)))
    gate.C.tg_identity_fini(identity)
  end)

  it("is missing when there are no bytes", function()
    assert.equal("MISSING", (auth:verify("")))
    assert.equal("MISSING", (auth:verify(nil)))
  end)

  for algorithm, least in pairs({ HS256 = 32, HS384 = 48, HS512 = 64 }) do
    it("may be signed with " .. algorithm .. " by a key of that algorithm", function()
      local key = secret:sub(1, least)
      auth:close()
      auth = gate.new({ keys = { { algorithm = algorithm, secret = key } } })
      local token = jws.sign('{"alg":"' .. algorithm .. '"}', claims, key, algorithm)
      assert.equal("OK", (auth:verify(token)))
      refused("signature does not verify", jws.sign('{"alg":"' .. algorithm .. '"}', claims, key:upper(), algorithm))
    end)
  end

  describe("of another algorithm", function()
    it("is refused, however well it is signed", function()
      for _, other in ipairs({ "HS384", "HS512" }) do
        refused("algorithm is not its key's", jws.sign('{"alg":"' .. other .. '"}', claims, secret, other))
      end
    end)

    it("is refused when the header names one and the signature is of another", function()
      refused("signature is not of its algorithm's length", jws.sign('{"alg":"HS256"}', claims, secret, "HS512"))
    end)

    for _, name in ipairs({ "none", "None", "NoNe", "NONE", "", "RS256", "ES256", "PS256", "EdDSA", "hs256",
                            "HS256 ", "HS1", "HS256\\u0000" }) do
      it("is refused when it is called '" .. name .. "'", function()
        refused("algorithm is not allowed", jws.sign('{"alg":"' .. name .. '"}', claims, secret))
      end)
    end

    it("is refused when it is none and there is no signature", function()
      local input = jws.encode('{"alg":"none"}') .. "." .. jws.encode(claims)
      refused("a part of the token is empty", input .. ".")
      refused("not three parts", input)
      refused("algorithm is not allowed", input .. ".AA")
    end)

    it("is refused when alg is absent or not a string", function()
      for _, bad in ipairs({ "{}", '{"typ":"JWT"}', '{"alg":256}', '{"alg":null}', '{"alg":["HS256"]}',
                             '{"Alg":"HS256"}' }) do
        refused("algorithm is not allowed", jws.sign(bad, claims, secret))
      end
    end)
  end)

  describe("of another shape", function()
    local function parts()
      return jws.sign(header, claims, secret):match("^(.-)%.(.-)%.(.-)$")
    end

    it("is refused with too few or too many dots", function()
      local h, p, s = parts()
      refused("not three parts", h)
      refused("not three parts", h .. "." .. p)
      refused("not three parts", h .. "." .. p .. "." .. s .. "." .. s)
      refused("not three parts", h .. "." .. p .. "." .. s .. ".")
      refused("a part of the token is empty", "." .. h .. "." .. p .. "." .. s)
      refused("a part of the token is empty", h .. ".." .. s)
      refused("a part of the token is empty", "..")
      refused("a part of the token is empty", "." .. p .. "." .. s)
    end)

    it("is refused in any spelling of base64 but the canonical one", function()
      local h, p, s = parts()
      refused("header is not canonical", h .. "=." .. p .. "." .. s)
      refused("payload is not canonical", h .. "." .. p .. "=." .. s)
      refused("signature is not canonical", h .. "." .. p .. "." .. s .. "=")
      refused("signature is not canonical", h .. "." .. p .. "." .. s .. "\n")
      refused("header is not canonical", " " .. h .. "." .. p .. "." .. s)
      refused("payload is not canonical", h .. "." .. p:sub(1, 4) .. "\r\n" .. p:sub(5) .. "." .. s)
      refused("payload is not canonical", h .. "." .. p:sub(1, 4) .. "+/" .. p:sub(5) .. "." .. s)
      refused("signature is not canonical", h .. "." .. p .. "." .. s .. "AA\0AA")
      refused("signature is not canonical", h .. "." .. p .. ".A")
      refused("header is not canonical", "\255\254.\195\40." .. s)
    end)

    it("is refused when bits are set behind the signature's last byte", function()
      local h, p, s = parts()
      local last = jws.alphabet:find(s:sub(-1), 1, true) - 1
      for spare = 1, 3 do -- 32 bytes leave two bits over in the last digit
        local digit = jws.alphabet:sub(last + spare + 1, last + spare + 1)
        refused("signature is not canonical", h .. "." .. p .. "." .. s:sub(1, -2) .. digit)
      end
    end)

    it("is refused cut off after any byte", function()
      local token = jws.sign(header, claims, secret)
      for n = 1, #token - 1 do
        assert.equal("FAILED", (auth:verify(token:sub(1, n))))
      end
    end)

    it("is refused with a header that is not a strict JSON object", function()
      for _, bad in ipairs({ "null", "[]", '"HS256"', "{", '{"alg":"HS256"', '{"alg":"HS256"}{}', "\239\187\191" .. header,
                             "{'alg':'HS256'}", '{"alg":"HS256",}', '{"alg":"HS256\255"}', '{"alg":"HS256"}\0', "" .. "\0" .. header,
                             '{"alg":"HS256","x":' .. ("["):rep(65) .. ("]"):rep(65) .. "}",
                             '{"alg":"HS256","x":' .. ("["):rep(3000) .. "}",
                             '{"alg":"HS256","alg":"HS256"}', '{"alg":"none","alg":"HS256"}', '{"alg":"HS256","\\u0061lg":"none"}',
                             '{"alg":"HS256","x":{"y":1,"y":1}}' }) do
        refused("header is no good", jws.sign(bad, claims, secret))
      end
    end)

    it("is refused with a typ that is not JWT", function()
      for _, typ in ipairs({ '"JWE"', '"at+jwt"', '""', "1", "null", '"JWT\\u0000"', '"\\u004aWT"', '"J"', '["JWT"]' }) do
        refused("typ is not JWT", jws.sign('{"alg":"HS256","typ":' .. typ .. "}", claims, secret))
      end
      for _, typ in ipairs({ "JWT", "jwt", "Jwt" }) do
        assert.equal("OK", (auth:verify(jws.sign('{"alg":"HS256","typ":"' .. typ .. '"}', claims, secret))))
      end
    end)

    it("is refused when it demands an extension", function()
      for _, crit in ipairs({ '["exp"]', "[]", "null", '["b64"]' }) do
        refused("demands an extension", jws.sign('{"alg":"HS256","b64":true,"crit":' .. crit .. "}", claims, secret))
      end
    end)

    it("keeps keys and addresses of keys in its header to itself", function()
      local own = '{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"},"jku":"http://127.0.0.1/","x5c":["AA"]}'
      assert.equal("OK", (auth:verify(jws.sign(own, claims, secret))))
      refused("signature does not verify", jws.sign(own, claims, "\0\0\0"))
    end)
  end)

  describe("of great length", function()
    it("is refused before anything else looks at it", function()
      refused("longer than 8192 bytes", ("A"):rep(8193))
      refused("longer than 8192 bytes", jws.encode(header) .. "." .. ("A"):rep(9 * 1024 * 1024) .. "." .. ("A"):rep(43))
      refused("not three parts", ("A"):rep(8192))
    end)

    it("is taken up to the configured bound and not one byte beyond", function()
      auth:close()
      auth = gate.new({ token_bytes = 600 })
      local function padded(n)
        return jws.sign(header, ('{"sub":"a","exp":%d,"pad":"%s"}'):format(gate.now + 9, ("x"):rep(n)), secret)
      end
      local n = 300
      while #padded(n) < 600 do n = n + 1 end
      assert.equal(600, #padded(n))
      assert.equal("OK", (auth:verify(padded(n))))
      refused("longer than 600 bytes", padded(n + 1))
    end)

    it("may be bounded between 256 and 65536 bytes", function()
      for bytes, good in pairs({ [255] = false, [256] = true, [65536] = true, [65537] = false }) do
        local other, rc, why = gate.new({ token_bytes = bytes })
        if good then
          other:close()
        else
          assert.equal(-1, rc)
          assert.is_truthy(why:find("auth.token_bytes", 1, true))
        end
      end
    end)

    it("costs no stack at the largest bound", function()
      auth:close()
      auth = gate.new({ token_bytes = 65536 })
      local pad = ("x"):rep(48000)
      local token = jws.sign(header, ('{"sub":"a","exp":%d,"pad":"%s"}'):format(gate.now + 9, pad), secret)
      assert.equal("OK", (auth:verify(token)))
    end)
  end)

  it("is never accepted with any one byte changed to any other", function()
    local token = jws.sign(header, claims, secret)
    for _, cache in ipairs({ -1, 16 }) do
      auth:close()
      auth = gate.new({ cache = cache })
      assert.equal("OK", (auth:verify(token)))
      for at = 1, #token do
        local head, was, tail = token:sub(1, at - 1), token:byte(at), token:sub(at + 1)
        for byte = 0, 255 do
          if byte ~= was then
            local result = auth:verify(head .. string.char(byte) .. tail)
            if result == "OK" then error(("accepted with byte %d set to %d"):format(at, byte)) end
          end
        end
      end
      assert.equal("OK", (auth:verify(token)))
    end
  end)

  it("is never accepted with a part taken from another token", function()
    local a = { jws.sign(header, claims, secret):match("^(.-)%.(.-)%.(.-)$") }
    local b = { jws.sign('{"alg":"HS256"}', claims:gsub("alice", "mallory"), secret):match("^(.-)%.(.-)%.(.-)$") }
    for mix = 1, 6 do
      local pick = {}
      for i = 1, 3 do
        pick[i] = math.floor(mix / 2 ^ (i - 1)) % 2 == 1 and a[i] or b[i]
      end
      refused("signature does not verify", table.concat(pick, "."))
    end
  end)

  it("leaves nothing of itself in a reason", function()
    local odd = "Zq9" -- in no reason's words
    for _, bad in ipairs({ jws.sign('{"alg":"' .. odd .. '"}', claims, secret),
                           jws.sign('{"alg":"HS256","typ":"' .. odd .. '"}', claims, secret),
                           jws.sign('{"alg":"HS256","kid":"' .. odd .. '"}', claims, secret .. "x"),
                           jws.sign('{"alg":"HS256","' .. odd .. '":1,"' .. odd .. '":1}', claims, secret),
                           jws.sign(header, '{"exp":1,"sub":"' .. odd .. '","iss":"' .. odd .. '"}', secret),
                           jws.sign(header, '{"exp":"' .. odd .. '"}', secret),
                           odd .. "." .. odd .. "." .. odd, odd .. odd }) do
      local _, why = auth:verify(bad)
      assert.is_nil(why:find(odd, 1, true), why)
    end
  end)
end)
