--- :Stepfare WORD [ARGUMENT]: which of the server's commands a word means. The server itself shows what they say.

local M = {}

local TIERS = { "frugal", "balanced", "premium" }

---@class stepfare.Word
---@field command string The command of the server.
---@field argument? string What the word's argument is called.
---@field values? string[] What can be said for it.
---@field needed? string What to say where the argument is missing.

---@type table<string, stepfare.Word>
local WORDS = {
  spend = { command = "stepfare.sessionSpend" },
  sessions = { command = "stepfare.sessions" },
  today = { command = "stepfare.todaySpend" },
  explain = { command = "stepfare.explainLast" },
  show = { command = "stepfare.showSession" },
  why = { command = "stepfare.showDecision" },
  pin = { command = "stepfare.pinSession", argument = "tier", values = TIERS, needed = "Which tier: frugal, balanced or premium?" },
  unpin = { command = "stepfare.unpinSession" },
  tier = { command = "stepfare.setTier", argument = "tier", values = TIERS, needed = "Which tier: frugal, balanced or premium?" },
  extend = { command = "stepfare.extendBudget", argument = "usd", values = { "1.00", "5.00" } },
  dashboard = { command = "stepfare.openDashboard" },
  create = { command = "stepfare.createDotfile" },
  start = { command = "stepfare.startDaemon" },
  status = { command = "stepfare.status" },
}

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
  local word = WORDS[name]
  if not word then
    local said = ("Stepfare knows no %s. It knows: %s."):format(name, table.concat(words(), ", "))
    return vim.notify(said, vim.log.levels.ERROR)
  end
  if word.needed and not value then
    return vim.notify(("Stepfare %s: %s"):format(name, word.needed), vim.log.levels.ERROR)
  end
  local object = {}
  if word.argument and value then
    object[word.argument] = value
  end
  if word.argument == "usd" and value then
    object.scope = arguments[3] or "session"
  end
  require("stepfare.client").request("workspace/executeCommand", {
    command = word.command,
    arguments = next(object) and { object } or {},
  })
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
    choices = (WORDS[said[2]] or {}).values or {}
  elseif #said == 4 and said[2] == "extend" then
    choices = { "session", "project", "day", "month" }
  else
    choices = {}
  end
  return vim.tbl_filter(function(choice)
    return vim.startswith(choice, lead)
  end, choices)
end

return M
