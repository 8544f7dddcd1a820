---@meta

-- What of Lua itself a rule file has.

---@generic T
---@param value T
---@param message? any
---@param ... any
---@return T
---@return any ...
function assert(value, message, ...) end

---@param message any
---@param level? integer
function error(message, level) end

---@generic T
---@param items T[]
---@return fun(items: T[], i?: integer): integer, T
---@return T[]
---@return integer
function ipairs(items) end

---@generic K, V
---@param members table<K, V>
---@param key? K
---@return K?
---@return V?
function next(members, key) end

---@generic K, V
---@param members table<K, V>
---@return fun(members: table<K, V>, key?: K): K, V
---@return table<K, V>
function pairs(members) end

---@param f function
---@param ... any
---@return boolean
---@return any ...
function pcall(f, ...) end

---@param n integer|"#"
---@param ... any
---@return any ...
function select(n, ...) end

---@param value any
---@param base? integer
---@return number?
function tonumber(value, base) end

---@param value any
---@return string
function tostring(value) end

---@param value any
---@return "nil"|"number"|"string"|"boolean"|"table"|"function"|"cdata"
function type(value) end

---@param items table
---@param first? integer
---@param last? integer
---@return any ...
function unpack(items, first, last) end

---@class bitlib
bit = {}

---@param value integer
---@param bits integer
---@return integer
function bit.arshift(value, bits) end

---@param value integer
---@param ... any
---@return integer
function bit.band(value, ...) end

---@param value integer
---@return integer
function bit.bnot(value) end

---@param value integer
---@param ... any
---@return integer
function bit.bor(value, ...) end

---@param value integer
---@return integer
function bit.bswap(value) end

---@param value integer
---@param ... any
---@return integer
function bit.bxor(value, ...) end

---@param value integer
---@param bits integer
---@return integer
function bit.lshift(value, bits) end

---@param value integer
---@param bits integer
---@return integer
function bit.rol(value, bits) end

---@param value integer
---@param bits integer
---@return integer
function bit.ror(value, bits) end

---@param value integer
---@param bits integer
---@return integer
function bit.rshift(value, bits) end

---@param value integer
---@return integer
function bit.tobit(value) end

---@param value integer
---@param digits? integer
---@return string
function bit.tohex(value, digits) end

---@class mathlib
math = {}

---@type number
math.huge = nil

---@type number
math.pi = nil

---@param x number
---@return number
function math.abs(x) end

---@param x number
---@return number
function math.acos(x) end

---@param x number
---@return number
function math.asin(x) end

---@param x number
---@return number
function math.atan(x) end

---@param y number
---@param x number
---@return number
function math.atan2(y, x) end

---@param x number
---@return number
function math.ceil(x) end

---@param x number
---@return number
function math.cos(x) end

---@param x number
---@return number
function math.cosh(x) end

---@param x number
---@return number
function math.deg(x) end

---@param x number
---@return number
function math.exp(x) end

---@param x number
---@return number
function math.floor(x) end

---@param x number
---@param y number
---@return number
function math.fmod(x, y) end

---@param x number
---@return number
function math.frexp(x) end

---@param x number
---@param e integer
---@return number
function math.ldexp(x, e) end

---@param x number
---@return number
function math.log(x) end

---@param x number
---@return number
function math.log10(x) end

---@param x number
---@param ... any
---@return number
function math.max(x, ...) end

---@param x number
---@param ... any
---@return number
function math.min(x, ...) end

---@param x number
---@return number
function math.modf(x) end

---@param x number
---@param y number
---@return number
function math.pow(x, y) end

---@param x number
---@return number
function math.rad(x) end

---@param x number
---@return number
function math.sin(x) end

---@param x number
---@return number
function math.sinh(x) end

---@param x number
---@return number
function math.sqrt(x) end

---@param x number
---@return number
function math.tan(x) end

---@param x number
---@return number
function math.tanh(x) end

---@class stringlib
string = {}

---@param s string
---@param first? integer
---@param last? integer
---@return integer ...
function string.byte(s, first, last) end

---@param ... any
---@return string
function string.char(...) end

---@param s string
---@param pattern string
---@param init? integer
---@param plain? boolean
---@return integer?
function string.find(s, pattern, init, plain) end

---@param s string
---@param ... any
---@return string
function string.format(s, ...) end

---@param s string
---@param pattern string
---@return fun(): string ...
function string.gmatch(s, pattern) end

---@param s string
---@param pattern string
---@param with string|table|function
---@param n? integer
---@return string
function string.gsub(s, pattern, with, n) end

---@param s string
---@return integer
function string.len(s) end

---@param s string
---@return string
function string.lower(s) end

---@param s string
---@param pattern string
---@param init? integer
---@return string?
function string.match(s, pattern, init) end

---@param s string
---@param n integer
---@param separator? string
---@return string
function string.rep(s, n, separator) end

---@param s string
---@return string
function string.reverse(s) end

---@param s string
---@param first? integer
---@param last? integer
---@return string
function string.sub(s, first, last) end

---@param s string
---@return string
function string.upper(s) end

---@class tablelib
table = {}

---@param items table
---@param separator? string
---@param first? integer
---@param last? integer
---@return string
function table.concat(items, separator, first, last) end

---@param items table
---@param ... any
function table.insert(items, ...) end

---@param items table
---@param position? integer
---@return any
function table.remove(items, position) end

---@param items table
---@param less? fun(a: any, b: any): boolean
function table.sort(items, less) end
