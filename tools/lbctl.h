/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lbctl: what its files share. lbctl.c has the table of commands, lbctl_options.c reads the command
 * line, cmd_*.c hold one object's commands each, lbctl_client.c asks lbd, lbctl_table.c and
 * lbctl_output.c print. None of them knows maps or libbpf.
 */
#ifndef LIMPET_LBCTL_H
#define LIMPET_LBCTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../user/fault.h"
#include "../user/json_text.h"
#include "lbctl_http.h"

enum ctl_output { CTL_TABLE, CTL_WIDE, CTL_JSON };
enum { CTL_OPTIONS_MAX = 10, CTL_WIDTH = 100, CTL_NAME_SIZE = 64 };

/* An option of one command; `argument` NULL: it takes none. */
struct ctl_option {
	const char *name;
	const char *argument;
	const char *does;
};

struct ctl;

struct ctl_command {
	const char *object;
	const char *verb;      /* NULL: the object is the command */
	const char *arguments; /* for the help text */
	size_t least, most;    /* of them */
	const char *does;
	bool changes; /* something, so that it takes --dry-run */
	struct ctl_option options[CTL_OPTIONS_MAX];
	const char *letters; /* each stands for the option that begins with it; NULL: none */
	const char *not_yet; /* options, between spaces, that a later version has */
	int (*run)(struct ctl *ctl, struct fault *fault);
};

/* The command line as given. */
struct ctl {
	const char *socket;
	const char *config;
	enum ctl_output output;
	bool dry_run;
	const char *if_match; /* with or without quotes; NULL: not given */
	bool colour;          /* of stdout */
	bool help, version;
	const struct ctl_command *command; /* NULL: none named */
	const char *object;                /* named without a verb; NULL: none */
	char **arguments;                  /* behind the command */
	size_t argument_count;
	const char *values[CTL_OPTIONS_MAX]; /* of the command's options; "" for a plain one */
};

extern const struct ctl_command ctl_commands[];
extern const size_t ctl_command_count;

/* ---- lbctl_options.c ---- */

/* Fills `ctl` from the environment and the command line. 0, or -1 with `fault`; what was read until
 * then (the output format first of all) is in `ctl`. */
int ctl_options_parse(struct ctl *ctl, int argc, char **argv, struct fault *fault);
/* Help on all commands, one object's, or one. */
void ctl_help(const struct ctl *ctl);
/* The value of an option of the running command; NULL: not given. */
const char *ctl_value(const struct ctl *ctl, const char *name);

/* ---- lbctl_arguments.c ---- */

struct ctl_request;

/* A backend as it is named: POOL/NAME, copied. */
struct ctl_target {
	char text[256];
	const char *pool, *name;
};

/* 0, or -1 with `fault`. */
int ctl_target_parse(const char *text, struct ctl_target *target, struct fault *fault);
void ctl_target_path(const struct ctl_target *target, struct ctl_request *request);
/* An option that is a time; 0 where it is not given. 0, or -1 with `fault`. */
int ctl_duration(const struct ctl *ctl, const char *option, uint64_t *ms, struct fault *fault);

/* ---- lbctl_client.c ---- */

struct ctl_request {
	const char *method;
	const char *path[5];          /* segments behind /v1 */
	const char *query[10][2];     /* names and values; a NULL value is left out */
	const json_t *body;           /* NULL: none */
	const struct json_text *text; /* in its place, one that was written as text */
	unsigned timeout_s;           /* 0: as long as an answer may take */
	char *etag; /* room for HTTP_TAG_SIZE bytes of the reply's; NULL: not wanted */
};

/* 0 with the reply, which the caller releases, or -1 with lbd's fault or the connection's own. */
int ctl_ask(const struct ctl *ctl, const struct ctl_request *request, json_t **reply,
	    struct fault *fault);
/* As ctl_ask, of what takes lbd some time: POST begins it, and GET is asked until it is no longer
 * "running". The request's method is set here. */
int ctl_ask_finished(const struct ctl *ctl, struct ctl_request *request, json_t **reply,
		     struct fault *fault);
/* As ctl_ask, with the reply's tag, without its quotes, as "etag" in it. The request's is set here.
 */
int ctl_ask_tagged(const struct ctl *ctl, struct ctl_request *request, json_t **reply,
		   struct fault *fault);
/* As ctl_ask, of what is only shown: with JSON output it is printed as it came, and no reply (NULL)
 * is left to be printed. */
int ctl_ask_shown(const struct ctl *ctl, const struct ctl_request *request, json_t **reply,
		  struct fault *fault);

/* The line may be changed in place. */
typedef void (*ctl_line_handler)(const struct ctl *ctl, char *line, void *context);
/* Calls `each` with every line of a reply. */
int ctl_lines(const struct ctl *ctl, const struct ctl_request *request, ctl_line_handler each,
	      void *context, struct fault *fault);
/* The same (with no context) of one that may have no end; 0 when it ended. */
int ctl_stream(const struct ctl *ctl, const struct ctl_request *request, ctl_line_handler each,
	       struct fault *fault);
/* A change: asks with --dry-run as given, and prints what was changed. */
int ctl_change(const struct ctl *ctl, struct ctl_request *request, struct fault *fault);
/* The same, and how many changes there were. */
int ctl_change_count(const struct ctl *ctl, struct ctl_request *request, size_t *changes,
		     struct fault *fault);
/* The same for a command that prints more behind it: as JSON only that is printed. */
int ctl_change_first(const struct ctl *ctl, struct ctl_request *request, struct fault *fault);

/* `cells`: in the order of the fields that were asked for; what is null is empty. */
typedef void (*ctl_row_handler)(const struct ctl *ctl, const char *const *cells, void *context);
/* Calls `each` with every row of a list, in columns. The request's parameters from `query[free]` on
 * are used for that. */
int ctl_rows(const struct ctl *ctl, struct ctl_request *request, size_t free,
	     const char *const *fields, size_t count, bool select, ctl_row_handler each,
	     void *context, struct fault *fault);

/*
 * Asks for a list that lbd gives in parts, up to the option "limit" (LIST_LIMIT where it is not
 * given), and prints it as JSON or through `print`. `field`: of the reply, and the word in "so many
 * flows". The request's last parameters, from `query[free]` on, are used for that.
 */
int ctl_list(const struct ctl *ctl, struct ctl_request *request, size_t free, const char *field,
	     void (*print)(const struct ctl *ctl, const json_t *list), struct fault *fault);

/* ---- cmd_client.c ---- */

/* Under what else is shown of a pool; nothing where there are none. */
void ctl_print_pins(const struct ctl *ctl, const json_t *pins);

/* ---- lbctl_output.c ---- */

/* Prints the reply, if output is JSON; false otherwise. */
bool ctl_print_json(const struct ctl *ctl, const json_t *reply);
/* To stderr, or as JSON to stdout. Returns the exit status. */
int ctl_report(const struct ctl *ctl, const struct fault *fault);
/* "  title   text", for what is shown one by one. */
void ctl_line(const char *title, const char *format, ...) __attribute__((format(printf, 2, 3)));

enum { CTL_NUMBER_SIZE = 24 };
/* As ctl_count, of a cell; "-" for an empty one. */
const char *ctl_count_cell(const struct ctl *ctl, const char *cell, char out[CTL_NUMBER_SIZE]);
/* 1234567 as 1.2M; whole where output is wide. Return `out`. */
const char *ctl_count(const struct ctl *ctl, uint64_t count, char out[CTL_NUMBER_SIZE]);
const char *ctl_number(uint64_t number, char out[CTL_NUMBER_SIZE]);

/* Fields of a reply; what is missing or null is "" and 0. */
const char *ctl_text(const json_t *object, const char *field);
uint64_t ctl_integer(const json_t *object, const char *field);
/* As ctl_count, "-" for null. */
const char *ctl_count_field(const struct ctl *ctl, const json_t *object, const char *field,
			    char out[CTL_NUMBER_SIZE]);
enum { CTL_REASON_SIZE = 256 };
/* Why a backend takes what it takes, and what its last check said, of these fields of it. Returns
 * `out` or another text. In cmd_backend.c. */
const char *ctl_backend_reason(const json_t *drain, const char *why, const char *reason,
			       char out[CTL_REASON_SIZE]);
/* Strings of an array, with ", " between. The caller frees it; NULL if out of memory. */
char *ctl_join(const json_t *array);

/* ---- lbctl_yaml.c ---- */

/* A configuration to stdout, as YAML. */
int ctl_yaml_print(const json_t *document, struct fault *fault);

/* ---- lbctl_table.c ---- */

enum ctl_column_flag {
	CTL_RIGHT = 1 << 0,  /* aligned: numbers */
	CTL_WIDER = 1 << 1,  /* only with -o wide */
	CTL_SHRINK = 1 << 2, /* cut where the line would be too long for the terminal */
	CTL_STATE = 1 << 3,  /* coloured by its word */
	CTL_SOME = 1 << 4,   /* only where some row has something in it */
};

struct ctl_column {
	const char *title;
	unsigned flags;
};

struct ctl_table;

/* `columns` must outlive the table. Out of memory ends the program: nothing was printed yet. */
struct ctl_table *ctl_table_create(const struct ctl_column *columns, size_t count);
/* Copies as many texts as there are columns. */
void ctl_table_add(struct ctl_table *table, const char *const *cells);
void ctl_table_free(struct ctl_table *table);
/* Prints and frees. Without a row: the headings alone. */
void ctl_table_finish(const struct ctl *ctl, struct ctl_table *table);

/* ---- the commands, cmd_*.c ---- */

int ctl_status(struct ctl *ctl, struct fault *fault);
int ctl_service_list(struct ctl *ctl, struct fault *fault);
int ctl_service_show(struct ctl *ctl, struct fault *fault);
int ctl_service_add(struct ctl *ctl, struct fault *fault);
int ctl_service_del(struct ctl *ctl, struct fault *fault);
int ctl_pool_list(struct ctl *ctl, struct fault *fault);
int ctl_pool_show(struct ctl *ctl, struct fault *fault);
int ctl_backend_list(struct ctl *ctl, struct fault *fault);
int ctl_backend_show(struct ctl *ctl, struct fault *fault);
int ctl_backend_add(struct ctl *ctl, struct fault *fault);
int ctl_backend_del(struct ctl *ctl, struct fault *fault);
int ctl_backend_weight(struct ctl *ctl, struct fault *fault);
int ctl_backend_drain(struct ctl *ctl, struct fault *fault);
int ctl_backend_maint(struct ctl *ctl, struct fault *fault);
int ctl_backend_ready(struct ctl *ctl, struct fault *fault);
int ctl_flow_list(struct ctl *ctl, struct fault *fault);
int ctl_client_list(struct ctl *ctl, struct fault *fault);
int ctl_client_forget(struct ctl *ctl, struct fault *fault);
int ctl_client_pin(struct ctl *ctl, struct fault *fault);
int ctl_client_unpin(struct ctl *ctl, struct fault *fault);
int ctl_flow_lookup(struct ctl *ctl, struct fault *fault);
int ctl_what_if(struct ctl *ctl, struct fault *fault);
int ctl_check_now(struct ctl *ctl, struct fault *fault);
int ctl_doctor(struct ctl *ctl, struct fault *fault);
int ctl_node_show(struct ctl *ctl, struct fault *fault);
int ctl_node_drain(struct ctl *ctl, struct fault *fault);
int ctl_node_ready(struct ctl *ctl, struct fault *fault);
int ctl_drops(struct ctl *ctl, struct fault *fault);
int ctl_top(struct ctl *ctl, struct fault *fault);
int ctl_trace(struct ctl *ctl, struct fault *fault);
int ctl_events(struct ctl *ctl, struct fault *fault);
int ctl_config_check(struct ctl *ctl, struct fault *fault);
int ctl_config_diff(struct ctl *ctl, struct fault *fault);
int ctl_config_apply(struct ctl *ctl, struct fault *fault);
int ctl_config_export(struct ctl *ctl, struct fault *fault);
int ctl_reload(struct ctl *ctl, struct fault *fault);

#endif
