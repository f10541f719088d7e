/* SPDX-License-Identifier: MIT */
/*
 * What does each basic service of the kernel cost? Runs as /init of a machine that has nothing
 * else, times the operations of lmbench's list with the time-stamp counter and powers off.
 *
 * QEMU runs with -icount shift=0: the counter then counts executed instructions, so figures repeat
 * on any host. Each figure is the median of several batches, per operation; the batches are long
 * enough that timer ticks are in them in proportion. Results are printed at the end only, as
 * "BENCH name<TAB>count", so that the console does not disturb.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#define PAGE        4096u
#define FAULT_PAGES 512u
#define BATCHES     7
#define RING_MAX    8

struct row {
    const char *name;
    uint64_t count;
};

static struct row rows[40];
static unsigned int row_count;

static void die(const char *what)
{
    perror(what);
    printf("BENCH failed: %s\n", what);
    fflush(stdout);
    sleep(1);
    reboot(RB_POWER_OFF);
    _exit(1);
}

static void add_row(const char *name, uint64_t count)
{
    rows[row_count].name = name;
    rows[row_count].count = count;
    row_count++;
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Time `ops` calls of op, BATCHES times after one batch of warming up; record the median cost. */
static void measure(const char *name, unsigned int ops, void (*op)(void))
{
    uint64_t cost[BATCHES];

    for (int batch = -1; batch < BATCHES; batch++) {
        uint64_t start = __rdtsc();

        for (unsigned int i = 0; i < ops; i++)
            op();
        if (batch >= 0)
            cost[batch] = (__rdtsc() - start) / ops;
    }
    qsort(cost, BATCHES, sizeof(cost[0]), compare_u64);
    add_row(name, cost[BATCHES / 2]);
}

static int zero_fd, null_fd, data_fd;
static fd_set select_set;
static int select_max;

static void op_getpid(void)
{
    syscall(SYS_getpid);
}

static void op_read(void)
{
    char c;

    if (read(zero_fd, &c, 1) != 1)
        die("read");
}

static void op_write(void)
{
    if (write(null_fd, "x", 1) != 1)
        die("write");
}

static void op_stat(void)
{
    struct stat st;

    if (stat("/data", &st) != 0)
        die("stat");
}

static void op_open(void)
{
    int fd = open("/data", O_RDONLY);

    if (fd < 0)
        die("open");
    close(fd);
}

static void op_select(void)
{
    fd_set set = select_set;
    struct timeval none = {0, 0};

    if (select(select_max + 1, &set, NULL, NULL, &none) < 0)
        die("select");
}

static void on_signal(int sig)
{
    (void)sig;
}

static void op_sig_install(void)
{
    struct sigaction act = {.sa_handler = on_signal};

    if (sigaction(SIGUSR1, &act, NULL) != 0)
        die("sigaction");
}

static void op_sig_catch(void)
{
    kill(getpid(), SIGUSR1);
}

/* A write to a read-only page, caught; the handler leaves by a jump that restores the mask. */
static sigjmp_buf fault_jump;
static volatile char *read_only;

static void on_fault(int sig)
{
    (void)sig;
    siglongjmp(fault_jump, 1);
}

static void op_prot_fault(void)
{
    if (sigsetjmp(fault_jump, 1) == 0)
        *read_only = 1;
}

static void wait_child(pid_t child)
{
    int status;

    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        die("child");
}

static void op_fork(void)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    wait_child(child);
}

static void op_exec(void)
{
    static char *const argv[] = {"true", NULL};
    pid_t child = fork();

    if (child == 0) {
        execv("/bin/true", argv);
        _exit(1);
    }
    wait_child(child);
}

static void op_shell(void)
{
    static char *const argv[] = {"sh", "-c", "/bin/true", NULL};
    pid_t child = fork();

    if (child == 0) {
        execv("/bin/sh", argv);
        _exit(1);
    }
    wait_child(child);
}

static char *map_pages(unsigned int pages, int flags, int fd)
{
    char *area = mmap(NULL, pages * PAGE, PROT_READ | (fd < 0 ? PROT_WRITE : 0), flags, fd, 0);

    if (area == MAP_FAILED)
        die("mmap");
    /* Huge pages would turn 512 faults into one on bare Linux; PV guests have none. */
    madvise(area, pages * PAGE, MADV_NOHUGEPAGE);
    return area;
}

static void op_mmap(void)
{
    char *area = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (area == MAP_FAILED)
        die("mmap");
    munmap(area, 16 * PAGE);
}

static void op_page_faults(void)
{
    char *area = map_pages(FAULT_PAGES, MAP_PRIVATE | MAP_ANONYMOUS, -1);

    for (unsigned int i = 0; i < FAULT_PAGES; i++)
        ((volatile char *)area)[i * PAGE] = 1;
    munmap(area, FAULT_PAGES * PAGE);
}

static void op_file_faults(void)
{
    char *area = map_pages(FAULT_PAGES, MAP_SHARED, data_fd);

    for (unsigned int i = 0; i < FAULT_PAGES; i++)
        (void)((volatile char *)area)[i * PAGE];
    munmap(area, FAULT_PAGES * PAGE);
}

static void op_mprotect(void)
{
    static char *area;
    static int writable;

    if (!area) {
        area = map_pages(16, MAP_PRIVATE | MAP_ANONYMOUS, -1);
        memset(area, 1, 16 * PAGE);
    }
    writable = !writable;
    mprotect(area, 16 * PAGE, PROT_READ | (writable ? PROT_WRITE : 0));
}

/* A partner process that sends back each byte, over a pair of descriptors. */
static int pong_in, pong_out;

static void op_ping_pong(void)
{
    char c = 'x';

    if (write(pong_out, &c, 1) != 1 || read(pong_in, &c, 1) != 1)
        die("ping-pong");
}

static void measure_ping_pong(const char *name, unsigned int ops, int there[2], int back[2])
{
    pid_t child = fork();

    if (child == 0) {
        char c;

        close(there[1]);
        if (back[0] != there[1])
            close(back[0]);
        while (read(there[0], &c, 1) == 1)
            if (write(back[1], &c, 1) != 1)
                break;
        _exit(0);
    }
    close(there[0]);
    if (back[1] != there[0])
        close(back[1]);
    pong_out = there[1];
    pong_in = back[0];
    measure(name, ops, op_ping_pong);
    close(pong_out);
    if (pong_in != pong_out)
        close(pong_in);
    wait_child(child);
}

static void pipe_ping_pong(void)
{
    int there[2], back[2];

    if (pipe(there) || pipe(back))
        die("pipe");
    measure_ping_pong("pipe ping-pong", 500, there, back);
}

static void unix_ping_pong(void)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        die("socketpair");
    int back[2] = {pair[1], pair[0]};

    measure_ping_pong("AF_UNIX ping-pong", 500, pair, back);
}

/* lmbench's ring: a token goes round through pipes; each process sums an array of its own. */
static int ring_out, ring_in;
static unsigned int ring_kib;
static volatile uint32_t ring_sum;

static void touch_array(void)
{
    static uint32_t array[64 * 1024 / sizeof(uint32_t)];

    for (unsigned int i = 0; i < ring_kib * 1024 / sizeof(uint32_t); i++)
        ring_sum += array[i];
}

static void op_ring(void)
{
    uint32_t token = 1;

    if (write(ring_out, &token, sizeof(token)) != sizeof(token) ||
        read(ring_in, &token, sizeof(token)) != sizeof(token))
        die("ring");
    touch_array();
}

static void ring_member(int pipes[RING_MAX][2], unsigned int self, unsigned int members)
{
    uint32_t token;

    for (unsigned int i = 0; i < members; i++) {
        if (i != self)
            close(pipes[i][0]);
        if (i != (self + 1) % members)
            close(pipes[i][1]);
    }
    ring_in = pipes[self][0];
    ring_out = pipes[(self + 1) % members][1];
    if (self == 0)
        return;
    while (read(ring_in, &token, sizeof(token)) == sizeof(token)) {
        touch_array();
        if (write(ring_out, &token, sizeof(token)) != sizeof(token))
            break;
    }
    _exit(0);
}

/* The cost of one hop: a write, a read that sleeps, a switch, the summing. */
static void measure_ring(const char *name, unsigned int members, unsigned int kib)
{
    int pipes[RING_MAX][2];
    pid_t child[RING_MAX];

    ring_kib = kib;
    for (unsigned int i = 0; i < members; i++)
        if (pipe(pipes[i]))
            die("pipe");
    for (unsigned int i = 1; i < members; i++) {
        child[i] = fork();
        if (child[i] == 0)
            ring_member(pipes, i, members);
    }
    ring_member(pipes, 0, members);
    measure(name, 1600 / members, op_ring);
    rows[row_count - 1].count /= members;
    close(ring_out);
    close(ring_in);
    for (unsigned int i = 1; i < members; i++)
        wait_child(child[i]);
}

static void prepare_files(void)
{
    static char page[PAGE];

    mkdir("/dev", 0755);
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    zero_fd = open("/dev/zero", O_RDONLY);
    null_fd = open("/dev/null", O_WRONLY);
    data_fd = open("/data", O_RDWR | O_CREAT, 0644);
    if (zero_fd < 0 || null_fd < 0 || data_fd < 0)
        die("open");
    memset(page, 1, sizeof(page));
    for (unsigned int i = 0; i < FAULT_PAGES; i++)
        if (write(data_fd, page, sizeof(page)) != (ssize_t)sizeof(page))
            die("write /data");
}

static void measure_select(void)
{
    int fds[100];

    FD_ZERO(&select_set);
    for (int i = 0; i < 100; i += 2)
        if (pipe(&fds[i]))
            die("pipe");
    for (int i = 0; i < 100; i++) {
        FD_SET(fds[i], &select_set);
        select_max = fds[i];
    }
    measure("select 100 fds", 500, op_select);
    for (int i = 0; i < 100; i++)
        close(fds[i]);
}

static void measure_signals(void)
{
    struct sigaction act = {.sa_handler = on_fault};

    measure("signal install", 3000, op_sig_install);
    measure("signal catch", 2000, op_sig_catch);
    read_only = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (read_only == MAP_FAILED || sigaction(SIGSEGV, &act, NULL))
        die("protection fault");
    (void)*read_only;
    measure("protection fault", 1000, op_prot_fault);
}

static void measure_processes(void)
{
    const size_t big = 16u << 20;
    char *area;

    measure("fork+exit", 30, op_fork);
    measure("fork+exec", 15, op_exec);
    measure("fork+sh -c", 8, op_shell);
    area = map_pages((unsigned int)(big / PAGE), MAP_PRIVATE | MAP_ANONYMOUS, -1);
    memset(area, 1, big);
    measure("fork+exit 16 MiB", 6, op_fork);
    munmap(area, big);
}

int main(void)
{
    uint64_t at_init = __rdtsc();
    struct timespec up;

    clock_gettime(CLOCK_MONOTONIC, &up);
    add_row("boot to init", at_init);
    add_row("kernel to init", (uint64_t)up.tv_sec * 1000000000u + (uint64_t)up.tv_nsec);
    printf("BENCH init\n"); /* for a clock outside */
    fflush(stdout);
    prepare_files();
    measure("getpid", 10000, op_getpid);
    measure("read 1 byte", 5000, op_read);
    measure("write 1 byte", 5000, op_write);
    measure("stat", 2000, op_stat);
    measure("open/close", 2000, op_open);
    measure_select();
    measure_signals();
    measure_processes();
    measure("mmap/munmap", 1000, op_mmap);
    measure("mprotect 16 pages", 500, op_mprotect);
    measure("page fault (512)", 3, op_page_faults);
    measure("file page fault (512)", 3, op_file_faults);
    pipe_ping_pong();
    unix_ping_pong();
    measure_ring("context switch 2p/0K", 2, 0);
    measure_ring("context switch 8p/16K", 8, 16);
    for (unsigned int i = 0; i < row_count; i++)
        printf("BENCH %s\t%llu\n", rows[i].name, (unsigned long long)rows[i].count);
    printf("BENCH done\n");
    fflush(stdout);
    usleep(300000);
    reboot(RB_POWER_OFF);
    return 0;
}
