-- @sam/Llama-Herder: inference from aos. A prompt is sent to the token as a transfer to the herder, which lets a worker
-- answer it; the text comes back to a function of the caller.
--
--   Llama = require("@sam/Llama-Herder")
--   Llama.run("What is the meaning of life?", 20)                       prints the answer
--   Llama.run(prompt, tokens, function(text) ... end)                   hands it on
--   Llama.run(prompt, tokens, callback, { Fee = 100 })                  pays so much, in units of the token
--   Llama.run(prompt, tokens, callback, { Multiplier = 1.1 })           pays more than the least fee, to be served first
--   Llama.run(prompt, tokens, callback, { Model = id, FileHash = hash, WorkerType = "Llama" })
--   Llama.getPrices(function(prices) ... end)                           asks the herder for its fees
--
-- Llama.herder and Llama.token say who is asked and how it is paid. A prompt that comes to nothing is paid back, and its
-- reason is printed, or given to Llama.onError(reason, reference) if that is set.

-- Installed again it keeps what it waits for.
local Llama = package.loaded["@sam/Llama-Herder"]
if type(Llama) ~= "table" then Llama = {} end

Llama.herder = Llama.herder or "wh5vB2IbqmIBUqgodOaTvByNFDPr73gbUq1bVOUtCrw"
Llama.token = Llama.token or "xU9zFkq3X2ZQ6olwNVvr1vUWIjc3kXTWr7xKQD6dh10"
Llama.Reference = Llama.Reference or 0
Llama.waiting = Llama.waiting or {}
Llama.asking = Llama.asking or {}
if Llama.printResponses == nil then Llama.printResponses = true end

local function whole(value)
  local number = math.tointeger(tonumber(value))
  return number and number >= 0 and number or nil
end

local function failed(reason, reference)
  Llama.waiting[reference] = nil
  if Llama.onError then
    Llama.onError(reason, reference)
  else
    print("Llama-Herder: " .. tostring(reference) .. " has no answer: " .. tostring(reason))
  end
end

-- Asks for the fees. The callback is given { base, token, queue }, once they are there.
function Llama.getPrices(callback)
  if callback then table.insert(Llama.asking, callback) end
  ao.send({ Target = Llama.herder, Action = "Info" })
end

Llama.Info = Llama.getPrices

-- The least fee for a prompt, in units of the token; nothing while the fees are not known.
function Llama.calculateFee(_, tokens)
  if not Llama.prices then
    print("Llama-Herder: the fees are not known yet; ask with Llama.getPrices()")
    return nil
  end
  return Llama.prices.base + Llama.prices.token * tokens
end

local function send(reference, prompt, tokens, fees)
  local fee = fees.Fee and whole(fees.Fee) or Llama.calculateFee(prompt, tokens)
  if fees.Multiplier then fee = math.ceil(fee * fees.Multiplier) end
  Llama.lastFeePaid = fee
  ao.send({
    Target = Llama.token,
    Action = "Transfer",
    Recipient = Llama.herder,
    Quantity = string.format("%d", fee),
    ["X-Prompt"] = prompt,
    ["X-Tokens"] = tostring(tokens),
    ["X-Reference"] = reference,
    ["X-Model"] = fees.Model,
    ["X-File-Hash"] = fees.FileHash,
    ["X-WorkerType"] = fees.WorkerType
  })
end

-- Asks a prompt; the reference under which it is answered.
function Llama.run(prompt, tokens, callback, fees)
  tokens = whole(tokens)
  fees = fees or {}
  assert(type(prompt) == "string" and #prompt > 0, "the prompt is a text")
  assert(tokens and tokens > 0, "the number of tokens is a whole number above 0")
  assert(callback == nil or type(callback) == "function", "the callback is a function")
  assert(fees.Fee == nil or whole(fees.Fee), "a fee is a whole number of the token's units")
  Llama.Reference = Llama.Reference + 1
  local reference = tostring(Llama.Reference)
  Llama.waiting[reference] = callback or false
  if fees.Fee or Llama.prices then
    send(reference, prompt, tokens, fees)
  else
    Llama.getPrices(function() send(reference, prompt, tokens, fees) end)
  end
  return reference
end

local function on(name, from, action, handle)
  Handlers.add("Llama-Herder." .. name, function(msg)
    return msg.From == Llama[from] and msg.Action == action
  end, handle)
end

on("Info-Response", "herder", "Info-Response", function(msg)
  Llama.prices = {
    base = whole(msg["Base-Fee"]) or 0,
    token = whole(msg["Token-Fee"]) or 0,
    queue = whole(msg["Queue-Length"]) or 0
  }
  local asking = Llama.asking
  Llama.asking = {}
  for _, callback in ipairs(asking) do callback(Llama.prices) end
end)

on("Inference-Response", "herder", "Inference-Response", function(msg)
  local reference = msg["X-Reference"] or msg.Reference
  if msg.Error then return failed(msg.Error, reference) end
  local callback = Llama.waiting[reference]
  if callback == nil then return end
  Llama.waiting[reference] = nil
  if callback then
    callback(msg.Data, msg)
  elseif Llama.printResponses then
    print("Llama-Herder: " .. msg.Data)
  end
end)

-- The token did not pay: there is too little money.
Handlers.add("Llama-Herder.Transfer-Error", function(msg)
  return msg.From == Llama.token and msg.Action == "Transfer-Error" and Llama.waiting[msg["X-Reference"] or ""] ~= nil
end, function(msg)
  failed("the token refused the fee: " .. tostring(msg.Error), msg["X-Reference"])
end)

return Llama
