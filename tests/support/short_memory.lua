-- A process of its own in which libcrypto is out of memory at its nth allocation, for every n in turn, while
-- the token module verifies. (libcrypto takes an allocator only before its first allocation, so this cannot run
-- inside the suite.) Prints one line: what became of a good token, of forged ones, and of
-- the cache's keys.
package.path = "./tests/?.lua;" .. package.path
local ffi = require("ffi")
jit.off()

ffi.cdef([[
int CRYPTO_set_mem_functions(void *(*m)(size_t, const char *, int), void *(*r)(void *, size_t, const char *, int),
                             void (*f)(void *, const char *, int));
void *realloc(void *ptr, size_t size);
void _exit(int status);
]])

local budget -- allocations that still succeed; nil: all do
local failures = 0

local function fails()
  if not budget then return false end
  budget = budget - 1
  if budget ~= -1 then return false end
  failures = failures + 1
  return true
end

local crypto = ffi.load("libcrypto.so.3")
local set = crypto.CRYPTO_set_mem_functions(
  function(n)
    if fails() then return nil end
    return ffi.C.malloc(n)
  end,
  function(p, n)
    if fails() then return nil end
    return ffi.C.realloc(p, n)
  end,
  function(p) ffi.C.free(p) end)
assert(set == 1, "libcrypto was in use already")

local gate = require("support.gate")
local jws = require("support.jws")
local secret = gate.secret
local header = '{"alg":"HS256"}'
local good = jws.sign(header, ('{"sub":"mallory","exp":%d}'):format(gate.now + 9), secret)
local mine, signature = good:match("^(.+)%.(.-)$")
local forged = {
  mine .. "." .. (signature:sub(1, 1) == "A" and "B" or "A") .. signature:sub(2),
  -- the good token's own signature under other claims: what stale memory would confirm
  jws.encode(header) .. "." .. jws.encode(('{"sub":"alice","exp":%d}'):format(gate.now + 9)) .. "." .. signature,
}

local good_ok, good_other, forged_ok = 0, 0, 0
for _, cache in ipairs({ -1, 8 }) do
  local auth = gate.new({ cache = cache })
  for n = 0, 60 do
    auth:verify(good) -- leaves its digest and its signature on the stack
    for _, token in ipairs(forged) do
      budget = n
      local result = auth:verify(token)
      budget = nil
      if result == "OK" then forged_ok = forged_ok + 1 end
    end
    auth:close()
    auth = gate.new({ cache = cache })
    budget = n
    local result = auth:verify(good)
    budget = nil
    if result == "OK" then good_ok = good_ok + 1 else good_other = good_other + 1 end
  end
  auth:close()
end

-- The cache's key, asked for in memory that holds another token's: it is right or it is refused.
local C = require("support.cdef").library("auth", { "auth/cache.h" })
local wrong_keys, refused_keys = 0, 0
local right, key = ffi.new("unsigned char[32]"), ffi.new("unsigned char[32]")
C.tg_token_cache_key(right, good, #good)
for n = 0, 10 do
  ffi.fill(key, 32, 0x55)
  budget = n
  local rc = C.tg_token_cache_key(key, good, #good)
  budget = nil
  if rc ~= 0 then
    refused_keys = refused_keys + 1
  elseif ffi.string(key, 32) ~= ffi.string(right, 32) then
    wrong_keys = wrong_keys + 1
  end
end

io.write(("failures=%d forged_ok=%d good_ok=%d good_refused=%d wrong_keys=%d refused_keys=%d\n")
  :format(failures, forged_ok, good_ok, good_other, wrong_keys, refused_keys))
io.stdout:flush()
ffi.C._exit(0) -- libcrypto frees at exit, when there is no Lua to call back
