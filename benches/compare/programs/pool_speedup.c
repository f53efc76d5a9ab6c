/* How many times faster two processes are than one, for items of very different length that both take from one counter: what
 * the machine itself gives at that moment. */
#include "clock.h"
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ITEMS = 600, TURNS = 3 };

static int64_t work(int64_t n) {
    volatile int64_t sum = 0;
    for (int64_t i = 0; i < n; i++) sum = (sum + i * i) % 1000003;
    return sum;
}

/* Five times as long as the other programs' items, for C is that much faster. */
static int64_t item(int n) {
    int64_t side = (int64_t)n * 7919 % 280;
    return side * side * 5;
}

int main(void) {
    _Atomic int *next = mmap(NULL, sizeof *next, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (next == MAP_FAILED) return 1;
    double serial = 0, parallel = 0;
    for (int turn = 0; turn < TURNS; turn++) {
        double start = seconds();
        for (int n = 0; n < ITEMS; n++) work(item(n));
        double middle = seconds();
        atomic_store(next, 0);
        for (int worker = 0; worker < 2; worker++) {
            if (fork() == 0) {
                for (int n; (n = atomic_fetch_add(next, 1)) < ITEMS;) work(item(n));
                _exit(0);
            }
        }
        while (wait(NULL) > 0) {}
        parallel += seconds() - middle;
        serial += middle - start;
    }
    printf("%g\n", serial / parallel);
    return 0;
}
