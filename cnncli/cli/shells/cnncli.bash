# bash completion for cnncli

_cnncli_complete() {
    local -a answers names=()
    local kind word
    mapfile -t answers < <(_CNNCLI_COMPLETE=bash "$1" "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
    kind=${answers[0]%%$'\t'*}
    word=${answers[0]#*$'\t'}
    COMPREPLY=("${answers[@]:1}")
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[:=,] ]]; then
        compopt -o nospace
    fi
    case $kind in
        files) mapfile -t names < <(compgen -f -- "$word") ;;
        folders) mapfile -t names < <(compgen -d -- "$word") ;;
    esac
    if [[ ${#names[@]} -gt 0 ]]; then
        compopt -o filenames
        COMPREPLY+=("${names[@]}")
    fi
}

complete -F _cnncli_complete cnncli
