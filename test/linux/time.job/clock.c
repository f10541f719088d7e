/* SPDX-License-Identifier: MIT */
/*
 * Does the monotonic clock ever step back between two vCPUs? One thread per vCPU takes a reading
 * under a lock and compares it with the last reading of anyone: inside the lock the readings are
 * ordered, so any smaller value is a step back. Both the vDSO's path and the system call are used.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t last, worst;
static uint64_t readings, steps_back;
static int64_t deadline;

static int64_t now_ns(int by_syscall)
{
    struct timespec t;

    if (by_syscall)
        syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
    else
        clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void *reader(void *arg)
{
    cpu_set_t set;
    int64_t now;

    CPU_ZERO(&set);
    CPU_SET((size_t)(intptr_t)arg, &set);
    sched_setaffinity(0, sizeof(set), &set);
    for (unsigned int i = 0;; i++) {
        pthread_mutex_lock(&lock);
        now = now_ns(i & 1);
        if (now < last) {
            steps_back++;
            if (last - now > worst)
                worst = last - now;
        }
        last = now;
        readings++;
        pthread_mutex_unlock(&lock);
        if (now >= deadline)
            return NULL;
        if (i % 64 == 0)
            sched_yield();
    }
}

int main(int argc, char **argv)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    pthread_t threads[64];

    deadline = now_ns(1) + (argc > 1 ? atoll(argv[1]) : 10) * 1000000000LL;
    for (long i = 0; i < cpus && i < 64; i++)
        pthread_create(&threads[i], NULL, reader, (void *)(intptr_t)i);
    for (long i = 0; i < cpus && i < 64; i++)
        pthread_join(threads[i], NULL);
    printf("TIME back=%llu worst_ns=%lld readings=%llu cpus=%ld\n", (unsigned long long)steps_back,
           (long long)worst, (unsigned long long)readings, cpus);
    return steps_back != 0;
}
