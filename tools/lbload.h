/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* lbload: the commands, one function each; see loader.h for what they have in common. */
#ifndef LIMPET_LBLOAD_H
#define LIMPET_LBLOAD_H

#include "../user/dataplane.h"
#include "loader.h"

int lbload_probe(struct loader *loader, struct fault *fault);
int lbload_attach(struct loader *loader, struct fault *fault);
int lbload_replace(struct loader *loader, struct fault *fault);
int lbload_detach(struct loader *loader, struct fault *fault);
int lbload_status(struct loader *loader, struct fault *fault);
int lbload_clean(struct loader *loader, struct fault *fault);

/* The directory given, or the default. */
const char *lbload_pin_dir(const struct loader *loader);

/* Sizes and seed from the configuration's `global`; its defaults where there is no file, unless one
 * was named. 0, or -1 with `fault`, and each error of the file printed. lbload_settings.c. */
int lbload_settings(const struct loader *loader, struct lb_settings *settings, struct fault *fault);

enum { LBLOAD_ATTACHMENTS_MAX = 64 };

enum lbload_where {
	LBLOAD_ATTACHED,
	LBLOAD_GONE,      /* interface or program */
	LBLOAD_ELSEWHERE, /* in another network namespace: cannot be told from here */
};

/* An attachment as recorded, and what the kernel says of it. */
struct lbload_attachment {
	uint32_t ifindex;
	struct lb_attachment record;
	char interface[16]; /* as it is called now; as recorded, if it is gone */
	enum lbload_where where;
	uint32_t probe_id; /* of the program of probes on it; 0: it is not there */
	char why[128];     /* unless attached */
};

/* Whether its driver may hand over frames with unfinished checksums. lbload_probe.c. */
bool lbload_unfinished(const char *interface);

/* The program of probes onto the interface and the loopback, or off the interface (or the
 * loopback); what fails is told as a note. lbload_tunnel.c. */
#define LBLOAD_LOOPBACK "lo"
void lbload_tunnel_put(const struct loader *loader, struct dataplane *dp, const char *interface);
void lbload_tunnel_off(const struct loader *loader, struct dataplane *dp, const char *interface);

/* Fills up to LBLOAD_ATTACHMENTS_MAX, in the order of ifindex; the number, or -1 with `fault`. */
int lbload_attachments(struct dataplane *dp, struct lbload_attachment *out, struct fault *fault);

#endif
