/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * attach: puts an XDP program on an interface and takes it off, through libxdp.
 *
 * libxdp runs several programs on one interface through its dispatcher; where the kernel refuses
 * that (no freplace), the program is attached alone, and `attach_result.single` says so. The mode
 * is the one asked for: there is no silent fall-back from native to generic.
 *
 * Of a program's maps it knows only `settings`, by which instances recognise each other.
 */
#ifndef LIMPET_ATTACH_H
#define LIMPET_ATTACH_H

#include <stdbool.h>
#include <stdint.h>

#include "../bpf/lb_abi.h"
#include "fault.h"

struct bpf_object;

/* A program in the two forms that attaching needs. */
struct attach_program {
	int fd; /* loaded as an XDP program: for attaching it alone */
	/* A copy that is opened and not loaded, for the dispatcher, which loads it as its own
	 * extension; asked for once per interface. The callee keeps it. NULL with `fault` set. */
	struct bpf_object *(*object)(void *context, struct fault *fault);
	void *context;
};

struct attach_result {
	uint32_t program_id;
	bool single; /* attached without libxdp's dispatcher */
	char why_single[160];
};

enum { ATTACH_NAME_SIZE = 16 };

/* What is on an interface now. */
struct attach_state {
	bool present;
	bool dispatcher;
	enum lb_attach_mode mode;
	uint32_t program_id; /* of the program called `name` if it is there, else of the first */
	bool ours;           /* a program called `name` is there */
	char program_name[ATTACH_NAME_SIZE]; /* empty if the kernel does not let us look */
};

/* Faults, each with object, cause and what to do: no such interface, not permitted (which
 * capability lacks), busy (whose program is there), driver without native XDP, MTU too large for
 * native mode (with the largest that works where it can be told), too few queues. */
int attach_program(const struct attach_program *program, const char *interface,
		   enum lb_attach_mode mode, struct attach_result *result, struct fault *fault);

/* Swaps program `old_id` on the interface for `program`, in the mode it has, with no packet in
 * between that meets neither. FAULT_NOT_FOUND if `old_id` is not there. */
int attach_replace(const struct attach_program *program, uint32_t old_id, const char *interface,
		   struct attach_result *result, struct fault *fault);

/* FAULT_NOT_FOUND if program `id` is not on the interface. */
int attach_detach(uint32_t program_id, const char *interface, struct fault *fault);

/* `name`: a program name to look for (LB_PROGRAM_NAME or the decapsulation's). */
int attach_query(const char *interface, const char *name, struct attach_state *state,
		 struct fault *fault);

/* True if program `id` is on the interface, alone or in a dispatcher. */
bool attach_is_on(const char *interface, uint32_t program_id);

/* A descriptor of the map called `name` that program `id` uses or is bound to, for the caller to
 * close; or a negative errno. */
int attach_map_fd(uint32_t program_id, const char *name);

/* The settings of the data plane that program `id` belongs to: of its map `settings`, which
 * attaching binds to it. 0, or a negative errno if it belongs to none that we may look at. */
int attach_instance(uint32_t program_id, struct lb_settings *settings);

/* Puts a program that passes everything on the interface and takes it off again, to see whether the
 * mode works. Must not be called where a program is attached. Faults as attach_program. */
int attach_try(const char *interface, enum lb_attach_mode mode, struct fault *fault);

/* Why this kernel refuses libxdp's dispatcher, or NULL if it may work. */
const char *attach_why_single(void);

/* "native" and "generic". */
const char *attach_mode_name(enum lb_attach_mode mode);

#endif
