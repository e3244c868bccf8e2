/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * dataplane: making and opening the maps, and loading the program on them.
 *
 * Pins are made and removed in dataplane_directory.c. Access to the maps is in dataplane_maps.c and
 * dataplane_flows.c, questions to the program in dataplane_explain.c, names of verdicts in
 * dataplane_words.c, interfaces in attach.c.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "capability.h"
#include "clock.h"
#include "dataplane_log.h"
#include "dataplane_private.h"
#include "guard.h"
#include "lb.skel.h"
#include "log.h"
#include "siphash.h"
#include "version.h"

static const struct {
	const char *name;
	uint32_t key_size;
	uint32_t value_size;
} shapes[MAP_COUNT] = {
#define MAP_SHAPE(name, key, value, entries) [MAP_##name] = {#name, sizeof(key), sizeof(value)},
	DATAPLANE_MAPS(MAP_SHAPE)
#undef MAP_SHAPE
};

static uint32_t map_entries(enum dataplane_map map, const struct lb_limits *l)
{
	switch (map) {
#define MAP_ENTRIES(name, key, value, entries)                                                     \
	case MAP_##name:                                                                           \
		return (entries);
		DATAPLANE_MAPS(MAP_ENTRIES)
#undef MAP_ENTRIES
	case MAP_COUNT:
		break;
	}
	return 0;
}

static void skeleton_maps(struct lb_bpf *copy, struct bpf_map *maps[MAP_COUNT])
{
#define MAP_OF_SKELETON(name, key, value, entries) maps[MAP_##name] = copy->maps.name;
	DATAPLANE_MAPS(MAP_OF_SKELETON)
#undef MAP_OF_SKELETON
}

int dataplane_fault(struct fault *fault, int error, const char *object, const char *attempt)
{
	const char *lacking = error == EPERM || error == EACCES ? capability_lacking() : NULL;

	fault_set(fault, fault_code_of_errno(error), "%s: %s: %s%s%s", object, attempt,
		  strerror(error), lacking ? ", lacking " : "", lacking ? lacking : "");
	if (error == EPERM || error == EACCES)
		fault_hint(fault, "run it as root, or with CAP_BPF and CAP_NET_ADMIN");
	return -1;
}

/* ---- copies of the program ---- */

static struct lb_bpf *skeleton_open(const struct lb_settings *settings, bool read_only,
				    struct fault *fault)
{
	const uint32_t quotas[LB_QUOTA_COUNT] = LB_QUOTAS(&settings->limits);
	struct lb_bpf *copy;
	uint64_t keys[LB_HASH_KEYS];

	dataplane_log_begin();
	copy = lb_bpf__open();
	if (!copy) {
		dataplane_fault(fault, errno, "packet program", "reading it");
		return NULL;
	}
	siphash_expand(settings->hash_seed, keys);
	for (int i = 0; i < LB_HASH_KEYS; i++)
		copy->rodata->hash_keys[i] = keys[i];
	memcpy(copy->rodata->quotas, quotas, sizeof(quotas));
	copy->rodata->read_only = read_only;
	copy->rodata->finish_checksums = settings->flags & LB_SETTING_FINISH;
	copy->rodata->counter_stride = LB_COUNTER_STRIDE(&settings->limits);
	return copy;
}

const char *dataplane_map_name(enum dataplane_map map)
{
	return shapes[map].name;
}

struct lb_bpf *dataplane_copy_open(struct dataplane *dp, bool read_only, struct fault *fault)
{
	struct lb_bpf *copy = skeleton_open(&dp->settings, read_only, fault);
	struct bpf_map *maps[MAP_COUNT];

	if (!copy)
		return NULL;
	skeleton_maps(copy, maps);
	for (int i = 0; i < MAP_COUNT; i++) {
		int err = dp->fds[i] < 0 ? 0 : bpf_map__reuse_fd(maps[i], dp->fds[i]);

		if (err) {
			dataplane_fault(fault, -err, dp->pin_dir, shapes[i].name);
			lb_bpf__destroy(copy);
			return NULL;
		}
	}
	return copy;
}

void dataplane_copy_free(struct lb_bpf *copy)
{
	lb_bpf__destroy(copy);
}

int dataplane_copy_load(const struct dataplane *dp, struct lb_bpf *copy, struct fault *fault)
{
	/* Before 5.11 memory of maps counted against this limit; since then it is harmless. */
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	int err;

	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	dataplane_log_begin();
	err = -lb_bpf__load(copy);
	/* The program does not read `settings`; bound to it, they say whose program it is. */
	if (!err && bpf_prog_bind_map(bpf_program__fd(copy->progs.limpet),
				      bpf_map__fd(copy->maps.settings), NULL))
		err = errno;
	if (!err)
		return 0;
	dataplane_fault(fault, err, dp->pin_dir, "loading the packet program and its maps");
	/* The verifier says E2BIG, too, of a program that it finds too much to walk. */
	if (dataplane_log_find("BPF program load failed"))
		fault_hint(fault, "this kernel refuses the packet program, and says why in the "
				  "lines logged: please report them with the output of `uname -r`");
	else if (err == ENOMEM || err == E2BIG)
		fault_hint(fault, "there is not enough memory for maps of these sizes: lower "
				  "`global.limits` in the configuration");
	if (err != EPERM && err != EACCES)
		dataplane_log_show();
	return -1;
}

int dataplane_program_fd(const struct dataplane *dp)
{
	return dp->program ? bpf_program__fd(dp->program->progs.limpet) : -1;
}

struct bpf_object *dataplane_object(struct dataplane *dp, struct fault *fault)
{
	dataplane_copy_free(dp->unloaded);
	dp->unloaded = dataplane_copy_open(dp, false, fault);
	return dp->unloaded ? dp->unloaded->obj : NULL;
}

/* ---- handles ---- */

static struct dataplane *handle_create(const char *pin_dir, struct fault *fault)
{
	struct dataplane *dp = calloc(1, sizeof(*dp));

	if (!dp) {
		dataplane_fault(fault, ENOMEM, pin_dir, "opening the data plane");
		return NULL;
	}
	snprintf(dp->pin_dir, sizeof(dp->pin_dir), "%s", pin_dir);
	dp->cpu_count = libbpf_num_possible_cpus();
	for (int i = 0; i < MAP_COUNT; i++)
		dp->fds[i] = -1;
	return dp;
}

void dataplane_close(struct dataplane *dp)
{
	if (!dp)
		return;
	dataplane_explainers_free(dp);
	dataplane_arrays_unmap(dp);
	dataplane_trace_free(dp);
	dataplane_sweeper_free(dp);
	dataplane_prober_free(dp);
	dataplane_copy_free(dp->unloaded);
	dataplane_copy_free(dp->program);
	for (int i = 0; i < MAP_COUNT; i++)
		if (dp->fds[i] >= 0)
			close(dp->fds[i]);
	free(dp);
}

const struct lb_settings *dataplane_settings(const struct dataplane *dp)
{
	return &dp->settings;
}

static int settings_fill(struct lb_settings *out, const struct lb_settings *wanted,
			 const char *pin_dir, struct fault *fault)
{
	static const uint8_t none[LB_SEED_SIZE];

	*out = (struct lb_settings){
		.layout = LB_LAYOUT, .limits = wanted->limits, .flags = wanted->flags};
	memcpy(out->hash_seed, wanted->hash_seed, sizeof(out->hash_seed));
	if (!memcmp(out->hash_seed, none, sizeof(none)) &&
	    getrandom(out->hash_seed, sizeof(out->hash_seed), 0) != sizeof(out->hash_seed))
		return dataplane_fault(fault, errno, pin_dir, "making a hash seed");
	out->made_ns = clock_ns(CLOCK_REALTIME);
	snprintf(out->pin_dir, sizeof(out->pin_dir), "%s", pin_dir);
	snprintf(out->version, sizeof(out->version), "%s", LIMPET_VERSION);
	return 0;
}

/* All CPUs' are elements of one array, which the kernel counts with 32 bits. */
static uint32_t counters_max(void)
{
	return UINT32_MAX / cpu_list_possible_end() - 8;
}

static int limits_valid(const struct lb_limits *limits, struct fault *fault)
{
	if (!limits->backends || limits->backends > LB_BACKENDS_MAX || !limits->services ||
	    limits->services > UINT32_MAX / 64 || !limits->counters ||
	    limits->counters > counters_max() || !limits->slots || limits->slots % LB_SLOT_BLOCK)
		return fault_set(
			fault, FAULT_USAGE,
			"limits: backends must be 1 to %d, services at least 1, counters 1 "
			"to %u, slots a multiple of %d",
			LB_BACKENDS_MAX, counters_max(), LB_SLOT_BLOCK);
	return 0;
}

/* Takes maps of a loaded program that `dp` has not. */
static int maps_take(struct dataplane *dp, struct lb_bpf *program, struct fault *fault)
{
	struct bpf_map *maps[MAP_COUNT];

	skeleton_maps(program, maps);
	for (int i = 0; i < MAP_COUNT; i++) {
		if (dp->fds[i] >= 0)
			continue;
		dp->fds[i] = fcntl(bpf_map__fd(maps[i]), F_DUPFD_CLOEXEC, 0);
		if (dp->fds[i] < 0)
			return dataplane_fault(fault, errno, dp->pin_dir, shapes[i].name);
	}
	return 0;
}

/* The maps of `dp`, made by loading the program that uses them. */
static int maps_create(struct dataplane *dp, struct fault *fault)
{
	struct bpf_map *maps[MAP_COUNT];

	dp->program = skeleton_open(&dp->settings, false, fault);
	if (!dp->program)
		return -1;
	skeleton_maps(dp->program, maps);
	for (int i = 0; i < MAP_COUNT; i++)
		bpf_map__set_max_entries(maps[i], map_entries(i, &dp->settings.limits));
	return dataplane_copy_load(dp, dp->program, fault) || maps_take(dp, dp->program, fault) ? -1
												: 0;
}

static int map_arrays_fault(struct dataplane *dp, struct fault *fault)
{
	int err = dataplane_arrays_map(dp);

	return err ? dataplane_fault(fault, -err, dp->pin_dir, "mapping its arrays into memory")
		   : 0;
}

struct dataplane *dataplane_create(const char *pin_dir, const struct lb_settings *settings,
				   struct fault *fault)
{
	struct dataplane *dp;
	bool made = false;

	if (limits_valid(&settings->limits, fault) || dataplane_directory_valid(pin_dir, fault))
		return NULL;
	dp = handle_create(pin_dir, fault);
	if (!dp)
		return NULL;
	if (settings_fill(&dp->settings, settings, pin_dir, fault) || maps_create(dp, fault) ||
	    map_arrays_fault(dp, fault) || dataplane_directory_claim(pin_dir, &made, fault))
		goto err;
	if (dataplane_directory_fill(dp, made, fault))
		goto err;
	return dp;
err:
	dataplane_close(dp);
	return NULL;
}

static uint64_t map_memory(int fd)
{
	char path[64], line[128];
	unsigned long long bytes = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file) && sscanf(line, "memlock: %llu", &bytes) != 1)
		;
	fclose(file);
	return bytes;
}

uint64_t dataplane_memory_bytes(const struct dataplane *dp)
{
	uint64_t bytes = 0;

	for (int i = 0; i < MAP_COUNT; i++)
		bytes += map_memory(dp->fds[i]);
	return bytes;
}

/* ---- opening what is there ---- */

/* Not for lack of a capability: by the mode of the pin, or of a directory on the way. */
static int pin_closed(const char *pin_dir, const char *path, struct fault *fault)
{
	char parent[DATAPLANE_PATH_SIZE];

	fault_set(fault, FAULT_PERMISSION, "%s: opening the map: %s", path, strerror(EACCES));
	snprintf(parent, sizeof(parent), "%s", pin_dir);
	*strrchr(parent, '/') = '\0';
	if (access(parent, X_OK) < 0)
		return fault_hint(fault, "this user may not pass %s: chmod o+x %s", parent, parent);
	return fault_hint(fault, "pins are for root and group " GUARD_GROUP
				 ": add lbd's user to the group, and attach the data plane anew if "
				 "it was made before there was one");
}

static int open_pin(struct dataplane *dp, enum dataplane_map map, struct fault *fault)
{
	char path[DATAPLANE_PATH_SIZE];

	if (dataplane_pin_path(path, dp->pin_dir, shapes[map].name))
		return dataplane_fault(fault, ENAMETOOLONG, dp->pin_dir, shapes[map].name);
	if (guard_check(path, true, fault))
		return -1;
	dp->fds[map] = bpf_obj_get(path);
	if (dp->fds[map] >= 0)
		return 0;
	if (errno == EACCES)
		return pin_closed(dp->pin_dir, path, fault);
	if (errno != ENOENT)
		return dataplane_fault(fault, errno, path, "opening the map");
	if (map == MAP_settings) {
		fault_set(fault, FAULT_NOT_FOUND, "pin directory %s: there is no data plane in it",
			  dp->pin_dir);
		return fault_hint(fault, "make one with `lbload attach IF`, or name another "
					 "directory with --pin-dir");
	}
	fault_set(fault, FAULT_CONFLICT, "pin directory %s: the map %s is missing", dp->pin_dir,
		  shapes[map].name);
	return fault_hint(fault, "the pins were tampered with: `lbload detach` the interfaces, "
				 "`lbload clean`, and attach again");
}

static int other_layout(const char *pin_dir, const char *what, struct fault *fault)
{
	fault_set(fault, FAULT_CONFLICT,
		  "pin directory %s: its data plane has another layout than this build's (%d): %s",
		  pin_dir, LB_LAYOUT, what);
	return fault_hint(fault, "with the version that made it, `lbload detach` its interfaces "
				 "and `lbload clean`; then `lbload attach` with this one");
}

static int shape_check(struct dataplane *dp, enum dataplane_map map, struct fault *fault)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info), entries = map_entries(map, &dp->settings.limits);
	char what[160];

	if (bpf_obj_get_info_by_fd(dp->fds[map], &info, &size))
		return dataplane_fault(fault, errno, dp->pin_dir, shapes[map].name);
	if (info.key_size == shapes[map].key_size && info.value_size == shapes[map].value_size &&
	    info.max_entries == entries)
		return 0;
	snprintf(what, sizeof(what), "map %s has keys of %u, values of %u bytes and %u entries",
		 shapes[map].name, info.key_size, info.value_size, info.max_entries);
	return other_layout(dp->pin_dir, what, fault);
}

static int settings_read(struct dataplane *dp, struct fault *fault)
{
	const uint32_t zero = 0;
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);
	uint32_t *value;
	char what[32];
	int err = 0;

	if (open_pin(dp, MAP_settings, fault))
		return -1;
	if (bpf_obj_get_info_by_fd(dp->fds[MAP_settings], &info, &size))
		return dataplane_fault(fault, errno, dp->pin_dir, "reading the settings");
	/* Another version's settings may have another size; the layout is in front in all. */
	value = calloc(1, info.value_size + sizeof(dp->settings));
	if (!value || bpf_map_lookup_elem(dp->fds[MAP_settings], &zero, value)) {
		err = dataplane_fault(fault, errno, dp->pin_dir, "reading the settings");
	} else if (value[0] != LB_LAYOUT || info.value_size != sizeof(dp->settings)) {
		snprintf(what, sizeof(what), "%u", value[0]);
		err = other_layout(dp->pin_dir, what, fault);
	} else {
		memcpy(&dp->settings, value, sizeof(dp->settings));
	}
	free(value);
	return err;
}

int dataplane_added_open(struct dataplane *dp, struct fault *fault)
{
	char path[DATAPLANE_PATH_SIZE];

	for (int i = DATAPLANE_MAP_ADDED; i < MAP_COUNT; i++) {
		if (dp->fds[i] >= 0 || dataplane_pin_path(path, dp->pin_dir, shapes[i].name) ||
		    access(path, F_OK))
			continue;
		if (open_pin(dp, i, fault) || shape_check(dp, i, fault))
			return -1;
	}
	return 0;
}

struct dataplane *dataplane_open(const char *pin_dir, bool load_program, struct fault *fault)
{
	struct dataplane *dp = handle_create(pin_dir, fault);

	if (!dp)
		return NULL;
	if (guard_check(pin_dir, false, fault) || settings_read(dp, fault))
		goto err;
	for (int i = 0; i < DATAPLANE_MAP_ADDED; i++)
		if ((i != MAP_settings && open_pin(dp, i, fault)) || shape_check(dp, i, fault))
			goto err;
	if (dataplane_added_open(dp, fault) || map_arrays_fault(dp, fault))
		goto err;
	if (load_program && dataplane_program_load(dp, 0, fault))
		goto err;
	return dp;
err:
	dataplane_close(dp);
	return NULL;
}

int dataplane_program_load(struct dataplane *dp, uint32_t flags, struct fault *fault)
{
	dp->settings.flags |= flags;
	dp->program = dataplane_copy_open(dp, false, fault);
	return !dp->program || dataplane_copy_load(dp, dp->program, fault) ||
			       maps_take(dp, dp->program, fault)
		       ? -1
		       : 0;
}
