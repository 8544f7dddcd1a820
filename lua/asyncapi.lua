-- The same messages as an AsyncAPI 3 document: the channel, what is sent and what is received on it.
local ordered = require("ordered")
local object, add = ordered.object, ordered.add

-- A name that may stand in a reference: types may have dots and dashes, which both may.
local function message_refs(from, group, prefix)
  local out = {}
  for i, item in ipairs(group) do
    out[i] = object({ { "$ref", from .. prefix .. item.type } })
  end
  return out
end

return function(all, version)
  local channel, components, groups = object({}), object({}), {
    { all.messages, "" }, { all.control, "" }, { all.client, "client_" },
  }
  for _, group in ipairs(groups) do
    for _, item in ipairs(group[1]) do
      local name = group[2] .. item.type
      add(channel, name, object({ { "$ref", "#/components/messages/" .. name } }))
      add(components, name, object({
        { "name", item.type }, { "contentType", "application/json" },
        { "summary", ordered.get(item.schema, "description") }, { "payload", item.schema },
      }))
    end
  end
  local at = "#/channels/account/messages/"
  local received = message_refs(at, all.messages, "")
  for _, reference in ipairs(message_refs(at, all.control, "")) do
    received[#received + 1] = reference
  end
  local account = object({ { "$ref", "#/channels/account" } })
  return ordered.json(object({
    { "asyncapi", "3.0.0" },
    { "info", object({
      { "title", "Tidegate" }, { "version", version },
      { "description", "Realtime events of MetaTrader 5 accounts. docs/protocol.md is the protocol in words." },
    }) },
    { "defaultContentType", "application/json" },
    { "channels", object({ { "account", object({
      { "address", "/ws/account/{account_id}" },
      { "description", "One account's stream, over WebSocket." },
      { "parameters", object({ { "account_id", object({
        { "description", "1 to 64 characters of A-Z a-z 0-9 . _ -" },
      }) } }) },
      { "messages", channel },
      { "bindings", object({ { "ws", object({
        { "method", "GET" },
        { "query", object({ { "type", "object" }, { "properties", object({
          { "token", object({ { "type", "string" }, { "description", "a JWT; a header may carry it instead" } }) },
          { "epoch", object({ { "type", "string" } }) },
          { "since", object({ { "type", "integer" } }) },
          { "events", object({ { "type", "string" }, { "description", "globs of event types, with commas" } }) },
        }) } }) },
      }) } }) },
    }) } }) },
    { "operations", object({
      { "receive", object({ { "action", "send" }, { "channel", account }, { "messages", received } }) },
      { "send", object({
        { "action", "receive" }, { "channel", account }, { "messages", message_refs(at, all.client, "client_") },
      }) },
    }) },
    { "components", object({ { "messages", components } }) },
  }))
end
