-- The token module under test behind a few short words: a clock that stands still until told, options
-- from a table, results by name.
local ffi = require("ffi")
local cdef = require("support.cdef")
local C = cdef.library("auth", { "auth/auth.h" })

local gate = { C = C, now = 1700000000 }
gate.secret = ("s3cret-"):rep(10):sub(1, 64)

local results = { [0] = "OK", "MISSING", "FAILED", "EXPIRED", "NOT_OWNER", "UNAVAILABLE" }

local function options_of(given, anchors)
  local o = ffi.new("struct tg_auth_options")
  local keys = given.keys or { { algorithm = "HS256", secret = gate.secret } }
  local array = ffi.new("struct tg_key_options[?]", math.max(#keys, 1))
  for i, key in ipairs(keys) do
    array[i - 1].algorithm = key.algorithm
    array[i - 1].secret = key.secret
    array[i - 1].secret_len = key.secret and #key.secret or 0
    array[i - 1].kid = key.kid
  end
  o.keys, o.keys_count = array, #keys
  o.issuer, o.audience = given.issuer, given.audience
  o.leeway_seconds = given.leeway or 0
  o.ownership_file = given.file
  o.ownership_claim = given.claim or nil -- false: none
  if not given.file and given.claim == nil then o.ownership_claim = "accounts" end
  o.token_bytes = given.token_bytes or 0
  o.ownership_file_bytes = given.file_bytes or 0
  o.cache_tokens = given.cache or 0
  anchors[1], anchors[2], anchors[3] = array, given, keys
  return o
end

local methods = {}
methods.__index = methods

-- The result's name, and the identity (a table) or the reason.
function methods:verify(token)
  local identity, err = ffi.new("struct tg_identity"), ffi.new("struct tg_err")
  local result = results[tonumber(C.tg_auth_verify(self.auth, token, token and #token or 0, identity, err))]
  if result ~= "OK" then
    assert(identity.subject == nil and identity.claims == nil, "a refusal touched the identity")
    return result, ffi.string(err.text)
  end
  local out = {
    subject = ffi.string(identity.subject),
    claims = ffi.string(identity.claims, identity.claims_len),
    expires_ms = tonumber(identity.expires_ms),
    accepted_until_ms = tonumber(identity.accepted_until_ms),
  }
  C.tg_identity_fini(identity)
  return result, out
end

-- Whether somebody with these claims (JSON text) and this subject owns the account.
function methods:owns(subject, claims, account)
  local identity = ffi.new("struct tg_identity")
  local anchor = ffi.new("char[?]", #subject + 1, subject)
  identity.subject = anchor
  identity.claims = ffi.cast("char *", claims)
  identity.claims_len = #claims
  return results[tonumber(C.tg_auth_owns(self.auth, identity, account))]
end

function methods:refresh()
  local err = ffi.new("struct tg_err")
  local rc = C.tg_auth_refresh(self.auth, err)
  return rc, ffi.string(err.text)
end

function methods:reload(given)
  local anchors, err = {}, ffi.new("struct tg_err")
  local rc = C.tg_auth_reload(self.auth, options_of(given, anchors), err)
  return rc, ffi.string(err.text), anchors
end

function methods:mint(subject, claims, ttl)
  local out, err = ffi.new("char *[1]"), ffi.new("struct tg_err")
  local rc = C.tg_auth_mint(self.auth, subject, claims, ttl or 3600, out, err)
  if rc ~= 0 then return nil, rc, ffi.string(err.text) end
  local token = ffi.string(out[0])
  C.free(out[0])
  return token
end

function methods:advance(ms)
  C.tg_clock_virtual_advance(self.clock, ms)
end

function methods:close()
  if self.auth then C.tg_auth_free(self.auth) end
  self.auth = nil
end

-- A module with these options, or nil, the code and the reason.
function gate.new(given)
  local self = setmetatable({ clock = ffi.new("struct tg_clock_virtual") }, methods)
  C.tg_clock_virtual_init(self.clock, 0, gate.now * 1000LL)
  local anchors, out, err = {}, ffi.new("struct tg_auth *[1]"), ffi.new("struct tg_err")
  local rc = C.tg_auth_new(options_of(given or {}, anchors), self.clock.clock, out, err)
  if rc ~= 0 then return nil, rc, ffi.string(err.text), anchors end
  self.auth = out[0]
  return self
end

return gate
