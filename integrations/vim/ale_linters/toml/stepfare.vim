" stepfare's language server for ALE. It takes .stepfare.toml alone: any other TOML file has no project root here, and ALE leaves it alone.

call ale#Set('stepfare_executable', 'stepfare-lsp')

function! ale_linters#toml#stepfare#Root(buffer) abort
    let l:path = fnamemodify(bufname(a:buffer), ':p')

    return fnamemodify(l:path, ':t') is# '.stepfare.toml' ? fnamemodify(l:path, ':h') : ''
endfunction

call ale#linter#Define('toml', {
\   'name': 'stepfare',
\   'lsp': 'stdio',
\   'executable': {buffer -> ale#Var(buffer, 'stepfare_executable')},
\   'command': '%e --stdio',
\   'project_root': function('ale_linters#toml#stepfare#Root'),
\})
