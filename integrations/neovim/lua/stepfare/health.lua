--- :checkhealth stepfare

local M = {}

local INSTALL = "Install it with `uv tool install stepfare` or `pipx install stepfare`, or name it: require('stepfare').setup{ cmd = { ... } }"

function M.check()
  vim.health.start("stepfare")
  if vim.fn.has("nvim-0.10") == 0 then
    return vim.health.error("Neovim 0.10 or newer is needed.")
  end
  vim.health.ok("Neovim " .. tostring(vim.version()))
  local program = require("stepfare").options.cmd[1]
  if vim.fn.executable(program) == 0 then
    return vim.health.error(program .. " is not there.", { INSTALL })
  end
  local done = vim.system({ program, "--version" }, { text = true }):wait(10000)
  if done.code ~= 0 then
    return vim.health.error(program .. " does not run.", { vim.trim(done.stderr or "") })
  end
  vim.health.ok(vim.trim(done.stdout) .. " (" .. vim.fn.exepath(program) .. ")")
  local clients = vim.lsp.get_clients({ name = "stepfare" })
  if #clients == 0 then
    return vim.health.warn("No server runs.", { "Call require('stepfare').setup{}, then open a file of a project (.git or .stepfare.toml)." })
  end
  for _, client in ipairs(clients) do
    local spend = require("stepfare.client").spend_of(client.id)
    local words = ("%s: %s"):format(client.config.root_dir, spend and spend.text or "nothing heard yet")
    if spend and spend.mode == "offline" then
      vim.health.warn(words, { "Start the daemon with :Stepfare start" })
    else
      vim.health.ok(words)
    end
  end
end

return M
