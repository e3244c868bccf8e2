/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* grace: see grace.h. A thread for each wait, which there are few of. */
#include "grace.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct grace {
	struct dataplane *dp;
	void (*over)(void *context);
	void *context;
	int over_fd; /* an eventfd that the thread writes */
	sd_event_source *over_source;
	pthread_t thread;
	bool running;
	int err; /* of the wait */
};

static void *wait_thread(void *context)
{
	struct grace *grace = context;
	const uint64_t one = 1;

	grace->err = dataplane_wait_grace(grace->dp);
	if (write(grace->over_fd, &one, sizeof(one)) != sizeof(one))
		abort(); /* cannot be: the counter has room for one */
	return NULL;
}

static int on_over(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct grace *grace = context;
	uint64_t count;

	(void)source;
	(void)events;
	if (read(fd, &count, sizeof(count)) != sizeof(count))
		return 0;
	pthread_join(grace->thread, NULL);
	grace->running = false;
	if (!grace->err)
		grace->over(grace->context);
	return 0;
}

bool grace_under_way(const struct grace *grace)
{
	return grace->running;
}

void grace_begin(struct grace *grace)
{
	grace->running = pthread_create(&grace->thread, NULL, wait_thread, grace) == 0;
}

struct grace *grace_create(sd_event *event, struct dataplane *dp, void (*over)(void *context),
			   void *context, struct fault *fault)
{
	struct grace *grace = calloc(1, sizeof(*grace));
	int rc = grace ? 0 : -ENOMEM;

	if (rc == 0) {
		grace->dp = dp;
		grace->over = over;
		grace->context = context;
		grace->over_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		rc = grace->over_fd < 0 ? -errno
					: sd_event_add_io(event, &grace->over_source,
							  grace->over_fd, EPOLLIN, on_over, grace);
	}
	if (rc >= 0)
		return grace;
	fault_set(fault, FAULT_FAILED, "data plane: waiting for packets under way: %s",
		  strerror(-rc));
	grace_free(grace);
	return NULL;
}

void grace_free(struct grace *grace)
{
	if (!grace)
		return;
	if (grace->running)
		pthread_join(grace->thread, NULL);
	sd_event_source_disable_unref(grace->over_source);
	if (grace->over_fd >= 0)
		close(grace->over_fd);
	free(grace);
}
