-- Bytes of the raw Web API as Lua strings: hex, UTF-16LE of ASCII, packets.
local bytes = {}

function bytes.unhex(text)
  return (text:gsub("%x%x", function(pair)
    return string.char(tonumber(pair, 16))
  end))
end

function bytes.hex(text)
  return (text:gsub(".", function(c)
    return ("%02x"):format(c:byte())
  end))
end

-- All bytes, 00 … ff, in hex: the random ones of the published vectors.
local every = {}
for i = 0, 255 do
  every[i + 1] = string.char(i)
end
bytes.every = bytes.hex(table.concat(every))

-- The published challenges and their answers for "Password1": the server's, and a client's.
bytes.SRV_RAND, bytes.SRV_PROOF = "73007dc7184747ce0f7c98516ef1c851", "77fe51827f7fa69dd80fbec9aa33f1bb"
bytes.CLI_RAND, bytes.CLI_PROOF = "4db98fec17aab4dc5a240bdc659e8395", "1732021b1b332f51660b2b315eed3a35"

-- What MetaQuotes' PHP classes were seen to send on an encrypted connection after the authentication, with "Password1" and
-- the random bytes above: the words, in ASCII, and the bodies of their packets, in hex.
bytes.seen = {
  { "TEST_ACCESS|\r\n", "1ef54afe0b0c7554a300657b6d86e9b61c4da24cb70af1463cb77366" },
  { "|\r\n", "06d745bf4651" },
  { "|\r\n", "da3be204236d" },
  { "POSITION_GET_TOTAL|LOGIN=7|\r\n",
    "55118aa43fa0f966208ea196195694ae209e12deca10315025900df0f9805aa91f31a13981e841ca3fbe00faeeea62bbb29a93c80314163f9d83" },
  { "POSITION_GET_PAGE|LOGIN=7|OFFSET=0|TOTAL=100|\r\n",
    "3a27bd4aea67ddffb654f2edcfc9a410f924dfcd80035cd39d91189762804dcfe093e5fb1aa8aa22655468c9f8926056690c6beb45f76bba64536fdb" ..
      "a3395a8da88b51aee68b922e74312ea879df538e3397531972833ea88c4301756d78" },
  { "GROUP_GET|GROUP=demo\\\\forex|\r\n",
    "6b885bb8bd12c1711ce0aee0c313d4da8bc53c2aa9d56a90204e27ffc24340a0886aee8d3b67af3bf28eeceb1475815c4b741aed10b38016bed02e02" },
  { "QUIT|\r\n", "7117356b40f90d09a1b031106f85" },
}

-- A further published vector: a challenge, its proof, and one command sent twice under another password.
bytes.second = {
  password = "demoPASWORD^123",
  challenge = "904ba8ecb16273d2f0ae9c3b8a023752",
  proof = "280e4b5c1b77289603b9e048b3985058",
  crypt_rand = "0de18c436abe58fc2517ee949086d588fca58a6d7fc76a3ff4e6d1f742dd845be2d74c1a9b08e418909b15077deb2037" ..
    "3ef55caf910e207c1cd1e349b25ca230d2bc83d070a5b7a0f866a482911d449c9f27c8638bdb82f8c67801b80b5b7e0f" ..
    "e576778c72fd993b6662e32f5284095e272416b2f698565cf9c3736cd744de9e24ee707727785291e1761a344a883625" ..
    "ded28ec358ac654fbe9a808c9d7e8b88960cb8b9197fa94b718a90b90192959bcd1a78bf3c7f777a1ce57240e6714d73" ..
    "43b99679d07867111e878ee7fe08ec66fbe41bcd277954851b8c8fb23985eb0834db51dfd3cd548af1535ce5c954042e" ..
    "7019c016a302c317c37720071e222fee",
  text = "SYMBOL_TOTAL|\r\n",
  ciphers = { "8c6f9e5343b25cd9a902d9f1d17ea99e3317a29f1c2a4bf8e890a954072f", "7b9d6bd126851ae2133dc61c947796afe620e3b07a06027998217d5c7a64" },
}

-- ASCII as UTF-16LE.
function bytes.wide(text)
  return (text:gsub(".", "%0\0"))
end

-- A packet as the peer writes it.
function bytes.packet(body, serial, more)
  return ("%04x%04x%d"):format(#body, serial, more and 1 or 0) .. body
end

return bytes
