/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * doctor: see doctor.h. The host's part is done at once; then the backends are asked, some at a
 * time, each in up to three ways, and judged by what became of all.
 */
#include "doctor.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor_facts.h"
#include "probe.h"
#include "tunnel.h"

enum { ACTIVE_MAX = 64 };

/* See struct doctor_backend. */
enum way { WAY_TUNNEL, WAY_DIRECT, WAY_PLAIN, WAY_COUNT };

/* One backend under examination. */
struct patient {
	struct doctor *doctor;
	struct doctor_backend facts;
	const struct check *check; /* of the doctor's list */
	struct probe_target targets[WAY_COUNT];
	struct probe_tunnel tunnel, plain;
	uint64_t sent_before;
	struct prober *probers[WAY_COUNT];
	unsigned pending; /* probes under way */
};

struct doctor {
	sd_event *event;
	struct dataplane *dp;
	struct probers *probers;
	struct probe_steps steps; /* nobody's: a probe that is told its steps runs once */
	struct doctor_findings findings;
	struct doctor_link links[INTERFACES_MAX];
	size_t link_count;
	struct check *checks; /* one for each pool */
	struct patient *patients;
	size_t patient_count, next, active;
	bool begun, running;
	bool going; /* within patients_go_on */
};

struct doctor *doctor_create(sd_event *event, struct dataplane *dp)
{
	struct doctor *doctor = calloc(1, sizeof(*doctor));

	if (!doctor)
		return NULL;
	doctor->event = event;
	doctor->dp = dp;
	doctor->probers = probers_create(event);
	if (doctor->probers)
		return doctor;
	free(doctor);
	return NULL;
}

static void patients_free(struct doctor *doctor)
{
	for (size_t i = 0; i < doctor->patient_count; i++) {
		for (int way = 0; way < WAY_COUNT; way++)
			prober_free(doctor->patients[i].probers[way]);
	}
	free(doctor->patients);
	free(doctor->checks);
	doctor->patients = NULL;
	doctor->checks = NULL;
	doctor->patient_count = doctor->next = doctor->active = 0;
}

void doctor_free(struct doctor *doctor)
{
	if (!doctor)
		return;
	patients_free(doctor);
	probers_free(doctor->probers);
	doctor_findings_free(&doctor->findings);
	free(doctor);
}

/* ---- asking backends ---- */

static void patients_go_on(struct doctor *doctor);

/* Some probe of the patient has ended. */
static void patient_look(struct patient *patient)
{
	struct doctor *doctor = patient->doctor;

	if (--patient->pending > 0)
		return;
	/* What this host kept from leaving is not the backend's fault, and told of the VIP. */
	if (patient->facts.tunnel.ran &&
	    patient->tunnel.sent->ends[LB_PROBE_SENT] == patient->sent_before)
		patient->facts.tunnel.ran = false;
	doctor_judge_backend(&patient->facts, &doctor->findings);
	doctor->active--;
	patients_go_on(doctor);
}

static void note(struct patient *patient, struct doctor_probe *probe, bool good, const char *reason)
{
	probe->ran = true;
	probe->good = good;
	snprintf(probe->reason, sizeof(probe->reason), "%.223s", reason);
	patient_look(patient);
}

static void on_tunnel(void *context, bool good, const char *reason, uint32_t duration_us)
{
	struct patient *patient = context;

	(void)duration_us;
	note(patient, &patient->facts.tunnel, good, reason);
}

static void on_direct(void *context, bool good, const char *reason, uint32_t duration_us)
{
	struct patient *patient = context;

	(void)duration_us;
	note(patient, &patient->facts.direct, good, reason);
}

static void on_plain(void *context, bool good, const char *reason, uint32_t duration_us)
{
	struct patient *patient = context;

	(void)duration_us;
	note(patient, &patient->facts.plain, good, reason);
}

/* Behind a gateway a packet to the VIP without an outer header comes back to the balancer. */
static bool is_asked(const struct patient *patient, enum way way)
{
	switch (way) {
	case WAY_TUNNEL:
		return patient->facts.vip_well;
	case WAY_PLAIN:
		return patient->facts.vip_well && patient->facts.hop.on_link &&
		       patient->facts.forward != FORWARD_MODE_L2;
	default:
		return true;
	}
}

static void patient_ask(struct patient *patient)
{
	static const probe_result results[] = {on_tunnel, on_direct, on_plain};
	struct doctor *doctor = patient->doctor;

	/* One more, so that it is looked at when all are under way, or none is. */
	patient->pending = 1;
	patient->sent_before = patient->tunnel.sent->ends[LB_PROBE_SENT];
	for (int way = 0; way < WAY_COUNT && patient->facts.hop.resolved; way++) {
		if (!is_asked(patient, way))
			continue;
		patient->probers[way] =
			prober_once(doctor->probers, patient->check, &patient->targets[way],
				    &doctor->steps, results[way], patient);
		patient->pending += patient->probers[way] != NULL;
	}
	patient_look(patient);
}

static void patients_go_on(struct doctor *doctor)
{
	/* One that is not asked at all is done at once, and comes back here. */
	if (doctor->going)
		return;
	doctor->going = true;
	while (doctor->next < doctor->patient_count && doctor->active < ACTIVE_MAX) {
		doctor->active++;
		patient_ask(&doctor->patients[doctor->next++]);
	}
	doctor->going = false;
	if (doctor->active || doctor->next < doctor->patient_count || !doctor->running)
		return;
	doctor->running = false;
	doctor_findings_order(&doctor->findings);
}

/* ---- an examination ---- */

/* What to ask backends of the pool: its check; an echo where that says nothing of the way. */
static struct check check_of(const struct model *model, const struct pool *pool)
{
	struct check check = pool->check;

	if (check.type == CHECK_NONE || check.type == CHECK_EXEC ||
	    (pool->backend_count && !model_check_port(model, pool, pool->backends[0])))
		check.type = CHECK_ICMP;
	return check;
}

static void target_set(struct patient *patient, enum way way, const struct model *model,
		       const struct pool *pool, const struct backend *backend)
{
	struct pool asked = *pool;
	struct check_target target;

	asked.check = *patient->check;
	asked.check.via = way == WAY_DIRECT ? CHECK_VIA_DIRECT : CHECK_VIA_TUNNEL;
	target = model_check_target(model, &asked, backend);
	patient->targets[way] = (struct probe_target){
		.address = target.address,
		.port = target.port,
		.tunnel = !target.tunnel     ? NULL
			  : way == WAY_PLAIN ? &patient->plain
					     : &patient->tunnel,
		.pool = patient->facts.pool,
		.backend = patient->facts.name,
	};
}

/* What the interface by which its packets leave is to the data plane. The kernel is asked once for
 * backends that have the one before. */
static void egress_look(struct patient *patient, const struct patient *before)
{
	const struct doctor *doctor = patient->doctor;
	struct doctor_backend *facts = &patient->facts;

	if (!facts->hop.resolved || !if_indextoname(facts->hop.ifindex, facts->egress))
		return;
	for (size_t i = 0; i < doctor->link_count; i++) {
		const struct doctor_link *link = &doctor->links[i];

		if (link->attachment != DOCTOR_ATTACHED)
			continue;
		if (strcmp(link->name, facts->egress) == 0)
			facts->egress_attached = true;
		else
			memcpy(facts->ingress, link->name, sizeof(facts->ingress));
	}
	if (before && before->facts.hop.resolved && before->facts.hop.ifindex == facts->hop.ifindex)
		facts->egress_deaf = before->facts.egress_deaf;
	else
		facts->egress_deaf = doctor_interface_deaf(facts->hop.ifindex);
}

static void patient_init(struct patient *patient, const struct model *model,
			 const struct pool *pool, const struct backend *backend)
{
	struct doctor *doctor = patient->doctor;
	struct doctor_backend *facts = &patient->facts;

	memcpy(facts->pool, pool->name, sizeof(facts->pool));
	memcpy(facts->name, backend->name, sizeof(facts->name));
	facts->forward = pool->forward;
	facts->address = backend->address;
	facts->hop = backend->hop;
	facts->nat_refused = dataplane_nat_pressures(doctor->dp)[backend->index].refused;
	facts->mtu_in = doctor_mtu_in(doctor->links, doctor->link_count);
	patient->tunnel = (struct probe_tunnel){
		.backend = backend->address,
		.mark = backend->index ? dataplane_probe_mark(doctor->dp) | backend->index : 0,
		.sent = &dataplane_probes(doctor->dp)[backend->index],
		.source = backend->hop.source,
		.ifindex = backend->hop.ifindex,
		.explain = tunnel_explain,
	};
	patient->plain = patient->tunnel;
	patient->plain.mark |= LB_PROBE_PLAIN;
	for (int way = 0; way < WAY_COUNT; way++)
		target_set(patient, way, model, pool, backend);
	addr_format(&patient->targets[WAY_TUNNEL].address, facts->vip);
}

/* The host's own way to the VIP, once for those that have the one before. */
static void vip_look(struct patient *patient, const struct patient *before)
{
	const struct probe_target *target = &patient->targets[WAY_TUNNEL];
	struct doctor_vip vip;

	if (!target->tunnel || !patient->tunnel.mark)
		return;
	if (before && before->facts.hop.resolved && before->targets[WAY_TUNNEL].tunnel &&
	    addr_equal(&before->targets[WAY_TUNNEL].address, &target->address)) {
		patient->facts.vip_well = before->facts.vip_well;
		return;
	}
	vip = doctor_vip_gather(&target->address, &patient->facts.hop,
				dataplane_probe_mark(patient->doctor->dp));
	patient->facts.vip_well = doctor_judge_vip(&vip, &patient->doctor->findings);
}

static bool is_used(const struct model *model, const struct pool *pool)
{
	for (size_t i = 0; i < model->service_count; i++) {
		if (strcmp(model->services[i]->pool, pool->name) == 0)
			return true;
	}
	return false;
}

static int patients_make(struct doctor *doctor, const struct model *model)
{
	size_t count = 0;

	for (size_t p = 0; p < model->pool_count; p++)
		count += model->pools[p]->backend_count;
	doctor->patients = calloc(count + 1, sizeof(*doctor->patients));
	doctor->checks = calloc(model->pool_count + 1, sizeof(*doctor->checks));
	if (!doctor->patients || !doctor->checks)
		return -ENOMEM;
	for (size_t p = 0; p < model->pool_count; p++) {
		const struct pool *pool = model->pools[p];

		doctor->checks[p] = check_of(model, pool);
		doctor_judge_pool(pool, is_used(model, pool), &doctor->findings);
		doctor_judge_pins(pool, &doctor->findings);
		for (size_t b = 0; b < pool->backend_count; b++) {
			size_t at = doctor->patient_count++;
			struct patient *patient = &doctor->patients[at];

			patient->doctor = doctor;
			patient->check = &doctor->checks[p];
			patient_init(patient, model, pool, pool->backends[b]);
			egress_look(patient, at ? patient - 1 : NULL);
			vip_look(patient, at ? patient - 1 : NULL);
		}
	}
	return 0;
}

int doctor_start(struct doctor *doctor, const struct model *model)
{
	struct doctor_host host;
	int count, err;

	if (doctor->running)
		return 0;
	patients_free(doctor);
	doctor_findings_free(&doctor->findings);
	host = doctor_host_gather(doctor->dp, model);
	doctor_judge_host(&host, &doctor->findings);
	count = doctor_links_gather(doctor->dp, doctor->links);
	doctor->link_count = count > 0 ? (size_t)count : 0;
	doctor_judge_links(doctor->links, doctor->link_count, &doctor->findings);
	err = patients_make(doctor, model);
	if (err) {
		patients_free(doctor);
		return err;
	}
	doctor->begun = doctor->running = true;
	patients_go_on(doctor);
	return 0;
}

struct doctor_report doctor_report(const struct doctor *doctor)
{
	return (struct doctor_report){
		.begun = doctor->begun,
		.running = doctor->running,
		.findings = &doctor->findings,
		.interface_count = doctor->link_count,
		.backend_count = doctor->patient_count,
	};
}
