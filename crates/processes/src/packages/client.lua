-- The client of a package registry, for processes of aos. The registry sends it in answer to APM.Update.
--
--   APM.install("@vendor/name")          or with a version: "@vendor/name@1.0.3"
--   APM.uninstall("@vendor/name")
--   APM.search("text")  APM.list()  APM.popular()  APM.info("@vendor/name")
--   APM.publish({ name = "@vendor/name", version = "1.0.0", source = "return {}", description = "" })
--   APM.registerVendor("@vendor")  APM.transfer("@vendor/name", "address")
--   APM.update()
--
-- APM.ID is the registry that is asked; set it to ask another one.

local json = require("json")

APM = type(APM) == "table" and APM or {}
apm = APM

APM.ID = "REGISTRY_ID"
APM.installed = APM.installed or {}

local function ask(action, data, tags)
  local message = { Target = APM.ID, Action = action, Data = data }
  for name, value in pairs(tags or {}) do message[name] = value end
  ao.send(message)
end

local function text(value, what)
  assert(type(value) == "string" and #value > 0, what .. " is a text")
  return value
end

-- "@vendor/name@1.0.3" in its parts.
local function parts(name)
  local full, version = text(name, "the name of a package"):match("^(@?[%w%-_/]+)@([%w%.%-_]+)$")
  full = full or name
  local vendor, short = full:match("^(@[%w%-]+)/([%w%-_]+)$")
  if not vendor then vendor, short = "@apm", full:match("^([%w%-_]+)$") end
  assert(short, "'" .. name .. "' is no name of a package: @vendor/name")
  return vendor, short, version
end

-- Under which name a package is required: those of @apm without their vendor, too.
local function names(vendor, short)
  local all = { vendor .. "/" .. short }
  if vendor == "@apm" then all[2] = short end
  return all
end

function APM.install(name)
  local vendor, short, version = parts(name)
  local asked = vendor .. "/" .. short .. (version and "@" .. version or "")
  ask("APM.Download", asked)
  return "asked the registry for " .. asked
end

function APM.uninstall(name)
  local vendor, short = parts(name)
  for _, known in ipairs(names(vendor, short)) do package.loaded[known] = nil end
  assert(APM.installed[vendor .. "/" .. short], name .. " is not installed")
  APM.installed[vendor .. "/" .. short] = nil
  return vendor .. "/" .. short .. " is uninstalled"
end

function APM.search(query)
  ask("APM.Search", text(query, "what is searched for"))
  return "asked the registry for packages with '" .. query .. "'"
end

function APM.list(from)
  ask("APM.List", "", from and { ["From-Id"] = tostring(from) })
  return "asked the registry for its packages"
end

function APM.popular()
  ask("APM.Popular", "")
  return "asked the registry for the packages with most installs"
end

function APM.info(name)
  local vendor, short, version = parts(name)
  ask("APM.Info", vendor .. "/" .. short .. (version and "@" .. version or ""))
  return "asked the registry about " .. name
end

function APM.publish(new)
  local vendor, short = parts(new.name)
  local source = text(new.source, "the source")
  local compiled, problem = load(source, "=" .. new.name)
  assert(compiled, "the source cannot be compiled: " .. tostring(problem))
  ask("APM.Publish", json.encode({ source = source, readme = new.readme or "" }), {
    Vendor = vendor,
    Name = short,
    Version = text(new.version, "the version"),
    Description = new.description,
    Repository = new.repository,
    License = new.license,
    Keywords = new.keywords and json.encode(new.keywords),
    Authors = new.authors and json.encode(new.authors),
    Dependencies = new.dependencies and json.encode(new.dependencies),
    Warnings = new.warnings and json.encode(new.warnings)
  })
  return "sent " .. vendor .. "/" .. short .. "@" .. new.version .. " to the registry"
end

function APM.registerVendor(name)
  ask("APM.RegisterVendor", text(name, "the name of a vendor"))
  return "asked the registry for " .. name
end

function APM.transfer(name, recipient)
  local vendor, short = parts(name)
  ask("APM.Transfer", "", { Vendor = vendor, Name = short, Recipient = text(recipient, "the recipient") })
  return "asked the registry to give " .. name .. " to " .. recipient
end

function APM.update()
  ask("APM.Update", "")
  return "asked the registry for its client"
end

-- What the registry answers. Messages of others are none of its answers.

local function on(action, handle)
  Handlers.add("APM answer: " .. action, function(msg)
    return msg.From == APM.ID and msg.Action == action
  end, handle)
end

local function unhex(digits)
  return (digits:gsub("%x%x", function(byte) return string.char(tonumber(byte, 16)) end))
end

-- Of a list or a map in JSON; nothing if it is neither.
local function decoded(value)
  local good, found = pcall(json.decode, value or "")
  return good and type(found) == "table" and found or {}
end

on("APM.DownloadResponse", function(msg)
  local vendor, short = parts(msg.Name)
  local full = vendor .. "/" .. short
  local load_package, problem = load(unhex(msg.Data), "=" .. full)
  if not load_package then
    print(full .. "@" .. msg.Version .. " cannot be compiled: " .. tostring(problem))
    return
  end
  local made = load_package()
  if made == nil then made = true end
  for _, known in ipairs(names(vendor, short)) do package.loaded[known] = made end
  APM.installed[full] = msg.Version
  local warning = decoded(msg.Warnings).installMessage
  if type(warning) == "string" and #warning > 0 then print(full .. " says: " .. warning) end
  print("installed " .. full .. "@" .. msg.Version .. ": require(\"" .. full .. "\")")
  for needed, wanted in pairs(decoded(msg.Dependencies)) do
    local version = type(wanted) == "table" and wanted.version or nil
    local needed_vendor, needed_short = parts(needed)
    if not APM.installed[needed_vendor .. "/" .. needed_short] then
      print(full .. " needs " .. needed .. (version and "@" .. version or ""))
      APM.install(needed .. (version and "@" .. version or ""))
    end
  end
end)

local function show(msg)
  local lines = {}
  for _, found in ipairs(decoded(msg.Data)) do
    lines[#lines + 1] = found.Vendor .. "/" .. found.Name .. "@" .. found.Version .. "  " .. found.Description ..
      "  (" .. math.floor(found.TotalInstalls) .. " installs)"
  end
  print(#lines > 0 and table.concat(lines, "\n") or "no packages")
end

for _, action in ipairs({ "APM.SearchResponse", "APM.ListResponse", "APM.PopularResponse", "APM.VendorPackagesResponse" }) do
  on(action, show)
end

on("APM.InfoResponse", function(msg)
  local found = decoded(msg.Data)
  local versions = {}
  for _, version in ipairs(found.Versions or {}) do versions[#versions + 1] = version.Version end
  print(found.Vendor .. "/" .. found.Name .. "@" .. found.Version .. "\n" .. found.Description ..
    "\nowner       " .. found.Owner .. "\nversions    " .. table.concat(versions, ", ") ..
    "\ninstalls    " .. math.floor(found.TotalInstalls) .. "\nlicense     " .. found.License ..
    "\nrepository  " .. found.Repository .. "\n" .. unhex(found.Readme))
end)

on("APM.UpdateResponse", function(msg)
  local update, problem = load(unhex(msg.Data), "=@apm/apm")
  if not update then
    print("the client " .. msg.Version .. " cannot be compiled: " .. tostring(problem))
    return
  end
  update()
  APM._version = msg.Version
end)

for _, action in ipairs({ "APM.PublishResponse", "APM.RegisterVendorResponse", "APM.TransferResponse" }) do
  on(action, function(msg) print(msg.Data) end)
end

on("APM.Error", function(msg)
  print("the registry did not do " .. tostring(msg.Request) .. ": " .. tostring(msg.Data))
end)

print("the client of the package registry " .. APM.ID .. " is loaded: APM.install(\"@vendor/name\")")
