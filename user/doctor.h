/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * doctor: examines the host and the path to each backend, on demand, and says what is wrong and
 * what to type. It asks each backend twice, through the tunnel and directly, whatever its check
 * does; what it learns changes no state.
 */
#ifndef LIMPET_DOCTOR_H
#define LIMPET_DOCTOR_H

#include <systemd/sd-event.h>

#include "dataplane.h"
#include "doctor_judge.h"

struct doctor;

/* NULL if out of memory. `dp` must outlive the result. */
struct doctor *doctor_create(sd_event *event, struct dataplane *dp);
void doctor_free(struct doctor *doctor); /* NULL is fine */

/* Begins an examination, unless one is under way. 0 or a negative errno. `model` is used for the
 * call alone. */
int doctor_start(struct doctor *doctor, const struct model *model);

struct doctor_report {
	bool begun;   /* ever */
	bool running; /* the findings are not complete yet */
	const struct doctor_findings *findings;
	size_t interface_count, backend_count; /* examined */
};
/* Borrowed until the loop goes on. */
struct doctor_report doctor_report(const struct doctor *doctor);

#endif
