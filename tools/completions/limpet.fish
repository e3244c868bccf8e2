# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Completion of lbd, lbctl, lbload and lbdecap for fish, installed once under each name. It asks `complete`,
# which is beside it in the installed tree.

set -g __limpet_complete (dirname (status filename))/../../limpet/complete

function __limpet
    set --local begun (commandline --current-token --cut-at-cursor)
    set --local found (bash $__limpet_complete (commandline --tokenize --cut-at-cursor --current-process) "$begun")
    if test "$found" = :files
        __fish_complete_path "$begun"
    else
        printf '%s\n' $found
    end
end

for program in lbd lbctl lbload lbdecap
    complete --command $program --no-files --arguments '(__limpet)'
end
