/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lbctl_options: the command line to struct ctl, and the help that the same table gives.
 *
 * Options may stand anywhere: before the object, between object and verb, behind. Knows the table
 * of commands, not what they do.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lbctl.h"

#define SOCKET_DEFAULT "/run/lbd/lbd.sock"
#define CONFIG_DEFAULT "/etc/lbd/lbd.yaml"

enum { WORDS_MAX = 32, COMMAND_OPTION = 256, HELP_COLUMN = 52 };

static const struct option globals[] = {
	{"output", required_argument, NULL, 'o'},   {"dry-run", no_argument, NULL, 'n'},
	{"socket", required_argument, NULL, 's'},   {"config", required_argument, NULL, 'c'},
	{"if-match", required_argument, NULL, 'm'}, {"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
};

enum { GLOBAL_COUNT = sizeof(globals) / sizeof(globals[0]) };

/* ---- unknown words ---- */

/* Returns -1. `list` stands in the hint where nothing is near; `dashes`: what words are typed with
 * before them. */
static int unknown(const char *what, const char *dashes, const char *word, const char *const *words,
		   size_t count, struct fault *fault)
{
	const char *nearest = fault_nearest(word, words, count);
	char list[256] = "";
	size_t used = 0;

	fault_set(fault, FAULT_USAGE, "unknown %s \"%s%s\"", what, dashes, word);
	if (nearest)
		return fault_hint(fault, "did you mean %s%s?", dashes, nearest);
	for (size_t i = 0; i < count && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s%s", i ? ", " : "",
					 dashes, words[i]);
	return fault_hint(fault, "there are: %s", list);
}

/* The objects, or the verbs of one. */
static size_t list_words(const char *object, const char *words[WORDS_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < ctl_command_count && count < WORDS_MAX; i++) {
		const struct ctl_command *command = &ctl_commands[i];

		if (object && (strcmp(command->object, object) != 0 || !command->verb))
			continue;
		if (object)
			words[count++] = command->verb;
		else if (!count || strcmp(words[count - 1], command->object) != 0)
			words[count++] = command->object;
	}
	return count;
}

static const struct ctl_command *find_command(const char *object, const char *verb)
{
	for (size_t i = 0; i < ctl_command_count; i++) {
		const struct ctl_command *command = &ctl_commands[i];

		if (!strcmp(command->object, object) &&
		    (verb ? command->verb && !strcmp(command->verb, verb) : !command->verb))
			return command;
	}
	return NULL;
}

static void command_name(const struct ctl_command *command, char out[CTL_NAME_SIZE])
{
	snprintf(out, CTL_NAME_SIZE, "%s%s%s", command->object, command->verb ? " " : "",
		 command->verb ? command->verb : "");
}

static size_t option_count(const struct ctl_command *command)
{
	size_t count = 0;

	while (command && count < CTL_OPTIONS_MAX && command->options[count].name)
		count++;
	return count;
}

static bool is_not_yet(const struct ctl_command *command, const char *name)
{
	char word[CTL_NAME_SIZE + 2];

	snprintf(word, sizeof(word), " %s ", name);
	return command && command->not_yet && strstr(command->not_yet, word);
}

/* getopt knows no such option; `given` is the word that it read. */
static int unknown_option(const struct ctl *ctl, const char *given, struct fault *fault)
{
	const char *words[WORDS_MAX];
	char name[CTL_NAME_SIZE], command[CTL_NAME_SIZE];
	size_t count = 0;

	if (strncmp(given, "--", 2) != 0) {
		fault_set(fault, FAULT_USAGE, "unknown option \"-%c\"", optopt);
		return fault_hint(fault, "--help lists them");
	}
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(given + 2, "="), given + 2);
	if (is_not_yet(ctl->command, name)) {
		command_name(ctl->command, command);
		fault_set(fault, FAULT_USAGE, "%s: --%s: this version does not have it yet",
			  command, name);
		return fault_hint(fault, "`lbctl %s --help` says what there is", command);
	}
	for (size_t i = 0; i < GLOBAL_COUNT; i++)
		words[count++] = globals[i].name;
	for (size_t i = 0; i < option_count(ctl->command); i++)
		words[count++] = ctl->command->options[i].name;
	return unknown("option", "--", name, words, count, fault);
}

/* ---- reading ---- */

static int take_output(struct ctl *ctl, const char *word, struct fault *fault)
{
	static const char *const words[] = {"table", "wide", "json"};

	for (size_t i = 0; i < 3; i++) {
		if (strcmp(word, words[i]) != 0)
			continue;
		ctl->output = (enum ctl_output)i;
		return 0;
	}
	return unknown("output format", "", word, words, 3, fault);
}

static int take(struct ctl *ctl, int option, struct fault *fault)
{
	switch (option) {
	case 'o':
		return take_output(ctl, optarg, fault);
	case 'n':
		ctl->dry_run = true;
		return 0;
	case 'm': /* has no letter of its own */
		ctl->if_match = optarg;
		return 0;
	case 's':
		ctl->socket = optarg;
		return 0;
	case 'c':
		ctl->config = optarg;
		return 0;
	case 'h':
		ctl->help = true;
		return 0;
	case 'V':
		ctl->version = true;
		return 0;
	default:
		for (size_t i = 0; option < COMMAND_OPTION && i < option_count(ctl->command); i++)
			if (ctl->command->options[i].name[0] == option)
				option = COMMAND_OPTION + (int)i;
		ctl->values[option - COMMAND_OPTION] = optarg ? optarg : "";
		return 0;
	}
}

/* Reads options up to the first other word (`shorts` begins with '+') or all of them. */
static int read_options(struct ctl *ctl, int argc, char **argv, const char *shorts,
			struct fault *fault)
{
	struct option all[GLOBAL_COUNT + CTL_OPTIONS_MAX + 1] = {0};
	size_t count = option_count(ctl->command);
	char letters[CTL_NAME_SIZE];
	int option;

	snprintf(letters, sizeof(letters), "%s%s", shorts,
		 ctl->command && ctl->command->letters ? ctl->command->letters : "");
	memcpy(all, globals, sizeof(globals));
	for (size_t i = 0; i < count; i++)
		all[GLOBAL_COUNT + i] = (struct option){
			.name = ctl->command->options[i].name,
			.has_arg =
				ctl->command->options[i].argument ? required_argument : no_argument,
			.val = COMMAND_OPTION + (int)i,
		};
	while ((option = getopt_long(argc, argv, letters, all, NULL)) >= 0) {
		if (option == '?')
			return unknown_option(ctl, argv[optind - 1], fault);
		if (option == ':') {
			fault_set(fault, FAULT_USAGE, "option %s: it needs a value",
				  argv[optind - 1]);
			return fault_hint(fault, "--help says which");
		}
		if (take(ctl, option, fault) != 0)
			return -1;
	}
	return 0;
}

static int check_arguments(const struct ctl *ctl, struct fault *fault)
{
	const struct ctl_command *command = ctl->command;
	char name[CTL_NAME_SIZE];

	command_name(command, name);
	if (!command->changes && (ctl->dry_run || ctl->if_match))
		return fault_set(fault, FAULT_USAGE, "%s: --%s: this command changes nothing", name,
				 ctl->dry_run ? "dry-run" : "if-match");
	if (ctl->argument_count < command->least)
		fault_set(fault, FAULT_USAGE, "%s: an argument is missing", name);
	else if (ctl->argument_count > command->most)
		fault_set(fault, FAULT_USAGE, "%s: \"%s\" is one argument too many", name,
			  ctl->arguments[command->most]);
	else
		return 0;
	return fault_hint(fault, "lbctl %s%s%s%s", name, command->arguments[0] ? " " : "",
			  command->arguments,
			  option_count(command) ? " (--help lists its options)" : "");
}

static const char globals_until_word[] = "+:o:ns:c:hV";
static const char globals_anywhere[] = ":o:ns:c:hV";

/* True if there is no further word, and nothing but help or version is wanted. */
static bool only_help(const struct ctl *ctl, int argc)
{
	return optind >= argc && (ctl->help || ctl->version);
}

static int read_verb(struct ctl *ctl, int argc, char **argv, struct fault *fault)
{
	const char *words[WORDS_MAX];
	size_t count = list_words(ctl->object, words);
	char what[CTL_NAME_SIZE];

	if (read_options(ctl, argc, argv, globals_until_word, fault) != 0)
		return -1;
	if (only_help(ctl, argc))
		return 0;
	if (optind >= argc) {
		fault_set(fault, FAULT_USAGE, "%s: what to do with it?", ctl->object);
		return fault_hint(fault, "`lbctl %s --help` lists it", ctl->object);
	}
	ctl->command = find_command(ctl->object, argv[optind++]);
	snprintf(what, sizeof(what), "%s command", ctl->object);
	return ctl->command ? 0 : unknown(what, "", argv[optind - 1], words, count, fault);
}

/* Object and verb, with options before and between. Sets ctl->command, but where help is asked for
 * without one. */
static int read_command(struct ctl *ctl, int argc, char **argv, struct fault *fault)
{
	const char *words[WORDS_MAX], *object;

	if (read_options(ctl, argc, argv, globals_until_word, fault) != 0)
		return -1;
	if (only_help(ctl, argc))
		return 0;
	if (optind >= argc) {
		fault_set(fault, FAULT_USAGE, "which command?");
		return fault_hint(fault, "lbctl --help lists them");
	}
	object = argv[optind++];
	ctl->command = find_command(object, NULL);
	if (ctl->command)
		return 0;
	if (!list_words(object, words))
		return unknown("command", "", object, words, list_words(NULL, words), fault);
	ctl->object = object;
	return read_verb(ctl, argc, argv, fault);
}

/* So that an error in any other option already follows it. */
static void find_output(struct ctl *ctl, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "-ojson") || !strcmp(argv[i], "--output=json") ||
		    (i + 1 < argc && !strcmp(argv[i + 1], "json") &&
		     (!strcmp(argv[i], "-o") || !strcmp(argv[i], "--output"))))
			ctl->output = CTL_JSON;
}

int ctl_options_parse(struct ctl *ctl, int argc, char **argv, struct fault *fault)
{
	const char *socket = getenv("LBD_SOCKET");
	const char *no_colour = getenv("NO_COLOR");

	ctl->socket = socket && socket[0] ? socket : SOCKET_DEFAULT;
	ctl->config = CONFIG_DEFAULT;
	ctl->colour = isatty(STDOUT_FILENO) && !(no_colour && no_colour[0]);
	find_output(ctl, argc, argv);
	opterr = 0;
	if (read_command(ctl, argc, argv, fault) != 0)
		return -1;
	if (!ctl->command)
		return 0;
	/* From here on options and arguments may be mixed; 0 makes getopt forget its "+". */
	argv += optind - 1;
	argc -= optind - 1;
	optind = 0;
	if (read_options(ctl, argc, argv, globals_anywhere, fault) != 0)
		return -1;
	ctl->arguments = argv + optind;
	ctl->argument_count = (size_t)(argc - optind);
	return ctl->help || ctl->version ? 0 : check_arguments(ctl, fault);
}

const char *ctl_value(const struct ctl *ctl, const char *name)
{
	for (size_t i = 0; i < option_count(ctl->command); i++)
		if (!strcmp(ctl->command->options[i].name, name))
			return ctl->values[i];
	return NULL;
}

/* ---- help ---- */

/* Returns its width. */
static int print_usage(const struct ctl_command *command)
{
	int width = printf("%s", command->object);

	if (command->verb)
		width += printf(" %s", command->verb);
	if (command->arguments[0])
		width += printf(" %s", command->arguments);
	return width;
}

static void help_globals(void)
{
	printf("  -o, --output table|wide|json  how to print\n"
	       "  -n, --dry-run                 say what a change would do, and do nothing\n"
	       "  --if-match ETAG               change it only if it is still what had that tag\n"
	       "  --socket PATH                 lbd's socket ($LBD_SOCKET, " SOCKET_DEFAULT ")\n"
	       "  -c, --config FILE             the configuration to check (" CONFIG_DEFAULT ")\n"
	       "  -h, --help                    for everything, an object or a command\n"
	       "  --version\n");
}

static void help_command(const struct ctl_command *command)
{
	printf("lbctl ");
	print_usage(command);
	for (size_t i = 0; i < option_count(command); i++)
		printf(command->options[i].argument ? " [--%s %s]" : " [--%s]",
		       command->options[i].name, command->options[i].argument);
	printf("%s\n\n  %s\n\n", command->changes ? " [-n]" : "", command->does);
	for (size_t i = 0; i < option_count(command); i++) {
		const struct ctl_option *option = &command->options[i];
		int width =
			printf("  --%s %s", option->name, option->argument ? option->argument : "");

		printf("%*s%s\n", width < 31 ? 32 - width : 2, "", option->does);
	}
	help_globals();
}

static void help_list(const char *object)
{
	for (size_t i = 0; i < ctl_command_count; i++) {
		const struct ctl_command *command = &ctl_commands[i];
		int width;

		if (object && strcmp(command->object, object) != 0)
			continue;
		printf("  ");
		width = 2 + print_usage(command);
		printf("%*s%s\n", HELP_COLUMN - width, "", command->does);
	}
}

void ctl_help(const struct ctl *ctl)
{
	if (ctl->command) {
		help_command(ctl->command);
		return;
	}
	if (!ctl->object)
		printf("lbctl: manages and inspects a running lbd\n\n");
	help_list(ctl->object);
	putchar('\n');
	help_globals();
}
