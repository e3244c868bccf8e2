/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* loader: see loader.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../user/clock.h"
#include "../user/build_info.h"
#include "../user/capability.h"
#include "../user/log.h"
#include "loader.h"

enum { COMMANDS_MAX = 16 };

/* ---- output ---- */

void loader_say(const struct loader *loader, const char *format, ...)
{
	va_list arguments;

	if (loader->output == LOADER_JSON)
		return;
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

void loader_note(const struct loader *loader, const char *format, ...)
{
	va_list arguments;

	fflush(stdout);
	fprintf(stderr, "%s: ", loader->program);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}

void loader_json(const struct loader *loader, json_t *data)
{
	if (loader->output == LOADER_JSON) {
		json_object_set_new(data, "schema", json_integer(1));
		json_dumpf(data, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(data);
}

static int report(const struct loader *loader, const struct fault *fault)
{
	json_t *error;

	fflush(stdout);
	if (loader->output != LOADER_JSON)
		return fault_print(fault, loader->program);
	error = json_pack("{s:{s:s, s:s, s:s}}", "error", "code", fault_code_name(fault->code),
			  "message", fault->message, "hint", fault->hint);
	loader_json(loader, error);
	return fault->code;
}

/* ---- options ---- */

static const struct option long_options[] = {
	{"pin-dir", required_argument, NULL, 'p'}, {"config", required_argument, NULL, 'c'},
	{"mode", required_argument, NULL, 'm'},    {"output", required_argument, NULL, 'o'},
	{"local", required_argument, NULL, 'l'},   {"port", required_argument, NULL, 'P'},
	{"force", no_argument, NULL, 'f'},         {"keep", no_argument, NULL, 'k'},
	{"verbose", no_argument, NULL, 'v'},       {"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},       {NULL, 0, NULL, 0},
};

static void help(const struct loader_program *program)
{
	printf("%s: %s\n\n", program->name, program->is);
	for (size_t i = 0; i < program->command_count; i++) {
		const struct loader_command *c = &program->commands[i];
		int width = printf("  %s %s %s", program->name, c->name, c->arguments);

		printf("%*s%s\n", width < 34 ? 34 - width : 1, "", c->does);
	}
	printf("\n%s"
	       "  -o table|wide|json        how to print\n"
	       "  --verbose                 tell what libbpf and libxdp say\n"
	       "  --help, --version\n",
	       program->options_text);
}

static int word_of(const char *given, const char *const *words, size_t count, const char *what,
		   struct fault *fault)
{
	const char *near;

	for (size_t i = 0; i < count; i++)
		if (!strcmp(given, words[i]))
			return (int)i;
	near = fault_nearest(given, words, count);
	fault_set(fault, FAULT_USAGE, "unknown %s `%s`", what, given);
	if (near)
		fault_hint(fault, "did you mean `%s`?", near);
	else
		fault_hint(fault, "--help lists what there is");
	return -1;
}

static int local_take(struct loader *loader, const char *text, struct fault *fault)
{
	const char *why;

	if (loader->local_count == LOADER_LOCALS_MAX)
		return fault_set(fault, FAULT_USAGE, "--local: more than %d addresses",
				 LOADER_LOCALS_MAX);
	if (addr_parse(text, &loader->locals[loader->local_count], &why))
		return fault_set(fault, FAULT_USAGE, "--local %s: bad address: %s", text, why);
	loader->local_count++;
	return 0;
}

static int port_take(struct loader *loader, const char *text, struct fault *fault)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || port < 1 || port > 65535)
		return fault_set(fault, FAULT_USAGE,
				 "--port %s: a port is a number from 1 to 65535", text);
	loader->port = (uint16_t)port;
	return 0;
}

/* Options that not every program has. */
static const struct {
	char letter;
	unsigned option;
} some[] = {{'p', LOADER_OPTION_PIN_DIR}, {'c', LOADER_OPTION_CONFIG}, {'f', LOADER_OPTION_FORCE},
	    {'k', LOADER_OPTION_KEEP},    {'l', LOADER_OPTION_LOCAL},  {'P', LOADER_OPTION_PORT}};

static bool has_option(const struct loader_program *program, int letter)
{
	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++)
		if (some[i].letter == letter)
			return program->options & some[i].option;
	return true;
}

static const char *option_name(int letter)
{
	const struct option *o = long_options;

	while (o->name && o->val != letter)
		o++;
	return o->name;
}

/* 1: handled and nothing more to do, 0: go on, -1: fault. */
static int option_take(struct loader *loader, const struct loader_program *program, int option,
		       struct fault *fault)
{
	static const char *const modes[] = {"native", "generic"};
	static const char *const outputs[] = {"table", "wide", "json"};
	int word;

	if (!has_option(program, option)) {
		fault_set(fault, FAULT_USAGE, "unknown option `--%s`", option_name(option));
		return fault_hint(fault, "%s --help lists those it has", program->name);
	}
	switch (option) {
	case 'p':
		loader->pin_dir = optarg;
		return 0;
	case 'c':
		loader->config = optarg;
		loader->config_given = true;
		return 0;
	case 'm':
		word = word_of(optarg, modes, 2, "mode", fault);
		loader->mode = word > 0 ? LB_ATTACH_GENERIC : LB_ATTACH_NATIVE;
		return word < 0 ? -1 : 0;
	case 'o':
		word = word_of(optarg, outputs, 3, "output format", fault);
		loader->output = word < 0 ? LOADER_TABLE : (enum loader_output)word;
		return word < 0 ? -1 : 0;
	case 'l':
		return local_take(loader, optarg, fault);
	case 'P':
		return port_take(loader, optarg, fault);
	case 'f':
		loader->force = true;
		return 0;
	case 'k':
		loader->keep = true;
		return 0;
	case 'v':
		log_init(LOG_LEVEL_DEBUG, false);
		return 0;
	case 'h':
		help(program);
		return 1;
	case 'V':
		build_info_print(program->name);
		return 1;
	}
	return -1;
}

/* getopt has found no option it knows; `given` is the word it looked at last. */
static int option_unknown(const struct loader_program *program, const char *given, int option,
			  struct fault *fault)
{
	const char *words[sizeof(long_options) / sizeof(long_options[0])];
	char name[64];
	size_t count = 0;

	if (option == ':') {
		fault_set(fault, FAULT_USAGE, "option %s: it needs a value", given);
		return fault_hint(fault, "%s --help says which", program->name);
	}
	if (strncmp(given, "--", 2)) {
		fault_set(fault, FAULT_USAGE, "unknown option `-%c`", optopt);
		return fault_hint(fault, "%s --help lists those it has", program->name);
	}
	for (const struct option *o = long_options; o->name; o++)
		if (has_option(program, o->val))
			words[count++] = o->name;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(given + 2, "="), given + 2);
	return word_of(name, words, count, "option", fault);
}

static int options_parse(struct loader *loader, const struct loader_program *program, int argc,
			 char **argv, struct fault *fault)
{
	int option, result;

	opterr = 0;
	/* First the format, so that an error in any other option already follows it. */
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "-ojson") ||
		    (!strcmp(argv[i], "-o") && i + 1 < argc && !strcmp(argv[i + 1], "json")))
			loader->output = LOADER_JSON;
	for (;;) {
		option = getopt_long(argc, argv, ":p:c:o:hV", long_options, NULL);
		if (option < 0)
			break;
		result = option_take(loader, program, option, fault);
		if (result < 0 && !fault->code)
			option_unknown(program, argv[optind - 1], option, fault);
		if (result)
			return result;
	}
	loader->arguments = argv + optind;
	loader->argument_count = (size_t)(argc - optind);
	return 0;
}

/* ---- the command ---- */

static const struct loader_command *command_find(const struct loader_program *program,
						 const char *name, struct fault *fault)
{
	const char *words[COMMANDS_MAX];
	int at;

	for (size_t i = 0; i < program->command_count; i++)
		words[i] = program->commands[i].name;
	at = word_of(name, words, program->command_count, "command", fault);
	return at < 0 ? NULL : &program->commands[at];
}

static int command_run(struct loader *loader, const struct loader_program *program,
		       struct fault *fault)
{
	const struct loader_command *command;

	if (!loader->argument_count) {
		fault_set(fault, FAULT_USAGE, "which command?");
		return fault_hint(fault, "%s --help lists them", program->name);
	}
	command = command_find(program, loader->arguments[0], fault);
	if (!command)
		return -1;
	loader->arguments++;
	loader->argument_count--;
	if (loader->argument_count < command->least || loader->argument_count > command->most) {
		fault_set(fault, FAULT_USAGE, "%s: %s", command->name,
			  loader->argument_count < command->least ? "an argument is missing"
								  : "too many arguments");
		return fault_hint(fault, "%s %s %s", program->name, command->name,
				  command->arguments);
	}
	return command->run(loader, fault);
}

int loader_main(const struct loader_program *program, int argc, char **argv)
{
	struct loader loader = {
		.program = program->name,
		.pin_dir = program->options & LOADER_OPTION_PIN_DIR ? getenv("LBD_PIN_DIR") : NULL};
	struct fault fault = {};
	int result;

	log_init(LOG_LEVEL_INFO, false);
	result = options_parse(&loader, program, argc, argv, &fault);
	if (!result)
		result = command_run(&loader, program, &fault);
	if (result < 0)
		return report(&loader, &fault);
	if (fflush(stdout) || ferror(stdout)) {
		fault_set(&fault, FAULT_FAILED, "writing the output: %s", strerror(errno));
		return report(&loader, &fault);
	}
	return 0;
}

/* ---- the system ---- */

int loader_permitted(const char *attempt, struct fault *fault)
{
	const char *lacking = capability_lacking();

	if (!lacking)
		return 0;
	fault_set(fault, FAULT_PERMISSION, "%s: not permitted, lacking %s", attempt, lacking);
	return fault_hint(fault, "run it as root");
}

void loader_lock(const char *pin_dir)
{
	char *copy = strdup(pin_dir);
	int fd;

	if (!copy)
		return;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (fd >= 0)
		while (flock(fd, LOCK_EX) < 0 && errno == EINTR)
			;
}

uint64_t loader_netns(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) ? 0 : st.st_ino;
}

uint64_t loader_now_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}
