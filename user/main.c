/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lbd: options, order of start and stop, signals. No policy.
 */
#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "api.h"
#include "build_info.h"
#include "controller.h"
#include "log.h"
#include "metrics_server.h"
#include "notify.h"
#include "privileges.h"
#include "version.h"

static const char usage[] =
	"usage: lbd [OPTION]...\n"
	"\n"
	"The controller of Limpet. Stays in the foreground, logs to stderr. The data plane must "
	"be\n"
	"attached (lbload attach), and goes on forwarding when lbd stops.\n"
	"\n"
	"  -c, --config FILE    configuration (/etc/lbd/lbd.yaml)\n"
	"      --pin-dir DIR    of the data plane (LBD_PIN_DIR, /sys/fs/bpf/lbd)\n"
	"      --socket PATH    to listen on for lbctl (LBD_SOCKET, /run/lbd/lbd.sock)\n"
	"      --read-only-socket PATH\n"
	"                       for who may look but change nothing (LBD_READ_ONLY_SOCKET, beside\n"
	"                       the other as NAME.ro.sock; none)\n"
	"      --state-dir DIR  for changes made at run time (LBD_STATE_DIR, /var/lib/lbd)\n"
	"      --user USER      started as root: go on as this user\n"
	"      --log-level L    err, warn, info or debug (info)\n"
	"      --break-flows    start even if that moves most flows of a pool\n"
	"  -h, --help           this text\n"
	"      --version\n"
	"\n"
	"Signals: HUP reads the configuration again, TERM and INT stop.\n"
	"Exit status: 0 stopped, 1 failed, 2 usage or configuration, 5 conflict, 6 not "
	"permitted.\n";

struct options {
	struct controller_options controller;
	const char *socket;
	const char *user;             /* NULL: who it is */
	const char *read_only_socket; /* NULL: beside the other */
	enum log_level level;
};

static const char *environment(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value && value[0] ? value : otherwise;
}

static int parse_level(const char *word, enum log_level *level)
{
	static const char *const words[] = {"err", "warn", "info", "debug"};

	for (int i = 0; i < LOG_LEVEL_COUNT; i++) {
		if (strcmp(word, words[i]) == 0) {
			*level = i;
			return 0;
		}
	}
	return -EINVAL;
}

enum {
	OPT_PIN_DIR = 256,
	OPT_SOCKET,
	OPT_READ_ONLY_SOCKET,
	OPT_STATE_DIR,
	OPT_USER,
	OPT_LOG_LEVEL,
	OPT_BREAK_FLOWS,
	OPT_VERSION
};

static const struct option long_options[] = {
	{"config", required_argument, NULL, 'c'},
	{"pin-dir", required_argument, NULL, OPT_PIN_DIR},
	{"socket", required_argument, NULL, OPT_SOCKET},
	{"read-only-socket", required_argument, NULL, OPT_READ_ONLY_SOCKET},
	{"state-dir", required_argument, NULL, OPT_STATE_DIR},
	{"user", required_argument, NULL, OPT_USER},
	{"log-level", required_argument, NULL, OPT_LOG_LEVEL},
	{"break-flows", no_argument, NULL, OPT_BREAK_FLOWS},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, OPT_VERSION},
	{0},
};

/* getopt_long returned `option` for `given`, the word that it looked at last. */
static int option_wrong(int option, const char *given)
{
	const char *words[sizeof(long_options) / sizeof(long_options[0])], *near;
	struct fault fault = {0};
	char name[64];
	size_t count = 0;

	if (option == ':') {
		fault_set(&fault, FAULT_USAGE, "option %s: it needs a value", given);
	} else if (strncmp(given, "--", 2) != 0) {
		fault_set(&fault, FAULT_USAGE, "unknown option -%c", optopt);
	} else {
		for (const struct option *o = long_options; o->name; o++)
			words[count++] = o->name;
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(given + 2, "="), given + 2);
		near = fault_nearest(name, words, count);
		fault_set(&fault, FAULT_USAGE, "unknown option --%s", name);
		if (near)
			fault_hint(&fault, "did you mean --%s?", near);
	}
	if (!fault.hint[0])
		fault_hint(&fault, "lbd --help lists the options");
	return fault_print(&fault, "lbd");
}

/* Returns -1 to go on, or an exit status. */
static int parse_options(int argc, char **argv, struct options *options)
{
	struct fault fault = {0};
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":c:h", long_options, NULL)) != -1) {
		switch (option) {
		case 'c':
			options->controller.config_path = optarg;
			break;
		case OPT_PIN_DIR:
			options->controller.pin_dir = optarg;
			break;
		case OPT_SOCKET:
			options->socket = optarg;
			break;
		case OPT_READ_ONLY_SOCKET:
			options->read_only_socket = optarg;
			break;
		case OPT_STATE_DIR:
			options->controller.state_dir = optarg;
			break;
		case OPT_USER:
			options->user = optarg;
			break;
		case OPT_BREAK_FLOWS:
			options->controller.break_flows = true;
			break;
		case OPT_LOG_LEVEL:
			if (parse_level(optarg, &options->level) == 0)
				break;
			fault_set(&fault, FAULT_USAGE, "option --log-level: unknown level \"%s\"",
				  optarg);
			fault_hint(&fault, "one of err, warn, info, debug");
			return fault_print(&fault, "lbd");
		case 'h':
			fputs(usage, stdout);
			return 0;
		case OPT_VERSION:
			build_info_print("lbd");
			return 0;
		default:
			return option_wrong(option, argv[optind - 1]);
		}
	}
	if (optind < argc) {
		fault_set(&fault, FAULT_USAGE, "unexpected argument \"%s\"", argv[optind]);
		fault_hint(&fault, "lbd takes options only; lbd --help lists them");
		return fault_print(&fault, "lbd");
	}
	return -1;
}

/* What signals are about. */
struct running {
	struct controller *controller;
	struct notify *notify;
};

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	const struct running *running = context;

	notify_stopping(running->notify);
	log_info("stopping on %s; the data plane goes on forwarding", strsignal(info->ssi_signo));
	return sd_event_exit(sd_event_source_get_event(source), 0);
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	const struct controller_request request = {.who = "SIGHUP"};
	const struct running *running = context;
	struct fault fault = {0};
	char *errors = NULL;

	(void)source;
	(void)info;
	notify_reload_begin(running->notify);
	if (controller_reload(running->controller, &request, NULL, &errors, &fault) < 0 && errors)
		fputs(errors, stderr);
	free(errors);
	notify_reload_end(running->notify);
	return 0;
}

static int signals_add(sd_event *event, struct running *running)
{
	int rc = sd_event_add_signal(event, NULL, SIGTERM, on_stop, running);

	if (rc >= 0)
		rc = sd_event_add_signal(event, NULL, SIGINT, on_stop, running);
	if (rc >= 0)
		rc = sd_event_add_signal(event, NULL, SIGHUP, on_reload, running);
	return rc;
}

/* 0 with `*api` NULL where none is wanted. */
static int open_read_only(sd_event *event, struct controller *controller,
			  const struct options *options, struct api **api, struct fault *fault)
{
	const char *path = options->read_only_socket;
	char beside[PATH_MAX];
	size_t size = strlen(options->socket);

	if (path && !strcmp(path, "none"))
		return 0;
	if (!path) {
		if (size > 5 && !strcmp(options->socket + size - 5, ".sock"))
			size -= 5;
		snprintf(beside, sizeof(beside), "%.*s.ro.sock", (int)size, options->socket);
		path = beside;
	}
	*api = api_create(event, controller, path, true, fault);
	return *api ? 0 : -1;
}

static int run(const struct options *options)
{
	struct running running = {0};
	struct metrics_server *metrics = NULL;
	struct fault fault = {0};
	struct api *api = NULL, *read_only = NULL;
	sd_event *event = NULL;
	int status = 0, rc;

	rc = sd_event_new(&event);
	if (rc < 0) {
		fault_set(&fault, FAULT_FAILED, "event loop: making it: %s", strerror(-rc));
		goto out;
	}
	running.controller = controller_create(event, &options->controller, &fault);
	if (!running.controller)
		goto out;
	running.notify = notify_create(event, running.controller);
	rc = running.notify ? signals_add(event, &running) : -errno;
	if (rc < 0) {
		fault_set(&fault, FAULT_FAILED, "signals: listening for them: %s", strerror(-rc));
		goto out;
	}
	metrics = metrics_server_create(event, running.controller, &fault);
	if (!metrics)
		goto out;
	api = api_create(event, running.controller, options->socket, false, &fault);
	if (!api || open_read_only(event, running.controller, options, &read_only, &fault) < 0)
		goto out;
	log_info("lbd %s: %s, data plane %s, socket %s", LIMPET_VERSION,
		 options->controller.config_path, options->controller.pin_dir, options->socket);
	rc = sd_event_loop(event);
	if (rc < 0)
		fault_set(&fault, FAULT_FAILED, "event loop: running it: %s", strerror(-rc));
out:
	if (fault.code)
		status = fault_print(&fault, "lbd");
	api_free(api);
	api_free(read_only);
	metrics_server_free(metrics);
	notify_free(running.notify);
	controller_free(running.controller);
	sd_event_unref(event);
	return status;
}

/* As many descriptors as it may have: each check under way takes one, or more. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Whoever starts it, and before anything is opened. */
static int take_privileges(const struct options *options)
{
	char socket[PATH_MAX];
	const char *directories[] = {options->controller.state_dir, NULL, NULL};
	struct fault fault = {0};

	snprintf(socket, sizeof(socket), "%s", options->socket);
	directories[1] = dirname(socket);
	return privileges_take(options->user, directories, &fault) < 0 ? fault_print(&fault, "lbd")
								       : 0;
}

int main(int argc, char **argv)
{
	struct options options = {
		.controller = {.config_path = "/etc/lbd/lbd.yaml",
			       .pin_dir = environment("LBD_PIN_DIR", DATAPLANE_PIN_DIR),
			       .state_dir = environment("LBD_STATE_DIR", "/var/lib/lbd")},
		.socket = environment("LBD_SOCKET", "/run/lbd/lbd.sock"),
		.read_only_socket = environment("LBD_READ_ONLY_SOCKET", NULL),
		.level = LOG_LEVEL_INFO,
	};
	sigset_t blocked;
	int status = parse_options(argc, argv, &options);

	if (status >= 0)
		return status;
	log_init(options.level, getenv("JOURNAL_STREAM") != NULL);
	signal(SIGPIPE, SIG_IGN);
	raise_descriptors();
	status = take_privileges(&options);
	if (status)
		return status;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGHUP);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	return run(&options);
}
