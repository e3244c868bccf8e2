/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * status_page: the page for people at global.metrics, and what it draws. The page is
 * status_page.html, which the program carries in itself; its figures are the API's own answers, so
 * that it cannot say anything else than lbctl does.
 */
#ifndef LIMPET_STATUS_PAGE_H
#define LIMPET_STATUS_PAGE_H

#include <stddef.h>

#include "api_routes.h"
#include "fault.h"

/* The page, `*size` bytes of HTML; never freed. */
const char *status_page_html(size_t *size);

/* What status.json holds, `*size` bytes for the caller to free; NULL with `fault` set. Rates are
 * those since the question before with the same `state`. */
char *status_page_data(struct api_state *state, size_t *size, struct fault *fault);

#endif
