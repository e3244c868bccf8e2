/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lbload attach, replace, detach and clean. A command that fails leaves things as it found them:
 * what it had attached is taken off again, maps it had made are removed.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../user/attach.h"
#include "lbload.h"

/* ---- attach ---- */

struct done {
	char interface[16];
	uint32_t ifindex;
	struct attach_result result;
};

struct attaching {
	struct loader *loader;
	struct dataplane *dp;
	bool made; /* by this command */
	struct done done[LBLOAD_ATTACHMENTS_MAX];
	size_t done_count;
};

static struct bpf_object *object_of(void *context, struct fault *fault)
{
	return dataplane_object(context, fault);
}

static struct attach_program program_of(struct dataplane *dp)
{
	return (struct attach_program){dataplane_program_fd(dp), object_of, dp};
}

/* Words for a program of ours that is there already. */
static int already_fault(const char *pin_dir, const char *interface, uint32_t program_id,
			 struct fault *fault)
{
	struct lb_settings other;

	if (attach_instance(program_id, &other)) {
		fault_set(fault, FAULT_CONFLICT,
			  "interface %s: busy: another instance's data plane (program id %u) is "
			  "attached to it",
			  interface, program_id);
		return fault_hint(fault,
				  "`lbload --pin-dir DIR detach %s` takes it off, with its DIR",
				  interface);
	}
	if (!strcmp(other.pin_dir, pin_dir)) {
		fault_set(fault, FAULT_CONFLICT,
			  "interface %s: this instance (%s) is attached to it already", interface,
			  pin_dir);
		return fault_hint(fault, "`lbload replace %s` swaps in this build's program",
				  interface);
	}
	fault_set(fault, FAULT_CONFLICT,
		  "interface %s: already attached by another instance (%.127s, program id %u)",
		  interface, other.pin_dir, program_id);
	return fault_hint(fault, "`lbload --pin-dir %.127s detach %s` takes it off", other.pin_dir,
			  interface);
}

/* What can be told before anything is made. */
static int attach_check(const struct loader *loader, const char *interface, struct fault *fault)
{
	struct attach_state there;

	if (attach_query(interface, LB_PROGRAM_NAME, &there, fault))
		return -1;
	if (there.ours)
		return already_fault(lbload_pin_dir(loader), interface, there.program_id, fault);
	for (size_t i = 0; i < loader->argument_count; i++)
		if (loader->arguments[i] != interface && !strcmp(loader->arguments[i], interface))
			return fault_set(fault, FAULT_USAGE, "interface %s: it is named twice",
					 interface);
	return 0;
}

/* In generic mode the mark of an unfinished checksum stays with the frame. */
static uint32_t flags_wanted(const struct loader *loader)
{
	for (size_t i = 0; loader->mode == LB_ATTACH_NATIVE && i < loader->argument_count; i++)
		if (lbload_unfinished(loader->arguments[i]))
			return LB_SETTING_FINISH;
	return 0;
}

/* With --keep: leaves out the interfaces that this instance is attached to already. */
static void leave_kept(struct loader *loader)
{
	struct attach_state there;
	struct lb_settings other;
	struct fault fault = {};
	size_t left = 0;

	for (size_t i = 0; i < loader->argument_count; i++) {
		char *interface = loader->arguments[i];

		if (!attach_query(interface, LB_PROGRAM_NAME, &there, &fault) && there.ours &&
		    !attach_instance(there.program_id, &other) &&
		    !strcmp(other.pin_dir, lbload_pin_dir(loader)))
			loader_say(loader, "%s: attached already, program id %u", interface,
				   there.program_id);
		else
			loader->arguments[left++] = interface;
	}
	loader->argument_count = left;
}

/* Opens the instance's data plane, or makes it. */
static int dataplane_ready(struct attaching *a, struct fault *fault)
{
	const char *pin_dir = lbload_pin_dir(a->loader);
	struct lb_settings settings;

	a->dp = dataplane_open(pin_dir, false, fault);
	if (a->dp && dataplane_program_load(a->dp, flags_wanted(a->loader), fault))
		return -1;
	if (a->dp && a->loader->config_given)
		loader_note(a->loader,
			    "the data plane in %s is there already: its map sizes and hash seed "
			    "stay as they are",
			    pin_dir);
	if (a->dp || fault->code != FAULT_NOT_FOUND)
		return a->dp ? 0 : -1;
	fault->code = FAULT_NONE;
	if (lbload_settings(a->loader, &settings, fault))
		return -1;
	settings.flags = flags_wanted(a->loader);
	a->dp = dataplane_create(pin_dir, &settings, fault);
	a->made = a->dp != NULL;
	return a->dp ? 0 : -1;
}

/* An ifindex of another namespace under the same number must not be overwritten. */
static int record_free(struct dataplane *dp, const char *interface, struct fault *fault)
{
	struct lbload_attachment there[LBLOAD_ATTACHMENTS_MAX];
	int count = lbload_attachments(dp, there, fault);

	for (int i = 0; i < count; i++)
		if (there[i].where == LBLOAD_ELSEWHERE) {
			fault_set(fault, FAULT_CONFLICT,
				  "interface %s: this instance is attached to %s of another "
				  "network namespace",
				  interface, there[i].interface);
			return fault_hint(fault, "an instance lives in one network namespace: give "
						 "this one a directory of its own with --pin-dir");
		}
	return count < 0 ? -1 : 0;
}

/* Records of an interface of that name that is gone: this one has come in its place. */
static void forget_gone(struct dataplane *dp, const char *interface)
{
	struct lbload_attachment there[LBLOAD_ATTACHMENTS_MAX];
	int count = lbload_attachments(dp, there, NULL);

	for (int i = 0; i < count; i++)
		if (there[i].where == LBLOAD_GONE && !strcmp(there[i].interface, interface) &&
		    there[i].ifindex != if_nametoindex(interface))
			dataplane_attachment_del(dp, there[i].ifindex);
}

static int attach_one(struct attaching *a, const char *interface, struct fault *fault)
{
	struct attach_program program = program_of(a->dp);
	struct done *done = &a->done[a->done_count];
	struct lb_attachment record = {
		.mode = a->loader->mode, .attached_ns = loader_now_ns(), .netns = loader_netns()};
	int err;

	if (record_free(a->dp, interface, fault) ||
	    attach_program(&program, interface, a->loader->mode, &done->result, fault))
		return -1;
	snprintf(done->interface, sizeof(done->interface), "%s", interface);
	done->ifindex = if_nametoindex(interface);
	a->done_count++; /* from here on it has to be taken off if anything fails */
	forget_gone(a->dp, interface);
	snprintf(record.interface, sizeof(record.interface), "%s", interface);
	record.program_id = done->result.program_id;
	err = dataplane_attachment_put(a->dp, done->ifindex, &record);
	if (err == -E2BIG)
		return fault_set(
			fault, FAULT_FAILED,
			"interface %s: attaching: a data plane takes %d interfaces, and has "
			"them: detach one, or make another with --pin-dir",
			interface, LBLOAD_ATTACHMENTS_MAX);
	return err ? fault_set(fault, FAULT_FAILED, "interface %s: recording it: %s", interface,
			       strerror(-err))
		   : 0;
}

static void attach_undo(struct attaching *a)
{
	struct fault fault = {};

	for (size_t i = 0; i < a->done_count; i++) {
		if (attach_detach(a->done[i].result.program_id, a->done[i].interface, &fault))
			loader_note(a->loader, "undoing: %s", fault.message);
		dataplane_attachment_del(a->dp, a->done[i].ifindex);
	}
	if (a->made && dataplane_unpin(lbload_pin_dir(a->loader), &fault))
		loader_note(a->loader, "undoing: %s", fault.message);
}

static void attach_tell(const struct attaching *a)
{
	const char *mode = attach_mode_name(a->loader->mode), *pin_dir = lbload_pin_dir(a->loader);
	json_t *list = json_array();

	for (size_t i = 0; i < a->done_count; i++) {
		const struct done *done = &a->done[i];

		loader_say(a->loader, "%s: attached in %s mode, program id %u, pins in %s",
			   done->interface, mode, done->result.program_id, pin_dir);
		json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:s, s:b}", "interface",
						      done->interface, "mode", mode, "program_id",
						      (int)done->result.program_id, "pin_dir",
						      pin_dir, "single", done->result.single));
	}
	if (a->done[0].result.single)
		loader_note(a->loader,
			    "attached alone: this kernel refuses libxdp's dispatcher (%s)",
			    a->done[0].result.why_single);
	loader_json(a->loader, json_pack("{s:o}", "attachments", list));
}

int lbload_attach(struct loader *loader, struct fault *fault)
{
	struct attaching a = {.loader = loader};
	int err = 0;

	loader_lock(lbload_pin_dir(loader));
	if (loader->keep)
		leave_kept(loader);
	if (loader->argument_count == 0) {
		loader_json(loader, json_pack("{s:[]}", "attachments"));
		return 0;
	}
	for (size_t i = 0; i < loader->argument_count; i++)
		if (attach_check(loader, loader->arguments[i], fault))
			return -1;
	if (loader_permitted("attaching", fault) || dataplane_ready(&a, fault))
		return -1;
	for (size_t i = 0; !err && i < loader->argument_count; i++)
		err = attach_one(&a, loader->arguments[i], fault);
	if (!err && !a.made)
		err = dataplane_program_publish(a.dp, fault);
	if (err) {
		attach_undo(&a);
	} else {
		attach_tell(&a);
		for (size_t i = 0; i < a.done_count; i++)
			lbload_tunnel_put(loader, a.dp, a.done[i].interface);
	}
	dataplane_close(a.dp);
	return err;
}

/* ---- replace ---- */

static int replace_one(struct loader *loader, struct dataplane *dp,
		       const struct lbload_attachment *there, struct fault *fault)
{
	struct attach_program program = program_of(dp);
	struct lb_attachment record = there->record;
	struct attach_result result;
	int err;

	if (attach_replace(&program, record.program_id, there->interface, &result, fault))
		return -1;
	record.program_id = result.program_id;
	record.attached_ns = loader_now_ns();
	snprintf(record.interface, sizeof(record.interface), "%s", there->interface);
	err = dataplane_attachment_put(dp, there->ifindex, &record);
	if (err)
		return fault_set(fault, FAULT_FAILED, "interface %s: recording it: %s",
				 there->interface, strerror(-err));
	lbload_tunnel_put(loader, dp, there->interface);
	loader_say(loader, "%s: replaced program id %u by %u, %s mode", there->interface,
		   there->record.program_id, result.program_id, attach_mode_name(record.mode));
	return 0;
}

static int not_attached(const char *pin_dir, const char *interface, struct fault *fault)
{
	fault_set(fault, FAULT_NOT_FOUND,
		  "interface %s: the data plane in %s is not attached to it", interface, pin_dir);
	return fault_hint(fault, "`lbload status` shows where it is");
}

/* All of them, or the one called `interface`. A program that is gone is named, and not put back. */
static int replace_all(struct loader *loader, struct dataplane *dp, const char *interface,
		       size_t *replaced, struct fault *fault)
{
	struct lbload_attachment there[LBLOAD_ATTACHMENTS_MAX];
	int count = lbload_attachments(dp, there, fault);

	for (int i = 0; i < count; i++) {
		if (interface && strcmp(there[i].interface, interface))
			continue;
		if (there[i].where != LBLOAD_ATTACHED) {
			if (interface)
				return fault_set(fault, FAULT_NOT_FOUND, "interface %s: %s",
						 interface, there[i].why);
			loader_note(loader, "%s: not replaced: %s", there[i].interface,
				    there[i].why);
		} else if (replace_one(loader, dp, &there[i], fault)) {
			return -1;
		} else {
			++*replaced;
		}
	}
	if (count >= 0 && !*replaced && interface)
		return not_attached(lbload_pin_dir(loader), interface, fault);
	if (count >= 0 && !*replaced) {
		fault_set(fault, FAULT_NOT_FOUND,
			  "pin directory %s: its data plane is attached to no interface",
			  lbload_pin_dir(loader));
		return fault_hint(fault, "`lbload attach IF` attaches it");
	}
	return count < 0 ? -1 : 0;
}

int lbload_replace(struct loader *loader, struct fault *fault)
{
	const char *interface = loader->argument_count ? loader->arguments[0] : NULL;
	struct dataplane *dp;
	size_t replaced = 0;
	int err;

	loader_lock(lbload_pin_dir(loader));
	if (loader_permitted("replacing", fault))
		return -1;
	dp = dataplane_open(lbload_pin_dir(loader), true, fault);
	if (!dp)
		return -1;
	err = replace_all(loader, dp, interface, &replaced, fault);
	/* Though not all were replaced: the pin is of a program that is attached somewhere. */
	if (replaced && dataplane_program_publish(dp, err ? NULL : fault))
		err = -1;
	if (!err)
		loader_json(loader, json_pack("{s:i}", "replaced", (int)replaced));
	dataplane_close(dp);
	return err;
}

/* ---- detach and clean ---- */

static int detach_one(struct loader *loader, struct dataplane *dp,
		      const struct lbload_attachment *there, struct fault *fault)
{
	int err;

	if (there->where == LBLOAD_ELSEWHERE) {
		fault_set(fault, FAULT_CONFLICT, "interface %s: %s", there->interface, there->why);
		return fault_hint(fault,
				  "run lbload in that namespace: nsenter --net=FILE lbload "
				  "detach %s",
				  there->interface);
	}
	if (there->where == LBLOAD_ATTACHED &&
	    attach_detach(there->record.program_id, there->interface, fault))
		return -1;
	lbload_tunnel_off(loader, dp, there->interface);
	err = dataplane_attachment_del(dp, there->ifindex);
	if (err)
		return fault_set(fault, FAULT_FAILED, "interface %s: forgetting it: %s",
				 there->interface, strerror(-err));
	loader_say(loader, "%s: detached%s%s%s", there->interface,
		   there->where == LBLOAD_GONE ? " (" : "", there->why,
		   there->where == LBLOAD_GONE ? ")" : "");
	return 0;
}

int lbload_detach(struct loader *loader, struct fault *fault)
{
	struct lbload_attachment there[LBLOAD_ATTACHMENTS_MAX];
	const char *pin_dir = lbload_pin_dir(loader), *interface = loader->arguments[0];
	struct dataplane *dp;
	int count, err = -1, at;

	loader_lock(pin_dir);
	if (loader_permitted("detaching", fault))
		return -1;
	dp = dataplane_open(pin_dir, false, fault);
	if (!dp)
		return -1;
	count = at = lbload_attachments(dp, there, fault);
	/* The one that is there, where the record of one of its name that is gone is left, too. */
	for (int i = count - 1; i >= 0; i--)
		if (!strcmp(there[i].interface, interface) &&
		    (at == count || there[i].where == LBLOAD_ATTACHED))
			at = i;
	if (count >= 0)
		err = at < count ? detach_one(loader, dp, &there[at], fault)
				 : not_attached(pin_dir, interface, fault);
	if (!err && count == 1)
		lbload_tunnel_off(loader, dp, LBLOAD_LOOPBACK);
	if (!err && count == 1)
		loader_note(loader,
			    "it was the last one; maps and pins stay in %s: `lbload attach` uses "
			    "them again, `lbload clean` removes them",
			    pin_dir);
	if (!err)
		loader_json(loader, json_pack("{s:s}", "detached", interface));
	dataplane_close(dp);
	return err;
}

/* Whether anything may still use the maps. */
static int clean_allowed(const struct loader *loader, struct dataplane *dp, struct fault *fault)
{
	struct lbload_attachment there[LBLOAD_ATTACHMENTS_MAX];
	int count = lbload_attachments(dp, there, fault);

	for (int i = 0; i < count; i++) {
		if (there[i].where == LBLOAD_ATTACHED) {
			fault_set(fault, FAULT_CONFLICT,
				  "pin directory %s: its data plane is attached to %s",
				  lbload_pin_dir(loader), there[i].interface);
			return fault_hint(fault, "lbload detach %s", there[i].interface);
		}
		if (there[i].where == LBLOAD_ELSEWHERE && !loader->force) {
			fault_set(fault, FAULT_CONFLICT,
				  "pin directory %s: its data plane may be attached to %s: %s",
				  lbload_pin_dir(loader), there[i].interface, there[i].why);
			return fault_hint(fault, "detach it there; if that namespace is gone, "
						 "`lbload clean --force`");
		}
	}
	return count < 0 ? -1 : 0;
}

int lbload_clean(struct loader *loader, struct fault *fault)
{
	const char *pin_dir = lbload_pin_dir(loader);
	struct dataplane *dp;
	bool there;
	int err;

	loader_lock(pin_dir);
	if (loader_permitted("cleaning", fault))
		return -1;
	/* Leftovers of an attach that was killed are no data plane, and are removed too. */
	there = access(pin_dir, F_OK) == 0;
	dp = dataplane_open(pin_dir, false, fault);
	if (!dp && fault->code != FAULT_NOT_FOUND)
		return -1;
	err = dp ? clean_allowed(loader, dp, fault) : 0;
	if (!err && dp)
		lbload_tunnel_off(loader, dp, LBLOAD_LOOPBACK);
	if (!err)
		err = dataplane_unpin(pin_dir, fault);
	if (!err) {
		loader_say(loader, there ? "%s: pins removed" : "%s: nothing to clean", pin_dir);
		loader_json(loader, json_pack("{s:b}", "cleaned", there));
	}
	dataplane_close(dp);
	return err;
}
