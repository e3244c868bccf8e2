/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * probe_exec: a program that exits with 0 where the backend is well. See probe_type.h; probe.c
 * keeps the time.
 *
 * The program runs without capabilities and can gain none, whoever lbd runs as; in a session of its
 * own, so that what it started is killed with it; and is killed if lbd dies. What it is killed for
 * takes time to die, for which nobody waits: it is an orphan until the loop hears of its end.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "probe_type.h"

enum {
	WORDS_MAX = CHECK_COMMAND_SIZE / 2,
	SAYS_SIZE = 96, /* of the first line it prints */
	EXIT_CANNOT_RUN = 127,
};

struct exec_probe {
	pid_t pid;
	int pidfd;
	int output;
	sd_event_source *exit;
	sd_event_source *input;
	char says[SAYS_SIZE];
	size_t says_size;
	bool said; /* a whole line */
};

struct exec_orphan {
	struct probers *probers;
	struct exec_orphan *next;
	int pidfd;
	sd_event_source *exit;
};

/* ---- those that are killed ---- */

static void orphan_free(struct exec_orphan *orphan)
{
	struct exec_orphan **place = &orphan->probers->orphans;

	while (*place != orphan)
		place = &(*place)->next;
	*place = orphan->next;
	sd_event_source_disable_unref(orphan->exit);
	close(orphan->pidfd);
	free(orphan);
}

static int on_orphan_exit(sd_event_source *source, int fd, uint32_t events, void *context)
{
	siginfo_t info;

	(void)source;
	(void)events;
	waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG);
	orphan_free(context);
	return 0;
}

/* Takes the descriptor. Without memory the process stays a zombie, and nothing else. */
static void orphan_add(struct probers *probers, int pidfd)
{
	struct exec_orphan *orphan = calloc(1, sizeof(*orphan));

	if (!orphan) {
		close(pidfd);
		return;
	}
	*orphan = (struct exec_orphan){probers, probers->orphans, pidfd, NULL};
	probers->orphans = orphan;
	if (sd_event_add_io(probers->event, &orphan->exit, pidfd, EPOLLIN, on_orphan_exit, orphan) <
	    0)
		orphan_free(orphan);
}

void probe_exec_destroy(struct probers *probers)
{
	while (probers->orphans)
		orphan_free(probers->orphans);
}

/* ---- the program ---- */

static void exec_close(struct probe_attempt *attempt)
{
	struct exec_probe *exec = attempt->state;

	attempt->state = NULL;
	sd_event_source_disable_unref(exec->exit);
	sd_event_source_disable_unref(exec->input);
	if (exec->output >= 0)
		close(exec->output);
	if (exec->pidfd >= 0)
		close(exec->pidfd);
	free(exec);
}

static void exec_cancel(struct probe_attempt *attempt)
{
	struct exec_probe *exec = attempt->state;

	if (!exec)
		return;
	if (exec->pid > 0) {
		/* Its session's other processes too; itself, if it had no time to make one. */
		kill(-exec->pid, SIGKILL);
		kill(exec->pid, SIGKILL);
		/* A descriptor has one source. */
		exec->exit = sd_event_source_disable_unref(exec->exit);
		if (exec->pidfd >= 0)
			orphan_add(attempt->probers, exec->pidfd);
		else
			waitpid(exec->pid, NULL, 0);
		exec->pidfd = -1;
	}
	exec_close(attempt);
}

static void hear(struct exec_probe *exec)
{
	char data[4096];
	ssize_t size;

	while ((size = read(exec->output, data, sizeof(data))) > 0) {
		for (ssize_t i = 0; i < size && !exec->said; i++) {
			unsigned char c = (unsigned char)data[i];

			if (c == '\n')
				exec->said = exec->says_size > 0;
			else if (exec->says_size < SAYS_SIZE - 1)
				exec->says[exec->says_size++] =
					c >= ' ' && c <= '~' ? (char)c : '?';
		}
	}
	/* The end, while what holds the other end may live on. */
	if (size == 0)
		sd_event_source_set_enabled(exec->input, SD_EVENT_OFF);
}

static int on_output(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct probe_attempt *attempt = context;

	(void)source;
	(void)fd;
	(void)events;
	hear(attempt->state);
	return 0;
}

static int on_exit_seen(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct probe_attempt *attempt = context;
	struct exec_probe *exec = attempt->state;
	char reason[SAYS_SIZE + 64], how[48];
	siginfo_t info = {0};
	bool good;

	(void)source;
	(void)events;
	hear(exec);
	if (waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || !info.si_pid)
		return 0;
	/* What it left behind goes with it; until it is reaped, the number is its session's. */
	kill(-exec->pid, SIGKILL);
	waitid(P_PIDFD, (id_t)fd, &info, WEXITED);
	good = info.si_code == CLD_EXITED && info.si_status == 0;
	snprintf(how, sizeof(how), info.si_code == CLD_EXITED ? "exit status %d" : "signal %d",
		 info.si_status);
	probe_step(attempt, "it ended with %s", how);
	snprintf(reason, sizeof(reason), "%s%s%s", how, exec->says_size ? ": " : "", exec->says);
	exec_close(attempt);
	probe_done(attempt, good, reason);
	return 0;
}

/* In the child, which has one thread: system calls, and malloc, which glibc has ready after a fork
 * whatever other threads did. */
static void drop_privileges(void)
{
	cap_t none = cap_init();

	/* With this, no program it runs gains what is taken here, though it be root's. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		_exit(EXIT_CANNOT_RUN);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (!none || cap_set_proc(none) < 0)
		_exit(EXIT_CANNOT_RUN);
	cap_free(none);
}

static void reset_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
}

__attribute__((noreturn)) static void run_child(const struct probe_attempt *attempt, int output)
{
	const struct probe_target *target = &attempt->target;
	char address[ADDR_TEXT_SIZE + 16], port[32], pool[96], backend[96];
	const char *arguments[WORDS_MAX + 1], *word = NULL;
	char *const environment[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:"
				     "/bin",
				     address,
				     port,
				     pool,
				     backend,
				     NULL};
	char text[ADDR_TEXT_SIZE];
	size_t count = 0;

	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(address, sizeof(address), "LBD_ADDRESS=%s", addr_format(&target->address, text));
	snprintf(port, sizeof(port), "LBD_PORT=%u", target->port);
	snprintf(pool, sizeof(pool), "LBD_POOL=%s", target->pool);
	snprintf(backend, sizeof(backend), "LBD_BACKEND=%s", target->backend);
	while (count < WORDS_MAX && (word = check_command_next(attempt->check, word)))
		arguments[count++] = word;
	arguments[count] = NULL;
	dup2(open("/dev/null", O_RDWR), STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	close_range(STDERR_FILENO + 1, ~0U, 0);
	reset_signals();
	drop_privileges();
	execve(arguments[0], (char *const *)arguments, environment);
	dprintf(STDERR_FILENO, "%s: %s\n", arguments[0], strerror(errno));
	_exit(EXIT_CANNOT_RUN);
}

/* 0: on_exit_seen will tell; else an errno. */
static int exec_run(struct probe_attempt *attempt)
{
	struct exec_probe *exec = attempt->state;
	int ends[2], err;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return errno;
	exec->output = ends[0];
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	probe_step(attempt, "running %s", attempt->check->command);
	exec->pid = fork();
	if (exec->pid == 0)
		run_child(attempt, ends[1]);
	err = errno;
	close(ends[1]);
	if (exec->pid < 0)
		return err;
	exec->pidfd = pidfd_open(exec->pid, 0);
	if (exec->pidfd < 0)
		return errno;
	err = sd_event_add_io(attempt->event, &exec->exit, exec->pidfd, EPOLLIN, on_exit_seen,
			      attempt);
	if (err >= 0)
		err = sd_event_add_io(attempt->event, &exec->input, exec->output, EPOLLIN,
				      on_output, attempt);
	return err < 0 ? -err : 0;
}

static void exec_start(struct probe_attempt *attempt)
{
	struct exec_probe *exec = calloc(1, sizeof(*exec));
	int error;

	if (!exec) {
		probe_failed(attempt, ENOMEM);
		return;
	}
	exec->output = exec->pidfd = -1;
	attempt->state = exec;
	error = exec_run(attempt);
	if (!error)
		return;
	exec_cancel(attempt);
	probe_failed(attempt, error);
}

const struct probe_type probe_type_exec = {.start = exec_start, .cancel = exec_cancel};
