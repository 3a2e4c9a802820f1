# fish completion for cnncli

function __cnncli_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    # Without the quote that is still open.
    set -l word (string replace -r '^[\'"]' '' -- $current)
    set -l answers (_CNNCLI_COMPLETE=fish $words[1] $words[2..] "$word" 2>/dev/null)
    set -l kind $answers[1]
    set -q answers[2]; and printf '%s\n' $answers[2..]
    set -l option (string match -r -- '^--[^=]*=' $word)
    set -l value (string replace -r -- '^--[^=]*=' '' $word)
    switch "$kind"
        case files
            for name in (__fish_complete_path "$value")
                echo "$option$name"
            end
        case folders
            for name in (__fish_complete_directories "$value")
                echo "$option$name"
            end
    end
end

complete -c cnncli -f -a '(__cnncli_complete)'
