---@meta

-- What a rule file sees, for editors that speak LuaLS: completion, types, and a squiggle under what is not
-- there. A spec holds it equal to the sandbox. What of Lua itself is there is in lua.lua; the fields of accounts,
-- positions, orders, deals and moments are in fields.lua, which is generated.

-- Rules ------------------------------------------------------------------------------------------------

---@alias tidegate.Kind
---| "position_opened"
---| "position_modified"
---| "position_closed"
---| "order_placed"
---| "order_modified"
---| "order_removed"
---| "deal"
---| "balance_operation"
---| "snapshot"
---| "source_status"
---| "client_connected"
---| "client_disconnected"
---| "tick"

---@class (exact) tidegate.Client
---@field subject string of the token
---@field claims table<string, any> of the token
---@field query table<string, string> of the URL, without the token

---@class (exact) tidegate.Event
---@field type string
---@field account_id string
---@field payload table<string, any>

---@class tidegate.Memory a rule's own for one account; numbers, texts, true, false and tables of them survive a reload
---@field [any] any

---@class (exact) tidegate.Rule
---@field watch? tidegate.AccountField[] the rule runs when one of these fields differs from the last poll
---@field on? tidegate.Kind|tidegate.Kind[] instead of `watch`: what happened
---@field only? fun(account: tidegate.Account): any for which accounts
---@field detect? fun(now: any, was: any, memory: any): any whether there is something to tell; with `on` (moment, memory, account)
---@field payload? table|fun(now: any, was: any, what: any, more: any): table? the message: a shape, or a function; with `on` (moment, memory, account, what)
---@field schema? table what a payload that a function makes looks like
---@field type? string the message's type; otherwise the rule's name
---@field lane? "ordered"|"latest" whether a slow client gets every message or the newest only
---@field every? number at most once in so many seconds for each account
---@field to? fun(client: tidegate.Client, event: tidegate.Event): boolean? which clients get it
---@field version? number of the memory's layout
---@field migrate? fun(old: table): table the memory of an older version in the new layout

---Declares a rule: `rule "name" { watch = { "equity" } }`. A file that returns nothing has all rules that it declares.
---@param name string
---@return fun(spec: tidegate.Rule): table
function rule(name) end

---@class (exact) tidegate.Envelope
---@field type? string
---@field seq? string
---@field rev? string
---@field timestamp? string
---@field payload? string the member that holds the payload; without it its members stand beside the gateway's own

---How the gateway's own members of events and snapshots are called, once in a set.
---@param members tidegate.Envelope
function envelope(members) end

---A setting of this file: the default, unless the configuration says otherwise.
---@generic T: number|string|boolean
---@param name string
---@param default T
---@return T
function option(name, default) end

-- Examples ---------------------------------------------------------------------------------------------

---@class tidegate.Mark

---@class (exact) tidegate.Step
---@field was? table the account before (positions, orders: lists); what is not named is as it was
---@field now? table the account after
---@field moment? table what happened: kind, and fields of the moment and of what it is about
---@field client? tidegate.Client|{ subject?: string, claims?: table, query?: table }
---@field at? string|number the time, ISO 8601 or UTC milliseconds
---@field after? number seconds since the step before; 1
---@field gives? table|tidegate.Mark the payload
---@field remembers? table what the memory holds afterwards, at least
---@field reaches? boolean whether `to` lets the client have it

---@class tidegate.Example: tidegate.Step
---@field memory? table before the first step
---@field options? table<string, number|string|boolean> instead of their defaults
---@field [integer] tidegate.Step

---An example, run before the file may go live: `expect "name" { now = { equity = 5 }, gives = { equity = 5 } }`.
---@param rule string
---@return fun(example: tidegate.Example): table
function expect(rule) end

---No event; of a field: it is not known.
---@type tidegate.Mark
nothing = nil

---Some value, whichever.
---@type tidegate.Mark
any = nil

---A table that may have more members than these.
---@param members table
---@return tidegate.Mark
function including(members) end

-- Shapes -----------------------------------------------------------------------------------------------

---The same value in every message.
---@param value any
---@return tidegate.Mark
function const(value) end

---An object of the fields that changed: old, new and the difference. Without any nothing is said.
---@param fields table
---@return tidegate.Mark
function changes(fields) end

---A list with an entry for each open position, or for those that meet a condition.
---@param members table
---@param condition? string|table
---@return tidegate.Mark
function positions(members, condition) end

---A list with an entry for each pending order, or for those that meet a condition; null where they are not known.
---@param members table
---@param condition? string|table
---@return tidegate.Mark
function orders(members, condition) end

---A member that is there only while a flag is true, a field is known, or names are these: `when({ side = "buy" }, …)`.
---@param condition string|table
---@param value? string|table
---@return tidegate.Mark
function when(condition, value) end

---The opposite of `when`.
---@param condition string|table
---@param value? string|table
---@return tidegate.Mark
function unless(condition, value) end

---A number at so many decimals (0), half away from zero; nil stays nil. In a shape: a field at so many decimals.
---@overload fun(field: string, decimals?: integer): tidegate.Mark
---@overload fun(value: nil, decimals?: integer): nil
---@param value number
---@param decimals? integer
---@return number
function round(value, decimals) end

-- Helpers ----------------------------------------------------------------------------------------------

---part of whole in percent; nil when one is not known or the whole is 0.
---@param part number?
---@param whole number?
---@return number?
function percent(part, whole) end

---Whether a value has just passed a threshold.
---@param now number?
---@param was number?
---@param threshold number
---@return "up"|"down"|nil
function crossed(now, was, threshold) end

---True at most once in so many seconds, for each key of this memory.
---@param memory tidegate.Memory
---@param key any
---@param seconds number
---@return boolean
function throttle(memory, key, seconds) end

---These fields as a table.
---@param view table
---@param ... string
---@return table<string, any>
function pick(view, ...) end

---`{ name = { old, new, diff } }` of those that differ, or nil.
---@param now table
---@param was table
---@param ... string
---@return table<string, { old: any, new: any, diff: number? }>?
function diff(now, was, ...) end

---UTC milliseconds as ISO 8601.
---@param ms number?
---@return string?
function iso8601(ms) end

---The gateway's time in UTC milliseconds: the same for all that one poll sets off.
---@return number
function now() end

---A value as JSON text.
---@param value any
---@return string
function json(value) end

---Marks a table as a list, so that it is [] and not {} while it is empty.
---@param items? table
---@return table
function list(items) end

---A line in the gateway's log, at most 20 a second.
---@param ... any
function log(...) end

---The same as `log`.
---@param ... any
function print(...) end
