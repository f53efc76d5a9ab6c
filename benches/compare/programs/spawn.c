/* Microseconds for fork, exit and wait of a child that does nothing. */
#include "clock.h"
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    const int rounds = 500;
    double start = seconds();
    for (int i = 0; i < rounds; i++) {
        pid_t child = fork();
        if (child == 0) _exit(0);
        waitpid(child, NULL, 0);
    }
    printf("%g\n", (seconds() - start) / rounds * 1e6);
}
