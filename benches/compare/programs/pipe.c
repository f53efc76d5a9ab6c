/* Microseconds for the round trip of an int between two spinning processes. */
#include "clock.h"
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COUNT = 200000 };

struct pair {
    _Alignas(64) atomic_int there;
    _Alignas(64) atomic_int back;
};

int main(void) {
    struct pair *pair = mmap(NULL, sizeof *pair, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (pair == MAP_FAILED) return 1;
    if (fork() == 0) {
        for (int i = 1; i <= COUNT; i++) {
            while (atomic_load(&pair->there) != i) {}
            atomic_store(&pair->back, i);
        }
        _exit(0);
    }
    double start = seconds();
    for (int i = 1; i <= COUNT; i++) {
        atomic_store(&pair->there, i);
        while (atomic_load(&pair->back) != i) {}
    }
    double took = seconds() - start;
    wait(NULL);
    printf("%g\n", took / COUNT * 1e6);
}
