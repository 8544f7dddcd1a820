-- The protocol's own messages, which no rule and no envelope changes (docs/protocol.md): what a client
-- receives beside events and snapshots, and what it may send.
local ordered = require("ordered")
local object = ordered.object

local function typed(kind, ...)
  local out = object({ { "type", kind } })
  for _, pair in ipairs({ ... }) do
    ordered.add(out, pair[1], pair[2])
  end
  return out
end

local function text() return typed("string") end
local function integer() return typed("integer", { "minimum", 0 }) end
local function time() return typed("string", { "format", "date-time" }) end
local function age() return typed({ "integer", "null" }) end
local function names(...) return object({ { "enum", { ... } } }) end
local function status() return names("connecting", "live", "reconnecting", "cached", "down") end
local function globs() return typed("array", { "items", text() }) end

-- A message of pairs of names and schemas; a name with a "?" may be missing.
local function message(kind, description, members)
  local properties, required = object({ { "type", object({ { "const", kind } }) } }), { "type" }
  for _, pair in ipairs(members) do
    local name = pair[1]:match("^(.-)%??$")
    ordered.add(properties, name, pair[2])
    if name == pair[1] then required[#required + 1] = name end
  end
  return {
    type = kind,
    schema = object({
      { "title", kind }, { "description", description }, { "type", "object" }, { "properties", properties },
      { "required", required },
    }),
  }
end

local function nested(members)
  return ordered.object((function()
    local inner = message("", nil, members).schema
    local properties, required = ordered.object({}), {}
    for _, pair in ipairs(ordered.get(inner, "properties")) do
      if pair[1] ~= "type" then ordered.add(properties, pair[1], pair[2]) end
    end
    for _, name in ipairs(ordered.get(inner, "required")) do
      if name ~= "type" then required[#required + 1] = name end
    end
    return { { "type", "object" }, { "properties", properties }, { "required", required } }
  end)())
end

return {
  server = {
    message("connected", "first on every connection", {
      { "account_id", text() }, { "connection_id?", text() }, { "monitoring_interval", text() },
      { "protocol", object({ { "const", 1 } }) }, { "epoch", text() }, { "seq", integer() },
      { "recovered", typed("boolean") }, { "replayed?", integer() }, { "reason?", names("epoch", "too_old", "ahead") },
      { "heartbeat", nested({ { "ping_seconds", integer() }, { "timeout_seconds", integer() } }) },
      { "token_expires_in_seconds", integer() },
      { "rules", nested({ { "name", text() }, { "generation", integer() }, { "version", text() } }) },
      { "status", status() },
    }),
    message("status", "how the source of the account is", {
      { "status", status() }, { "since", time() }, { "age_ms", age() },
    }),
    message("error", "something was refused, or the source was lost", {
      { "error_code", text() }, { "message", text() }, { "retry_in_seconds?", integer() },
    }),
    message("pong", "answers a ping, behind everything that was queued before it", {
      { "id?", object({}) }, { "seq", integer() }, { "sent", integer() }, { "age_ms", age() }, { "status", status() },
    }),
    message("token_expiring", "the token ends soon", { { "in_seconds", integer() } }),
    message("authenticated", "a new token is in force", { { "token_expires_in_seconds", integer() } }),
    message("events", "the events that are sent from now on", { { "include", globs() } }),
    message("going_away", "the gateway is about to close the connection", { { "reconnect_after_ms", integer() } }),
  },
  client = {
    message("ping", "shows life; answered by pong", { { "id?", object({}) } }),
    message("auth", "replaces the token; answered by authenticated, or an error", { { "token", text() } }),
    message("snapshot", "asks for a snapshot", {}),
    message("events", "narrows the events of this connection to types that match", { { "include", globs() } }),
  },
}
