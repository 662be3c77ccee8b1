" The project file is TOML; old Vims do not know that of its name.
autocmd BufRead,BufNewFile .stepfare.toml setlocal filetype=toml
