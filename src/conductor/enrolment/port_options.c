/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/port_options.h"

const struct port_mux_options port_mux_defaults = {
	.port = 930,
	.silence_ms = 5000,
	.silent_max = 1024,
	.tls_max = 512,
	.ssh_max = 64,
	.ssh_timeout_ms = 10000,
	.rate_per_s = 1,
	.burst = 5,
};
