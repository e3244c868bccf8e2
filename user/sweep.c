/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* sweep: see sweep.h. */
#include "sweep.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

struct sweeper {
	struct dataplane *dp;
	uint64_t interval_us;
	sweep_done done;
	void *context;
	int over_fd; /* an eventfd that the thread writes when it is through */
	sd_event_source *over_source;
	sd_event_source *timer_source;
	pthread_t thread;
	bool running;
	bool again; /* a sweep was asked for while one ran */
	struct sweep_result result;
};

/* Births first, then flows: a flow that is copied meanwhile is met in one of them. */
static void *sweep_thread(void *context)
{
	struct sweeper *sweeper = context;
	struct sweep_result *result = &sweeper->result;
	const uint64_t one = 1, begin = clock_ns(CLOCK_THREAD_CPUTIME_ID);

	for (uint32_t table = 0; table < LB_SWEEP_TABLE_COUNT && !result->error; table++) {
		struct lb_sweep sweep = {.table = table, .now = result->began};

		result->error = dataplane_sweep(sweeper->dp, &sweep);
		result->read += sweep.read;
		result->doomed += sweep.doomed;
		result->deleted += sweep.deleted;
	}
	result->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin;
	if (write(sweeper->over_fd, &one, sizeof(one)) != sizeof(one))
		abort(); /* cannot be: the counter has room for one */
	return NULL;
}

static void sweep_begin(struct sweeper *sweeper)
{
	const struct lb_limits *limits = &dataplane_settings(sweeper->dp)->limits;
	int err;

	memset(dataplane_backend_tallies(sweeper->dp), 0,
	       (limits->backends + 1UL) * sizeof(struct lb_tally));
	memset(dataplane_pool_tallies(sweeper->dp), 0,
	       (limits->services + 1UL) * sizeof(struct lb_tally));
	sweeper->result = (struct sweep_result){.began = dataplane_tick()};
	err = pthread_create(&sweeper->thread, NULL, sweep_thread, sweeper);
	if (err)
		log_warn("flow tables: sweeping them: starting a thread: %s; tried again later",
			 strerror(err));
	sweeper->running = !err;
}

static void timer_arm(struct sweeper *sweeper, uint64_t after_us)
{
	sd_event_source_set_time_relative(sweeper->timer_source, after_us);
	sd_event_source_set_enabled(sweeper->timer_source, SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *context)
{
	struct sweeper *sweeper = context;

	(void)source;
	(void)usec;
	if (!sweeper->running)
		sweep_begin(sweeper);
	if (!sweeper->running)
		timer_arm(sweeper, sweeper->interval_us);
	return 0;
}

/* However large the tables, sweeps take less than a hundredth of a core. */
static uint64_t pause_us(const struct sweeper *sweeper)
{
	uint64_t least_us = sweeper->result.cpu_ns / 1000 * 100;

	return least_us > sweeper->interval_us ? least_us : sweeper->interval_us;
}

static int on_over(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct sweeper *sweeper = context;
	uint64_t count;

	(void)source;
	(void)events;
	if (read(fd, &count, sizeof(count)) != sizeof(count))
		return 0;
	pthread_join(sweeper->thread, NULL);
	sweeper->running = false;
	timer_arm(sweeper, sweeper->again ? 0 : pause_us(sweeper));
	sweeper->again = false;
	sweeper->done(sweeper->context, &sweeper->result);
	return 0;
}

void sweeper_hurry(struct sweeper *sweeper)
{
	if (sweeper->running)
		sweeper->again = true;
	else
		timer_arm(sweeper, 0);
}

struct sweeper *sweeper_create(sd_event *event, struct dataplane *dp, uint32_t interval_ms,
			       sweep_done done, void *context, struct fault *fault)
{
	struct sweeper *sweeper = calloc(1, sizeof(*sweeper));
	int rc = sweeper ? 0 : -ENOMEM;

	if (rc == 0) {
		sweeper->dp = dp;
		sweeper->interval_us = interval_ms * 1000ULL;
		sweeper->done = done;
		sweeper->context = context;
		sweeper->over_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		rc = sweeper->over_fd < 0 ? -errno : 0;
	}
	if (rc >= 0)
		rc = sd_event_add_io(event, &sweeper->over_source, sweeper->over_fd, EPOLLIN,
				     on_over, sweeper);
	if (rc >= 0)
		rc = sd_event_add_time_relative(event, &sweeper->timer_source, CLOCK_MONOTONIC,
						sweeper->interval_us, 0, on_timer, sweeper);
	if (rc >= 0)
		return sweeper;
	fault_set(fault, FAULT_FAILED, "flow tables: getting ready to sweep them: %s",
		  strerror(-rc));
	sweeper_free(sweeper);
	return NULL;
}

void sweeper_free(struct sweeper *sweeper)
{
	if (!sweeper)
		return;
	if (sweeper->running)
		pthread_join(sweeper->thread, NULL);
	sd_event_source_disable_unref(sweeper->over_source);
	sd_event_source_disable_unref(sweeper->timer_source);
	if (sweeper->over_fd >= 0)
		close(sweeper->over_fd);
	free(sweeper);
}
