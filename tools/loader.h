/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * loader: what lbload and lbdecap have in common: options, the command table, output, the lock.
 *
 * Data goes to stdout, messages to stderr; each command returns a fault code, which is the exit
 * status, and says what it did through the functions below. Knows neither program's maps.
 */
#ifndef LIMPET_LOADER_H
#define LIMPET_LOADER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../bpf/lb_abi.h"
#include "../user/addr.h"
#include "../user/fault.h"

enum loader_output { LOADER_TABLE, LOADER_WIDE, LOADER_JSON };
enum { LOADER_LOCALS_MAX = 64 };

/* Options as given; `arguments` are what follows the command. */
struct loader {
	const char *program;
	const char *pin_dir; /* NULL: not given */
	const char *config;
	bool config_given;
	bool force;
	bool keep;
	enum lb_attach_mode mode;
	enum loader_output output;
	struct addr locals[LOADER_LOCALS_MAX];
	size_t local_count;
	uint16_t port; /* 0: not given */
	char **arguments;
	size_t argument_count;
};

struct loader_command {
	const char *name;
	const char *arguments; /* for the help text */
	const char *does;
	size_t least, most; /* arguments */
	int (*run)(struct loader *loader, struct fault *fault);
};

/* Which options a program takes beside -o, --mode, --verbose, --help and --version. */
enum loader_option {
	LOADER_OPTION_CONFIG = 1 << 0,
	LOADER_OPTION_FORCE = 1 << 1,
	LOADER_OPTION_LOCAL = 1 << 2,
	LOADER_OPTION_PORT = 1 << 3,
	LOADER_OPTION_PIN_DIR = 1 << 4,
	LOADER_OPTION_KEEP = 1 << 5,
};

struct loader_program {
	const char *name;
	const char *is; /* one line */
	const char *options_text;
	unsigned options; /* enum loader_option */
	const struct loader_command *commands;
	size_t command_count;
};

/* Parses, runs the command, reports its fault. The result is the exit status. */
int loader_main(const struct loader_program *program, int argc, char **argv);

/* A line of data, unless output is JSON. */
void loader_say(const struct loader *loader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* A message for the user beside the data: "PROGRAM: ..." on stderr. */
void loader_note(const struct loader *loader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Prints `data` with "schema" in it, if output is JSON; takes the reference either way. */
void loader_json(const struct loader *loader, json_t *data);

/* FAULT_PERMISSION with the capability that lacks for loading and attaching, or 0. */
int loader_permitted(const char *attempt, struct fault *fault);

/*
 * Waits until no other process works on pin directories beside this one. Held until the process
 * ends. Does nothing where the parent directory cannot be opened: whoever makes pins there fails
 * with better words.
 */
void loader_lock(const char *pin_dir);

/* Of this process. */
uint64_t loader_netns(void);
uint64_t loader_now_ns(void); /* CLOCK_REALTIME */

#endif
