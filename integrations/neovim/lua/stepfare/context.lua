--- What is open in the editor, and how many problems it shows, told to the server. Names and counts only, and only of projects that are
--- trusted; the server leaves out what lies outside of the project.

local M = {}

local PAUSE_MS = 500

---@type stepfare.Setup
local options
---@type uv.uv_timer_t?
local timer

---@param buffer integer
local function is_file(buffer)
  return vim.api.nvim_buf_is_loaded(buffer)
    and vim.bo[buffer].buflisted
    and vim.bo[buffer].buftype == ""
    and vim.api.nvim_buf_get_name(buffer) ~= ""
end

---@param root string
---@return stepfare.EditorContext
local function seen(root)
  local documents = {}
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    if is_file(buffer) then
      local counts = vim.diagnostic.count(buffer)
      documents[#documents + 1] = {
        uri = vim.uri_from_bufnr(buffer),
        errors = counts[vim.diagnostic.severity.ERROR] or 0,
        warnings = counts[vim.diagnostic.severity.WARN] or 0,
      }
    end
  end
  local current = vim.api.nvim_get_current_buf()
  return {
    root = vim.uri_from_fname(root),
    active = is_file(current) and vim.uri_from_bufnr(current) or vim.NIL,
    documents = documents,
    trusted = true,
  }
end

--- Tell the server of a project what is open now.
---@param client vim.lsp.Client
function M.tell(client)
  local root = client.config.root_dir
  if not options or not options.context or not root then
    return
  end
  -- A project that is not trusted is told of as such once more: what was said before is forgotten.
  local context = options.trusted(root) and seen(root)
    or { root = vim.uri_from_fname(root), active = vim.NIL, documents = {}, trusted = false }
  require("stepfare.client").notify(client, "stepfare/context", context)
end

local function tell_all()
  for _, client in ipairs(vim.lsp.get_clients({ name = "stepfare" })) do
    if client.initialized then
      M.tell(client)
    end
  end
end

---@param group integer
---@param given stepfare.Setup
function M.setup(group, given)
  options = given
  if not options.context then
    return
  end
  timer = timer or assert(vim.uv.new_timer())
  vim.api.nvim_create_autocmd({ "BufEnter", "BufDelete", "DiagnosticChanged" }, {
    group = group,
    callback = function()
      timer:start(PAUSE_MS, 0, vim.schedule_wrap(tell_all))
    end,
  })
  vim.api.nvim_create_autocmd("VimLeavePre", {
    group = group,
    callback = function()
      timer:stop()
    end,
  })
end

return M
