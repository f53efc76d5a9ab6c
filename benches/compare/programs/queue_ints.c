/* Millions of ints per second through a one-way ring in shared memory. */
#include "clock.h"
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLOTS = 1 << 14, BATCH = 256, COUNT = 20000000 };

struct ring {
    _Alignas(64) _Atomic uint64_t written;
    _Alignas(64) _Atomic uint64_t read;
    _Alignas(64) int64_t slots[SLOTS];
};

int main(void) {
    struct ring *ring = mmap(NULL, sizeof *ring, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (ring == MAP_FAILED) return 1;
    double start = seconds();
    if (fork() == 0) {
        for (uint64_t at = 0; at < COUNT;) {
            uint64_t room = atomic_load_explicit(&ring->read, memory_order_acquire) + SLOTS - at;
            if (room > BATCH) room = BATCH;
            for (; room > 0 && at < COUNT; room--, at++) ring->slots[at % SLOTS] = (int64_t)at;
            atomic_store_explicit(&ring->written, at, memory_order_release);
        }
        _exit(0);
    }
    int64_t sum = 0;
    for (uint64_t at = 0; at < COUNT;) {
        uint64_t ready = atomic_load_explicit(&ring->written, memory_order_acquire);
        for (; at < ready; at++) sum += ring->slots[at % SLOTS];
        atomic_store_explicit(&ring->read, at, memory_order_release);
    }
    double took = seconds() - start;
    wait(NULL);
    printf("%g\n", COUNT / took / 1e6);
    return sum != (int64_t)COUNT * (COUNT - 1) / 2;
}
