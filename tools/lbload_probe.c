/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lbload probe: what an interface can do with XDP, found out by trying: a program that passes
 * everything is attached for a moment, in each mode. Where a program is attached already nothing is
 * tried.
 */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../user/attach.h"
#include "../user/xdp_features.h"
#include "lbload.h"

struct mode_result {
	bool tried;
	bool works;
	struct fault why;
};

struct probe {
	const char *interface;
	char driver[32];
	int mtu;
	uint32_t rx_queues, tx_queues; /* 0: the driver does not tell */
	bool features_known;
	uint64_t features;
	struct attach_state there;
	struct mode_result modes[2]; /* by enum lb_attach_mode */
};

/* ---- finding out ---- */

static void ethtool_read(struct probe *probe)
{
	struct ethtool_drvinfo driver = {.cmd = ETHTOOL_GDRVINFO};
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	struct ifreq request = {};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(probe->driver, sizeof(probe->driver), "unknown");
	if (fd < 0)
		return;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", probe->interface);
	if (!ioctl(fd, SIOCGIFMTU, &request))
		probe->mtu = request.ifr_mtu;
	request.ifr_data = (void *)&driver;
	if (!ioctl(fd, SIOCETHTOOL, &request))
		snprintf(probe->driver, sizeof(probe->driver), "%.31s", driver.driver);
	request.ifr_data = (void *)&channels;
	if (!ioctl(fd, SIOCETHTOOL, &request)) {
		probe->rx_queues = channels.rx_count + channels.combined_count;
		probe->tx_queues = channels.tx_count + channels.combined_count;
	}
	close(fd);
}

bool lbload_unfinished(const char *interface)
{
	static const char *const drivers[] = {"veth", "virtio_net", "tun"};
	struct probe probe = {.interface = interface};

	ethtool_read(&probe);
	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		if (!strcmp(probe.driver, drivers[i]))
			return true;
	return false;
}

static void modes_try(struct probe *probe)
{
	for (int mode = LB_ATTACH_NATIVE; mode <= LB_ATTACH_GENERIC; mode++) {
		struct mode_result *result = &probe->modes[mode];

		result->tried = true;
		result->works = !attach_try(probe->interface, mode, &result->why);
	}
}

/* ---- telling ---- */

static json_t *features_json(const struct probe *probe)
{
	json_t *list;

	if (!probe->features_known)
		return json_null();
	list = json_array();
	for (unsigned bit = 0; xdp_feature_name(bit); bit++)
		if (probe->features >> bit & 1)
			json_array_append_new(list, json_string(xdp_feature_name(bit)));
	return list;
}

static json_t *mode_json(const struct mode_result *result)
{
	if (!result->tried)
		return json_pack("{s:n, s:s}", "works", "why", "not tried: a program is attached");
	return json_pack("{s:b, s:s, s:s}", "works", result->works, "why", result->why.message,
			 "hint", result->why.hint);
}

static json_t *attached_json(const struct probe *probe)
{
	if (!probe->there.present)
		return json_null();
	return json_pack("{s:s, s:I, s:s, s:b}", "program", probe->there.program_name, "program_id",
			 (json_int_t)probe->there.program_id, "mode",
			 attach_mode_name(probe->there.mode), "dispatcher",
			 probe->there.dispatcher);
}

static const char *const veth_notes[] = {
	"what is sent back (XDP_TX) arrives only if the peer has an XDP program too",
	"the peer's packets come without their checksums, which costs making them here; `ethtool "
	"-K PEER tx off` has them made there",
};

static json_t *notes_json(const struct probe *probe)
{
	json_t *list = json_array();

	for (int i = 0; !strcmp(probe->driver, "veth") && i < 2; i++)
		json_array_append_new(list, json_string(veth_notes[i]));
	return list;
}

static void probe_json(const struct loader *loader, const struct probe *probe)
{
	const char *single = attach_why_single();

	loader_json(
		loader,
		json_pack("{s:s, s:s, s:i, s:{s:I, s:I}, s:o, s:o, s:o, s:o, s:{s:b, s:s}, s:o}",
			  "interface", probe->interface, "driver", probe->driver, "mtu", probe->mtu,
			  "queues", "rx", (json_int_t)probe->rx_queues, "tx",
			  (json_int_t)probe->tx_queues, "xdp_features", features_json(probe),
			  "attached", attached_json(probe), "native",
			  mode_json(&probe->modes[LB_ATTACH_NATIVE]), "generic",
			  mode_json(&probe->modes[LB_ATTACH_GENERIC]), "dispatcher", "works",
			  single == NULL, "why", single ? single : "", "notes", notes_json(probe)));
}

static void mode_say(const struct loader *loader, const struct probe *probe,
		     enum lb_attach_mode mode)
{
	const struct mode_result *result = &probe->modes[mode];
	const char *name = attach_mode_name(mode);

	if (!result->tried) {
		loader_say(loader, "%-12s not tried: a program is attached", name);
		return;
	}
	loader_say(loader, "%-12s %s%s", name,
		   result->works ? "works" : "no: ", result->works ? "" : result->why.message);
	if (!result->works && result->why.hint[0])
		loader_say(loader, "%-12s %s", "", result->why.hint);
}

static void probe_say(const struct loader *loader, const struct probe *probe)
{
	const char *single = attach_why_single();
	char line[256] = "";

	for (unsigned bit = 0; xdp_feature_name(bit); bit++)
		if (probe->features >> bit & 1)
			snprintf(line + strlen(line), sizeof(line) - strlen(line), "%s%s",
				 line[0] ? ", " : "", xdp_feature_name(bit));
	loader_say(loader, "%-12s %s", "interface", probe->interface);
	loader_say(loader, "%-12s %s", "driver", probe->driver);
	loader_say(loader, "%-12s %d", "mtu", probe->mtu);
	if (probe->rx_queues || probe->tx_queues)
		loader_say(loader, "%-12s %u rx, %u tx", "queues", probe->rx_queues,
			   probe->tx_queues);
	else
		loader_say(loader, "%-12s the driver does not tell", "queues");
	loader_say(loader, "%-12s %s", "features",
		   !probe->features_known ? "this kernel does not tell"
		   : line[0]              ? line
					  : "none");
	if (probe->there.present)
		loader_say(loader, "%-12s `%s` (id %u, %s%s)", "attached",
			   probe->there.program_name, probe->there.program_id,
			   attach_mode_name(probe->there.mode),
			   probe->there.dispatcher ? ", in libxdp's dispatcher" : "");
	mode_say(loader, probe, LB_ATTACH_NATIVE);
	mode_say(loader, probe, LB_ATTACH_GENERIC);
	loader_say(loader, "%-12s %s%s", "dispatcher", single ? "no: " : "works",
		   single ? single : "");
	for (int i = 0; !strcmp(probe->driver, "veth") && i < 2; i++)
		loader_say(loader, "%-12s %s", "note", veth_notes[i]);
}

int lbload_probe(struct loader *loader, struct fault *fault)
{
	struct probe probe = {.interface = loader->arguments[0]};

	/* Two that try at once would see each other's program. */
	loader_lock(lbload_pin_dir(loader));
	if (attach_query(probe.interface, LB_PROGRAM_NAME, &probe.there, fault) ||
	    loader_permitted("trying XDP modes", fault))
		return -1;
	ethtool_read(&probe);
	probe.features_known = !xdp_features(if_nametoindex(probe.interface), &probe.features);
	if (!probe.there.present)
		modes_try(&probe);
	if (loader->output == LOADER_JSON)
		probe_json(loader, &probe);
	else
		probe_say(loader, &probe);
	return 0;
}
