/* The same with 1 GiB of touched memory in the parent. */
#include "clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    const size_t size = (size_t)1 << 30;
    char *block = malloc(size);
    if (block == NULL) return 1;
    memset(block, 1, size);
    const int rounds = 20;
    double start = seconds();
    for (int i = 0; i < rounds; i++) {
        pid_t child = fork();
        if (child == 0) _exit(0);
        waitpid(child, NULL, 0);
    }
    printf("%g\n", (seconds() - start) / rounds * 1e6);
    return block[size - 1] - 1;
}
