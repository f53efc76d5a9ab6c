/* GiB per second of 1 MiB blocks: one copy in by the writer, read in place by the reader. */
#include "clock.h"
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLOTS = 4, BLOCK = 1 << 20, COUNT = 4000 };

struct ring {
    _Alignas(64) _Atomic uint64_t written;
    _Alignas(64) _Atomic uint64_t read;
    _Alignas(4096) char slots[SLOTS][BLOCK];
};

int main(void) {
    struct ring *ring = mmap(NULL, sizeof *ring, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    static char block[BLOCK];
    if (ring == MAP_FAILED) return 1;
    memset(block, 'x', BLOCK);
    double start = seconds();
    if (fork() == 0) {
        for (uint64_t at = 0; at < COUNT; at++) {
            while (at - atomic_load(&ring->read) == SLOTS) {}
            memcpy(ring->slots[at % SLOTS], block, BLOCK);
            atomic_store(&ring->written, at + 1);
        }
        _exit(0);
    }
    int wrong = 0;
    for (uint64_t at = 0; at < COUNT; at++) {
        while (atomic_load(&ring->written) == at) {}
        wrong |= ring->slots[at % SLOTS][at % BLOCK] != 'x';
        atomic_store(&ring->read, at + 1);
    }
    double took = seconds() - start;
    wait(NULL);
    printf("%g\n", (double)COUNT * BLOCK / took / (1 << 30));
    return wrong;
}
