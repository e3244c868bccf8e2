/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* pin_judge: see pin_judge.h. */
#include "pin_judge.h"

bool pin_over(const struct lb_pin *pin, uint32_t now)
{
	return (int32_t)(pin->until - now) <= 0;
}

bool pin_needless(const struct lb_pin *pin, uint32_t began)
{
	/* No packet is under way for as long as that with a pair that it read before. */
	return pin_over(pin, began - LB_SETTLED_TICKS) &&
	       (!pin->kept || (int32_t)(pin->kept - began) < 0);
}
