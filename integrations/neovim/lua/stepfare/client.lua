--- One language server for each project that is open, from its first file on. Which files it is attached to, and what it tells of spending.

local M = {}

local DOTFILE = ".stepfare.toml"
local NAME = "stepfare"

---@type table<integer, stepfare.Spend> By the id of the client.
local spends = {}
---@type stepfare.Setup
local options

-- Neovim 0.11 made the functions of a client methods.
local METHODS = vim.fn.has("nvim-0.11") == 1

---@param client vim.lsp.Client
local function call(client, method, ...)
  if METHODS then
    return client[method](client, ...)
  end
  return client[method](...)
end

---@param buffer integer
local function is_dotfile(buffer)
  return vim.fs.basename(vim.api.nvim_buf_get_name(buffer)) == DOTFILE
end

---@param buffer integer
---@return string?
local function root_of(buffer)
  if vim.bo[buffer].buftype ~= "" or vim.api.nvim_buf_get_name(buffer) == "" then
    return nil
  end
  return vim.fs.root(buffer, { DOTFILE, ".git" }) or (is_dotfile(buffer) and vim.fs.dirname(vim.api.nvim_buf_get_name(buffer)) or nil)
end

---@param root string
---@return vim.lsp.Client?
local function client_of(root)
  for _, client in ipairs(vim.lsp.get_clients({ name = NAME })) do
    if client.config.root_dir == root then
      return client
    end
  end
end

--- Show the lenses and hints of a buffer as they are now.
---@param buffer integer
local function refresh(buffer)
  if options.hints and vim.lsp.inlay_hint and is_dotfile(buffer) then
    vim.lsp.inlay_hint.enable(true, { bufnr = buffer })
  end
  if not options.lens.dotfile and not options.lens.files then
    return
  end
  if vim.lsp.codelens.enable then -- 0.12: it looks after itself from then on
    vim.lsp.codelens.enable(true, { bufnr = buffer })
  else
    vim.lsp.codelens.refresh({ bufnr = buffer })
  end
end

---@param result stepfare.Spend
---@param context { client_id: integer }
local function heard(_, result, context)
  spends[context.client_id] = result
  vim.cmd.redrawstatus({ bang = true })
  local client = vim.lsp.get_client_by_id(context.client_id)
  for buffer in pairs(client and client.attached_buffers or {}) do
    if vim.api.nvim_buf_is_loaded(buffer) then
      refresh(buffer)
    end
  end
  vim.api.nvim_exec_autocmds("User", { pattern = "StepfareSpend", data = result, modeline = false })
end

---@param root string
---@return integer? id
local function start(root)
  local known = client_of(root)
  if known then
    return known.id
  end
  local config = {
    name = NAME,
    cmd = options.cmd,
    root_dir = root,
    workspace_folders = { { uri = vim.uri_from_fname(root), name = vim.fs.basename(root) } },
    init_options = {
      trusted = options.trusted(root),
      lens = options.lens,
      hints = options.hints,
      offer_to_start = options.offer_to_start,
    },
    handlers = { ["stepfare/spend"] = heard },
    on_attach = function(_, buffer)
      refresh(buffer)
    end,
    on_init = function(client)
      require("stepfare.context").tell(client)
    end,
    on_exit = function(_, _, id)
      spends[id] = nil
      vim.schedule(function()
        vim.cmd.redrawstatus({ bang = true })
      end)
    end,
  }
  if METHODS then
    return vim.lsp.start(config, { attach = false })
  end
  return vim.lsp.start_client(config)
end

---@param buffer integer
local function opened(buffer)
  local root = root_of(buffer)
  if not root or vim.fn.executable(options.cmd[1]) == 0 then
    return
  end
  local id = start(root)
  if id and (is_dotfile(buffer) or options.code_files or options.lens.files) then
    vim.lsp.buf_attach_client(buffer, id)
  end
end

---@param given stepfare.Setup
function M.setup(given)
  options = given
  local group = vim.api.nvim_create_augroup("stepfare", { clear = true })
  vim.api.nvim_create_autocmd({ "BufReadPost", "BufNewFile", "BufFilePost" }, {
    group = group,
    callback = function(event)
      opened(event.buf)
    end,
  })
  require("stepfare.context").setup(group, options)
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(buffer) then
      opened(buffer)
    end
  end
end

--- The server of a buffer's project, or else the one that was started last.
---@param buffer? integer
---@return vim.lsp.Client?
function M.client(buffer)
  local root = root_of(buffer and buffer ~= 0 and buffer or vim.api.nvim_get_current_buf())
  local clients = vim.lsp.get_clients({ name = NAME })
  return root and client_of(root) or clients[#clients]
end

---@param buffer? integer
---@return stepfare.Spend?
function M.spend(buffer)
  local client = M.client(buffer)
  return client and spends[client.id]
end

---@param id integer Of a client.
---@return stepfare.Spend?
function M.spend_of(id)
  return spends[id]
end

--- Ask the server of the current project; `done` is told the error's words or the result.
---@param method string
---@param params table
---@param done? fun(words: string?, result: any)
function M.request(method, params, done)
  local client = M.client()
  if not client then
    local words = "No stepfare language server runs here: open a file of a project, and see :checkhealth stepfare."
    vim.notify(words, vim.log.levels.WARN)
    return
  end
  call(client, "request", method, params, function(failure, result)
    if failure then
      vim.notify(failure.message, vim.log.levels.WARN)
    end
    if done then
      done(failure and failure.message, result)
    end
  end)
end

---@param client vim.lsp.Client
---@param method string
---@param params table
function M.notify(client, method, params)
  call(client, "notify", method, params)
end

return M
