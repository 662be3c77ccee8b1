" :Stepfare, and what a status line shows. The language server itself is ALE's business: see ale_linters/toml/stepfare.vim.

if exists('g:loaded_stepfare') || !has('job') || !has('timers')
    finish
endif

let g:loaded_stepfare = 1

command! -nargs=* -complete=custom,stepfare#complete Stepfare call stepfare#run(<f-args>)
