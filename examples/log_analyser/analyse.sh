#!/bin/sh
# The same with awk, one for each of as many parts as there are CPUs. It knows the order of the fields instead of reading JSON.
# analyse.sh FILE OUT
file=$1 out=$2 cpus=$(nproc)
{
    echo route,requests,errors,mean_ms,max_ms
    seq "$cpus" | xargs -P "$cpus" -I{} sh -c 'split -n "l/$1/$2" "$3" | awk -F\" "
        {
            split(\$8, path, \"/\"); route = \$4 \" /\" path[2]
            ms = substr(\$13, 3) + 0
            count[route]++; sum[route] += ms
            if (ms > most[route]) most[route] = ms
            if (index(\$1, \" ERROR \")) errors[route]++
        }
        END { for (r in count) printf \"%s,%d,%d,%.17g,%s\n\", r, count[r], errors[r], sum[r], most[r] }"' part {} "$cpus" "$file" |
        awk -F, '
            { count[$1] += $2; errors[$1] += $3; sum[$1] += $4; if ($5 > most[$1]) most[$1] = $5 }
            END { for (r in count) printf "%s,%d,%d,%.3f,%.10g\n", r, count[r], errors[r], sum[r] / count[r], most[r] }' |
        LC_ALL=C sort
} >"$out"
