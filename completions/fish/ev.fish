# Completion of ev and its commands for fish. Options and operands are those
# that a command prints with -h; types, catalogs and categories are those of the
# catalogs, streams, actors and agents those of the log.

# The options of a summary: "-c, --catalog NAME", a tab, what it does.
function __ev_options -a command
    $command -h 2>/dev/null </dev/null | awk '
        /^ +-/ {
            if (option != "") print option "\t" text
            sub(/^ +/, "")
            at = index($0, "  ")
            option = at ? substr($0, 1, at - 1) : $0
            text = at ? substr($0, at) : ""
            sub(/^ +/, "", text)
            next
        }
        option != "" && /^          / {
            sub(/^ +/, text == "" ? "" : " ")
            text = text $0
        }
        END { if (option != "") print option "\t" text }'
end

# What a summary calls the operands: NAME, KEY... '--' is a command line.
function __ev_operands -a command
    $command -h 2>/dev/null </dev/null | sed -nE '/^[A-Z]/q
        s/^(usage:)? +[^ ]+//
        s/ \[?-- .*/ --/
        s/\[-[^][]*(\[[^]]*\][^]]*)?\](\.\.\.)?|\[options\]//g
        s/ --?[a-z][^ ]*( [A-Z]+)?//g
        s/[][]//g
        /[A-Za-z]/{
            p
            q
        }' | string split -n ' '
end

# The words that a summary explains: "  append   append events to the log".
function __ev_subcommands -a command
    set -l summary ($command -h 2>/dev/null </dev/null)
    string replace -rf '^  ([a-z][a-z-]*)  +(.*)' '$1\t$2' -- $summary
    string replace -f 'Found: ' '' -- $summary | string split ' '
end

# The words before the cursor, as the command itself gets them.
function __ev_words
    set -l words (commandline -opc)
    set words[1] (string replace -r '.*/' '' -- $words[1])
    if test $words[1] = ev -a (count $words) -gt 1
        set words ev-$words[2] $words[3..-1]
    end
    string collect -- $words
end

# Does the word end in an option that takes a value? Prints its long name, and
# what the value is called.
function __ev_takes -a command word
    test -n "$word" || return
    for line in (__ev_options $command | string replace -r '\t.*' '')
        set -l parts (string split ' ' -- (string replace -a ',' '' -- $line))
        if contains -- $word $parts
            and not string match -q -- '-*' $parts[-1]
            string match -- '-*' $parts | tail -n 1
            string match -v -- '-*' $parts | head -n 1
            return
        end
    end
end

# The first operand on the line.
function __ev_operand -a command
    set -l words (__ev_words)
    set -l i 2
    while test $i -le (count $words)
        if test -n "$(__ev_takes $command $words[$i])"
            set i (math $i + 1)
        else if not string match -q -- '-?*' $words[$i]
            string collect -- $words[$i]
            return
        end
        set i (math $i + 1)
    end
end

# Read models, those of the log and those that it could have.
function __ev_models
    begin
        ev-check --list projections
        ev-project $argv --list |
            string replace -rf '^\{"name":"([^"]*)".*' '$1'
    end | sort -u
end

function __ev_issues -a typed
    set -l prefix
    test -n "$typed" && set prefix --stream-prefix $typed
    ev-cat $argv[2..-1] --list streams $prefix | grep '#' | head -n 200
end

# Stored ones, from what has been typed on.
function __ev_keys -a model typed
    ev-get $argv[3..-1] --stale -n 200 --where "key>=$typed" $model |
        jq -r .key
end

function __ev_receivers
    set -l config ~/.config
    set -q XDG_CONFIG_HOME && set config $XDG_CONFIG_HOME
    begin
        cat "$EV_RIG" || cat rig.yaml || cat $config/ev/rig.yaml
    end | ev-from-yaml | jq -r '.notify.receivers | keys[]'
end

# Values of an option, or, for '', operands, which the summary calls `value`.
function __ev_values -a command option value typed operands
    set -l log $argv[6..-1]
    switch "$option:$value"
        case '--stream:*' '--stream-prefix:*'
            set -l prefix
            test -n "$typed" && set prefix --stream-prefix $typed
            ev-cat $log --list streams -n 200 $prefix
        case '--actor:*'
            ev-cat $log --list actors -n 1000
        case '--type:*'
            ev-check --list types
        case '--catalog:*'
            ev-check --list catalogs
        case '--category:*'
            ev-check --list categories
        case '--projection:*'
            ev-check --list projections
            __fish_complete_path $typed
        case '--format:*'
            switch $command
                case ev-each ev-get ev-project
                    printf '%s\n' ndjson table
                case '*'
                    printf '%s\n' canonical native cloudevents table
            end
        case '--priority:*' '--min-priority:*'
            switch $command
                case 'rig-*'
                    printf '%s\n' critical high normal low
                case '*'
                    printf '%s\n' info action urgent critical
            end
        case '--expect:*'
            printf '%s\n' none any exists
        case '--by:*'
            printf '%s\n' agent repo issue model day
        case '--list:*'
            switch $command
                case ev-cat
                    printf '%s\n' streams types actors catalogs
                case ev-check
                    printf '%s\n' types catalogs categories projections
            end
        case '*:ISSUE'
            __ev_issues "$typed" $log
        case '*:AGENT*' '--agent:*'
            __ev_keys agent-status "$typed" $log
        case ':ISSUE|AGENT'
            __ev_issues "$typed" $log
            __ev_keys agent-status "$typed" $log
        case '*:RECEIVER'
            __ev_receivers
        case ':NAME*'
            switch $command
                case ev-each
                    ev-each $log --lag |
                        string replace -rf '^\{"name":"([^"]*)".*' '$1'
                    return
                case ev-why ev-bisect
                    ev-check --list projections
                case '*'
                    __ev_models $log
            end
            __fish_complete_path $typed
        case ':KEY*'
            __ev_keys (__ev_operand $command) "$typed" $log
        case '*:*FILE*' '*:LOG'
            if test "$command$operands" = ev-append0
                and not string match -q '*[/.]*' -- $typed
                ev-check --list types
            end
            __fish_complete_path $typed
        case '*:DIR'
            __fish_complete_directories $typed
        case ':install'
            __ev_subcommands $command
    end 2>/dev/null </dev/null
end

function __ev_complete
    set -l words (__ev_words)
    # without the quote that is still open, or the escapes
    set -l typed (commandline -ct | string replace -r '^["\']' '' |
        string replace -ra '\\\\(.)' '$1')
    set -l command $words[1]
    set -l option ''
    set -l operands 0
    set -l log

    if test $command = ev -o $command = ev-help
        __ev_subcommands ev
        printf '%s\n' help\t'explain a command' version\t'print versions'
        string match -q -- '-*' "$typed"
        and printf '%s\n' -h --help --version
        return
    end
    set -l called (__ev_operands $command)
    set -l at (contains -i -- -- $words)
    if test -n "$at" -a "$called[-1]" = --
        complete -C (string join ' ' -- \
            (string escape -- $words[(math $at + 1)..-1]) (commandline -ct))
        return
    end
    set -l options (__ev_options $command)
    set -l i 2
    while test $i -le (count $words)
        set -l name (__ev_takes $command $words[$i])
        if test -n "$name"
            set i (math $i + 1)
            if test $i -gt (count $words)
                set option $name
            else if test $name[1] = --log
                set log -l (string replace -r '^~/' $HOME/ -- $words[$i])
            end
        else if string match -q -- '--log=*' $words[$i]
            set log -l (string replace -- --log= '' $words[$i])
        else if not string match -q -- '-?*' $words[$i]
            set operands (math $operands + 1)
        end
        set i (math $i + 1)
    end
    if test -n "$option"
        __ev_values $command $option "$typed" 0 $log
        return
    end
    if string match -q -- '--*=*' "$typed"
        set -l parts (string split -m 1 = -- "$typed")
        set option (__ev_takes $command $parts[1])
        test -n "$option"
        and __ev_values $command $option $parts[2] 0 $log |
            string replace -r -- '^' "$parts[1]="
        return
    end
    if string match -q -- '-*' "$typed"
        for line in $options
            set -l parts (string split -m 1 \t -- $line)
            for name in (string split ' ' -- (string replace -a , '' -- $parts[1]))
                string match -q -- '-*' $name
                and printf '%s\t%s\n' $name $parts[2]
            end
        end
        return
    end
    set -l value $called[(math $operands + 1)]
    test -z "$value" && string match -q '*...' -- "$called[-1]"
    and set value $called[-1]
    __ev_values $command '' "$value" "$typed" $operands $log
end

for command in ev ev-append ev-bisect ev-cat ev-check ev-each ev-fold \
        ev-from-github ev-from-yaml ev-get ev-project ev-serve ev-table \
        ev-verify ev-watch ev-why rig-approve rig-assign rig-claim \
        rig-close-duplicates rig-cost rig-demo rig-doctor rig-gate \
        rig-heartbeat rig-hooks rig-log rig-merge rig-milestone rig-next rig-notify \
        rig-orphans rig-queue rig-recover rig-release rig-remind rig-status \
        rig-stuck rig-timeline
    complete -c $command -f -a '(__ev_complete)'
end
