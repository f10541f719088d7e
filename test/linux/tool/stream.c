/* SPDX-License-Identifier: MIT */
/*
 * A TCP stream between two machines, compared at its end word by word.
 *
 *   stream listen PORT MIB SEED          stream send ADDRESS PORT MIB SEED
 *
 * Both know the words, a sequence that SEED begins. The listener takes one connection, says whether
 * exactly those words came and answers with one byte; the sender waits for that byte and says how
 * long all took. Seed 0: a constant block is sent and only the length is looked at, for rates.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 65536u
#define WORDS (BLOCK / 8)

static uint64_t block[WORDS];
static uint64_t expected[WORDS];

static int die(const char *what)
{
    perror(what);
    return 1;
}

/* The next block of the sequence (xorshift64). */
static void fill(uint64_t *words, uint64_t *state)
{
    uint64_t x = *state;

    for (unsigned int i = 0; i < WORDS; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        words[i] = x;
    }
    *state = x;
}

/* Fills the block as far as the stream goes; returns bytes. */
static size_t receive(int fd)
{
    size_t have = 0;
    ssize_t n;

    while (have < BLOCK && (n = read(fd, (char *)block + have, BLOCK - have)) > 0)
        have += (size_t)n;
    return have;
}

static int do_listen(struct sockaddr_in *at, uint64_t bytes, uint64_t seed)
{
    int on = 1, fd, listener = socket(AF_INET, SOCK_STREAM, 0);
    uint64_t got = 0, state = seed;
    size_t n;

    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener, (struct sockaddr *)at, sizeof(*at)) || listen(listener, 1))
        return die("listen");
    fd = accept(listener, NULL, NULL);
    if (fd < 0)
        return die("accept");
    while ((n = receive(fd)) > 0) {
        if (seed) {
            fill(expected, &state);
            if (memcmp(block, expected, n)) {
                printf("differs within the block at %llu\n", (unsigned long long)got);
                return 1;
            }
        }
        got += n;
        /* The sender keeps its side open for the answer. */
        if (got >= bytes)
            break;
    }
    if (got != bytes) {
        printf("%llu bytes came, not %llu\n", (unsigned long long)got, (unsigned long long)bytes);
        return 1;
    }
    printf("%llu bytes equal\n", (unsigned long long)got);
    return write(fd, "y", 1) == 1 ? 0 : 1;
}

static int do_send(struct sockaddr_in *to, uint64_t bytes, uint64_t seed)
{
    struct timespec t0, t1;
    uint64_t state = seed;
    int fd = -1;
    char answer;

    for (int try = 0; try < 100; try++) {
        fd = socket(AF_INET, SOCK_STREAM, 0);
        if (!connect(fd, (struct sockaddr *)to, sizeof(*to)))
            break;
        close(fd);
        fd = -1;
        usleep(200000);
    }
    if (fd < 0)
        return die("connect");
    clock_gettime(CLOCK_MONOTONIC, &t0);
    for (uint64_t left = bytes; left; left -= BLOCK) {
        if (seed)
            fill(block, &state);
        for (size_t done = 0; done < BLOCK;) {
            ssize_t n = write(fd, (char *)block + done, BLOCK - done);
            if (n <= 0)
                return die("write");
            done += (size_t)n;
        }
    }
    if (read(fd, &answer, 1) != 1) {
        puts("the listener did not answer");
        return 1;
    }
    clock_gettime(CLOCK_MONOTONIC, &t1);
    printf("%llu MiB in %lld us\n", (unsigned long long)(bytes >> 20),
           (t1.tv_sec - t0.tv_sec) * 1000000ll + (t1.tv_nsec - t0.tv_nsec) / 1000);
    return 0;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int sends = argc == 6 && !strcmp(argv[1], "send");

    if (!sends && !(argc == 5 && !strcmp(argv[1], "listen"))) {
        fputs("stream listen PORT MIB SEED | stream send ADDRESS PORT MIB SEED\n", stderr);
        return 2;
    }
    if (sends)
        inet_pton(AF_INET, argv[2], &address.sin_addr);
    address.sin_port = htons((uint16_t)atoi(argv[argc - 3]));
    uint64_t bytes = strtoull(argv[argc - 2], NULL, 0) << 20;
    uint64_t seed = strtoull(argv[argc - 1], NULL, 0);
    return sends ? do_send(&address, bytes, seed) : do_listen(&address, bytes, seed);
}
