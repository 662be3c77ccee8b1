--- The plugin's face: `setup`, and the text for a status line. What the server says is shown as it is; nothing is computed here.

local M = {}

---@class stepfare.Setup
---@field cmd? string[] The language server and its arguments.
---@field code_files? boolean Attach the server to all files of a project, not to `.stepfare.toml` alone: code actions everywhere.
---@field lens? { dotfile?: boolean, files?: boolean } Lenses over `.stepfare.toml`, and over code files (what agents spent on them).
---@field hints? boolean Inlay hints in `.stepfare.toml`.
---@field context? boolean Tell the daemon which files are open, and how many problems they have.
---@field offer_to_start? boolean Ask, once, whether to start a daemon that is not running.
---@field trusted? fun(root: string): boolean Whether a project may be told of. All may where nothing is said.
M.options = {
  cmd = { "stepfare-lsp", "--stdio" },
  code_files = false,
  lens = { dotfile = true, files = false },
  hints = true,
  context = true,
  offer_to_start = true,
  trusted = function()
    return true
  end,
}

---@param options? stepfare.Setup
function M.setup(options)
  M.options = vim.tbl_deep_extend("force", M.options, options or {})
  if vim.fn.has("nvim-0.10") == 0 then
    vim.notify("stepfare needs Neovim 0.10 or newer.", vim.log.levels.ERROR)
    return
  end
  require("stepfare.client").setup(M.options)
end

--- What the server says of the project of a buffer, as `$0.42 . balanced`; empty where there is no server.
---@param buffer? integer
---@return string
function M.statusline(buffer)
  local spend = require("stepfare.client").spend(buffer)
  return spend and spend.text or ""
end

--- The same with its highlight group by how near a budget is, for a status line that takes `%#...#`.
---@param buffer? integer
---@return string
function M.statusline_coloured(buffer)
  local spend = require("stepfare.client").spend(buffer)
  if not spend then
    return ""
  end
  local groups = { warning = "DiagnosticWarn", error = "DiagnosticError" }
  local text = spend.text:gsub("%%", "%%%%")
  return groups[spend.severity] and ("%%#%s#%s%%*"):format(groups[spend.severity], text) or text
end

--- All that the server last said of a buffer's project: for a status line that shows it in its own way.
---@param buffer? integer
---@return stepfare.Spend?
function M.spend(buffer)
  return require("stepfare.client").spend(buffer)
end

return M
