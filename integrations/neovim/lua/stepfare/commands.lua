--- :Stepfare WORD [ARGUMENT]: which of the server's commands a word means. The server itself shows what they say.

local M = {}

--- What is said here -> the server's command. What a command asks for stands in the server's own table.
---@type table<string, string>
local WORDS = {
  spend = "stepfare.sessionSpend",
  sessions = "stepfare.sessions",
  today = "stepfare.todaySpend",
  explain = "stepfare.explainLast",
  show = "stepfare.showSession",
  why = "stepfare.showDecision",
  pin = "stepfare.pinSession",
  unpin = "stepfare.unpinSession",
  tier = "stepfare.setTier",
  extend = "stepfare.extendBudget",
  dashboard = "stepfare.openDashboard",
  create = "stepfare.createDotfile",
  start = "stepfare.startDaemon",
  status = "stepfare.status",
}

--- The one command whose arguments the server would ask for itself may be told them at once.
local EXTEND = { name = "usd", options = { "1.00", "5.00" } }
local SCOPES = { "session", "project", "day", "month" }

--- What a word takes behind it, if anything.
---@param word string
---@return { name: string, prompt?: string, options: string[] }?
local function ask_of(word)
  if word == "extend" then
    return EXTEND
  end
  for _, command in ipairs(require("stepfare.protocol").commands) do
    if command.id == WORDS[word] then
      return command.asks[1]
    end
  end
end

---@return string[]
local function words()
  local names = vim.tbl_keys(WORDS)
  table.sort(names)
  return names
end

--- What the server offers to do now, to choose from.
local function choose()
  require("stepfare.client").request("stepfare/menu", vim.empty_dict(), function(_, menu)
    vim.ui.select(menu and menu.items or {}, {
      prompt = "stepfare",
      format_item = function(item)
        return item.detail and item.detail ~= "" and ("%s (%s)"):format(item.label, item.detail) or item.label
      end,
    }, function(item)
      if item then
        local params = { command = item.command, arguments = item.arguments or {} }
        require("stepfare.client").request("workspace/executeCommand", params)
      end
    end)
  end)
end

---@param arguments string[] Of the command line; none opens a menu.
function M.run(arguments)
  local name, value = arguments[1], arguments[2]
  if not name then
    return choose()
  end
  if not WORDS[name] then
    local said = ("Stepfare knows no %s. It knows: %s."):format(name, table.concat(words(), ", "))
    return vim.notify(said, vim.log.levels.ERROR)
  end
  local ask = ask_of(name)
  if ask and ask.prompt and not value then
    local said = ("Stepfare %s: %s %s"):format(name, ask.prompt, table.concat(ask.options, ", "))
    return vim.notify(said, vim.log.levels.ERROR)
  end
  local object = ask and value and { [ask.name] = value } or nil
  if object and name == "extend" then
    object.scope = arguments[3] or "session"
  end
  require("stepfare.client").request("workspace/executeCommand", { command = WORDS[name], arguments = { object } })
end

---@param lead string
---@param line string
---@return string[]
function M.complete(lead, line)
  local said = vim.split(line, "%s+")
  local choices
  if #said <= 2 then
    choices = words()
  elseif #said == 3 then
    choices = (ask_of(said[2]) or { options = {} }).options
  elseif #said == 4 and said[2] == "extend" then
    choices = SCOPES
  else
    choices = {}
  end
  return vim.tbl_filter(function(choice)
    return vim.startswith(choice, lead)
  end, choices)
end

return M
