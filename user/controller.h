/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * controller: what lbd does. Keeps the running model (file plus overrides), feeds it with the
 * results of probes and next hops, and has every change of it published.
 *
 *   file, API -> model --.
 *   probe -> health ------+-> publish -> maps
 *   neighbour ------------'
 *
 * One thread, one sd-event loop. Several changes within one turn of the loop are published
 * together.
 */
#ifndef LIMPET_CONTROLLER_H
#define LIMPET_CONTROLLER_H

#include <jansson.h>
#include <systemd/sd-event.h>

#include "dataplane.h"
#include "doctor.h"
#include "fault.h"
#include "model.h"
#include "overrides.h"

struct controller;

struct controller_options {
	const char *config_path;
	const char *state_dir;
	const char *pin_dir;
	bool break_flows; /* start even if that moves most flows of a pool */
};

/* Who asks for a change, and how. */
struct controller_request {
	const char *who;  /* for the log: "uid 0" */
	bool dry_run;     /* nothing changes */
	bool break_flows; /* do it even if it moves most flows by nature, see plan_judge */
};

/* Opens the data plane, reads file and state, adopts what the maps hold, publishes the difference,
 * and starts probes. A wrong file is printed to stderr whole and yields FAULT_USAGE. */
struct controller *controller_create(sd_event *event, const struct controller_options *options,
				     struct fault *fault);
/* Stops. The data plane goes on forwarding as it is. NULL is fine. */
void controller_free(struct controller *controller);

struct events;

/* What happens, for who watches. Borrowed. */
struct events *controller_events(const struct controller *controller);

/* Tells those who watch of a change, also of one that is none of the configuration: "forget
 * client", "web/198.51.100.7/32". */
void controller_tell_done(struct controller *controller, const char *who, const char *change,
			  const char *object, const char *detail);

/* Borrowed until the next change. */
const struct model *controller_model(const struct controller *controller);
struct dataplane *controller_dataplane(const struct controller *controller);
uint64_t controller_uptime_ms(const struct controller *controller);
size_t controller_override_count(const struct controller *controller);

/* Of lbd's own work, for who watches it. Times as they were taken last; 0: not yet. */
struct controller_facts {
	bool published; /* the first round is over, whether it could write all or not */
	bool reload_good;
	uint64_t reload_ms; /* CLOCK_REALTIME of the last reading of the file, good or not */
	uint64_t build_ns;  /* that building a pool's table took */
	uint64_t publish_ns;
};
struct controller_facts controller_facts(const struct controller *controller);

/*
 * Who has to go along with what the model says. Before a new model takes effect, `prepare` is asked
 * and may refuse with a fault: then nothing changes. If it did not, `finish` tells it whether the
 * model was taken. There may be one; NULL for none. It is to end before the controller does.
 */
struct controller_follower {
	int (*prepare)(void *context, const struct model *model, struct fault *fault);
	void (*finish)(void *context, bool taken);
	void *context;
};
void controller_follow(struct controller *controller, const struct controller_follower *follower);

/*
 * One change through the API. `*report` (unless NULL) becomes an array of objects {"change": "add
 * backend", "object": "web/web3", "detail", "moved_percent"}, in the order in which they are (or
 * would be) made; the caller releases it. What moves most flows by nature is refused with
 * FAULT_CONFLICT unless the request says otherwise; a dry run tells.
 */
int controller_change(struct controller *controller, const struct change *change,
		      const struct controller_request *request, json_t **report,
		      struct fault *fault);

/* Reads the file again. A bad file changes nothing: FAULT_USAGE, the fault's message holding the
 * first error and `*errors_text` (unless NULL) all of them as config_errors_format prints them. */
int controller_reload(struct controller *controller, const struct controller_request *request,
		      json_t **report, char **errors_text, struct fault *fault);

/*
 * Makes what runs say what `document` says, which has the form of the file (and `*errors_text` its
 * errors, as above). What differs from the file is kept as changes made at run time are. What says
 * what runs already changes nothing.
 */
int controller_document(struct controller *controller, const json_t *document,
			const struct controller_request *request, json_t **report,
			char **errors_text, struct fault *fault);

/* How what runs differs from the file as it is now: overrides_differences's array in `*list`, and
 * in
 * `*tables` what the tables would have with the file alone, as a dry run tells it. */
int controller_differences(struct controller *controller, json_t **list, json_t **tables,
			   char **errors_text, struct fault *fault);

/* The file as it is named. Borrowed. */
const char *controller_config_path(const struct controller *controller);

/* An examination of this host and of the paths to backends; see doctor.h. */
int controller_doctor_start(struct controller *controller);
struct doctor_report controller_doctor_report(const struct controller *controller);

struct pins;
/* Clients that are pinned to a backend; see pins.h. */
struct pins *controller_pins(const struct controller *controller);

struct vips;
enum node_state;
/* See vip.h. */
const struct vips *controller_vips(const struct controller *controller);
int controller_node_set(struct controller *controller, enum node_state state,
			const struct controller_request *request, struct fault *fault);

struct agent_check;

/* A check of a backend, now; see agents_check_start and agents_check_last in agents.h. */
int controller_check_start(struct controller *controller, const char *pool, const char *backend);
const struct agent_check *controller_check_last(const struct controller *controller,
						const char *pool, const char *backend);

#endif
