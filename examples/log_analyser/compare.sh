#!/bin/sh
# Times examples/log_analyser.par beside the same in Python and with awk, in turn, on one generated log of 200 MB.
# examples/log_analyser/compare.sh [PAR] [ROUNDS]
here=$(dirname "$0") par=${1:-target/release/par} rounds=${2:-3}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$par" "$here/../log_analyser.par" --generate 1850000 "$folder/web.log"
ls -l "$folder/web.log" | awk '{ print $5, "bytes" }'
timed() {
    name=$1
    shift
    begin=$(date +%s.%N)
    "$@" >/dev/null || exit 1
    echo "$(date +%s.%N) $begin $name" | awk '{ printf "%-7s %.2f s\n", $3, $1 - $2 }'
}
for _ in $(seq "$rounds"); do
    timed par "$par" "$here/../log_analyser.par" "$folder/web.log" "$folder/par.csv"
    timed python python3 "$here/analyse.py" "$folder/web.log" "$folder/python.csv"
    timed awk sh "$here/analyse.sh" "$folder/web.log" "$folder/awk.csv"
done
cmp "$folder/par.csv" "$folder/python.csv" && echo "par and python agree"
cut -d, -f1-3 "$folder/par.csv" >"$folder/par.head"
cut -d, -f1-3 "$folder/awk.csv" | cmp - "$folder/par.head" && echo "awk agrees on the counts"
