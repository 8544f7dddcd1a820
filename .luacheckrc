-- luacheck . from the root of the tree.
std = "luajit"
max_line_length = 120
exclude_files = { "build/**", "**/node_modules/**" }

-- What a rule file sees is what lua/sandbox.lua puts into its environment and nothing else: a file that
-- reaches for `os` or for a misspelt helper is refused here before the gateway refuses it.
stds.rules = {
  read_globals = {
    "rule", "option", "envelope", "expect", "nothing", "any", "including", "const", "changes", "positions", "orders", "unless",
    "when",
    "round", "percent", "crossed", "throttle", "pick", "diff", "iso8601", "now", "json", "list", "log", "print",
    "assert", "error", "ipairs", "next", "pairs", "pcall", "select", "tonumber", "tostring", "type", "unpack",
    math = { other_fields = false, fields = {
      "abs", "acos", "asin", "atan", "atan2", "ceil", "cos", "cosh", "deg", "exp", "floor", "fmod", "frexp", "huge",
      "ldexp", "log", "log10", "max", "min", "modf", "pi", "pow", "rad", "sin", "sinh", "sqrt", "tan", "tanh",
    } },
    string = { other_fields = false, fields = {
      "byte", "char", "format", "len", "lower", "reverse", "sub", "upper", "find", "match", "gmatch", "gsub", "rep",
    } },
    table = { other_fields = false, fields = { "concat", "insert", "remove", "sort" } },
    bit = { other_fields = false, fields = {
      "arshift", "band", "bnot", "bor", "bswap", "bxor", "lshift", "rol", "ror", "rshift", "tobit", "tohex",
    } },
  },
}
files["plugins/rules/**/*.lua"] = { std = "rules" }
files["examples/**/*.lua"] = { std = "rules" }

-- A configuration file sees these, and so does a mapping.
stds.configuration = { read_globals = { "env", "file", "here", "mapping", "is_list" } }
files["**/gateway*.lua"] = { std = "configuration" }
files["plugins/sources/*.lua"] = { std = "luajit+configuration" }

-- Declarations for editors: they define what the files above may use.
files["lua/meta/**/*.lua"] = { ignore = { "111", "112", "113", "121", "122", "131", "142", "143", "211", "212", "631" } }

-- Tables of cases read better in long lines than in tall columns.
files["tests/**/*.lua"] = { std = "luajit+busted", max_line_length = 160 }
