# A gigabyte through three programs.
set -e
head -c 1000000000 /dev/zero | cat | wc -c
