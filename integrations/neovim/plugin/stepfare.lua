-- :Stepfare. Nothing else is done until the command or `require("stepfare").setup()` is used.

if vim.g.loaded_stepfare or vim.fn.has("nvim-0.10") == 0 then
  return
end
vim.g.loaded_stepfare = true

vim.filetype.add({ filename = { [".stepfare.toml"] = "toml" } })

vim.api.nvim_create_user_command("Stepfare", function(command)
  require("stepfare.commands").run(command.fargs)
end, {
  nargs = "*",
  desc = "What coding agents spend, and why",
  complete = function(lead, line)
    return require("stepfare.commands").complete(lead, line)
  end,
})
