-- Every file of the fuzzer's corpus, under the fuzzer's configuration. A file that begins with `ok-` must be
-- accepted, all others refused: as a token those named *.jws, as signed claims those named *.json.
local gate = require("support.gate")
local jws = require("support.jws")

local folder = (os.getenv("TIDEGATE_SOURCE") or ".") .. "/tests/fuzz/corpus/token/"

describe("the corpus of tokens", function()
  local auth = gate.new({
    keys = { { algorithm = "HS256", secret = gate.secret }, { algorithm = "HS384", secret = gate.secret, kid = "k384" },
             { algorithm = "HS512", secret = gate.secret } },
    leeway = 30,
  })
  local list = assert(io.popen("ls '" .. folder .. "'"))
  local names = {}
  for name in list:lines() do names[#names + 1] = name end
  list:close()

  teardown(function()
    auth:close()
  end)

  it("is there", function()
    assert.is_true(#names >= 20)
  end)

  for _, name in ipairs(names) do
    it((name:match("^ok%-") and "accepts " or "refuses ") .. name, function()
      local file = assert(io.open(folder .. name, "rb"))
      local text = file:read("*a")
      file:close()
      if name:match("%.json$") then text = jws.sign('{"alg":"HS256"}', text, gate.secret) end
      for _ = 1, 2 do
        local result = auth:verify(text)
        assert.equal(name:match("^ok%-") and "OK" or name:match("^expired%-") and "EXPIRED" or "FAILED", result)
      end
    end)
  end
end)
