" The commands and the status line, both asked of `stepfare`, which asks the daemon. Nothing here waits: answers come when they come.

let s:ASK_EVERY_MS = get(g:, 'stepfare_every_ms', 3000)

" What is said on the command line -> the arguments of `stepfare`.
let s:COMMANDS = {
\   'spend': ['session', 'last'],
\   'sessions': ['sessions'],
\   'today': ['report', '--by', 'model', '--since', 'today'],
\   'explain': ['explain', 'last'],
\   'pin': ['session', 'pin', 'last'],
\   'unpin': ['session', 'unpin', 'last'],
\   'extend': ['budget', 'extend'],
\   'start': ['serve', '--detach'],
\   'status': ['status'],
\}

let s:text = ''
let s:timer = -1

" What stepfare's line for status bars says; asked for anew every few seconds from the first use on.
function! stepfare#statusline() abort
    if s:timer < 0
        let s:timer = timer_start(s:ASK_EVERY_MS, {-> s:ask()}, {'repeat': -1})
        call s:ask()
    endif

    return s:text
endfunction

function! stepfare#complete(lead, line, position) abort
    return join(sort(keys(s:COMMANDS)), "\n")
endfunction

" :Stepfare WORD [ARGUMENT...]: what `stepfare` answers, in the window below.
function! stepfare#run(...) abort
    let l:word = a:0 ? a:1 : 'status'

    if !has_key(s:COMMANDS, l:word)
        echohl ErrorMsg
        echomsg 'Stepfare knows no ' . l:word . '. It knows: ' . join(sort(keys(s:COMMANDS)), ', ') . '.'
        echohl None
        return
    endif

    let l:said = []
    let l:options = s:options({_, line -> add(l:said, line)})
    let l:options.exit_cb = {-> s:show(l:word, l:said)}
    call s:start(s:COMMANDS[l:word] + a:000[1:], l:options)
endfunction

function! s:ask() abort
    call s:start(['status', '--format', 'plain'], s:options({_, line -> s:say(line)}))
endfunction

function! s:say(line) abort
    if a:line isnot# s:text
        let s:text = a:line
        redrawstatus!
    endif
endfunction

" Colours are for terminals, so none are asked for.
function! s:options(heard) abort
    return {'out_cb': a:heard, 'err_cb': a:heard, 'in_io': 'null', 'env': {'NO_COLOR': '1', 'COLUMNS': string(&columns)}}
endfunction

function! s:start(arguments, options) abort
    let l:program = get(g:, 'stepfare_program', 'stepfare')

    if !executable(l:program)
        let s:text = 'no ' . l:program
        return
    endif

    call job_start([l:program] + a:arguments, a:options)
endfunction

function! s:show(word, said) abort
    let l:name = 'stepfare://' . a:word
    execute 'silent botright pedit' fnameescape(l:name)
    let l:buffer = bufnr(l:name)
    call setbufvar(l:buffer, '&buftype', 'nofile')
    call setbufvar(l:buffer, '&bufhidden', 'wipe')
    call setbufvar(l:buffer, '&swapfile', 0)
    call setbufline(l:buffer, 1, empty(a:said) ? ['stepfare said nothing.'] : a:said)
endfunction
