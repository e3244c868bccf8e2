/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lbctl: manages and inspects a running lbd over its socket.
 *
 * The table below is the list of commands, for the parser, for --help and, by a test, for the
 * manual. What they do is in cmd_*.c; lbctl.h says which file has what else.
 */
#include "lbctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../user/version.h"

const struct ctl_command ctl_commands[] = {
	{.object = "status",
	 .arguments = "",
	 .does = "version, interfaces, backends up of all, traffic",
	 .run = ctl_status},
	{.object = "service",
	 .verb = "list",
	 .arguments = "",
	 .does = "all services with their traffic",
	 .run = ctl_service_list},
	{.object = "service",
	 .verb = "show",
	 .arguments = "NAME",
	 .least = 1,
	 .most = 1,
	 .does = "one service",
	 .run = ctl_service_show},
	{.object = "service",
	 .verb = "add",
	 .arguments = "NAME ENDPOINT",
	 .least = 2,
	 .most = 2,
	 .does = "a new service, with a pool unless one is named",
	 .changes = true,
	 .options = {{"pool", "POOL", "use this pool"},
		     {"forward", "MODE", "of its own pool: ipip or l2"},
		     {"affinity", "KEY", "of its own pool: 5-tuple or source-ip"},
		     {"timeout", "T", "with source-ip: how long a silent client is remembered"},
		     {"break-flows", NULL, "even if it takes a port with flows from another pool"}},
	 .run = ctl_service_add},
	{.object = "service",
	 .verb = "del",
	 .arguments = "NAME",
	 .least = 1,
	 .most = 1,
	 .does = "stop serving it",
	 .changes = true,
	 .run = ctl_service_del},
	{.object = "pool",
	 .verb = "list",
	 .arguments = "",
	 .does = "all pools",
	 .run = ctl_pool_list},
	{.object = "pool",
	 .verb = "show",
	 .arguments = "POOL",
	 .least = 1,
	 .most = 1,
	 .does = "one pool: its table, its backends' slots",
	 .run = ctl_pool_show},
	{.object = "backend",
	 .verb = "list",
	 .arguments = "[POOL]",
	 .most = 1,
	 .does = "backends with state and traffic",
	 .run = ctl_backend_list},
	{.object = "backend",
	 .verb = "show",
	 .arguments = "POOL/NAME",
	 .least = 1,
	 .most = 1,
	 .does = "one backend",
	 .run = ctl_backend_show},
	{.object = "backend",
	 .verb = "add",
	 .arguments = "POOL/NAME ADDRESS",
	 .least = 2,
	 .most = 2,
	 .does = "a new backend; gets traffic after a good check",
	 .changes = true,
	 .options = {{"weight", "N", "its share against the others' (100)"},
		     {"port", "P", "the port to check"}},
	 .run = ctl_backend_add},
	{.object = "backend",
	 .verb = "del",
	 .arguments = "POOL/NAME",
	 .least = 1,
	 .most = 1,
	 .does = "remove it; its flows move",
	 .changes = true,
	 .run = ctl_backend_del},
	{.object = "backend",
	 .verb = "weight",
	 .arguments = "POOL/NAME N",
	 .least = 2,
	 .most = 2,
	 .does = "change its share; 0: no new flows",
	 .changes = true,
	 .run = ctl_backend_weight},
	{.object = "backend",
	 .verb = "drain",
	 .arguments = "POOL/NAME",
	 .least = 1,
	 .most = 1,
	 .does = "no new flows; those it has stay",
	 .changes = true,
	 .options = {{"mode", "MODE", "flows, or clients: those it has keep coming (drain_mode)"},
		     {"deadline", "T", "then the rest is moved; 0s: never (drain_deadline)"},
		     {"wait", NULL, "return when no flow is left, or at the deadline"},
		     {"timeout", "T", "wait no longer than this"}},
	 .run = ctl_backend_drain},
	{.object = "backend",
	 .verb = "maint",
	 .arguments = "POOL/NAME",
	 .least = 1,
	 .most = 1,
	 .does = "nothing at all to it; its flows move",
	 .changes = true,
	 .run = ctl_backend_maint},
	{.object = "backend",
	 .verb = "ready",
	 .arguments = "POOL/NAME",
	 .least = 1,
	 .most = 1,
	 .does = "take traffic again",
	 .changes = true,
	 .run = ctl_backend_ready},
	{.object = "flow",
	 .verb = "lookup",
	 .arguments = "PROTO SOURCE:PORT DESTINATION:PORT",
	 .least = 3,
	 .most = 3,
	 .does = "which backend a packet would get, and why",
	 .options = {{"syn", NULL, "as the first packet of a flow (the default)"},
		     {"established", NULL, "as a packet of an established flow"}},
	 .run = ctl_flow_lookup},
	{.object = "flow",
	 .verb = "list",
	 .arguments = "",
	 .does = "flows that have an entry of their own",
	 .options = {{"pool", "POOL", "of this pool"},
		     {"backend", "POOL/NAME", "with this backend"},
		     {"source", "PREFIX", "from this address or prefix"},
		     {"older", "T", "silent for at least so long"},
		     {"younger", "T", "silent for less"},
		     {"limit", "N", "stop after so many (1000)"}},
	 .run = ctl_flow_list},
	{.object = "client",
	 .verb = "list",
	 .arguments = "POOL",
	 .least = 1,
	 .most = 1,
	 .does = "clients that a pool remembers",
	 .options = {{"limit", "N", "stop after so many (1000)"}},
	 .run = ctl_client_list},
	{.object = "client",
	 .verb = "forget",
	 .arguments = "POOL ADDRESS",
	 .least = 2,
	 .most = 2,
	 .does = "let it choose again",
	 .changes = true,
	 .run = ctl_client_forget},
	{.object = "check",
	 .verb = "now",
	 .arguments = "POOL/NAME",
	 .least = 1,
	 .most = 1,
	 .does = "one check of a backend, each step told",
	 .run = ctl_check_now},
	{.object = "drops",
	 .arguments = "",
	 .does = "why packets were dropped, and how many",
	 .run = ctl_drops},
	{.object = "config",
	 .verb = "check",
	 .arguments = "[FILE]",
	 .most = 1,
	 .does = "every error of a configuration, without lbd",
	 .run = ctl_config_check},
	{.object = "reload",
	 .arguments = "",
	 .does = "read the file again; a bad one changes nothing",
	 .changes = true,
	 .options = {{"break-flows", NULL, "even if that moves most flows of a pool"}},
	 .run = ctl_reload},
};

const size_t ctl_command_count = sizeof(ctl_commands) / sizeof(ctl_commands[0]);

/* A full disk or a closed pipe is a failure, too. */
static int flush(struct fault *fault)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	return fault_set(fault, FAULT_FAILED, "output: writing it: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	struct fault fault = {0};
	struct ctl ctl = {0};
	int error = ctl_options_parse(&ctl, argc, argv, &fault);

	if (error)
		return ctl_report(&ctl, &fault);
	if (ctl.version)
		printf("lbctl %s\n", LIMPET_VERSION);
	else if (ctl.help)
		ctl_help(&ctl);
	else
		error = ctl.command->run(&ctl, &fault);
	if (!error)
		error = flush(&fault);
	return error ? ctl_report(&ctl, &fault) : 0;
}
