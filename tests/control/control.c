/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * control: measures lbd and lbctl with 1,024 services, 256 pools and 4,096 backends. Started by
 * tests/control/run, which makes the network. Neighbours: fleet (who is there), rows (what it
 * says). What lbd did is read where packets read it: in the maps.
 */
#include <bpf/bpf.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../user/dataplane.h"
#include "../../user/maglev.h"
#include "fleet.h"
#include "rows.h"

enum {
	PATH_SIZE = 256,
	START_BOUND_S = 30,
	LOAD_SECONDS = 20,
	CHANGE_SECONDS = 40,
	CHANGES_MAX = 4096,
	ORDER_ROUNDS = 50,
	ANSWER_ROUNDS = 30,
	BUILD_ROUNDS = 51,
	BUILD_BACKENDS = 1000,
	POLL_US = 100,
};

static char config[PATH_SIZE], pins[PATH_SIZE], state[PATH_SIZE], listens[PATH_SIZE];
static char lbd_path[PATH_SIZE], lbctl_path[PATH_SIZE], lbload_path[PATH_SIZE], log_path[PATH_SIZE];
static struct fleet_peers *peers;
static struct dataplane *dp;
static struct rows *rows;

static void paths_fill(const char *work, const char *build)
{
	snprintf(config, PATH_SIZE, "%s/lbd.yaml", work);
	snprintf(state, PATH_SIZE, "%s/state", work);
	snprintf(listens, PATH_SIZE, "%s/lbd.sock", work);
	snprintf(log_path, PATH_SIZE, "%s/test-logs/control-lbd.log", build);
	snprintf(pins, PATH_SIZE, "/sys/fs/bpf/control");
	snprintf(lbd_path, PATH_SIZE, "%s/lbd", build);
	snprintf(lbctl_path, PATH_SIZE, "%s/lbctl", build);
	snprintf(lbload_path, PATH_SIZE, "%s/lbload", build);
}

/* ---- programs ---- */

static pid_t program_start(const char *const argv[], const char *output)
{
	pid_t child = fork();
	int fd;

	if (child < 0)
		err(1, "%s", argv[0]);
	if (child > 0)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd = open(output, O_WRONLY | O_CREAT | O_APPEND, 0644);
	if (fd >= 0) {
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
	}
	execv(argv[0], (char *const *)argv);
	_exit(127);
}

static int program_run(const char *const argv[], const char *output)
{
	int status;

	if (waitpid(program_start(argv, output), &status, 0) < 0)
		err(1, "%s", argv[0]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static pid_t lbd_start(void)
{
	const char *const argv[] = {lbd_path, "-c",          config,  "--pin-dir",
				    pins,     "--socket",    listens, "--state-dir",
				    state,    "--log-level", "warn",  NULL};

	return program_start(argv, log_path);
}

static void lbd_stop(pid_t pid, int how)
{
	kill(pid, how);
	waitpid(pid, NULL, 0);
}

/* ---- what is in the maps ---- */

static void listener_count(void *context, const struct addr *vip, uint8_t proto,
			   const struct port_block *block, const struct lb_service *service)
{
	(void)vip;
	(void)proto;
	(void)block;
	(void)service;
	++*(uint32_t *)context;
}

static bool all_published(void)
{
	uint32_t listeners = 0;

	for (uint32_t i = 1; i <= FLEET_POOLS; i++) {
		if (!dataplane_pools(dp)[i].table)
			return false;
	}
	dataplane_listeners(dp, listener_count, &listeners);
	return listeners == FLEET_SERVICES;
}

static uint32_t pool_index(uint32_t pool)
{
	struct lb_pool_identity identity;
	char name[32];

	snprintf(name, sizeof(name), "pool%u", pool);
	for (uint32_t i = 1; i <= FLEET_SERVICES; i++) {
		if (dataplane_pool_identity(dp, i, &identity) == 0 &&
		    strcmp(identity.name, name) == 0)
			return i;
	}
	errx(1, "%s is not in the maps", name);
}

static uint32_t backend_index(uint32_t pool, uint32_t backend)
{
	uint32_t index = pool_index(pool), address = fleet_address(pool, backend);
	struct lb_backend_identity identity;

	for (uint32_t i = 1; i <= dataplane_settings(dp)->limits.backends; i++) {
		if (dataplane_backend_identity(dp, i, &identity) == 0 && identity.pool == index &&
		    identity.address.v4 == address)
			return i;
	}
	errx(1, "backend %u of pool %u is not in the maps", backend, pool);
}

static bool is_usable(uint32_t index)
{
	return __atomic_load_n(&dataplane_backends(dp)[index].status, __ATOMIC_ACQUIRE) &
	       LB_BACKEND_USABLE;
}

static uint64_t table_of(uint32_t pool)
{
	return __atomic_load_n(&dataplane_pools(dp)[pool].table, __ATOMIC_ACQUIRE);
}

/* ---- the figures ---- */

static void data_plane_make(const char *interface)
{
	const char *const argv[] = {lbload_path, "--pin-dir", pins,   "attach",
				    interface,   "-c",        config, NULL};
	struct fault fault = {0};

	if (program_run(argv, log_path) != 0)
		errx(1, "lbload attach failed: %s", log_path);
	dp = dataplane_open(pins, false, &fault);
	if (!dp)
		errx(1, "%s", fault.message);
}

static void data_plane_drop(const char *interface)
{
	const char *const detach[] = {lbload_path, "--pin-dir", pins, "detach", interface, NULL};
	const char *const clean[] = {lbload_path, "--pin-dir", pins, "clean", NULL};

	dataplane_close(dp);
	dp = NULL;
	if (program_run(detach, log_path) != 0 || program_run(clean, log_path) != 0)
		errx(1, "lbload detach or clean failed: %s", log_path);
}

/* Milliseconds from the start of lbd until everything is in the maps. */
static double time_to_publish(pid_t *pid)
{
	uint64_t began_ns = fleet_now_ns();

	*pid = lbd_start();
	while (!all_published()) {
		if (waitpid(*pid, NULL, WNOHANG) == *pid)
			errx(1, "lbd ended: %s", log_path);
		if (fleet_now_ns() - began_ns > START_BOUND_S * 1000000000ULL)
			errx(1, "lbd published nothing within %d s: %s", START_BOUND_S, log_path);
		usleep(1000);
	}
	return (double)(fleet_now_ns() - began_ns) / 1e6;
}

static void start_measure(const char *interface, bool checked, const char *name)
{
	double ms[5];
	int count = checked ? 3 : 5;
	char file[PATH_SIZE + 16];

	if (fleet_config_write(config, checked) < 0)
		errx(1, "%s: cannot be written", config);
	for (int i = 0; i < count; i++) {
		pid_t pid;

		data_plane_make(interface);
		ms[i] = time_to_publish(&pid);
		lbd_stop(pid, SIGTERM);
		data_plane_drop(interface);
		snprintf(file, sizeof(file), "%s/state.json", state);
		unlink(file);
	}
	rows_add_series(rows, name, "ms", ms, (size_t)count, "median", 1500);
}

/* Seconds of processor time that the process took. */
static double cpu_seconds(pid_t pid)
{
	unsigned long user = 0, system = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (!file ||
	    fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
		   &system) != 2)
		errx(1, "%s: cannot be read", path);
	fclose(file);
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static void load_measure(pid_t pid)
{
	double before;

	sleep(4); /* the first checks come close together */
	before = cpu_seconds(pid);
	sleep(LOAD_SECONDS);
	rows_add(rows, "checks-4096-every-2s", "cpu", "%",
		 (cpu_seconds(pid) - before) * 100 / LOAD_SECONDS, 20, 1);
}

/* One backend that goes and comes while it is watched. */
struct watched {
	struct fleet_case *peer;
	uint32_t pool, index;
	uint64_t table;
	bool waits;
};

static void watched_flip(struct watched *one)
{
	one->table = table_of(one->pool);
	one->waits = true;
	__atomic_store_n(&one->peer->told_ns, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&one->peer->fails, !one->peer->fails, __ATOMIC_RELEASE);
	/* An answer that was on its way has said the old word. */
	__atomic_store_n(&one->peer->told_ns, 0, __ATOMIC_RELEASE);
}

/* True once what the peer said is in the maps: whether it is usable, and the table for it. */
static bool watched_done(const struct watched *one)
{
	return __atomic_load_n(&one->peer->told_ns, __ATOMIC_ACQUIRE) &&
	       is_usable(one->index) == !one->peer->fails && table_of(one->pool) != one->table;
}

static void changes_measure(void)
{
	static double ms[CHANGES_MAX];
	struct watched watched[FLEET_CASES];
	uint64_t end_ns = fleet_now_ns() + CHANGE_SECONDS * 1000000000ULL;
	size_t count = 0;

	for (uint32_t i = 0; i < FLEET_CASES; i++) {
		struct watched *one = &watched[i];
		/* Big and small tables in turn. */
		uint32_t pool = i % 2 ? FLEET_BIG_POOLS + i : i;

		*one = (struct watched){.peer = &peers->cases[i],
					.pool = pool_index(pool),
					.index = backend_index(pool, i)};
		__atomic_store_n(&one->peer->address, fleet_address(pool, i), __ATOMIC_RELEASE);
		watched_flip(one);
	}
	while (fleet_now_ns() < end_ns && count < CHANGES_MAX) {
		for (uint32_t i = 0; i < FLEET_CASES; i++) {
			if (!watched_done(&watched[i]))
				continue;
			ms[count++] = (double)(fleet_now_ns() - watched[i].peer->told_ns) / 1e6;
			watched_flip(&watched[i]);
		}
		usleep(POLL_US);
	}
	rows_add_series(rows, "check-to-wire", "ms", ms, count, "p99", 20);
}

/* From the start of lbctl until the maps have it. */
static void orders_measure(void)
{
	uint32_t pool = pool_index(1), index = backend_index(1, 1);
	double ms[ORDER_ROUNDS * 2];
	size_t count = 0;

	for (int i = 0; i < ORDER_ROUNDS * 2; i++) {
		const char *const argv[] = {
			lbctl_path,   "--socket", listens, "backend", i % 2 ? "ready" : "maint",
			"pool1/web1", NULL};
		uint64_t table = table_of(pool), began_ns = fleet_now_ns();
		pid_t pid = program_start(argv, "/dev/null");
		int status;

		while (is_usable(index) != (i % 2 == 1) || table_of(pool) == table) {
			if (fleet_now_ns() - began_ns > START_BOUND_S * 1000000000ULL)
				errx(1, "lbctl backend %s: nothing came of it", argv[4]);
			usleep(POLL_US);
		}
		ms[count++] = (double)(fleet_now_ns() - began_ns) / 1e6;
		waitpid(pid, &status, 0);
	}
	rows_add_series(rows, "lbctl-maint-ready-to-wire", "ms", ms, count, "none", 0);
}

/* What is asked for, and the most it may take in the median (0: what is in the nature of it). */
static const struct answer {
	const char *name;
	const char *words[8];
	double target_ms;
} answers[] = {
	{"lbctl-status", {"status"}, 20},
	{"lbctl-service-list-of-1024", {"service", "list"}, 20},
	{"lbctl-service-list-of-1024-json", {"service", "list", "-o", "json"}, 20},
	{"lbctl-service-show", {"service", "show", "service1"}, 20},
	{"lbctl-pool-list-of-256", {"pool", "list"}, 20},
	{"lbctl-pool-show", {"pool", "show", "pool1"}, 20},
	{"lbctl-backend-list-of-16", {"backend", "list", "pool1"}, 20},
	{"lbctl-backend-list-of-4096", {"backend", "list"}, 20},
	{"lbctl-backend-list-of-4096-json", {"backend", "list", "-o", "json"}, 20},
	{"lbctl-backend-list-of-4096-wide", {"backend", "list", "-o", "wide"}, 20},
	{"lbctl-backend-show", {"backend", "show", "pool1/web1"}, 20},
	{"lbctl-drops", {"drops"}, 20},
	{"lbctl-flow-lookup", {"flow", "lookup", "tcp", "198.51.100.1:4000", "10.200.0.1:80"}, 20},
	{"lbctl-client-list", {"client", "list", "pool1"}, 20},
	{"lbctl-events", {"events"}, 20},
	{"lbctl-backend-weight-dry-run", {"backend", "weight", "pool1/web1", "50", "-n"}, 20},
	{"lbctl-config-diff", {"config", "diff"}, 20},
	{"lbctl-config-export-json", {"config", "export", "-o", "json"}, 20},
	{"lbctl-reload-dry-run", {"reload", "-n"}, 20},
	/* All of it is written, or read, as YAML. */
	{"lbctl-config-export", {"config", "export"}, 0},
	{"lbctl-config-apply-dry-run", {"config", "apply", config, "-n"}, 0},
};

static void answer_measure(const struct answer *answer)
{
	const char *argv[16] = {lbctl_path, "--socket", listens};
	double ms[ANSWER_ROUNDS];

	for (int i = 0; answer->words[i]; i++)
		argv[3 + i] = answer->words[i];
	for (int i = 0; i < ANSWER_ROUNDS; i++) {
		uint64_t began_ns = fleet_now_ns();

		if (program_run(argv, "/dev/null") != 0)
			errx(1, "%s failed", answer->name);
		ms[i] = (double)(fleet_now_ns() - began_ns) / 1e6;
	}
	rows_add_series(rows, answer->name, "ms", ms, ANSWER_ROUNDS,
			answer->target_ms > 0 ? "median" : "none", answer->target_ms);
}

static void answers_measure(void)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		answer_measure(&answers[i]);
}

static void builds_measure(void)
{
	static const uint8_t seed[LB_SEED_SIZE] = {1};
	static struct maglev_backend backends[BUILD_BACKENDS];
	static char names[BUILD_BACKENDS][16];
	int32_t *table = malloc(FLEET_BIG_TABLE * sizeof(*table));
	double ms[BUILD_ROUNDS];

	for (int i = 0; i < BUILD_BACKENDS; i++) {
		snprintf(names[i], sizeof(names[i]), "backend%d", i);
		backends[i] = (struct maglev_backend){.name = names[i], .weight = 100};
	}
	for (int i = 0; table && i < BUILD_ROUNDS; i++) {
		uint64_t began_ns = fleet_now_ns();

		if (maglev_build(seed, backends, BUILD_BACKENDS, table, FLEET_BIG_TABLE) < 0)
			errx(1, "maglev_build failed");
		ms[i] = (double)(fleet_now_ns() - began_ns) / 1e6;
	}
	free(table);
	rows_add_series(rows, "maglev-65537-slots-1000-backends", "ms", ms, BUILD_ROUNDS, "median",
			3);
}

/* Kilobytes that the process has in memory. */
static double resident_kb(pid_t pid)
{
	char path[64], line[128];
	unsigned long kb = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file) && sscanf(line, "VmRSS: %lu", &kb) != 1)
		;
	if (file)
		fclose(file);
	return (double)kb;
}

/* What the kernel accounts for an entry of a table that is filled as entries come. */
static void entry_measure(const char *map, const char *name, size_t key_size, size_t value_size)
{
	enum { ENTRIES = 10000 };
	uint64_t before = dataplane_memory_bytes(dp);
	uint8_t key[64] = {0}, value[128] = {0};
	char path[PATH_SIZE + 32];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", pins, map);
	fd = bpf_obj_get(path);
	if (fd < 0 || key_size > sizeof(key) || value_size > sizeof(value))
		errx(1, "%s: cannot be opened", path);
	for (uint32_t i = 0; i < ENTRIES; i++) {
		memcpy(key, &i, sizeof(i));
		if (bpf_map_update_elem(fd, key, value, BPF_ANY))
			err(1, "%s: cannot be filled", path);
	}
	close(fd);
	rows_add(rows, name, "accounted", "B",
		 (double)(dataplane_memory_bytes(dp) - before) / ENTRIES, 0, 1);
}

static void entries_measure(void)
{
	entry_measure("births_v4", "memory-flow-new-v4", sizeof(struct lb_flow_key_v4),
		      sizeof(struct lb_birth));
	entry_measure("births_v6", "memory-flow-new-v6", sizeof(struct lb_flow_key_v6),
		      sizeof(struct lb_birth));
	entry_measure("flows_v4", "memory-flow-v4", sizeof(struct lb_flow_key_v4),
		      sizeof(struct lb_flow));
	entry_measure("flows_v6", "memory-flow-v6", sizeof(struct lb_flow_key_v6),
		      sizeof(struct lb_flow));
	entry_measure("clients_v4", "memory-client-v4", sizeof(struct lb_client_key_v4),
		      sizeof(struct lb_client));
	entry_measure("clients_v6", "memory-client-v6", sizeof(struct lb_client_key_v6),
		      sizeof(struct lb_client));
}

static void memory_measure(pid_t pid)
{
	rows_add(rows, "memory-lbd", "resident", "MB", resident_kb(pid) / 1024, 0, 1);
	rows_add(rows, "memory-maps", "accounted", "MB",
		 (double)dataplane_memory_bytes(dp) / 1048576, 0, 1);
	rows_add(rows, "memory-pool-of-65537", "in maps", "KB",
		 FLEET_BIG_TABLE * (2 * sizeof(uint32_t) + sizeof(struct lb_times)) / 1024.0, 0, 1);
	rows_add(rows, "memory-pool-of-4099", "in maps", "KB",
		 FLEET_TABLE * (2 * sizeof(uint32_t) + sizeof(struct lb_times)) / 1024.0, 0, 1);
}

int main(int argc, char **argv)
{
	char path[PATH_SIZE];
	pid_t pid;

	if (argc != 5)
		errx(2, "usage: control INTERFACE PEERS_NETNS WORK_DIR BUILD_DIR");
	paths_fill(argv[3], argv[4]);
	snprintf(path, sizeof(path), "%s/test-logs", argv[4]);
	mkdir(path, 0755);
	unlink(log_path);
	rows = rows_create();
	peers = fleet_peers_start(argv[2]);
	if (!rows || !peers)
		err(1, "starting");
	builds_measure();
	start_measure(argv[1], false, "load-and-publish");
	start_measure(argv[1], true, "load-and-publish-with-checks");
	data_plane_make(argv[1]);
	time_to_publish(&pid);
	load_measure(pid);
	changes_measure();
	answers_measure();
	orders_measure();
	memory_measure(pid);
	lbd_stop(pid, SIGTERM);
	entries_measure();
	snprintf(path, sizeof(path), "%s/bench-control.json", argv[4]);
	if (rows_tell(rows, path) < 0)
		errx(1, "%s: cannot be written", path);
	printf("\nRows in %s.\n", path);
	rows_free(rows);
	dataplane_close(dp);
	return 0;
}
