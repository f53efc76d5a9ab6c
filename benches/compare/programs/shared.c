/* Nanoseconds for an atomic increment by two processes at once. */
#include "clock.h"
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COUNT = 10000000 };

int main(void) {
    atomic_long *total = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (total == MAP_FAILED) return 1;
    double start = seconds();
    for (int p = 0; p < 2; p++) {
        if (fork() == 0) {
            for (int i = 0; i < COUNT / 2; i++) atomic_fetch_add(total, 1);
            _exit(0);
        }
    }
    while (wait(NULL) > 0) {}
    printf("%g\n", (seconds() - start) / COUNT * 1e9);
    return *total != COUNT;
}
