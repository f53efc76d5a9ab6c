/* Nanoseconds for lock and unlock of a robust mutex in shared memory; the argument is the number of processes. */
#include "clock.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COUNT = 2000000 };

int main(int argc, char **argv) {
    int processes = argc > 1 ? atoi(argv[1]) : 1;
    pthread_mutex_t *lock = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (lock == MAP_FAILED) return 1;
    pthread_mutexattr_t how;
    pthread_mutexattr_init(&how);
    pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(lock, &how);
    double start = seconds();
    for (int p = 0; p < processes; p++) {
        if (fork() == 0) {
            for (int i = 0; i < COUNT / processes; i++) {
                pthread_mutex_lock(lock);
                pthread_mutex_unlock(lock);
            }
            _exit(0);
        }
    }
    while (wait(NULL) > 0) {}
    printf("%g\n", (seconds() - start) / COUNT * 1e9);
}
