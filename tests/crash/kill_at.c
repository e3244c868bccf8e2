/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * kill_at: loaded into lbd (LD_PRELOAD), kills it with SIGKILL before the N-th write from now on,
 * so that every boundary between two writes can be tried without a word of that in lbd itself.
 *
 * A write is whatever outlives lbd: a change of a map by system call, each store to an array of the
 * data plane that is mapped into memory, and the steps of keeping a file. Stores are met by mapping
 * these arrays read-only: the first one faults, the page is opened for that one instruction (single
 * step), and closed behind it. x86-64.
 *
 * The file that $KILL_AT names holds two numbers: how many writes are left (0: for ever) and how
 * many there were.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { REGIONS_MAX = 16, PAGE = 4096, OPEN_MAX_PAGES = 4, TRAP_FLAG = 0x100 };

static struct control {
	_Atomic int64_t left;
	_Atomic uint64_t seen;
} * control;

static struct region {
	char *start;
	size_t size;
} regions[REGIONS_MAX];
static size_t region_count;

/* Of this thread: opened for the instruction that is being stepped. */
static __thread char *opened[OPEN_MAX_PAGES];
static __thread size_t opened_count;

static long raw(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

static long with_errno(long result)
{
	if (result >= 0 || result < -4095)
		return result;
	errno = (int)-result;
	return -1;
}

static void one_write(void)
{
	if (!control)
		return;
	atomic_fetch_add(&control->seen, 1);
	if (atomic_load(&control->left) > 0 && atomic_fetch_sub(&control->left, 1) == 1)
		raw(SYS_kill, raw(SYS_getpid, 0, 0, 0, 0, 0, 0), SIGKILL, 0, 0, 0, 0);
}

/* ---- system calls ---- */

long syscall(long number, ...)
{
	long a[6];
	__builtin_va_list args;

	__builtin_va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = __builtin_va_arg(args, long);
	__builtin_va_end(args);
	if (number == SYS_membarrier ||
	    (number == SYS_bpf && (a[0] == BPF_MAP_UPDATE_ELEM || a[0] == BPF_MAP_DELETE_ELEM ||
				   a[0] == BPF_MAP_UPDATE_BATCH || a[0] == BPF_MAP_DELETE_BATCH)))
		one_write();
	return with_errno(raw(number, a[0], a[1], a[2], a[3], a[4], a[5]));
}

int rename(const char *from, const char *to)
{
	one_write();
	return (int)with_errno(raw(SYS_rename, (long)from, (long)to, 0, 0, 0, 0));
}

int fsync(int fd)
{
	one_write();
	return (int)with_errno(raw(SYS_fsync, fd, 0, 0, 0, 0, 0));
}

int open(const char *path, int flags, ...)
{
	int mode = 0;

	if (flags & O_CREAT) {
		__builtin_va_list args;

		__builtin_va_start(args, flags);
		mode = __builtin_va_arg(args, int);
		__builtin_va_end(args);
		one_write();
	}
	return (int)with_errno(raw(SYS_open, (long)path, flags, mode, 0, 0, 0));
}

/* To a file: what goes to sockets and to the log does not outlive anything. */
ssize_t write(int fd, const void *data, size_t size)
{
	struct stat st;

	if (fd > STDERR_FILENO && control && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		one_write();
	return with_errno(raw(SYS_write, fd, (long)data, (long)size, 0, 0, 0));
}

int unlink(const char *path)
{
	one_write();
	return (int)with_errno(raw(SYS_unlink, (long)path, 0, 0, 0, 0, 0));
}

/* ---- stores ---- */

static const struct region *region_of(const char *address)
{
	for (size_t i = 0; i < region_count; i++)
		if (address >= regions[i].start && address < regions[i].start + regions[i].size)
			return &regions[i];
	return NULL;
}

static void on_fault(int number, siginfo_t *info, void *context)
{
	ucontext_t *machine = context;
	char *page = (char *)((uintptr_t)info->si_addr & ~(uintptr_t)(PAGE - 1));

	if (!region_of(info->si_addr) || opened_count == OPEN_MAX_PAGES) {
		signal(number, SIG_DFL);
		return;
	}
	if (!opened_count)
		one_write();
	raw(SYS_mprotect, (long)page, PAGE, PROT_READ | PROT_WRITE, 0, 0, 0);
	opened[opened_count++] = page;
	machine->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void on_step(int number, siginfo_t *info, void *context)
{
	ucontext_t *machine = context;

	(void)number;
	(void)info;
	while (opened_count)
		raw(SYS_mprotect, (long)opened[--opened_count], PAGE, PROT_READ, 0, 0, 0);
	machine->uc_mcontext.gregs[REG_EFL] &= ~(long long)TRAP_FLAG;
}

/* What packets are forwarded by, and what is said of them; not what a sweep counts in, which is
 * nobody's afterwards. */
static bool is_kept(int fd)
{
	static const char *const names[] = {"backends",     "pools",    "slots",
					    "slot_times",   "counters", "counters_carried",
					    ".data.control"};
	struct bpf_map_info info = {0};
	union bpf_attr attr = {.info = {.bpf_fd = (uint32_t)fd,
					.info_len = sizeof(info),
					.info = (uint64_t)(uintptr_t)&info}};

	if (raw(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, (long)&attr, sizeof(attr), 0, 0, 0) != 0)
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		/* The kernel keeps so much of a name. */
		if (strncmp(info.name, names[i], sizeof(info.name) - 1) == 0)
			return true;
	return false;
}

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
	void *memory = (void *)with_errno(
		raw(SYS_mmap, (long)address, (long)size, protection, flags, fd, offset));

	if (memory == MAP_FAILED || !control || fd < 0 || flags & MAP_FIXED ||
	    !(protection & PROT_WRITE) || !is_kept(fd) || region_count == REGIONS_MAX)
		return memory;
	regions[region_count++] = (struct region){memory, size};
	raw(SYS_mprotect, (long)memory, (long)size, PROT_READ, 0, 0, 0);
	return memory;
}

int munmap(void *memory, size_t size)
{
	for (size_t i = 0; i < region_count; i++)
		if (regions[i].start == memory)
			regions[i] = regions[--region_count];
	return (int)with_errno(raw(SYS_munmap, (long)memory, (long)size, 0, 0, 0, 0));
}

__attribute__((constructor)) static void begin(void)
{
	const struct sigaction fault = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
	const struct sigaction step = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};
	const char *path = getenv("KILL_AT");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	long memory;

	if (fd < 0)
		return;
	memory = raw(SYS_mmap, 0, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (memory < 0 && memory >= -4095)
		return;
	control = (struct control *)memory;
	sigaction(SIGSEGV, &fault, NULL);
	sigaction(SIGTRAP, &step, NULL);
}
