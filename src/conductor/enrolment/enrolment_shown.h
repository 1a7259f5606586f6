/* SPDX-License-Identifier: GPL-3.0-or-later */
/* enrolment_shown.h - what routers are shown in handshakes: certificate, key, CAs and CRLs, as the
 * files were when they were read.
 *
 * The service has one, which a reload replaces. Each session holds the one that it began with, so
 * that a handshake ends with the certificate of its beginning. Not for threads: holding and
 * releasing happen on the loop.
 *
 * Calling sequence: enrolment_shown_open -> [enrolment_shown_hold] -> enrolment_shown_release, once
 * for each of these.
 */
#pragma once

#include "conductor/enrolment/enrolment_context.h"

struct enrolment_shown {
	struct enrolment_context context;
	unsigned users;
};

/* Reads the files that config names. Arguments and errors are enrolment_context_init()'s. */
int enrolment_shown_open(struct enrolment_shown **ret, struct registry *registry,
			 const struct config_conductor *config, uint16_t repository_port,
			 struct err *err);
/* Returns shown. */
struct enrolment_shown *enrolment_shown_hold(struct enrolment_shown *shown);
void enrolment_shown_release(struct enrolment_shown *shown);

/* The conductor's, as DER; borrowed. */
struct span enrolment_shown_certificate(const struct enrolment_shown *shown);
bool enrolment_shown_is(const struct enrolment_shown *shown, struct span certificate);
