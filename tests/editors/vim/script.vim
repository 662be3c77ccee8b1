" What a person would look at; each is written down as a line of JSON.
let s:notes = $SCRIPT_NOTES
let s:lines = []

function! Wait(what) abort
    let l:left = 600
    while !a:what() && l:left > 0
        sleep 50m
        let l:left -= 1
    endwhile
    return a:what()
endfunction

function! Print(name, value) abort
    call add(s:lines, json_encode([a:name, a:value]))
endfunction

function! Meanwhile(note) abort
    call writefile([], s:notes . '/' . a:note)
    call Wait({-> !filereadable(s:notes . '/' . a:note)})
endfunction

execute 'edit' fnameescape($SCRIPT_FOLDER . '/.stepfare.toml')
call Print('filetype', &filetype)
call Wait({-> len(ale#engine#GetLoclist(bufnr(''))) >= 2})
call Print('diagnostics', map(copy(ale#engine#GetLoclist(bufnr(''))), {_, one -> [one.lnum, one.type, one.text]}))
call stepfare#statusline()
call Wait({-> stepfare#statusline() =~# 'today'})
call Meanwhile('take-a-step')
call Wait({-> stepfare#statusline() =~# 'balanced'})
call Print('status-line', stepfare#statusline())
Stepfare explain
call Wait({-> bufnr('stepfare://explain') > 0})
call Print('explain', getbufline(bufnr('stepfare://explain'), 1, '$'))
Stepfare pin premium
call Wait({-> bufnr('stepfare://pin') > 0})
call Print('pin', getbufline(bufnr('stepfare://pin'), 1, '$'))
call Print('completion', getcompletion('Stepfare e', 'cmdline'))
execute 'edit' fnameescape($SCRIPT_FOLDER . '/other.toml')
call Print('other', len(ale#engine#GetLoclist(bufnr(''))))
call writefile(s:lines, s:notes . '/seen')
qall!
