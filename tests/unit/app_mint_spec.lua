local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("app", { "app/mint.h" })

describe("minting", function()
  local err

  local function claims(accounts, list, path)
    local mint, out = ffi.new("struct tg_mint"), ffi.new("char *[1]")
    err = ffi.new("struct tg_err")
    mint.accounts_count, mint.claims_count = #accounts, #list
    for i, text in ipairs(accounts) do mint.accounts[i - 1] = text end
    for i, text in ipairs(list) do mint.claims[i - 1] = text end
    local rc = C.tg_mint_claims(mint, path, out, err)
    if rc ~= 0 then return nil, ffi.string(err.text) end
    local text = ffi.string(out[0])
    ffi.C.free(out[0])
    return text
  end

  it("puts the accounts where the configuration looks for them", function()
    assert.equal('{"accounts":["a","b"]}', claims({ "a", "b" }, {}, "accounts"))
    assert.equal('{"app":{"meta":{"ids":["*"]}}}', claims({ "*" }, {}, "app.meta.ids"))
    assert.equal("{}", claims({}, {}, "accounts"))
    assert.equal("{}", claims({}, {}, nil))
  end)

  it("takes values as JSON, to the digit, or else as strings", function()
    assert.equal('{"n":9007199254740993}', claims({}, { "n=9007199254740993" }, nil))
    assert.equal('{"s":"plain"}', claims({}, { "s=plain" }, nil))
    assert.equal('{"s":"a\\"b=c"}', claims({}, { 's=a"b=c' }, nil))
    assert.equal('{"s":""}', claims({}, { "s=" }, nil))
    assert.equal('{"o":{"x":[1]},"t":true}', claims({}, { 'o={"x":[1]}', "t=true" }, nil))
  end)

  it("lets claims share a path with each other and with the accounts", function()
    assert.equal('{"app":{"accounts":["a"],"plan":"pro"}}', claims({ "a" }, { "app.plan=pro" }, "app.accounts"))
  end)

  it("refuses what has no place", function()
    for _, list in ipairs({ { "a=1", "a=2" }, { "a=1", "a.b=2" }, { "a.b=1", "a=2" }, { ".a=1" }, { "a.=1" },
      { "a..b=1" }, { ("x"):rep(256) .. "=1" } }) do
      local text, why = claims({}, list, nil)
      assert.is_nil(text)
      assert.is_truthy(why:find("has no place", 1, true), why)
    end
    local _, why = claims({ "a" }, { "accounts=1" }, "accounts")
    assert.is_truthy(why:find('"accounts" has no place', 1, true), why)
    _, why = claims({}, { "novalue" }, nil)
    assert.is_truthy(why:find("name=value", 1, true), why)
    _, why = claims({}, { "=1" }, nil)
    assert.is_truthy(why:find("name=value", 1, true), why)
    _, why = claims({ "a b" }, {}, "accounts")
    assert.is_truthy(why:find("no account id", 1, true), why)
    _, why = claims({ "a" }, {}, nil)
    assert.is_truthy(why:find("auth.ownership.file", 1, true), why)
  end)
end)
