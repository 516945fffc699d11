/* Faults for an unchanged program: laid before the C library with LD_PRELOAD, it counts what threads write to a folder,
 * kills the process at the n-th write of the threads of a name, and has the clock of the program run elsewhere.
 *
 * FAULT_UNDER   the folder, as the system spells it
 * FAULT_LOG     a line for each write is added to this file: thread, number, call, path
 * FAULT_THREAD  threads of this name are killed ...
 * FAULT_AT      ... before their write of this number, counted from 1 ...
 * FAULT_TORN    ... or after the first half of it, where this is set
 * FAULT_CLOCK   a file of eight bytes: the seconds by which the clock of the program is ahead, read each time anew
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define NAMES 64

static const char *under, *doomed;
static long fatal_at;
static int is_torn, log_file = -1;
static volatile int64_t *ahead;
static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;
static struct { char name[16]; long count; } counts[NAMES];

__attribute__((constructor)) static void begin(void) {
    const char *at = getenv("FAULT_AT"), *log = getenv("FAULT_LOG"), *clock = getenv("FAULT_CLOCK");
    under = getenv("FAULT_UNDER");
    doomed = getenv("FAULT_THREAD");
    fatal_at = at ? atol(at) : 0;
    is_torn = getenv("FAULT_TORN") != NULL;
    if (log) log_file = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (clock) {
        int file = (int)syscall(SYS_openat, AT_FDCWD, clock, O_RDONLY | O_CLOEXEC, 0);
        void *mapped = file < 0 ? MAP_FAILED : mmap(NULL, 8, PROT_READ, MAP_SHARED, file, 0);
        if (mapped != MAP_FAILED) ahead = mapped;
    }
}

/* Whether the path lies in the folder. */
static int is_meant(const char *path) {
    size_t length = under ? strlen(under) : 0;
    return length > 0 && strncmp(path, under, length) == 0 && path[length] == '/';
}

/* Counts a write of this thread; 1 where it is the last thing that the process does. */
static int counted(const char *call, const char *path) {
    char name[16] = "", line[PATH_MAX + 64];
    long number = 0;
    int kept = errno;
    prctl(PR_GET_NAME, name);
    pthread_mutex_lock(&counting);
    for (int at = 0; at < NAMES; at++) {
        if (counts[at].count == 0) strcpy(counts[at].name, name);
        if (strcmp(counts[at].name, name) == 0) { number = ++counts[at].count; break; }
    }
    if (log_file >= 0) {
        int length = snprintf(line, sizeof line, "%s\t%ld\t%s\t%s\n", name, number, call, path + strlen(under) + 1);
        syscall(SYS_write, log_file, line, (size_t)length);
    }
    pthread_mutex_unlock(&counting);
    errno = kept;
    return doomed && number == fatal_at && strcmp(doomed, name) == 0;
}

static void end(void) {
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

static int of_path(const char *call, const char *path) {
    if (is_meant(path) && counted(call, path)) end();
    return 0;
}

/* The path of an open file; nothing where it is none that is meant. */
static int path_of(int file, char *path) {
    char link[48];
    int kept = errno;
    if (!under) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    errno = kept;
    if (length <= 0) return 0;
    path[length] = 0;
    return is_meant(path);
}

/* 1 where half of what is written is to be the last thing. */
static int of_file(const char *call, int file) {
    char path[PATH_MAX];
    if (!path_of(file, path) || !counted(call, path)) return 0;
    if (is_torn) return 1;
    end();
    return 0;
}

ssize_t write(int file, const void *bytes, size_t length) {
    if (of_file("write", file)) { syscall(SYS_write, file, bytes, length / 2); end(); }
    return syscall(SYS_write, file, bytes, length);
}

ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t at) {
    if (of_file("pwrite", file)) { syscall(SYS_pwrite64, file, bytes, length / 2, at); end(); }
    return syscall(SYS_pwrite64, file, bytes, length, at);
}
ssize_t pwrite(int file, const void *bytes, size_t length, off_t at) { return pwrite64(file, bytes, length, at); }

ssize_t writev(int file, const struct iovec *parts, int count) {
    if (of_file("writev", file)) end();
    return syscall(SYS_writev, file, parts, count);
}

int fsync(int file) {
    if (of_file("fsync", file)) end();
    return (int)syscall(SYS_fsync, file);
}
int fdatasync(int file) {
    if (of_file("fdatasync", file)) end();
    return (int)syscall(SYS_fdatasync, file);
}

int ftruncate64(int file, off64_t length) {
    if (of_file("ftruncate", file)) end();
    return (int)syscall(SYS_ftruncate, file, length);
}
int ftruncate(int file, off_t length) { return ftruncate64(file, length); }

int rename(const char *from, const char *to) {
    of_path("rename", to);
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}
int unlink(const char *path) {
    of_path("unlink", path);
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}
int mkdir(const char *path, mode_t mode) {
    of_path("mkdir", path);
    return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

static int opened(int folder, const char *path, int flags, mode_t mode) {
    /* Only what comes to be thereby is a write. */
    if ((flags & O_CREAT) && syscall(SYS_faccessat, folder, path, F_OK) != 0) of_path("create", path);
    return (int)syscall(SYS_openat, folder, path, flags, mode);
}
#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }
int open(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int openat(int folder, const char *path, int flags, ...) { MODE(flags) return opened(folder, path, flags, mode); }
int openat64(int folder, const char *path, int flags, ...) { MODE(flags) return opened(folder, path, flags, mode); }

int clock_gettime(clockid_t clock, struct timespec *now) {
    int said = (int)syscall(SYS_clock_gettime, clock, now);
    if (said == 0 && ahead && clock == CLOCK_REALTIME) now->tv_sec += *ahead;
    return said;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec precise;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *into) {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (into) *into = precise.tv_sec;
    return precise.tv_sec;
}
