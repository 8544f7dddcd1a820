-- Every file of the fuzzer's corpus of documents: <part>-ok-*.json must be believed, <part>-no-*.json refused.
local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("source", { "source/rest_map.h" })

local folder = (os.getenv("TIDEGATE_SOURCE") or ".") .. "/tests/fuzz/corpus/rest/"

describe("the corpus of documents", function()
  local list = assert(io.popen("ls '" .. folder .. "'"))
  local names = {}
  for name in list:lines() do
    names[#names + 1] = name
  end
  list:close()

  it("is there", function()
    assert.is_true(#names >= 30)
  end)

  for _, name in ipairs(names) do
    local part, wanted = name:match("^(%l+)%-(%l+)%-")
    it((wanted == "ok" and "believes " or "refuses ") .. name, function()
      local file = assert(io.open(folder .. name, "rb"))
      local text = file:read("*a")
      file:close()
      local map, records = C.tg_rest_map_new(2), ffi.new("struct tg_records")
      C.tg_records_clear(records)
      local demand = ffi.new("struct tg_rest_demand", { "demo-1", 10000 })
      local answer = ffi.new("struct tg_rest_answer", { 200, text, #text, 0 })
      local verdict = ffi.new("struct tg_rest_verdict")
      local rc = C["tg_rest_map_" .. part](map, answer, demand, records, verdict)
      C.tg_records_fini(records)
      C.tg_rest_map_free(map)
      assert.equal(wanted == "ok" and 0 or -7, rc, ffi.string(verdict.message))
    end)
  end
end)
