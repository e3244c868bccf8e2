/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lbload: puts the data plane on network interfaces, replaces it, takes it off. The table below is
 * the program; probe, status and the others have a file each.
 */
#include "lbload.h"

static const struct loader_command commands[] = {
	{"probe", "IF", "driver, MTU, queues, what XDP mode works, and why not", 1, 1,
	 lbload_probe},
	{"attach", "IF...", "put the data plane on interfaces", 1, LBLOAD_ATTACHMENTS_MAX,
	 lbload_attach},
	{"replace", "[IF]", "swap in this build's program; maps stay", 0, 1, lbload_replace},
	{"detach", "IF", "take it off; maps stay", 1, 1, lbload_detach},
	{"status", "", "what is attached where, and whether it still is", 0, 0, lbload_status},
	{"clean", "", "remove the pins when nothing is attached", 0, 0, lbload_clean},
};

const char *lbload_pin_dir(const struct loader *loader)
{
	return loader->pin_dir ? loader->pin_dir : DATAPLANE_PIN_DIR;
}

int main(int argc, char **argv)
{
	const struct loader_program lbload = {
		.name = "lbload",
		.is = "puts Limpet's data plane on network interfaces",
		.options_text = "  --mode native|generic     native unless asked\n"
				"  -c, --config FILE         map sizes and hash seed come from its "
				"`global`;\n"
				"                            /etc/lbd/lbd.yaml if it exists\n"
				"  -p, --pin-dir DIR         of the instance (LBD_PIN_DIR, "
				"/sys/fs/bpf/lbd)\n"
				"  --keep                    attach: where this instance is "
				"attached, leave\n"
				"                            it as it is\n"
				"  --force                   clean: though an interface of another "
				"network\n"
				"                            namespace may use them\n",
		.options = LOADER_OPTION_CONFIG | LOADER_OPTION_FORCE | LOADER_OPTION_KEEP |
			   LOADER_OPTION_PIN_DIR,
		.commands = commands,
		.command_count = sizeof(commands) / sizeof(commands[0]),
	};

	return loader_main(&lbload, argc, argv);
}
